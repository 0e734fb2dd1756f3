# SPDX-License-Identifier: BSD-2-Clause

# The error log: one line per refusal, with all that is known but without a
# token, and clients cannot flood it.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $port = free_port();
my $up = echo_http();
my $mock = K8sSa::MockIssuer->new;
my $api = K8sSa::MockApi->new;
my $user = 'system:serviceaccount:mytest:service1';

$mock->set('down', doc => { status => 500 });
$api->set('refuse', review => { refuse => 'it was deleted' });

# the example in docs/operations.md

my ($format) = slurp(fixture('../../docs/operations.md'))
               =~ /^```nginx\n(log_format k8s .*?;)\n```/ms;

my $nginx = K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2;
    issuer https://kubernetes.default.svc; }
k8s_sa_issuer down { discovery @{[ $mock->discovery('down') ]};
    audience service2; timeout 1s; }
k8s_sa_issuer refuse { token_review @{[ $api->base ]}/refuse/review;
    audience service2; }
$format
access_log logs/access.log k8s;
k8s_sa_auth made;
server {
    listen 127.0.0.1:$port;
    location = /auth { empty_gif; }
    location = /allow { k8s_sa_allow mytest/service2; empty_gif; }
    location = /require { k8s_sa_require "" error=503; empty_gif; }
    location = /dry { k8s_sa_dry_run on; empty_gif; }
    location = /any { satisfy any; allow all; empty_gif; }
    location = /whoami { k8s_sa_whoami; }
    location = /sub {
        k8s_sa_auth off; auth_request /whoami; proxy_pass http://127.0.0.1:$up;
    }
    location = /page { error_page 401 = /auth; empty_gif; }
    location = /optional { k8s_sa_auth made optional; empty_gif; }
    location = /review { k8s_sa_auth refuse; empty_gif; }
    location = /down { k8s_sa_auth down; empty_gif; }
    location = /notice { k8s_sa_log_level notice; empty_gif; }
}
_

my $good = sign_token();

# Returns the lines that these requests write into the log; "*N" is a
# connection's number.

sub lines {
    my ($n, $path, @headers) = @_;
    my $from = length $nginx->log;

    get($port, $path, @headers) for 1 .. $n;

    return grep { /^\S+ \S+ \[\w+\] \S+ \*\d+ / && !/\[info\].*closed/ }
           split /\n/, substr $nginx->log, $from;
}

my ($kid) = join('', lines(1, '/allow', bearer($good)))
            =~ /kid: "([\w-]{43})"/;

sub signed { return bearer(sign_token(@_)) }

my $now = int time();
my $expired = claims(iat => $now - 200, nbf => $now - 200, exp => $now - 100);
my $error = qr/^\S+ \S+ \[(?:error|crit|alert|emerg)\] /;

for (
        # path, token, result, issuer, subject, kid

        [ '/auth', undef, 'no_token' ],
        [ '/auth', bearer('a.b'), 'malformed' ],
        [ '/auth', bearer('x' x 20_000), undef ],
        [ '/auth', bearer(spoil($good)), 'bad_signature', 'made' ],
        [ '/auth', signed(key => [ 'ec', 'other' ],
                          header => { kid => 'who "knows"' }),
          'unknown_key', 'made', undef, 'who \x22knows\x22' ],
        [ '/auth', signed(key => [ 'ec', 'other' ],
                          header => { kid => "two\nlines [error] k8s_sa" }),
          'malformed' ],
        [ '/auth', signed(claims => claims(iss => "https://a\nb")),
          'unknown_issuer' ],
        [ '/auth', signed(claims => $expired), 'expired', 'made', $user,
          $kid ],
        [ '/auth', signed(claims => claims(aud => [ "x\n[error] y" ])),
          'wrong_audience', 'made', $user, $kid ],
        [ '/allow', bearer($good), 'not_allowed', 'made', $user, $kid ],
        [ '/require', bearer($good), 'not_required', 'made', $user, $kid ],
        [ '/dry', undef, 'no_token' ],
        [ '/any', bearer(spoil($good)), 'bad_signature', 'made' ],
        [ '/whoami', bearer(spoil($good)), 'bad_signature', 'made' ],
        [ '/sub', bearer(spoil($good)), 'bad_signature', 'made' ],
        [ '/optional', bearer(spoil($good)), 'bad_signature', 'made' ],
        [ '/review', bearer('opaque'), 'not_authenticated', 'refuse' ],
        [ '/notice', undef, 'no_token' ])
{
    my ($path, $token, $result, $issuer, $subject, $kid) = @$_;
    my @lines = lines(5, $path, defined $token ? $token : ());
    my $name = "$path, " . ($result || 'too large for nginx');
    my $level = $path eq '/notice' ? 'notice' : 'warn';

    is(scalar(grep { $_ =~ $error } @lines), 0, "$name: no error");

    next unless $result;

    is(scalar @lines, 5,
       "$name: one line per request") or diag(join "\n", @lines);

    my $line = $lines[0] || '';

    like($line, qr/^\S+\ \S+\ \[$level\]\ \S+\ \S+\ k8s_sa:\ request\ refused
                   (?:,\ dry\ run)?\ \($result\):\ \w/x, "$name: its level");
    is(($line =~ /, issuer: "(.*?)"/)[0], $issuer, "$name: the issuer");
    is(($line =~ /, subject: "(.*?)"/)[0], $subject, "$name: the subject");
    is(($line =~ /, kid: "(.*)", client: /)[0], $kid, "$name: the key");
}

is(scalar(lines(5, '/auth', bearer($good))), 0, 'accepted: no line');
is(scalar(lines(5, '/optional')), 0, 'optional, no token: no line');
is(scalar(lines(5, '/page')), 10,
   'an internal redirect to a location that refuses, too: one line each');


# A fault on our side: one error line per second, the others like refusals

my $bearer = signed(header => { kid => 'k' },
                    claims => claims(iss => $mock->url('down')));

get($port, '/down', $bearer);

my $began = time();
my @lines = grep { /request refused/ } lines(300, '/down', $bearer);
my $seconds = time() - $began;
my $errors = grep { $_ =~ $error } @lines;

is(scalar @lines, 300, 'no keys: one line each');
is(scalar(grep { /\(no_keys\)/ } @lines), 300, '... with the reason');
cmp_ok($errors, '<=', $seconds + 2, 'one error per second');
is(scalar(grep { /\[(?:error|warn)\]/ } @lines), 300,
   'the others are warnings');
diag(sprintf '300 refusals in %.1f s, %d of them as errors', $seconds, $errors);


# The access log format in the documentation

ok($format, 'docs/operations.md has a log_format');
get($port, '/auth', bearer($good)) for 1 .. 2;

for (1 .. 100) {
    last if $nginx->log('access') =~ /cache=HIT\n\z/;
    select undef, undef, undef, 0.02;
}

my @access = split /\n/, $nginx->log('access');

like($access[-1], qr{^127\.0\.0\.1\ \[\S+\]\ "GET\ /auth\ HTTP/1\.1"\ 200
                     \ result=ok\ user=\Q$user\E\ pod=-?\ cache=HIT$}x,
     'log_format: the caller');
is(scalar(grep { m{"GET /allow .* 403 result=not_allowed user=\Q$user\E } }
          @access), 6, 'log_format: a caller that is not allowed');
is(scalar(grep { m{"GET /auth .* 401 result=expired user=- } } @access), 5,
   'log_format: no identity');


K8sSa::Nginx->finish;
