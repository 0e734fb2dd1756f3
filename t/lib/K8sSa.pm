# SPDX-License-Identifier: BSD-2-Clause

package K8sSa;

# Tokens, keys and configuration for the suites.
#
# Every token that a suite gets from here is remembered: leaks() looks for them
# in the logs.

use strict;
use warnings;

use Cwd qw(abs_path);
use Crypt::JWT qw(encode_jwt);
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes ();

our @EXPORT = qw(account_token bearer claims dir fixture free_port issuer_token
                 jwks key key_file leaks opaque_token private_key_file remember
                 sign_token slurp spew spoil token until_true write_file);

my $root;
my $dir;
my %keys;
my %secrets;
my $opaque = 0;

BEGIN {
    $root = abs_path(dirname(__FILE__) . '/../..');

    my $module = $ENV{TEST_NGINX_MODULE} || $ENV{K8S_SA_MODULE}
                 || "$root/build/ngx_http_k8s_sa_module.so";

    die "no module in $module: run make, or set TEST_NGINX_MODULE\n"
        unless -f $module;

    # Test::Nginx writes a load_module directive itself
    $ENV{K8S_SA_MODULE} = abs_path($module);
    $ENV{TEST_NGINX_LOAD_MODULES} = $ENV{K8S_SA_MODULE};
    $ENV{TEST_NGINX_BINARY} ||= '/usr/sbin/nginx';

    # workers, possibly another user, read key files in there
    $dir = tempdir('k8s-sa.XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;

    $ENV{TEST_NGINX_SERVROOT} ||= "$dir/servroot";

    # the machine's proxies must not be used
    delete @ENV{grep { /_proxy$/i } keys %ENV};
}


sub dir { return $dir }

sub fixture { return "$root/t/fixtures/$_[0]" }


sub slurp {
    my ($name) = @_;
    open my $fh, '<:raw', $name or die "$name: $!\n";
    local $/;
    my $content = <$fh>;
    return defined $content ? $content : '';
}


# Writes a file in place.  Relative names are in dir().  Returns its whole
# name.

sub write_file {
    my ($name, $content) = @_;
    $name = "$dir/$name" unless $name =~ m{^/};
    open my $fh, '>:raw', $name or die "$name: $!\n";
    print $fh $content;
    close $fh or die "$name: $!\n";
    return $name;
}


# Does the same by rename().

sub spew {
    my ($name, $content) = @_;
    $name = "$dir/$name" unless $name =~ m{^/};
    write_file("$name.new", $content);
    rename "$name.new", $name or die "$name: $!\n";
    return $name;
}


sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                                  ReuseAddr => 1)
        or die "no free port: $!\n";
    return $s->sockport;
}


# until_true(LIMIT, CODE) calls CODE until it returns true.  Returns that value,
# or 0 after LIMIT seconds.

sub until_true {
    my ($limit, $code) = @_;
    my $until = Time::HiRes::time() + $limit;

    while (1) {
        my $result = $code->();

        return $result if $result;
        return 0 if Time::HiRes::time() >= $until;

        Time::HiRes::sleep(0.02);
    }
}


# Returns a recorded token: token('1.36.2/long-aud-service2').

sub token {
    my ($name) = @_;
    my ($version, $kind) = split m{/}, $name, 2;
    my $token = slurp(fixture("$version/tokens/$kind.jwt"));
    $token =~ s/\s+\z//;
    return remember($token);
}


# Returns a header with a recorded token, or with a token of sign_token().

sub bearer {
    my ($token) = @_;
    $token = token($token) if $token =~ m{^1\.\d+\.\d+/};
    return "Authorization: Bearer $token";
}


sub remember {
    my ($token) = @_;
    my (undef, undef, $signature) = split /\./, $token;
    $secrets{$signature} = 1
        if defined $signature && length $signature >= 32;
    return $token;
}


# Returns the records of a log that contain a token's signature. nginx's own
# debug records show requests as they were received, on several lines, and are
# left out.

sub leaks {
    my ($log) = @_;
    my @records = split m{^(?=\d{4}/\d\d/\d\d |127\.0\.0\.1 )}m, $log;
    my $any = join '|', map { quotemeta } keys %secrets;
    return () if $any eq '';
    return grep { (!/\A.*\[debug\]/ || /\A.*k8s_sa/) && /$any/ } @records;
}


