# SPDX-License-Identifier: BSD-2-Clause

# The documentation agrees with the tree: lines of the error log, results,
# directives and variables are described, and the files, functions and links
# that it names exist.

use strict;
use warnings;

use File::Find qw(find);
use Test::More;

use K8sSa;


my $root = fixture('../..');
my (%source, @lines);

find({ no_chdir => 1, wanted => sub {
    $source{$_ =~ s{^\Q$root\E/}{}r} = slurp($_) if /\.c$/;
} }, "$root/src");

my %page = map { m{([^/]+)\.md$} => slurp($_) } glob "$root/docs/*.md";
my $folders = join '|', qw(bench client conf-examples docker docs src t util);


# Each line that a running NGINX logs has a row in operations.md, with its level
# and with what to do.  A conversion matches any text.

my @rows = grep { /^\| `/ } split /\n/, $page{operations};
my %word = (ERR => 'error', WARN => 'warn', NOTICE => 'notice', INFO => 'info',
            ALERT => 'alert', EMERG => 'emerg');

for my $file (sort keys %source) {

    while ($source{$file} =~ /\bngx_(?:log|ssl)_error\(\s*([\w>-]+),\s*
                              ([^,]+),[^,]+,\s*
                              ((?:(?:"(?:[^"\\]|\\.)*"|ngx_\w+_n)\s*)+)/gx)
    {
        my ($level, $log, $format) = ($1, $2, $3);

        next if $log =~ /^cf->/;        # a configuration error

        $format =~ s/ngx_(\w+)_file_n/"$1()"/g;
        $format = join '', $format =~ /"((?:[^"\\]|\\.)*)"/g;
        push @lines, [ $file, $level, $format =~ s/\\"/"/gr ];
    }
}

cmp_ok(scalar @lines, '>', 20, 'lines in the sources');

for (@lines) {
    my ($file, $level, $format) = @$_;
    my $pattern = join '.*?', map { quotemeta }
                  split /%(?:ui|\*s|[a-zA-Z])/, $format =~ s/^k8s_sa: //r;

    if ($format =~ /^k8s_sa: request refused/) {
        like($page{operations}, qr/^ {4}\[warn\] k8s_sa: $pattern/m,
             "$file: \"$format\" is described");
        next;
    }

    my ($row) = grep { /`[^`]*$pattern/ } @rows;

    ok($row, "$file: \"$format\" has a row") or next;

    # the level, or the directive that sets it

    my $name = $level =~ /^NGX_LOG_(\w+)/ ? $word{$1} : 'warn|k8s_sa_log_level';
    like($row, qr/\(`(?:$name)`/, '... with its level');

    my (undef, @cells) = split / \| ?/, $row;
    is(scalar(grep { /\w/ } @cells), 2, '... its meaning, and what to do');
}


# Results

my %result = $source{'src/token/k8s_sa_verdict.c'}
             =~ /^\s+"(\w+)", (\d{3}), /mg;
my %told = $page{variables} =~ /^\| `(\w+)` \| (\d{3})?[^|]*\|/mg;

is_deeply([ sort keys %told ], [ sort keys %result ],
          'variables.md: every result');
is($told{$_} || 200, $result{$_}, "variables.md: the status of $_")
    for sort keys %result;
like($page{variables}, qr/^\| `$_` \|[^|]*\|[^|]*\w[^|]*\|[^|]*\w[^|]*\|$/m,
     "variables.md: what $_ means, and what to do") for sort keys %result;


# Directives and variables

my $face = slurp("$root/ngx_http_k8s_sa_module.c");
my @directives = $face =~ /ngx_string\("(k8s_sa_\w+)"\)/g;
my @inner = map { $source{$_} =~ /^ +\{ ngx_string\("(\w+)"\),\n +NGX_CONF_/mg }
            grep { m{^src/conf/} } sort keys %source;

cmp_ok(scalar @directives, '>=', 15, 'directives');
cmp_ok(scalar @inner, '>', 15, 'directives of an issuer');
like($page{directives}, qr/^### $_$/m, "directives.md: $_") for @directives;
like($page{directives}, qr/^\|[^|]*`$_\b/m, "directives.md: $_") for @inner;

my @variables = $source{'src/http/ngx_http_k8s_sa_variables.c'}
                =~ /(?:k8s_sa_field\("|ngx_string\("k8s_sa_)(\w+)"/g;

cmp_ok(scalar @variables, '>', 15, 'variables');
like($page{variables}, qr/^\|[^|]*`\$k8s_sa_$_/m, "variables.md: $_")
    for @variables;


# Files and functions.  A name without a folder is that of a file anywhere in the
# tree, and one that begins with "_" is the end of a file's name.

my (@files, $code, $tests);

find({ no_chdir => 1, wanted => sub {
    return $File::Find::prune = 1 if m{^\Q$root\E/(?:build[^/]*|\.git)$};
    push @files, $_ =~ s{^\Q$root\E/}{}r if -f;
} }, $root);

for (grep { m{^(?:src|client)/.*\.[ch]$|^[^/]*\.c$} } @files) {
    $code .= slurp("$root/$_");
}

$tests .= slurp("$root/$_") for grep { m{^t/.*\.(?:pm|t)$} } @files;

sub exists_in_tree {
    my ($name) = @_;

    return scalar(() = glob "$root/$name") if $name =~ /\*/;
    return -e "$root/$name" if $name =~ m{/};
    return scalar grep { $name =~ /^_/ ? /\Q$name\E$/ : m{(?:^|/)\Q$name\E$} }
                       @files;
}

# Ours are defined in the sources, nginx's own are called there.

sub is_function {
    my ($name) = @_;

    return $code =~ /^(?:#define +)?$name\(/m if $name =~ /k8s_sa_/;
    return $code =~ /\b$name\(/;
}

sub anchor { return lc($_[0]) =~ s/[^\w -]//gr =~ tr/ /-/r }

for my $file (grep { m{^(?:(?:docs|bench)/)?[^/]+\.md$} } @files) {
    my $text = slurp("$root/$file");
    my ($folder) = $file =~ m{^(.*/)?};
    my %name = map { s/[.:]+$//r => 1 }
               $text =~ m{(?<![\w/.-])((?:$folders)/[\w./*-]*)}g,
               $text =~ /`([\w-]+\.(?:c|h|lua|md|pl|pm|sh|t))`/g;
    my %function = map { $_ => 1 } $text =~ /\b((?:k8s_sa|ngx)_\w+)\(\)/g;
    my %constant = map { $_ => 1 } $text =~ /\b((?:NGX|K8S_SA)_[A-Z\d_]+)\b/g;
    my %link = map { $_ => 1 } $text =~ /\]\(([^):]+)\)/g;

    ok(exists_in_tree($_) || $folder && -e "$root/$folder$_",
       "$file: $_ exists") for sort keys %name;
    ok(is_function($_), "$file: $_() exists") for sort keys %function;
    ok("$code$tests" =~ /\b$_\b/, "$file: $_ exists")
        for sort keys %constant;

    for (sort keys %link) {
        my ($to, $anchor) = /^([^#]*)#?(.*)$/;
        my $target = $to eq '' ? $file : ($folder // '') . $to;

        ok(-e "$root/$target", "$file: the target of $_ exists") or next;
        next if $anchor eq '';

        my %heading = map { anchor($_) => 1 }
                      slurp("$root/$target") =~ /^#+ +(.*)$/mg;
        ok($heading{$anchor}, "$file: the heading of $_ exists");
    }
}


done_testing();
