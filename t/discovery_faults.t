# SPDX-License-Identifier: BSD-2-Clause

# Whatever an issuer does wrong, the keys that were fetched before stay in use,
# the log names the problem, and everything works again when it is over.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockDns;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority($_) for qw(ca ca2);
certificate('ca', 'server', 'IP:127.0.0.1,DNS:api.test');
certificate('ca', 'name', 'IP:127.0.0.2,DNS:other.test');
certificate('ca', 'expired', 'IP:127.0.0.1', expired => 1);
certificate('ca2', 'foreign', 'IP:127.0.0.1');

my $old = jwks([ 'ec', 'first', kid => 'k' ]);
my $new = jwks([ 'ec', 'first', kid => 'k' ], [ 'ec', 'second', kid => 's' ]);

sub message {
    my ($start, $body, @headers) = @_;
    return join "\r\n", $start, @headers, '', $body;
}

sub redirect {
    my ($status) = @_;
    return { status => $status,
             headers => [ 'Location: http://127.0.0.1:1/' ] };
}


# Faulty answers: name, which of them, settings of the mock, the reason in the
# log

my $mib = 1024 * 1024;

my @faults = (
    [ 'hang', doc => { do => 'hang' }, qr/timed out while waiting/ ],
    [ 'hang-keys', jwks => { do => 'hang' }, qr/\/jwks: timed out/ ],
    [ 'bytes', doc => { do => 'bytes', pace => 0.1 }, qr/timed out/ ],
    [ 'close', doc => { do => 'close' }, qr/closed/ ],
    [ 'reset', jwks => { do => 'reset' }, qr/104: Connection reset|closed/ ],
    [ 'half', jwks => { do => 'half' }, qr/closed/ ],
    [ 'half-chunk', jwks => { raw => message('HTTP/1.1 200 OK',
                                             "40\r\n{\"keys\":",
                                             'Transfer-Encoding: chunked') },
      qr/closed/ ],
    (map { [ $_, doc => redirect($_),
             qr/answered $_ \(redirects are not followed\)/ ] }
         301, 302, 307, 308),
    [ '401', doc => { status => 401 }, qr/answered 401 \(our own token/ ],
    [ '403', doc => { status => 403 }, qr/answered 403 \(our own token/ ],
    (map { [ $_, doc => { status => $_ }, qr/answered $_;/ ] }
         204, 404, 406, 429, 500, 503),
    [ '206', jwks => { status => 206 }, qr/answered 206;/ ],
    [ 'html', doc => { body => '<html>login</html>' }, qr/JSON/ ],
    [ 'html-keys', jwks => { body => '<html>login</html>' }, qr/JSON/ ],
    [ 'nothing', jwks => { body => '' }, qr/JSON|empty/ ],
    [ 'truncated', jwks => { body => substr $new, 0, 100 }, qr/JSON/ ],
    [ 'no-keys', jwks => { body => '{"keys":[]}' }, qr/no/ ],
    [ 'huge', jwks => { body => $new . ' ' x ($mib + 1 - length $new) },
      qr/large/ ],
    [ 'huge-doc', doc => { body => '{"a":"' . 'a' x $mib . '"}' },
      qr/large/ ],
    [ 'huge-chunks', jwks => { raw => message('HTTP/1.1 200 OK',
                                   "180000\r\n" . ' ' x 0x180000,
                                   'Transfer-Encoding: chunked') },
      qr/large/ ],
    [ 'huge-endless', jwks => { raw => message('HTTP/1.1 200 OK',
                                               ' ' x ($mib + 1)) },
      qr/large/ ],
    [ 'gzip', jwks => { headers => [ 'Content-Encoding: gzip' ] },
      qr/encod/i ],
    [ 'lengths', doc => { headers => [ 'Content-Length: 5' ] },
      qr/Content-Length/i ],
    [ 'other', doc => { raw => "SSH-2.0-OpenSSH_9.2\r\n\r\n" },
      qr/HTTP|invalid/ ],
    [ 'headers', doc => { headers => [ 'X: ' . 'x' x 20000 ] },
      qr/header|large/ ],
);

# Unusual but correct answers

my @unusual = (
    [ 'full', jwks => { body => $new . ' ' x ($mib - length $new) } ],
    [ 'chunks', jwks => { raw => message('HTTP/1.1 200 OK',
          join('', map { sprintf "%x;a=b;c=\"d\"\r\n%s\r\n", length, $_ }
                       unpack '(a50)*', $new) . "0;e\r\nX: y\r\n\r\n",
          'Transfer-Encoding: chunked') } ],
    [ 'continue', jwks => { raw => "HTTP/1.1 100 Continue\r\n\r\n"
          . "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
          . message('HTTP/1.1 200 OK', $new, 'Connection: close') } ],
    [ 'http-1.0', jwks => { raw => message('HTTP/1.0 200 OK', $new) } ],
    [ 'identity', jwks => { body => $new, headers => [
                                'Content-Encoding: identity' ] } ],
    [ 'plain-text', jwks => { body => $new, headers => [
                                'X-Type: text/plain' ] } ],
);

# TLS faults: name, changes to the mock, the reason in the log

my @tls = (
    [ 'wrong-name', { tls => 'name' }, qr/IP address mismatch|127\.0\.0\.1/ ],
    [ 'wrong-ca', { tls => 'foreign' }, qr/certificate/ ],
    [ 'expired', { tls => 'expired' }, qr/expired/ ],
    [ 'no-tls', { tls => undef }, qr/TLS|SSL/ ],
    [ 'early', { early => message('HTTP/1.1 200 OK', $new,
                                  'Content-Length: ' . length $new) },
      qr/TLS|SSL/ ],
    [ 'stopped', undef, qr/111: Connection refused/ ],
);

# Faults of the name server: name, its answer, the reason in the log

my @dns = (
    [ 'no-name', 'nx', qr/3: Host not found|could not be resolved|not found/ ],
    [ 'name-fails', 'fail', qr/2: Server failure|failure/i ],
    [ 'name-silent', 'silence', qr/timed out/i ],
    [ 'elsewhere', [ '127.0.0.3' ], qr/111: Connection refused/ ],
);

my $mock = K8sSa::MockIssuer->new;
my $named = K8sSa::MockIssuer->new(tls => 'server');
my %tls = map { $_->[0] => K8sSa::MockIssuer->new(tls => 'server') } @tls;
my $dns = K8sSa::MockDns->new(map { ("$_->[0].test" => [ '127.0.0.1' ]) }
                                  @dns);

sub mock {
    my ($name) = @_;
    return $tls{$name} || ((grep { $_->[0] eq $name } @dns) ? $named : $mock);
}

sub iss { return "https://$_[0].test" }

my @names = map { $_->[0] } @faults, @unusual, @tls, @dns;
my (%conf, %request);

for my $name (@names) {
    my $at = mock($name);
    my $where = $at->url($name);
    my $more = '';

    if ($at == $named) {
        $where = "https://$name.test:$at->{port}/$name";
        $more = 'ssl_name api.test;';
    }

    $at->set($name, jwks => { body => $old },
                    doc => { body => $at->document($name,
                        issuer => iss($name), jwks_uri => "$where/jwks") });

    $conf{$name} = "discovery $where/.well-known/openid-configuration; $more";

    for ([ 'first', 'k' ], [ 'second', 's' ]) {
        my ($key, $kid) = @$_;
        $request{$name}{$kid} = with_token("/$name", sign_token(
            key => [ 'ec', $key ], header => { kid => $kid },
            claims => claims(iss => iss($name))));
    }
}

my $port = free_port();

my $nginx = K8sSa::Nginx->new(workers => 2, http => join '',
    "resolver 127.0.0.1:$dns->{port} valid=1s ipv6=off;\n",
    (map { "k8s_sa_issuer $_ { audience service2; timeout 2s; refresh 1s; "
           . 'ssl_trusted_certificate ' . dir() . "/ca.crt; $conf{$_} }\n" }
         @names),
    "server { listen 127.0.0.1:$port;\n",
    (map { "location = /$_ { k8s_sa_auth $_; empty_gif; }\n" } @names),
    "}\n")->start;

sub status {
    my ($name, $kid) = @_;
    return request($port, $request{$name}{$kid || 'k'})->{status};
}

sub failed {
    my ($when, @wrong) = @_;
    is(join(' ', @wrong), '', $when);
}

my $until = time() + 10;
my @missing = @names;

@missing = grep { status($_) != 200 } @missing
    while @missing && time() < $until;

failed('all issuers have keys', @missing);


# All faults happen at once.

my $log = length $nginx->log;
my $load = load($port, map { $_ => $request{$_}{k} } @names);

for (@faults, @unusual) {
    my ($name, $what, $set) = @$_;
    $mock->set($name, $what => $set);
}

for (@tls) {
    my ($name, $change) = @$_;
    my $at = $tls{$name};

    $at->stop;
    @$at{keys %$change} = values %$change if $change;
    $at->start if $change;
}

# names are only resolved when there is no connection

$dns->set(map { ("$_->[0].test" => $_->[1]) } @dns);
$named->stop;
$named->start;

for (@faults, @tls, @dns) {
    my ($name, undef, undef, $reason) = (@$_ == 4 ? @$_
                                         : (@$_[0, 1], undef, $_->[2]));

    ok($nginx->wait_log(fetch_failed($name, qr/.*$reason/), 8, $log),
       "$name: the log has the reason")
        or diag(grep { /"\Q$name\E"/ } split /^/m, substr $nginx->log, $log);
}

for (@unusual) {
    my ($name) = @$_;
    is(status($name, 's'), 200, "$name: accepted");
    is(scalar(grep { /issuer "\Q$name\E" failed: (?!.*timed out)/ }
                   split /^/m, substr $nginx->log, $log), 0,
       "$name: without an error");
}


# All faults end, and there is a new key.

for (@tls) {
    my ($name) = @$_;
    my $at = $tls{$name};

    $at->stop;
    $at->{tls} = 'server';
    delete $at->{early};
    $at->start;
}

for my $name (@names) {
    my $at = mock($name);
    my $where = $at == $named ? "https://$name.test:$at->{port}/$name"
                              : $at->url($name);

    $at->set($name, jwks => { body => $new },
                    doc => { body => $at->document($name,
                        issuer => iss($name), jwks_uri => "$where/jwks") });
}

$dns->set(map { ("$_->[0].test" => [ '127.0.0.1' ]) } @dns);

# with keys, there are up to 8 s between two attempts by now

$until = time() + 12;
@missing = @names;

while (@missing && time() < $until) {
    @missing = grep { status($_, 's') != 200 } @missing;
    sleep 0.1;
}

failed('all issuers have their new keys', @missing);

my $result = load_end($load);
my @refused = grep { grep { /^\d/ && $_ != 200 } keys %{$result->{$_}} }
              @names;

failed('the old keys were in use all the time', @refused);
cmp_ok($result->{hang}{slowest}, '<', 1, 'no request had to wait');

my %tries = map { my $name = $_;
                  $name => scalar(() = $nginx->log
                      =~ /issuer "\Q$name\E" failed/g) } @names;

failed('no issuer was asked more often than backoff allows',
       grep { $tries{$_} > 6 } @names);


K8sSa::Nginx::finish();