# Returns a key that is made once per suite: key('rsa'), key('ec'), key('ec',
# 'other'), or, for another curve, key('p384').

sub key {
    my ($kind, $name) = @_;
    $name ||= 'first';

    return $keys{"$kind $name"} ||= do {
        my %curve = (ec => 'secp256r1', p384 => 'secp384r1',
                     p521 => 'secp521r1');
        my $key;

        if (my ($bits) = $kind =~ /^rsa(\d*)$/) {
            $key = Crypt::PK::RSA->new;
            $key->generate_key(($bits || 2048) / 8, 65537);

        } else {
            $key = Crypt::PK::ECC->new;
            $key->generate_key($curve{$kind} || die "no curve for $kind\n");
        }

        $key;
    };
}


sub pem {
    my ($key, $half) = @_;

    # with the curve's name instead of its parameters
    return $key->export_key_pem($half . '_short')
        if $key->isa('Crypt::PK::ECC');

    return $key->export_key_pem($half eq 'public' ? 'public_x509' : $half);
}


sub key_file {
    my ($kind, $name) = @_;
    $name ||= 'first';
    return write_file("$kind.$name.pub", pem(key($kind, $name), 'public'));
}


sub private_key_file {
    my ($kind, $name, $mode) = @_;
    my $file = write_file("$kind.$name.key", pem(key($kind, $name),
                                                 'private'));
    chmod defined $mode ? $mode : 0600, $file or die "$file: $!\n";
    return $file;
}


# Returns a JWK set: jwks([ 'ec', 'first', kid => 'a', use => 'sig' ], ...).

sub jwks {
    my @keys;

    for my $entry (@_) {
        my ($kind, $name, %more) = @$entry;
        push @keys, { %{key($kind, $name)->export_key_jwk('public', 1)},
                      %more };
    }

    return JSON::PP->new->canonical->encode({ keys => \@keys });
}


# Returns the claims of a projected token; undef removes one.

sub claims {
    my %over = @_;

    my %claims = (
        iss => 'https://kubernetes.default.svc',
        aud => ['service2'],
        iat => time(),
        nbf => time(),
        exp => time() + 3600,
        sub => 'system:serviceaccount:mytest:service1',
        'kubernetes.io' => {
            namespace => 'mytest',
            serviceaccount => { name => 'service1', uid => 'uid-1' },
        },
        %over,
    );

    delete @claims{grep { !defined $claims{$_} } keys %claims};

    return \%claims;
}


# sign_token(key => [ 'ec' ], alg => 'ES256', header => {}, claims => claims())

sub sign_token {
    my %arg = @_;
    my ($kind, $name) = @{$arg{key} || [ 'ec' ]};
    my %alg = (ec => 'ES256', p384 => 'ES384', p521 => 'ES512');

    my $payload = $arg{claims} || claims();
    $payload = JSON::PP->new->canonical->encode($payload) if ref $payload;

    return remember(encode_jwt(
        payload       => $payload,
        key           => key($kind, $name),
        alg           => $arg{alg} || $alg{$kind} || 'RS256',
        extra_headers => $arg{header} || {},
    ));
}


# Returns a token of an issuer: issuer_token(ISS, KEY => 'first', KID => 'k').

sub issuer_token {
    my ($iss, $key, $kid) = @_;

    return sign_token(key => [ 'ec', $key || 'first' ],
                      header => { kid => $kid || 'k' },
                      claims => claims(iss => $iss));
}


# Returns a token of a service account, with other claims.

sub account_token {
    my ($namespace, $name, %over) = @_;

    return sign_token(claims => claims(
        sub => "system:serviceaccount:$namespace:$name", %over,
        'kubernetes.io' => {
            namespace => $namespace,
            serviceaccount => { name => $name, uid => 'u' },
            %{$over{'kubernetes.io'} || {}},
        }));
}


# Returns a token that only a token review can check, a new one or that of ID:
# opaque_token(ID)

sub opaque_token {
    my $id = @_ ? $_[0] : 'new-' . ++$opaque;
    return remember("opaque-token-$id-0123456789abcdef0123");
}


# Returns the same token with a wrong but decodable signature.

sub spoil {
    my ($token) = @_;
    my $at = rindex($token, '.') + 10;
    substr($token, $at, 1) = substr($token, $at, 1) eq 'A' ? 'B' : 'A';
    return remember($token);
}


1;
