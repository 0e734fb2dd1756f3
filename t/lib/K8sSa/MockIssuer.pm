# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::MockIssuer;

# Mock issuers on loopback that do what a suite tells them to, and record the
# requests.  One server holds any number of issuers, NAME at
# BASE/NAME/.well-known/openid-configuration and BASE/NAME/jwks.  Requests are
# answered according to the last settings:
#
#     $mock->set(NAME, doc => { ... }, jwks => { ... });
#
#     body => TEXT        default: the document, and an empty key set
#     status => 200, headers => [ LINE ... ]
#     delay => SECONDS    before the answer
#     do => 'hang'        no answer; 'close'; 'reset'; 'half' of it, then close;
#           'bytes'       byte by byte, with "pace" seconds between them
#     raw => TEXT         the whole answer

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::IP;
use IO::Socket::SSL ();
use JSON::PP;
use Socket qw(SOL_SOCKET SO_LINGER);
use Storable qw(nstore retrieve);
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Server;

our @EXPORT = qw(authority certificate fetch_failed);

my $count = 0;
my @running;


# new(tls => NAME of a certificate(), host => '127.0.0.1', client_ca => FILE,
# early => TEXT that is sent before the handshake) starts it at once.

sub new {
    my ($class, %arg) = @_;
    my $file = dir() . '/mock' . ++$count;

    my $self = bless {
        host => '127.0.0.1', file => $file, log => "$file.log", set => {},
        %arg,
    }, $class;

    $self->save;

    return $self->start;
}


sub base {
    my ($self) = @_;
    my $host = $self->{host} =~ /:/ ? "[$self->{host}]" : $self->{host};
    return ($self->{tls} ? 'https' : 'http') . "://$host:$self->{port}";
}


sub url {
    my ($self, $name) = @_;
    return $self->base . "/$name";
}


sub discovery {
    my ($self, $name) = @_;
    return $self->url($name) . '/.well-known/openid-configuration';
}


# Adds to the settings; undef resets doc or jwks.

sub set {
    my ($self, $name, %what) = @_;

    for my $what (keys %what) {
        my $old = $self->{set}{$name}{$what} || {};
        $self->{set}{$name}{$what} = $what{$what} || {};
        $self->{set}{$name}{$what}{body} = $old->{body}
            unless exists $self->{set}{$name}{$what}{body};
    }

    $self->save;
}


sub save {
    my ($self) = @_;
    nstore($self->{set}, "$self->{file}.new");
    rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!\n";
}


# Returns the requests in order: { name, what, at, auth, head, connection }.
# what is "doc", "jwks" or "connect".

sub requests {
    my ($self, $name, $what) = @_;

    return () unless -e $self->{log};

    return grep { (!defined $name || $_->{name} eq $name)
                  && (!defined $what || $_->{what} eq $what) }
           map { decode_json($_) } split /\n/, slurp($self->{log});
}


sub wait_requests {
    my ($self, $name, $what, $n, $limit) = @_;
    my $until = time() + ($limit || 5);

    while (time() < $until) {
        return 1 if (() = $self->requests($name, $what)) >= $n;
        sleep 0.02;
    }

    return 0;
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    stop_server($pid);
}


# Starts it again on the same port, if it has one.

sub start {
    my ($self) = @_;

    my $listen = IO::Socket::IP->new(
        LocalHost => $self->{host}, LocalPort => $self->{port} || 0,
        Listen => 128, ReuseAddr => 1) or die "listen: $@\n";

    $self->{port} = $listen->sockport;

    my $context;

    $context = IO::Socket::SSL::SSL_Context->new(
        SSL_server => 1,
        SSL_cert_file => dir() . "/$self->{tls}.crt",
        SSL_key_file => dir() . "/$self->{tls}.key",
        $self->{client_ca} ? (SSL_verify_mode => 3,
                              SSL_ca_file => $self->{client_ca}) : ())
        or die "TLS: $IO::Socket::SSL::SSL_ERROR\n"
        if $self->{tls};

    $self->{pid} = serve($listen, sub { $self->connection($_[0], $context) });
    push @running, $self;

    return $self;
}


sub note {
    my ($self, %line) = @_;
    open my $fh, '>>', $self->{log} or die;
    syswrite $fh, encode_json({ at => time(), connection => $$, %line })
                  . "\n";
    close $fh;
}


