# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_paths: a path that an upstream may read in another way than nginx is
# refused where the locations of a server do not all require the same.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my %taken;

sub new_port {
    my $new;

    do { $new = free_port() } while $taken{$new}++;
    return $new;
}

my ($port, $h2, $any, $own, $raw_port, $uri_port, $echo_port)
    = map { new_port() } 1 .. 7;
my $seen_file = dir() . '/seen';
my $up = echo_http($seen_file);
my $pass = "proxy_pass http://127.0.0.1:$up;";

my $issuers = <<"_";
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2; }
k8s_sa_issuer other { public_key @{[ key_file('ec') ]}; audience service2; }
_

my @pair = ("location /p { RULES PASS }", "location / { OTHER PASS }");

sub two {
    my ($rules, $other) = @_;
    return "@pair" =~ s/RULES/$rules/r =~ s/OTHER/$other/r;
}

# name, content of a server, and whether it is strict

my $auth = 'k8s_sa_auth made;';
my @servers = map { [ @$_, new_port() ] } (
    [ 'one location', "location / { $auth PASS }", 0 ],
    [ 'a location, and none for other paths', "location /p { $auth PASS }", 1 ],
    [ 'no location differs from the server',
      "$auth location /p { PASS }", 0 ],
    [ 'nothing is required', two('', 'k8s_sa_auth off;'), 0 ],
    [ 'the same issuer', two($auth, $auth), 0 ],
    [ 'off', two($auth, ''), 1 ],
    [ 'off, the other way round', two('', $auth), 1 ],
    [ 'off, exact', "$auth location = /p { k8s_sa_auth off; PASS }", 1 ],
    [ 'off, regex', "$auth location ~ ^/p { k8s_sa_auth off; PASS }", 1 ],
    [ 'off, "^~"', "$auth location ^~ /p { k8s_sa_auth off; PASS }", 1 ],
    [ 'off, "= /"', "location = / { PASS } location /p { $auth PASS }", 1 ],
    [ 'off, regex "/"',
      "$auth location ~ / { PASS } location = /x { k8s_sa_auth off; PASS }",
      1 ],
    [ 'regex', "$auth location ~ ^/p { PASS } location / { PASS }", 0 ],
    [ 'off, nested',
      "location / { $auth PASS location /q { k8s_sa_auth off; PASS } }", 1 ],
    [ 'off, nested in a nested one',
      "location / { $auth PASS location /q { PASS"
      . ' location /q/r { k8s_sa_auth off; PASS } } }', 1 ],
    [ 'nested', "location / { $auth PASS location /p { PASS } }", 0 ],
    [ 'off, named', "$auth location / { PASS } location \@q { "
                    . 'k8s_sa_auth off; PASS }', 1 ],
    [ 'named', "$auth location / { PASS } location \@q { PASS }", 0 ],
    [ 'another issuer', two($auth, 'k8s_sa_auth other;'), 1 ],
    [ 'more issuers', two($auth, 'k8s_sa_auth made other;'), 1 ],
    [ 'optional', two($auth, 'k8s_sa_auth made optional;'), 1 ],
    [ 'optional in both', two(('k8s_sa_auth made optional;') x 2), 0 ],
    [ 'a list', two($auth, "$auth k8s_sa_allow mytest/*;"), 1 ],
    [ 'another list', two("$auth k8s_sa_allow mytest/* a/b;",
                          "$auth k8s_sa_allow mytest/* a/c;"), 1 ],
    [ 'the same list', two("$auth k8s_sa_allow mytest/* a/b;",
                           "$auth k8s_sa_allow a/b mytest/*;"), 0 ],
    [ 'a value', two($auth, "$auth k8s_sa_require \$host;"), 1 ],
    [ 'another value', two("$auth k8s_sa_require \$host \$uri;",
                           "$auth k8s_sa_require \$host \$args;"), 1 ],
    [ 'another number of values',
      two("$auth k8s_sa_require \$host;",
          "$auth k8s_sa_require \$host \$host;"), 1 ],
    [ 'another status', two("$auth k8s_sa_require \$host;",
                            "$auth k8s_sa_require \$host error=404;"), 1 ],
    [ 'the same value', two("$auth k8s_sa_require \$host;",
                            "$auth k8s_sa_require \$host;"), 0 ],
    [ 'if', "$auth location / { if (\$arg_x) { set \$y 1; } PASS }", 0 ],
    [ 'if that is true', "$auth location / { if (\$uri) { set \$y 1; } PASS }",
      0 ],
    [ 'if that is true, off elsewhere',
      "$auth location / { if (\$uri) { set \$y 1; } PASS }"
      . ' location /q { k8s_sa_auth off; }', 1 ],
    [ 'limit_except', "$auth location / { PASS limit_except GET { "
                      . 'k8s_sa_allow a/b; } }', 0 ],
    [ 'limit_except in one of two',
      two($auth, "$auth limit_except GET { k8s_sa_allow a/b; }"), 1 ],
    [ 'limit_except that requires the same',
      two($auth, "$auth limit_except GET { $auth }"), 0 ],
    [ 'limit_except, another list',
      two("$auth limit_except GET { k8s_sa_allow a/b; }",
          "$auth limit_except GET { k8s_sa_allow a/c; }"), 1 ],
    [ 'limit_except, other methods',
      two("$auth limit_except GET { k8s_sa_allow a/b; }",
          "$auth limit_except GET PUT { k8s_sa_allow a/b; }"), 1 ],
    [ 'limit_except, all the same',
      two(("$auth limit_except GET { k8s_sa_allow a/b; }") x 2), 0 ],
    [ 'satisfy', two($auth, "$auth satisfy any; deny all;"), 1 ],
    [ 'satisfy in both', two(("$auth satisfy any; deny all;") x 2), 0 ],
    [ 'satisfy, nothing is required', two('satisfy any;', ''), 0 ],
    [ 'other directives', two("$auth k8s_sa_realm a;",
                              "$auth k8s_sa_forward_token on;"), 0 ],
    [ 'any in the server', 'k8s_sa_paths any; ' . two('', $auth), 0 ],
    [ 'any in the location', two('k8s_sa_paths any;', $auth), 0 ],
    [ 'any in another location', two('', "$auth k8s_sa_paths any;"), 1 ],
    [ 'strict in the server', "k8s_sa_paths strict; location / { $auth PASS }",
      1 ],
    [ 'strict in the location', two("$auth k8s_sa_paths strict;", $auth), 1 ],
    [ 'strict in another location', two($auth, "$auth k8s_sa_paths strict;"),
      0 ],
    [ 'strict without any k8s_sa_auth', 'k8s_sa_paths strict; ' . two('', ''),
      1 ],
    [ 'any in a location of a strict server',
      'k8s_sa_paths strict; ' . two('k8s_sa_paths any;', ''), 0 ],
    [ 'strict in the location that encloses it',
      'location / { k8s_sa_paths strict; location /p { PASS } PASS }', 1 ]);

