# SPDX-License-Identifier: BSD-2-Clause

# TLS: the server is always verified; --ca adds to the system's CAs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;

use IO::Socket::SSL 2.0;
use IO::Socket::SSL::Utils;


my ($c, $s);

my $token = spew('token', 'one');
my @args = ('--token-file', $token, '--interval', '20ms', '--count', 1);

my ($ca, $ca_key, $ca_file) = ca('one');
my ($other, $other_key, $other_file) = ca('two');

my %good = certificate($ca, $ca_key);
my %by_other = certificate($other, $other_key);


sub ca {
    my ($name) = @_;
    my ($cert, $key) = CERT_create(CA => 1, subject => { CN => "CA $name" });
    return ($cert, $key, spew("ca-$name.crt", PEM_cert2string($cert)));
}

sub certificate {
    my ($issuer, $issuer_key, %opt) = @_;
    my ($cert, $key) = CERT_create(subject => { CN => 'server' },
        subjectAltNames => [['IP', '127.0.0.1']],
        issuer => [$issuer, $issuer_key], %opt);
    return (SSL_cert => [$cert], SSL_key => $key);
}

sub https {
    return server(sub { response(200, 'secret') }, tls => { @_ });
}


$s = https(%good);
$c = client(@args, '--ca', $ca_file, $s->{url});
is($c->{status}, 0, '--ca with the right CA');
like($c->{out}, qr/status=200, response: 'secret'/, '... is trusted');
is(($s->tokens)[0], 'Bearer one', '... and gets the token');

$s = https(%good);
$c = client(@args, $s->{url});
is($c->{status}, 1, 'unknown CA: exit status 1');
like($c->{out}, qr/ error: SSL cert.*\(--ca trusts a CA that the sys/,
    'unknown CA');
is(scalar(() = $s->requests), 0, '... gets no request');

$s = https(%good);
$c = client(@args, '--ca', $other_file, $s->{url});
is($c->{status}, 1, '--ca with another CA: exit status 1');
like($c->{out}, qr/ error: SSL cert.*\(its CA is not in the file of --ca\)$/m,
    '... why');
is(scalar(() = $s->requests), 0, '... gets no request');

my ($self, $self_key) = CERT_create(subject => { CN => 'server' },
    subjectAltNames => [['IP', '127.0.0.1']]);
my %self = (SSL_cert => [$self], SSL_key => $self_key);

$s = https(%self);
$c = client(@args, $s->{url});
is($c->{status}, 1, 'self-signed certificate: exit status 1');
like($c->{out}, qr/ error: SSL cert.*self.signed certificate \(--ca trusts/,
    '... why');

$s = https(%self);
$c = client(@args, '--ca', spew('self.crt', PEM_cert2string($self)),
            $s->{url});
is($c->{status}, 0, 'self-signed certificate, given as --ca') or diag $c->{out};

my $listen = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
my $pid = fork;
if ($pid == 0) {
    close $listen->accept;
    POSIX::_exit(0);
}
$c = client(@args, 'https://127.0.0.1:' . $listen->sockport);
waitpid $pid, 0;
is($c->{status}, 1, 'closed during the handshake: exit status 1');
like($c->{out}, qr/ error: OpenSSL SSL_connect: /, '... why, spelled right');

my $both = spew('both.crt', slurp($other_file) . slurp($ca_file));
$s = https(%good);
is(client(@args, '--ca', $both, $s->{url})->{status}, 0, 'CA file with two');

$s = https(certificate($ca, $ca_key,
                       subjectAltNames => [['DNS', 'other.example']]));
$c = client(@args, '--ca', $ca_file, $s->{url});
is($c->{status}, 1, 'certificate for another name: exit status 1');
is(scalar(() = $s->requests), 0, '... gets no request');

$s = https(certificate($ca, $ca_key, not_before => time - 7200,
                       not_after => time - 3600));
$c = client(@args, '--ca', $ca_file, $s->{url});
is($c->{status}, 1, 'expired certificate: exit status 1');
like($c->{out}, qr/ error: .*expired/, 'expired certificate');
is(scalar(() = $s->requests), 0, '... gets no request');

my ($evil, $evil_key) = CERT_create(
    subject => { CN => "evil\e[31m\n2026/11/23 00:00:00 forged" },
    issuer => [$ca, $ca_key]);
$s = https(SSL_cert => [$evil], SSL_key => $evil_key);
$c = client(@args, '--ca', $ca_file, $s->{url});
is($c->{status}, 1, 'name with control characters: exit status 1');
is(scalar(() = lines($c->{out})), 2, '... forges no line');
unlike($c->{out}, qr/\e/, '... and colours none');


# the CA file is read for each connection

my $changing = spew('changing.crt', slurp($ca_file));
$s = server(sub { spew($changing, slurp($other_file)); response(200, 'x') },
            tls => { %good });
$c = client('--token-file', $token, '--interval', '20ms', '--count', 2,
            '--ca', $changing, $s->{url});
is($c->{status}, 1, 'CA file replaced by another');
is(scalar(() = $s->requests), 1, '... is used from then on');


# with the system's CAs, of which only one exists here

SKIP: {
    my $certs = '/etc/ssl/certs';
    my @bind = ('unshare', '--mount', 'sh', '-c',
        "mount --bind \"\$0\" $certs/ca-certificates.crt && exec \"\$@\"",
        $other_file);
    my @empty = ('unshare', '--mount', 'sh', '-c',
        "mount -t tmpfs none \"\$0\" && exec \"\$@\"", $certs);

    skip 'not allowed to mount', 8
        if !-f "$certs/ca-certificates.crt"
           || system("unshare --mount mount --bind $other_file "
                     . "$certs/ca-certificates.crt >/dev/null 2>&1") != 0;

    $s = https(%by_other);
    is(client({ wrapper => \@bind }, @args, $s->{url})->{status}, 0,
        'CA of the system');

    $s = https(%by_other);
    is(client({ wrapper => \@bind }, @args, '--ca', $ca_file, $s->{url})
       ->{status}, 0, '--ca does not replace it');

    $s = https(%good);
    is(client({ wrapper => \@bind }, @args, '--ca', $ca_file, $s->{url})
       ->{status}, 0, '--ca adds to it');

    $s = https(%good);
    is(client({ wrapper => \@empty }, @args, '--ca', $ca_file, $s->{url})
       ->{status}, 0, '--ca alone, the system has none');

    $s = https(%by_other);
    is(client({ wrapper => \@empty }, @args, '--ca', $ca_file, $s->{url})
       ->{status}, 1, '... trusts no other');

    is(client({ wrapper => \@empty }, @args, $s->{url})->{status}, 1,
        'no CA at all');

    spew($changing, slurp($ca_file));
    $s = server(sub { spew($changing, slurp($other_file)); response(200, 'x') },
                tls => { %good });
    $c = client({ wrapper => \@empty }, '--token-file', $token, '--interval',
                '20ms', '--count', 2, '--ca', $changing, $s->{url});
    is($c->{status}, 1, '--ca alone, the file replaced by another');
    is(scalar(() = $s->requests), 1, '... no longer trusts the old CA');
}


# an unusable CA file is reported before the first request

for my $file ('/nonexistent', $token, spew('empty.crt', '')) {
    $c = client(@args, '--ca', $file, 'https://127.0.0.1:1/');
    is($c->{status}, 2, "--ca $file: exit status 2");
    like($c->{err}, qr/CA file "\Q$file\E"/, '... and why');
    is($c->{out}, '', '... and nothing else');
}

done_testing();
