#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# TLS: certificates, names, client certificates, CAs that change.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use IO::Socket::SSL;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = dir();

make_ca('ca');
make_ca('ca2');
make_ca('clientca');

make_cert('good', 'ca', 'DNS:localhost,DNS:issuer.test,IP:127.0.0.1,IP:::1');
make_cert('name', 'ca', 'DNS:localhost');
make_cert('other', 'ca', 'DNS:other.test,IP:10.0.0.1', cn => 'localhost');
make_cert('cnonly', 'ca', '', cn => 'localhost');
make_cert('wild', 'ca', 'DNS:*.b.test');
# OpenSSL 3.5 refuses a negative number of days
make_cert('expired', 'ca', 'DNS:localhost,IP:127.0.0.1', days => 0);
make_cert('foreign', 'ca2', 'DNS:localhost,IP:127.0.0.1');
make_cert('clientonly', 'ca', 'DNS:localhost,IP:127.0.0.1',
          usage => 'clientAuth');
make_cert('client', 'clientca', '', usage => 'clientAuth');

system "cat $dir/ca.crt $dir/ca2.crt > $dir/both.crt";
system "head -c 300 $dir/ca.crt > $dir/broken.crt";
write_file('empty.crt', '');

sub server {
    my ($cert, %o) = @_;

    return tcp_server(
        host => $o{host},
        tls => tls_options($cert, %{ $o{tls} // {} }),
        code => $o{code} // sub {
            my ($c) = @_;
            while (my $r = read_request($c)) {
                answer($c, join("\n", $c->get_servername() // 'no SNI',
                                $c->get_sslversion(),
                                $c->peer_certificate('commonName') // '',
                                $r->{headers}{authorization} // ''));
            }
        });
}

my ($good) = server('good');
my ($name) = server('name');
my ($other) = server('other');
my ($cnonly) = server('cnonly');
my ($wild) = server('wild');
my ($expired) = server('expired');
my ($foreign) = server('foreign');
my ($clientonly) = server('clientonly');
my ($tls12) = server('good', tls => { SSL_version => 'TLSv1_2' });
my ($tls13) = server('good', tls => { SSL_version => 'TLSv1_3' });
my ($tls11) = server('good', tls => { SSL_version => 'TLSv1_1',
                                      SSL_cipher_list =>
                                          'ALL:@SECLEVEL=0' });
my ($mtls) = server('good', tls => {
    SSL_verify_mode => SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    SSL_ca_file => "$dir/clientca.crt" });
my ($asks) = server('good', tls => {
    SSL_verify_mode => SSL_VERIFY_PEER, SSL_ca_file => "$dir/clientca.crt" });
my ($six) = eval { server('good', host => '::1') };

# an answer before, instead of and after the handshake

my ($before) = tcp_server(code => sub {
    my ($c) = @_;
    syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake";
    IO::Socket::SSL->start_SSL($c, SSL_server => 1, %{ tls_options('good') });
    sleep 2;
});
my ($plain) = tcp_server(code => sub {
    my ($c) = @_;
    sysread $c, my $buf, 65536;
    answer($c, 'fake');
    sleep 2;
});
my ($silent) = tcp_server(code => sub { sleep 30 });
my ($closes) = tcp_server(code => sub {
    my ($c) = @_;
    sysread $c, my $buf, 65536;
});
my ($resets) = tcp_server(code => sub {
    my ($c) = @_;
    sysread $c, my $buf, 65536;
    reset_connection($c);
});
my ($truncates) = server('good', code => sub {
    my ($c) = @_;
    read_request($c);
    syswrite $c, "HTTP/1.1 200 OK\r\n\r\ncut";
    sleep 0.1;

    # closes TCP without close_notify

    shutdown $c, 2;
    POSIX::_exit(0);
});
my ($ends) = server('good', code => sub {
    my ($c) = @_;
    read_request($c);
    syswrite $c, "HTTP/1.1 200 OK\r\n\r\nwhole";
});
my ($slow) = server('good', code => sub {
    my ($c) = @_;
    read_request($c);
    for my $byte (split //, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
        syswrite $c, $byte;
        sleep 0.005;
    }
});

write_file('resolv.conf', "nameserver 127.0.0.1\n");
write_file('hosts', "127.0.0.1 issuer.test a.b.test a.a.b.test\n");
my $system = "resolv_conf=$dir/resolv.conf hosts=$dir/hosts dns_port=1";

my $n = 0;
my $conf = '';

sub client {
    my ($url, $options) = @_;
    $n++;
    $conf .= "location /$n { k8s_sa_net_test $url timeout=3s $system "
             . "$options; }\n";
    return "/$n";
}

my $ca = "ssl_trusted=$dir/ca.crt";

my %c = (
    good => client("https://127.0.0.1:$good", $ca),
    localhost => client("https://localhost:$good", $ca),
    named => client("https://issuer.test:$good", $ca),
    ka => client("https://127.0.0.1:$good", "$ca max_idle=4"),
    relative => client("https://127.0.0.1:$good", "ssl_trusted=ca.crt"),
    both => client("https://127.0.0.1:$foreign", "ssl_trusted=$dir/both.crt"),
    leaf => client("https://127.0.0.1:$good", "ssl_trusted=$dir/good.crt"),
    tls12 => client("https://127.0.0.1:$tls12", $ca),
    tls13 => client("https://127.0.0.1:$tls13", $ca),
    tls11 => client("https://127.0.0.1:$tls11", $ca),
    ip_no_san => client("https://127.0.0.1:$name", $ca),
    name_ok => client("https://localhost:$name", $ca),
    override => client("https://127.0.0.1:$name", "$ca ssl_name=localhost"),
    override_ip => client("https://localhost:$other",
                          "$ca ssl_name=10.0.0.1"),
    override_bad => client("https://127.0.0.1:$good", "$ca ssl_name=x.test"),
    wrong_name => client("https://localhost:$other", $ca),
    cnonly => client("https://localhost:$cnonly", $ca),
    wild => client("https://a.b.test:$wild", $ca),
    wild_deep => client("https://a.a.b.test:$wild", $ca),
    expired => client("https://127.0.0.1:$expired", $ca),
    foreign => client("https://127.0.0.1:$foreign", $ca),
    clientonly => client("https://127.0.0.1:$clientonly", $ca),
    system_ca => client("https://127.0.0.1:$good", ''),
    noverify => client("https://localhost:$foreign", "ssl_verify=off"),
    noverify_exp => client("https://127.0.0.1:$expired", "ssl_verify=off"),
    mtls => client("https://127.0.0.1:$mtls", "$ca "
                   . "ssl_certificate=$dir/client.crt "
                   . "ssl_certificate_key=$dir/client.key"),
    mtls_none => client("https://127.0.0.1:$mtls", $ca),
    asks => client("https://127.0.0.1:$asks", $ca),
    before => client("https://127.0.0.1:$before", $ca),
    before_no => client("https://127.0.0.1:$before", "ssl_verify=off"),
    plain => client("https://127.0.0.1:$plain", $ca),
    silent => client("https://127.0.0.1:$silent", $ca),
    closes => client("https://127.0.0.1:$closes", $ca),
    resets => client("https://127.0.0.1:$resets", $ca),
    truncates => client("https://127.0.0.1:$truncates", $ca),
    ends => client("https://127.0.0.1:$ends", $ca),
    slow => client("https://127.0.0.1:$slow", $ca),
);

$c{six} = client("https://[::1]:$six", $ca) if $six;

system "cp $dir/ca.crt $dir/rotating.crt";
$c{rotating} = client("https://127.0.0.1:$good",
                      "ssl_trusted=$dir/rotating.crt max_idle=4");
$c{rotating2} = client("https://127.0.0.1:$foreign",
                       "ssl_trusted=$dir/rotating.crt");

nginx_start($conf, level => 'debug');

my $r;

sub lines { split /\n/, $_[0]{body} }

# accepted

for my $t (['good', 'no SNI'], ['localhost', 'localhost'],
           ['named', 'issuer.test'], ['relative', 'no SNI'],
           ['both', 'no SNI'], ['leaf', 'no SNI'], ['name_ok', 'localhost'],
           ['override', 'localhost'], ['override_ip', 'no SNI'],
           ['wild', 'a.b.test'], ['noverify', 'localhost'],
           ['noverify_exp', 'no SNI'], ['asks', 'no SNI'],
           $six ? ['six', 'no SNI'] : ())
{
    my ($client, $sni) = @$t;

    $r = fetch($c{$client});
    is("$r->{error} $r->{status}", 'ok 200', $client)
        or diag($r->{reason});
    is((lines($r))[0], $sni, "$client: SNI");
    is("$r->{connections} $r->{handshakes}", '1 1', "$client: one handshake");
}

is((lines(fetch($c{tls12})))[1], 'TLSv1_2', 'TLS 1.2');
is((lines(fetch($c{tls13})))[1], 'TLSv1_3', 'TLS 1.3');
is((lines(fetch($c{mtls})))[2], 'client', 'client certificate');
is(fetch($c{ends})->{body}, 'whole', 'body ended by close_notify');
is(fetch($c{slow})->{body}, 'ok', 'an answer in records of one byte');
is(fetch("$c{good}?size=200000")->{error}, 'ok', 'large POST over TLS');

# refused

my %refused = (
    ip_no_san => qr/\(64:IP address mismatch\), it is not for "127\.0\.0\.1"/,
    override_bad => qr/\(62:.*mismatch\), it is not for "x\.test"/,
    wrong_name => qr/\(62:.*mismatch\), it is not for "localhost"/,
    cnonly => qr/\(62:/,
    wild_deep => qr/\(62:/,
    expired => qr/\(10:certificate has expired\)/,
    foreign => qr/\(20:unable to get local issuer certificate\)/,
    clientonly => qr/\(26:/,
    system_ca => qr/\((?:19|20):/,
    tls11 => qr/protocol|version/,
    before => qr/wrong version number/,
    before_no => qr/wrong version number/,
    plain => qr/wrong version number/,
    closes => qr/eof|closed/,
    resets => qr/reset by peer/,
);

for my $client (sort keys %refused) {
    $r = fetch($c{$client});
    is("$r->{error} $r->{status} $r->{length}", 'tls 0 0', $client);
    like($r->{reason}, qr/^TLS handshake with 127\.0\.0\.1:\d+ failed: /,
         "$client: the reason begins well");
    like($r->{reason}, $refused{$client}, "$client: the reason");
    is($r->{handshakes}, 0, "$client: no handshake counted");
}

$r = fetch($c{mtls_none});
like($r->{error}, qr/^(?:tls|closed)$/, 'no client certificate');
like($r->{reason}, qr/certificate required/,
     'with the reason, although TLS 1.3 tells it after the handshake');

$r = fetch($c{silent});
is($r->{error}, 'timeout', 'a silent server');
like($r->{reason}, qr/^timed out while TLS handshaking with/,
     'and the reason');

$r = fetch($c{truncates});
is("$r->{error} $r->{length}", 'closed 0', 'a body cut off is not its end');

# the token

$r = fetch("$c{good}?token=SECRET");
is($r->{error}, 'ok', 'with a token');
is((lines($r))[3], 'Bearer SECRET', 'the token has been sent');
is(fetch("$c{noverify}?token=SECRET")->{error}, 'not_started',
   'no token without verification');
unlike(log_text(), qr/Authorization: Bearer SECRET/,
       'no token in the debug log');

# kept connections

for (1 .. 20) {
    $r = fetch($c{ka});
    last if $r->{error} ne 'ok';
}

is("$r->{error} $r->{connections} $r->{handshakes} $r->{reused} $r->{idle}",
   'ok 1 1 19 1', '20 exchanges, one handshake');

# the CA changes without a reload

$r = fetch($c{rotating});
is("$r->{error} $r->{connections} $r->{idle}", 'ok 1 1', 'the old CA');
is(fetch($c{rotating2})->{error}, 'tls', 'the new one not yet');

write_file('rotating.crt', do { local (@ARGV, $/) = "$dir/broken.crt"; <> });
sleep 1.2;
$r = fetch($c{rotating});
is("$r->{error} $r->{connections}", 'ok 1',
   'a broken file changes nothing');
ok(log_like(qr/\[error\].*cannot load trusted certificates ".*rotating.crt": /),
   'and is logged');

unlink "$dir/rotating.crt";
sleep 1.2;
is(fetch($c{rotating})->{error}, 'ok', 'neither does a missing one');
ok(log_like(qr/\[error\].*rotating.crt": .*No such file/), 'which is logged');

write_file('rotating.crt', do { local (@ARGV, $/) = "$dir/ca2.crt"; <> });
sleep 1.2;
is(fetch($c{rotating2})->{error}, 'ok', 'the new CA');
$r = fetch($c{rotating});
is("$r->{error} $r->{idle}", 'tls 0',
   'connections of the old CA are not used any more');

write_file('rotating.crt', do { local (@ARGV, $/) = "$dir/both.crt"; <> });
sleep 1.2;
is(fetch($c{rotating})->{error} . fetch($c{rotating2})->{error}, 'okok',
   'both CAs');

ok(!log_like(qr/\[crit\]/), 'nothing critical in the log');
ok(nginx_stop(), 'a clean log');

# mistakes in the configuration

for my $t (
    ["ssl_trusted=$dir/none.crt", qr/cannot load trusted cert.*No such/],
    ["ssl_trusted=$dir/empty.crt", qr/cannot load trusted.*no start line/],
    ["ssl_trusted=$dir/broken.crt", qr/cannot load trusted certificates/],
    ["ssl_trusted=$dir", qr/cannot load trusted certificates.*not a regular/],
    ["ssl_certificate=$dir/client.crt", qr/a client certificate needs both/],
    ["ssl_certificate=$dir/none ssl_certificate_key=$dir/client.key",
     qr/cannot load certificate ".*": No such file/],
    ["ssl_certificate=$dir/client.crt ssl_certificate_key=$dir/good.key",
     qr/cannot load certificate key ".*": key values mismatch/],
    ["ssl_certificate=$dir/client.crt ssl_certificate_key=$dir/client.crt",
     qr/cannot load certificate key/])
{
    my ($ok, $out) = nginx_start(
        "location / { k8s_sa_net_test https://127.0.0.1 $t->[0]; }",
        test => 1);

    ok(!$ok, "refused: $t->[0]");
    like($out, qr/\[emerg\] $t->[1].* in .*nginx\.conf:\d+/s,
         'with file and line') or diag $out;
}

done_testing();