my $nginx = K8sSa::Nginx->new(http => <<"_")->start;
$issuers
log_format k8s "\$request_uri [\$k8s_sa_result]";
map \$k8s_sa_name \$unless { default 1; service1 0; }
@{[ map { "server { listen 127.0.0.1:$_->[3]; $_->[1] }\n"
          =~ s/PASS/$pass/gr } @servers ]}

server {
    listen 127.0.0.1:$port;
    listen 127.0.0.1:$h2 http2;
    access_log logs/access.log k8s;

    location / { $auth $pass }
    location = /healthz { $pass }
    location = /who { $auth k8s_sa_whoami; }
    location = /who-post { $auth limit_except GET { k8s_sa_auth made; }
                           k8s_sa_whoami; }
    location = /status { k8s_sa_status; }
    location = /metrics { k8s_sa_status prometheus; }
    location /satisfy/ { satisfy any; allow all; $auth $pass }
    location /denied/ { satisfy any; deny all; $auth $pass }
    location /late/ { $auth k8s_sa_phase access; $pass }
    location /dry/ { $auth k8s_sa_dry_run on; $pass }
    location /dry-off/ { k8s_sa_dry_run on; $pass }
    location /quiet/ { k8s_sa_log_level error; $pass }
    location /mirrored/ { mirror /mirror; $pass }
    location = /mirror { internal;
                         proxy_pass http://127.0.0.1:$up/..%2fmirror; }

    # a refusal and its error pages

    location /page/ { error_page 400 /error.html; $pass }
    location /open/ { error_page 400 = \@open; $pass }
    location /open-any/ { error_page 400 = \@open_any; $pass }
    location /closed/ { $auth error_page 400 = \@closed; $pass }
    location /closed-any/ { error_page 400 = \@closed_any; $pass }
    location /closed-uri/ { error_page 400 = /closed.html; $pass }
    location /closed-dry/ { error_page 400 = \@closed_dry; $pass }
    location /gate/ { error_page 400 = \@gate; $pass }
    location /twice/ { recursive_error_pages on; error_page 400 = \@twice;
                       $pass }
    location /word/ { error_page 400 = /x/\$k8s_sa_result; $pass }
    location /set/ { error_page 400 = \@set; $pass }
    location = /error.html { $pass }
    location = /closed.html { $auth k8s_sa_paths any; $pass }
    location \@open { $pass }
    location \@open_any { k8s_sa_paths any; $pass }
    location \@closed { $auth $pass }
    location \@closed_any { $auth k8s_sa_paths any; $pass }
    location \@closed_dry { $auth k8s_sa_dry_run on; $pass }
    location \@set { $auth set \$name \$k8s_sa_name; $pass }
    location \@gate { auth_request /who; $pass }
    location \@twice { $auth recursive_error_pages on;
                       error_page 400 = \@open; $pass }

    # other redirects

    location /try/ { $auth k8s_sa_paths any; try_files /none \@open; }
    location /try-any/ { $auth k8s_sa_paths any; try_files /none \@open_any; }
    location /accel/ { $auth k8s_sa_paths any; $pass }
    location /rewrite/ { rewrite ^/rewrite(/.*) \$1 last; }
    location /dry-try/ { k8s_sa_dry_run on; try_files /none \@closed_any; }
    location /dry-map/ { k8s_sa_dry_run on; try_files /\$unless \@unless; }
    location \@unless { $auth k8s_sa_paths any; k8s_sa_require \$unless;
                        $pass }
    location /return/ { error_page 403 = \@open; return 403; }
}

# the same as above, without the check

server {
    listen 127.0.0.1:$any;
    k8s_sa_paths any;
    location / { $auth $pass }
    location = /healthz { $pass }
}

# what nginx refuses itself

server {
    listen 127.0.0.1:$own;
    large_client_header_buffers 4 1k;
    error_page 400 494 = /own;
    location = /own { $pass }
    location / { $auth $pass }
}

# what a path becomes

server {
    listen 127.0.0.1:$raw_port;
    k8s_sa_paths strict;
    location / { add_header X-Uri \$uri;
                 proxy_pass http://127.0.0.1:$echo_port; }
}
server {
    listen 127.0.0.1:$uri_port;
    k8s_sa_paths strict;
    location / { add_header X-Uri \$uri;
                 proxy_pass http://127.0.0.1:$echo_port/; }
}
server {
    listen 127.0.0.1:$echo_port;
    location / { add_header X-Got \$request_uri; empty_gif; }
}
_

my $good = bearer(sign_token());
my $seen = 0;

# the request lines that have reached the upstream since the last call

sub seen {
    my $all = -e $seen_file ? slurp($seen_file) : '';
    my @lines = substr($all, $seen) =~ m{^([A-Z]+ \S+) HTTP/1}mg;

    $seen = length $all;

    return join ' ', @lines;
}

sub ask {
    my ($from, $path, @headers) = @_;
    return get($from, $path, @headers)->{status} . ' ' . seen();
}


# An open location beside a protected one

for my $odd ('/admin/..%2fhealthz', '/admin/%2e%2e/healthz',
             '/admin//../healthz', '/admin/../healthz', '/./healthz',
             '//healthz', '/admin/..%2Fhealthz', '/x/.%2e/healthz')
{
    is(ask($port, $odd), '400 ', "$odd: refused");
    is(ask($port, $odd, $good), '400 ', '... also with a token');
    is(ask($any, $odd), "200 GET $odd", '... "any": the upstream gets it');
}

is(ask($port, '/healthz'), '200 GET /healthz', 'the path itself');
is(ask($port, '/%68ealthz'), '200 GET /%68ealthz', 'a letter is escaped');
is(ask($port, '/healthz?a=..%2f;//%2e%2e'),
   '200 GET /healthz?a=..%2f;//%2e%2e', 'the query is not looked at');
is(ask($port, '/a;b', $good), '400 ', 'refused in the protected location');
is(ask($port, '/a;b'), '400 ', '... before its token is looked at');
is(ask($port, '/ab'), '401 ', 'another path needs a token');
is(ask($port, '/' . 'a' x 4095, $good) =~ s/ .*//r, '200', '4096 bytes');
is(ask($port, '/' . 'a' x 4096, $good), '400 ', '4097 bytes');

for ([ '/satisfy/', '400 ' ], [ '/denied/', '400 ' ], [ '/late/', '400 ' ]) {
    my ($path, $expected) = @$_;

    is(ask($port, "$path;", $good), $expected, "$path, a token");
    is(ask($port, "$path;"), $expected, "$path, no token");
}


# Where it is strict

for (@servers) {
    my ($name, undef, $strict, $from) = @$_;
    my $path = '/q/..%2fp';

    is(ask($from, $path, $good), $strict ? '400 ' : "200 GET $path",
       "$name: " . ($strict ? 'strict' : 'any'));
}


# Log, variable, counters

sub lines {
    my ($pattern) = @_;
    return scalar(() = $nginx->log =~ /$pattern/g);
}

sub counted {
    return get($port, '/metrics')->{body} =~ /result="bad_path"\} (\d+)/
           && $1;
}

my $refusal = 'k8s_sa: request refused (bad_path): the path is not in normal '
              . 'form: a semicolon; location "/" accepts it with '
              . '"k8s_sa_paths any", client: ';

sleep 1;
my $before = counted();
my $warned = lines(qr/\[warn\].*\(bad_path\)/);
my $all = lines(qr/\(bad_path\)/);

is(ask($port, "/log/$_/;"), '400 ', "a refusal") for 1 .. 10;

is(counted() - $before, 10, '... is counted');
is(lines(qr/\(bad_path\)/) - $all, 10, '... and logged');
cmp_ok(lines(qr/\[warn\].*\(bad_path\)/) - $warned, '<=', 3,
       '... at k8s_sa_log_level once a second');
cmp_ok(lines(qr/\[warn\].*\(bad_path\)/) - $warned, '>', 0,
       '... the first one');
like($nginx->log, qr{\[info\].*\Q$refusal\E},
     '... the rest as info');
until_true(5, sub { $nginx->log('access') =~ m{^/log/10/; \[bad_path\]$}m });
like($nginx->log('access'), qr{^/log/10/; \[bad_path\]$}m,
     '$k8s_sa_result');

sleep 1;
is(ask($port, '/quiet/;'), '400 ', 'k8s_sa_log_level error');
like($nginx->log, qr{\[error\].*location "/quiet/"}, '... in the log');


# Special locations

my $who = get($port, '/x/..%2fwho', $good);

is($who->{status}, 403, 'k8s_sa_whoami answers 403');
unlike($who->{head}, qr/^WWW-Authenticate/mi, '... without a challenge');
is(ask($port, '/who', $good), '200 ', '... and 200 for its own path');
is(request($port, "POST /x/..%2fwho-post HTTP/1.0\r\n$good\r\n\r\n")->{status},
   403, '... also in limit_except');
is(ask($port, '/x/..%2fstatus'), '400 ', 'k8s_sa_status');

is(ask($port, '/dry/x/..%2fy', $good), '200 GET /dry/x/..%2fy',
   'k8s_sa_dry_run: passes, unchanged');
like($nginx->log, qr{request refused, dry run \(bad_path\).*"/dry/"},
     '... and is logged');
is(ask($port, '/dry/x/..%2fy'), '200 GET /dry/x/..%2fy', '... no token');
is(ask($port, '/dry-off/;'), '200 GET /dry-off/;', '... k8s_sa_auth off');
until_true(5, sub { $nginx->log('access') =~ m{^/dry-off/; }m });
like($nginx->log('access'), qr{^/dry-off/; \[bad_path\]$}m,
     '... $k8s_sa_result');
like($nginx->log('access'), qr{^/dry/x/..%2fy \[ok\]$}m,
     '... with a token that of the token');

my $both = ask($port, '/mirrored/a');

until_true(5, sub { ($both .= ' ' . seen()) =~ /2fmirror/ });
like($both, qr{^200 (?=.*GET /mirrored/a)(?=.*GET /\.\.%2fmirror)},
     'subrequests are not checked');


# A refusal belongs to the request

is(ask($port, '/page/x/..%2fy'), '400 GET /error.html', 'a page for it');
is(ask($port, '/open/x/..%2fy'), '200 GET /open/y',
   'a named location gets nginx\'s form');
is(ask($port, '/open/x/..%2fy?a=b'), '200 GET /open/y?a=b', '... with a query');
is(ask($port, '/open-any/x/..%2fy'), '200 GET /open-any/y',
   '... also with "any"');
is(ask($port, '/open-any/..%2fadmin'), '400 ', 'another location');

for my $path ('/closed/', '/closed-any/', '/closed-uri/') {
    is(ask($port, "$path;", $good), '400 ', "$path: refused again");
}

is(ask($port, "/$_/;", $good), '400 ',
   "a variable is read between the refusals ($_)")
    for 'word', 'set';

is(ask($port, '/closed-dry/x/..%2fy', $good), '200 GET /closed-dry/y',
   'refused, then k8s_sa_dry_run');
is(ask($port, '/gate/;', $good), '403 ', 'refused, then auth_request');
is(ask($port, '/twice/x/..%2fy', $good), '200 GET /twice/y',
   'refused twice, then passes');

is(ask($port, '/try/x/..%2fy', $good), '400 ', 'try_files to a strict one');
is(ask($port, '/try/y', $good), '200 GET /try/y', '... a good path');
is(ask($port, '/try-any/x/..%2fy', $good), '200 GET /try-any/x/..%2fy',
   'try_files to "any"');
is(ask($port, '/dry-try/;', $good), '200 GET /dry-try/;',
   'k8s_sa_dry_run, then "any": the token decides');
is(ask($port, '/dry-try/;'), '401 ', '... no token');
is(ask($port, '/dry-map/;', $good), '503 ', '... a "map" was read before');
is(ask($port, '/accel/healthz;', $good), '400 GET /accel/healthz;',
   'X-Accel-Redirect to a strict one');
is(ask($port, '/rewrite/healthz'), '200 GET /healthz', 'rewrite');
is(ask($port, '/rewrite/x/..%2fhealthz'), '400 ', '... an odd path');
is(ask($port, '/return/;'), '400 ', 'return, then a strict one');


# Other request lines

sub line {
    my ($line, $from) = @_;
    my $answer = request($from || $port, "$line\r\nHost: a\r\n"
                         . "Connection: close\r\n\r\n");

    return ($answer->{status} || 0) . ' ' . seen();
}

is(line('GET /x/..%2fhealthz HTTP/1.0'), '400 ', 'HTTP/1.0');
is(line('GET http://a/healthz HTTP/1.1'), '200 GET /healthz', 'absolute form');
is(line('GET http://a/healthz?b=;/.. HTTP/1.1'), '200 GET /healthz?b=;/..',
   '... with a query');
is(line('GET http://a/x/..%2fhealthz HTTP/1.1'), '400 ', '... an odd path');
is(line('GET http://a HTTP/1.1'), '401 ', '... the empty path is "/"');
is(line('GET http://a?b HTTP/1.1'), '400 ', '... but not with a query');
like(line('OPTIONS * HTTP/1.1'), qr/^40\d $/, 'OPTIONS *');
like(line('CONNECT a:80 HTTP/1.1'), qr/^40\d $/, 'CONNECT');
is(line('OPTIONS /x/..%2fhealthz HTTP/1.1'), '400 ', 'OPTIONS');
is(line('TRACE /x/..%2fhealthz HTTP/1.1') =~ /^40\d $/, 1, 'TRACE');
request($port, "GET /x/..%2fhealthz\r\n");
is(seen(), '', 'HTTP/0.9');

like(get_http2($h2, '/healthz?a=;/..'), qr{^GET /healthz\?a=;/\.\. }, 'HTTP/2');
seen();
unlike(get_http2($h2, $_), qr/^GET/, "HTTP/2: $_")
    for '/x/..%2fhealthz', '/x/%2e%2e/healthz', '//healthz', '/healthz;';
is(seen(), '', '... nothing reaches the upstream');

is(line('GET /%zz HTTP/1.1', $own), '200 GET /own',
   'nginx\'s own refusal has its page');
is(line("GET /x/..%2fy HTTP/1.1\r\nX: " . 'x' x 2000, $own), '400 ',
   '... except for an odd path');
is(line("GET /y HTTP/1.1\r\nX: " . 'x' x 2000, $own), '200 GET /own',
   '... for another one');


# What passes is the same path for nginx and the upstream

my @parts = ('/', '/', '/', '/a', '/b.c', 'a', '-', '.', '..', '/..', '/.',
             '...', '%41', '%7e', '%7E', '%20', '%c3%bc', '%22', '+', ',', '=',
             '@', ':', '~', '%2f', '%2F', '%2e', '%5c', '%25', '%3b', '%00',
             '%ff', '%c3', '%', '%4', ';', '\\', '//', '#', '"', '%0a', '*');
my ($passed, $refused, @wrong) = (0, 0);
my %conn;

sub answer_of {
    my ($from, $path) = @_;

    for (1 .. 2) {
        my $c = $conn{$from} ||= talk($from);

        print {$c->{socket}} "GET $path HTTP/1.1\r\nHost: a\r\n\r\n";

        my $answer = receive($c);

        delete $conn{$from} if ($answer->{status} || 400) == 400;
        return $answer if $answer->{status};
    }

    return { status => 0 };
}

sub decoded { return $_[0] =~ s/%([0-9a-f]{2})/chr hex $1/iger }

# what is documented, in other words than in the module

sub normal {
    my ($path) = @_;

    return 0 if $path =~ m{^[^/]} || $path =~ m{//} || $path =~ /[\\;#]/
        || $path =~ /%(?![0-9a-f]{2})/i
        || $path =~ /%(?:[01].|7f|2f|5c|25|3b|3f|23|2e)/i
        || grep { $_ eq '.' || $_ eq '..' } split m{/}, $path;

    my $text = decoded($path);

    return utf8::decode($text);
}

srand 1;

for (1 .. 1500) {
    my $path = '/' . join '', map { $parts[rand @parts] } 1 .. rand 6;
    my $normal = normal($path);

    for my $from ($raw_port, $uri_port) {
        my $answer = answer_of($from, $path);
        my ($uri) = $answer->{head} =~ /^X-Uri: (.*)\r$/m;
        my ($got) = $answer->{head} =~ /^X-Got: (.*)\r$/m;

        $answer->{status} == 200 ? $passed++ : $refused++;

        push @wrong, "$from $path: $answer->{status}"
            if ($answer->{status} == 200) != ($normal ? 1 : 0);
        push @wrong, "$path: " . ($uri // '') . ' ' . ($got // '')
            if $answer->{status} == 200
               && ($uri ne decoded($path) || decoded($got) ne $uri);
        push @wrong, "$path is sent as $got"
            if $from == $raw_port && defined $got && $got ne $path;
    }
}

is_deeply(\@wrong, [], 'random paths: refused, or the same everywhere');
cmp_ok($passed, '>', 500, "... $passed passed");
cmp_ok($refused, '>', 500, "... $refused were refused");


# In http, and without any issuer

my $alone_port = free_port();
my $alone = K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_paths strict;
server {
    listen 127.0.0.1:$alone_port;
    location / { $pass }
    location /any/ { k8s_sa_paths any; $pass }
}
_

is(ask($alone_port, '/a;b'), '400 ', 'without any issuer');
is(ask($alone_port, '/any/;'), '200 GET /any/;', '... any');
is(ask($alone_port, '/a'), '200 GET /a', '... a good path');

refused("paths: $_->[0]", "$issuers\n$_->[1] # HERE", $_->[2])
    for [ 'neither strict nor any', 'k8s_sa_paths on;',
          qr/invalid value "on"/ ],
        [ 'twice', 'k8s_sa_paths any; k8s_sa_paths any;',
          qr/"k8s_sa_paths" directive is duplicate/ ],
        [ 'without value', 'k8s_sa_paths;', qr/invalid number of arg/ ];


K8sSa::Nginx->finish;
