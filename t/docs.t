# SPDX-License-Identifier: BSD-2-Clause

# What docs/ says is what the sources have: lines of the error log, results,
# directives, variables.

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


# Each line that a running NGINX logs stands in a row of operations.md, with
# its level and with what to do.  Conversions stand for anything.

my @rows = grep { /^\| `/ } split /\n/, $page{operations};
my %word = (ERR => 'error', WARN => 'warn', NOTICE => 'notice', INFO => 'info',
            ALERT => 'alert', EMERG => 'emerg');

for my $file (sort keys %source) {

    while ($source{$file} =~ /\bngx_(?:log|ssl)_error\(\s*([\w>-]+),\s*
                              ([^,]+),[^,]+,\s*
                              ((?:(?:"(?:[^"\\]|\\.)*"|ngx_\w+_n)\s*)+)/gx)
    {
        my ($level, $log, $format) = ($1, $2, $3);

        next if $log =~ /^cf->/;        # nginx -t says that

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
             "$file: \"$format\" is there");
        next;
    }

    my ($row) = grep { /`[^`]*$pattern/ } @rows;

    ok($row, "$file: \"$format\" has a row") or next;

    # the level, or where it is configured

    my $name = $level =~ /^NGX_LOG_(\w+)/ ? $word{$1} : 'warn|k8s_sa_log_level';
    like($row, qr/\(`(?:$name)`/, 'with its level');

    my (undef, @cells) = split / \| ?/, $row;
    is(scalar(grep { /\w/ } @cells), 2, 'its meaning, and what to do');
}


# Results

my %result = $source{'src/token/k8s_sa_verdict.c'}
             =~ /^\s+"(\w+)", (\d{3}), /mg;
my %told = $page{variables} =~ /^\| `(\w+)` \| (\d{3})?[^|]*\|/mg;

is_deeply([ sort keys %told ], [ sort keys %result ],
          'variables.md: all results');
is($told{$_} || 200, $result{$_}, "variables.md: the status of $_")
    for sort keys %result;
like($page{variables}, qr/^\| `$_` \|[^|]*\|[^|]*\w[^|]*\|[^|]*\w[^|]*\|$/m,
     "variables.md: what $_ means, and what to do") for sort keys %result;


# Directives and variables

my $face = slurp("$root/ngx_http_k8s_sa_module.c");
my @directives = $face =~ /ngx_string\("(k8s_sa_\w+)"\)/g;
my @inner = $source{'src/conf/ngx_http_k8s_sa_conf_issuer_directives.c'}
            =~ /^ +\{ ngx_string\("(\w+)"\)/mg;

cmp_ok(scalar @directives, '>=', 15, 'directives');
cmp_ok(scalar @inner, '>', 15, 'and those of an issuer');
like($page{directives}, qr/^### $_$/m, "directives.md: $_") for @directives;
like($page{directives}, qr/^\|[^|]*`$_\b/m, "directives.md: $_") for @inner;

my @variables = $source{'src/http/ngx_http_k8s_sa_variables.c'}
                =~ /(?:k8s_sa_field\("|ngx_string\("k8s_sa_)(\w+)"/g;

cmp_ok(scalar @variables, '>', 15, 'variables');
like($page{variables}, qr/^\|[^|]*`\$k8s_sa_$_/m, "variables.md: $_")
    for @variables;


done_testing();