sub connection {
    my ($self, $c, $context) = @_;

    $self->note(name => '', what => 'connect');

    syswrite $c, $self->{early} if defined $self->{early};

    if ($context) {
        IO::Socket::SSL->start_SSL($c, SSL_server => 1,
                                   SSL_reuse_ctx => $context)
            or die "TLS: $IO::Socket::SSL::SSL_ERROR\n";
    }

    while (1) {
        my $head = '';

        while ($head !~ /\r\n\r\n/) {
            sysread $c, $head, 65536, length $head or return;
        }

        my ($path) = $head =~ m{^\S+ (\S+)};
        my ($name, $what) = $path =~ m{^/([^/]+)/(.+)};
        my ($auth) = $head =~ /^Authorization: (.*?)\r$/mi;

        $name = '' unless defined $name;
        $what = $name eq '' ? $path : $what eq 'jwks' ? 'jwks' : 'doc';

        $self->note(name => $name, what => $what, auth => $auth,
                    head => $head);

        my $set = retrieve($self->{file})->{$name};

        $self->answer($c, $name, $what, $set && $set->{$what}) or return;
    }
}


# Returns false if the connection must be closed.

sub answer {
    my ($self, $c, $name, $what, $set) = @_;
    my $do = $set->{do} || '';

    if ($do eq 'hang') {
        1 while sysread $c, my $ignored, 4096;
        return 0;
    }

    return 0 if $do eq 'close';

    sleep $set->{delay} if $set->{delay};

    my $body = defined $set->{body} ? $set->{body}
             : $what eq 'doc'       ? $self->document($name)
             :                        '{"keys":[]}';

    my $text = defined $set->{raw} ? $set->{raw} : join "\r\n",
        'HTTP/1.1 ' . ($set->{status} || 200) . ' Mock',
        'Content-Type: application/json', 'Content-Length: ' . length $body,
        @{$set->{headers} || []}, '', $body;

    if ($do eq 'reset') {
        print $c substr $text, 0, 40;
        setsockopt $c, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
        close $c;
        return 0;
    }

    if ($do eq 'half') {
        print $c substr $text, 0, length($text) - length($body) / 2;
        return 0;
    }

    if ($do eq 'bytes') {
        for my $byte (split //, $text) {
            print $c $byte or return 0;
            sleep $set->{pace} || 0.1;
        }
        return 1;
    }

    print $c $text;

    return !defined $set->{raw};
}


sub document {
    my ($self, $name, %over) = @_;

    my %document = (
        issuer => $self->url($name),
        jwks_uri => $self->url($name) . '/jwks',
        response_types_supported => ['id_token'],
        subject_types_supported => ['public'],
        id_token_signing_alg_values_supported => ['RS256', 'ES256'],
        %over,
    );

    delete @document{grep { !defined $document{$_} } keys %document};

    return JSON::PP->new->canonical->encode(\%document);
}


# Returns a pattern for the error line about an issuer whose keys cannot be
# fetched.

sub fetch_failed {
    my ($name, $reason) = @_;
    return qr/\[error\].*fetching keys of issuer "\Q$name\E" failed: $reason/;
}


# Certificates in dir(): NAME.crt and NAME.key

sub openssl {
    my (@command) = @_;
    my $out = `openssl @command 2>&1`;
    die "openssl @command: $out\n" if $?;
}


sub authority {
    my ($name) = @_;
    my $file = dir() . "/$name";

    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
            "-days 10 -subj '/CN=$name' -keyout $file.key -out $file.crt",
            "-addext basicConstraints=critical,CA:TRUE",
            "-addext keyUsage=critical,keyCertSign");

    return "$file.crt";
}


# certificate(CA, NAME, SAN, expired => 1); an example of a SAN is
# "IP:127.0.0.1,DNS:a.test".

sub certificate {
    my ($ca, $name, $san, %arg) = @_;
    my $file = dir() . "/$name";

    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
            "-subj '/CN=$name' -keyout $file.key -out $file.csr");

    write_file("$name.ext", "subjectAltName=$san\n");

    openssl("x509 -req -in $file.csr -CA", dir() . "/$ca.crt -CAkey",
            dir() . "/$ca.key -CAcreateserial -extfile $file.ext",
            '-days', $arg{expired} ? 0 : 5, "-out $file.crt");

    return "$file.crt";
}


END {
    my $status = $?;
    $_->stop for @running;
    $? = $status;
}


1;
