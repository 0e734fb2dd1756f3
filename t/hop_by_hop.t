# SPDX-License-Identifier: BSD-2-Clause

# A Connection header that names an identity header does not reach the upstream,
# even if it is passed on; and the log has the identity if a filter answered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $port = free_port();
my $up = echo_http();

my $nginx = K8sSa::Nginx->new(http => <<"_");
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2; }
log_format k8s "\$uri \$status \$k8s_sa_username \$k8s_sa_result";
server {
    listen 127.0.0.1:$port;
    access_log logs/k8s.log k8s;
    k8s_sa_auth made;
    k8s_sa_set_header X-Caller \$k8s_sa_username;
    proxy_http_version 1.1;
    proxy_set_header Connection \$http_connection;
    location / { proxy_pass http://127.0.0.1:$up; }
    location /open/ { k8s_sa_auth off; proxy_pass http://127.0.0.1:$up; }
    location /early/ { set \$early \$http_connection;
        proxy_set_header Connection \$early; proxy_pass http://127.0.0.1:$up; }
    location = /static { alias @{[ dir() ]}/static; }
}
_

write_file('static', "hello\n");
$nginx->start;

my $token = bearer(sign_token());

sub passed_on {
    my ($path, $connection) = @_;
    my $answer = get($port, $path, $token, "Connection: $connection");

    is($answer->{status}, 200, "$path, $connection: 200");

    return join ',', $answer->{body} =~ /^Connection: *(.*?)\r?$/mig;
}

for my $path ('/', '/open/', '/early/') {
    unlike(passed_on($path, $_), qr/x.(?:remote|caller)/i,
           "$path, $_: not passed on")
        for 'X-Remote-User', 'close, X-Caller', "close ,\tx-caller ",
            'keep-alive,x_remote_group', 'X-Remote-Extra-a, Upgrade',
            'close;X-Caller', 'close, X-Remote-User;q=1', 'a, "X-Caller"',
            "close\fX-Caller";

    like(passed_on($path, $_), qr/^\Q$_\E/, "$path, $_: passed on")
        for 'close', 'close, X-Other', 'close, X-Remote', ', ,close';
}

is(get($port, '/static', $token)->{status}, 200, 'a static file');
is(get($port, '/static', $token, 'If-Match: "x"')->{status}, 412,
   'a filter answers');

my $log = '';

until_true(5, sub {
    $log = slurp("$nginx->{dir}/logs/k8s.log");
    return $log =~ / 412 /;
});

my $user = 'system:serviceaccount:mytest:service1';

like($log, qr{^/static 200 $user ok$}m, 'the log of the file');
like($log, qr{^/static 412 $user ok$}m, 'the log of the answer of a filter');

K8sSa::Nginx->finish;
