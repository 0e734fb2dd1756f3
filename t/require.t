# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_require: values that must be present.

use strict;
use warnings;

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $pub = key_file('ec');
my $up = echo_http();
my ($port, $inherit_port, $http_port) = map { free_port() } 1 .. 3;
my $issuer = "k8s_sa_issuer made { public_key $pub; audience service2; }\n";

my %location = (
    map       => 'k8s_sa_require $may_call;',
    claim     => 'k8s_sa_require $k8s_sa_pod;',
    header    => 'k8s_sa_require $http_x_value;',
    both      => 'k8s_sa_require $http_x_value $may_call;',
    lines     => 'k8s_sa_require $http_x_value error=404; '
                 . 'k8s_sa_require $may_call;',
    reverse   => 'k8s_sa_require $may_call error=410; '
                 . 'k8s_sa_require $http_x_value error=404;',
    string    => 'k8s_sa_require "$http_x_value$may_call";',
    constant  => 'k8s_sa_require 1;',
    zero      => 'k8s_sa_require 0;',
    empty     => 'k8s_sa_require "";',
    e401      => 'k8s_sa_require $may_call error=401;',
    e404      => 'k8s_sa_require $may_call error=404;',
    e503      => 'k8s_sa_require $may_call error=503;',
    e429      => 'k8s_sa_require $may_call error=429;',
    page      => 'k8s_sa_require $may_call error=404; error_page 404 = @page;',
    allow     => 'k8s_sa_allow mytest/service2; '
                 . 'k8s_sa_require $may_call error=404;',
    optional  => 'k8s_sa_auth made optional; k8s_sa_require $may_call;',
    anybody   => 'k8s_sa_auth made optional; k8s_sa_require $http_x_value;',
    any       => 'satisfy any; allow all; k8s_sa_require $may_call;',
    denied    => 'satisfy any; deny all; k8s_sa_require $may_call;',
    all       => 'allow all; k8s_sa_require $may_call;',
    neither   => 'deny all; k8s_sa_require $may_call error=404;',
    early     => 'set $seen "$volatile"; k8s_sa_require $volatile;',
    inherited => '',
    own       => 'k8s_sa_require $http_x_value;',
    limit     => 'limit_except GET { k8s_sa_require $may_call error=405; }',
);

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuer
map \$k8s_sa_username \$may_call {
    default 0;
    system:serviceaccount:mytest:service1 1;
    system:serviceaccount:mytest:empty    "";
    system:serviceaccount:mytest:zeros    00;
    system:serviceaccount:mytest:blank    " ";
}
map \$k8s_sa_name \$volatile {
    volatile;
    default  "";
    service1 yes;
}
k8s_sa_auth made;
log_format k8s "\$uri \$status \$k8s_sa_result";
access_log logs/access.log k8s;
server {
    listen 127.0.0.1:$port;
    location = /inherited-not { proxy_pass http://127.0.0.1:$up; }
@{[ map { "location = /$_ { $location{$_} "
          . "proxy_pass http://127.0.0.1:$up; }\n" }
    grep { $_ ne 'inherited' && $_ ne 'own' } sort keys %location ]}
    location \@page { k8s_sa_auth off; return 418 "\$k8s_sa_result"; }
}
server {
    listen 127.0.0.1:$inherit_port;
    k8s_sa_require \$may_call error=409;
    location = /inherited { proxy_pass http://127.0.0.1:$up; }
    location = /off { k8s_sa_auth off; proxy_pass http://127.0.0.1:$up; }
    location = /own { $location{own} proxy_pass http://127.0.0.1:$up; }
    location /outer {
        k8s_sa_require \$http_x_value error=410;
        location /outer/inner { proxy_pass http://127.0.0.1:$up; }
    }
}
_

$nginx->start;

sub account {
    my ($name) = @_;

    return bearer(account_token('mytest', $name));
}

my $one = account('service1');
my $two = account('service2');

sub status {
    my ($path, @headers) = @_;
    return get($path =~ /^(?:inherited|off|own|outer)/ ? $inherit_port : $port,
               "/$path", @headers)->{status};
}

for (
        [ 200, 'map', $one ],
        [ 403, 'map', $two ],
        [ 403, 'map', account('empty') ],
        [ 200, 'map', account('zeros') ],
        [ 200, 'map', account('blank') ],
        [ 401, 'map' ],
        [ 401, 'map', bearer(spoil(sign_token())) ],
        [ 403, 'claim', $one ],
        [ 403, 'header', $one ],
        [ 403, 'header', $one, 'X-Value:' ],
        [ 403, 'header', $one, 'X-Value: 0' ],
        [ 200, 'header', $one, 'X-Value: 1' ],
        [ 200, 'header', $one, 'X-Value: 01' ],
        [ 403, 'both', $one ],
        [ 403, 'both', $two, 'X-Value: 1' ],
        [ 200, 'both', $one, 'X-Value: 1' ],
        [ 404, 'lines', $one ],
        [ 404, 'lines', $two ],
        [ 403, 'lines', $two, 'X-Value: 1' ],
        [ 200, 'lines', $one, 'X-Value: 1' ],
        [ 410, 'reverse', $two ],
        [ 404, 'reverse', $one ],
        [ 200, 'reverse', $one, 'X-Value: 1' ],
        [ 403, 'string', $two ],
        [ 200, 'string', $two, 'X-Value: 0' ],
        [ 200, 'constant', $one ],
        [ 403, 'zero', $one ],
        [ 403, 'empty', $one ],
        [ 401, 'e401', $two ],
        [ 404, 'e404', $two ],
        [ 200, 'e404', $one ],
        [ 401, 'e404' ],
        [ 503, 'e503', $two ],
        [ 429, 'e429', $two ],
        [ 418, 'page', $two ],
        [ 403, 'allow', $one ],
        [ 404, 'allow', $two ],
        [ 403, 'optional' ],
        [ 403, 'optional', $two ],
        [ 200, 'optional', $one ],
        [ 403, 'anybody' ],
        [ 200, 'anybody', 'X-Value: 1' ],
        [ 200, 'anybody', $two, 'X-Value: 1' ],
        [ 200, 'off' ],
        [ 200, 'any', $two ],
        [ 403, 'denied', $two ],
        [ 200, 'denied', $one ],
        [ 200, 'all', $one ],
        [ 403, 'all', $two ],
        [ 403, 'neither', $one ],
        [ 200, 'early', $one ],
        [ 403, 'early', $two ],
        [ 409, 'inherited', $two ],
        [ 200, 'inherited', $one ],
        [ 403, 'own', $two ],
        [ 200, 'own', $two, 'X-Value: 1' ],
        [ 410, 'outer/inner', $one ],
        [ 200, 'outer/inner', $two, 'X-Value: 1' ],
        [ 200, 'limit', $two ])
{
    my ($expected, $path, @headers) = @$_;
    my $name = join ', ', $path, map { $_ eq $one ? 'service1'
                                       : $_ eq $two ? 'service2'
                                       : s/^Authorization.*/another/r }
                                 @headers;

    is(status($path, @headers), $expected, $name);
}

is(request($port, "POST /limit HTTP/1.0\r\n$two\r\n\r\n")->{status}, 405,
   'limit_except: POST');
is(request($port, "POST /limit HTTP/1.0\r\n$one\r\n\r\n")->{status}, 200,
   'limit_except: POST, the right caller');

unlike(get($port, '/any', $two)->{body}, qr/^X-Remote-User/m,
       'satisfy any: without the value there is no identity');


# http, server, location; after a reload, cached tokens are checked again

my $text = <<"_";
$issuer
map \$k8s_sa_name \$listed { service1 LISTED; }
k8s_sa_auth made;
k8s_sa_require \$listed error=404;
server {
    listen 127.0.0.1:$http_port;
    add_header X-Cache \$k8s_sa_cache always;
    location = /http { empty_gif; }
    location = /own { k8s_sa_require \$k8s_sa_name; empty_gif; }
}
_

my $http = K8sSa::Nginx->new(http => $text =~ s/LISTED/1/r)->start;

sub http { return get($http_port, @_) }

is(http('/http', $one)->{status}, 200, 'http: the value is present');
is(http('/http', $two)->{status}, 404, 'http: the value is missing');
is(http('/own', $two)->{status}, 200, 'http: a location replaces it');
is(http('/http', $one)->{status}, 200, 'before a reload') for 1, 2;

$http->reload($text =~ s/LISTED/0/r);

my $reloaded = http('/http', $one);
is($reloaded->{status}, 404, 'a reload removes the value');
like($reloaded->{head}, qr/^X-Cache: HIT\r$/m,
     '... although the token was cached');


# Answers to the caller

sub challenge {
    my ($path, @headers) = @_;
    return join '|', header_values(get($port, "/$path", @headers)->{head},
                                   'WWW-Authenticate');
}

my $realm = 'Bearer realm="kubernetes"';

is(challenge('map', $two), "$realm, error=\"insufficient_scope\"",
   '403: insufficient_scope');
is(challenge('e401', $two), $realm, '401: without an error about the token');
is(challenge('e404', $two), '', '404: no challenge');
is(challenge('e503', $two), '', '503: no challenge');
is(get($port, '/page', $two)->{body}, 'not_required', '$k8s_sa_result');

my $line = 'k8s_sa: request refused (not_required): a required value is '
           . 'missing, issuer: "made", subject: '
           . '"system:serviceaccount:mytest:service2", kid: "';

like($nginx->log, qr/\[warn\].*\Q$line\E/, 'the log has the subject');
unlike($nginx->log, qr/\[error\].*not_required/,
       'a refusal that anyone can cause is no error, even with 503');


# What nginx -t says

sub location {
    my ($directives) = @_;
    return "$issuer server {\n    location / {\n        $directives\n"
           . "    }\n}\n";
}

refused("require: $_->[0]", location("$_->[1] # HERE"), $_->[2])
    for [ 'nothing', 'k8s_sa_require;', qr/invalid number of arguments/ ],
        [ 'only an error code', 'k8s_sa_require error=401;',
          qr/"error=401" must come after the values/ ],
        [ 'an error code first', 'k8s_sa_require error=401 $uri;',
          qr/"error=401" must come after the values/ ],
        [ 'two error codes', 'k8s_sa_require $uri error=401 error=403;',
          qr/"error=401" must come after the values/ ];

refused("require: error=$_", location("k8s_sa_require \$uri error=$_; # HERE"),
        qr/invalid value "error=\Q$_\E"/)
    for '', 'x', '0', '-1', '40', '200', '302', '399', '408', '444', '499', '600',
        '4031', '403x';

accepted("require: error=$_",
         location("k8s_sa_auth made; k8s_sa_require \$uri error=$_;"))
    for 400, 401, 403, 404, 418, 429, 500, 503, 599;


K8sSa::Nginx->finish;
