# SPDX-License-Identifier: BSD-2-Clause

# HTTP/3, if nginx and curl support it: tokens, refusals, and forged headers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


plan skip_all => 'nginx without HTTP/3'
    unless qx{$ENV{TEST_NGINX_BINARY} -V 2>&1} =~ /--with-http_v3_module/;
plan skip_all => 'curl without HTTP/3' unless qx{curl -V} =~ /\bHTTP3\b/;

authority('ca');
certificate('ca', 'server', 'DNS:localhost,IP:127.0.0.1');

my $dir = dir();
my $port = free_port();
my $up = echo_http();
my $user = 'system:serviceaccount:mytest:service1';

my $nginx = K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_issuer made {
    public_key @{[ key_file('ec') ]};
    audience service2;
}
server {
    listen 127.0.0.1:$port ssl;
    listen 127.0.0.1:$port quic;
    ssl_certificate $dir/server.crt;
    ssl_certificate_key $dir/server.key;
    underscores_in_headers on;
    location / {
        k8s_sa_auth made;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

# get3(HEADER...) returns the answer's head and body; one request per list of
# headers, on the same connection.

sub get3 {
    my @lists = @_;
    my @arguments;

    for my $headers (@lists) {
        push @arguments, @arguments ? '--next' : (),
             '-s', '-i', '--http3-only', '--max-time', 20, '--noproxy', '*',
             '--cacert', "$dir/ca.crt", (map { ('-H', $_) } @$headers),
             "https://127.0.0.1:$port/";
    }

    open my $fh, '-|', 'curl', @arguments or die "curl: $!\n";
    local $/;
    my $out = <$fh>;
    close $fh;

    return split m{^(?=HTTP/3 )}m, $out;
}

my $token = bearer(sign_token());
my ($good, $none, $bad, $spoofed, $again) = get3(
    [ $token ], [], [ bearer(spoil(sign_token())) ],
    [ $token, 'X-Remote-User: root', 'x_remote_user: root',
      'X-REMOTE.USER: root', 'X-Remote-Group: system:masters' ],
    [ $token ]);

like($good, qr{^HTTP/3 200}, 'a token');
is_deeply([ $good =~ /^(X-Remote-User: .*?)\r?$/mg ],
          [ "X-Remote-User: $user" ], 'Service 2 gets the identity');
unlike($good, qr/^Authorization:/mi, '... but not the token');

like($none, qr{^HTTP/3 401}, 'no token, on the same connection');
like($none, qr/^www-authenticate: Bearer realm="kubernetes"\r?$/m,
     'its challenge');
like($bad, qr{^HTTP/3 401}, 'a bad signature');
like($bad, qr/^www-authenticate: .*error="invalid_token"/m, 'its challenge');

like($spoofed, qr{^HTTP/3 200}, 'with forged headers');
unlike($spoofed, qr/root|system:masters/, '... which are removed');
like($again, qr/^X-Remote-User: \Q$user\E\r?$/m, 'the first token again');

K8sSa::Nginx->finish;
