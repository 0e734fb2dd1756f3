# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_original: k8s_sa_whoami decides about the request that the asker names,
# and about no other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $up = echo_http();
my $api = K8sSa::MockApi->new;
my ($port, $asker) = map { free_port() } 1 .. 2;
my $keys = 'public_key ' . key_file('ec') . '; audience service2; timeout 2s;';
my $issuer = "k8s_sa_issuer a { $keys access_review " . $api->url('a')
             . "/access; }\n";

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuer
log_format access '\$uri \$k8s_sa_result "\$k8s_sa_access" \$k8s_sa_path \$k8s_sa_verb';
access_log logs/access.log access;
server {
    listen 127.0.0.1:$port;
    underscores_in_headers on;
    ignore_invalid_headers off;
    k8s_sa_log_level info;
    k8s_sa_auth a;
    add_header X-Result \$k8s_sa_result always;
    add_header X-Access \$k8s_sa_access always;

    location = /nginx {
        k8s_sa_original \$http_x_original_uri \$http_x_original_method;
        k8s_sa_authorize; k8s_sa_whoami;
    }
    location = /ingress {
        k8s_sa_original \$http_x_original_url \$http_x_original_method;
        k8s_sa_authorize; k8s_sa_whoami;
    }
    location = /traefik {
        k8s_sa_original \$http_x_forwarded_uri \$http_x_forwarded_method;
        k8s_sa_authorize; k8s_sa_whoami;
    }
    location = /each {
        k8s_sa_original \$http_x_original_uri \$http_x_original_method;
        k8s_sa_authorize resource=pods namespace=\$k8s_sa_each each=arg:ns
                         verb=\$k8s_sa_verb;
        k8s_sa_whoami;
    }
    location / { k8s_sa_authorize; k8s_sa_whoami; }
}
server {
    listen 127.0.0.1:$asker;
    location / {
        auth_request /who;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /who {
        internal;
        proxy_pass http://127.0.0.1:$port/nginx;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Original-URI \$request_uri;
        proxy_set_header X-Original-Method \$request_method;
    }
}
_

$nginx->start;
$api->set('a', access => { allow => [
    'get /metrics', 'post /a', 'get /a b', 'update pods namespace=x',
    'get /envoy' ] });

my $token = account_token('mytest', 'service1');

sub ask {
    my ($path, @headers) = @_;
    my $answer = get($port, $path, bearer($token), @headers);
    ($answer->{result}) = header_values($answer->{head}, 'X-Result');
    ($answer->{access}) = header_values($answer->{head}, 'X-Access');
    return $answer;
}

sub original {
    my ($uri, $method) = @_;
    return ("X-Original-URI: $uri", "X-Original-Method: $method");
}


# Through another nginx

{
    my $answer = get($asker, '/metrics', bearer($token));
    is($answer->{status}, 200, 'auth_request of another nginx: allowed');
    $answer = request($asker, "POST /metrics HTTP/1.1\r\nHost: localhost\r\n"
        . bearer($token) . "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    is($answer->{status}, 403, 'its client\'s method');
    is(($api->questions('a'))[-1], 'post /metrics', 'is asked about');
    $answer = get($asker, '/a/..%2fmetrics', bearer($token));
    is($answer->{status}, 403, 'an odd path: 403, which askers know');
    $answer = get($asker, '/x', bearer($token), original('/metrics', 'GET'));
    is($answer->{status}, 403, 'its client\'s own headers do not count');
    is(($api->questions('a'))[-1], 'get /x', 'the asker\'s do');
}


# Each asker's headers

is(ask('/nginx', original('/metrics?x=1', 'GET'))->{status}, 200, 'a URI');
is(ask('/nginx', original('/a', 'POST'))->{access}, 'post /a', 'a method');
is(ask('/nginx', original('/a%20b', 'GET'))->{access}, 'get /a b',
   'it is decoded');
is(ask('/ingress', 'X-Original-URL: https://host:443/metrics',
       'X-Original-Method: GET')->{status}, 200, 'an absolute URL');
is(ask('/ingress', 'X-Original-URL: http://h/metrics?a=http://x/y',
       'X-Original-Method: GET')->{access}, 'get /metrics',
   'an absolute URL with a query');
is(ask('/traefik', 'X-Forwarded-Uri: /metrics', 'X-Forwarded-Method: GET')
   ->{status}, 200, 'Traefik\'s headers');
is(ask('/envoy')->{access}, 'get /envoy', 'Envoy: the path of the question');

{
    my $answer = ask('/each', original('/?ns=x', 'PUT'));
    is("$answer->{status} $answer->{access}",
       '200 update pods namespace=x', 'each= and $k8s_sa_verb');
    my ($line) = grep { m{^/each} } split /\n/, $nginx->log('access');
    is($line, '/each ok "update pods namespace=x" / update', 'variables');
    is(ask('/each?ns=x', original('/', 'PUT'))->{result}, 'bad_attributes',
       'each= is not of the question\'s own query');
}


# Forged, doubled, missing and malformed ones

{
    my $before = $api->accesses('a');

    for my $case ([ 'none' ],
                  [ 'no method', 'X-Original-URI: /metrics' ],
                  [ 'no URI', 'X-Original-Method: GET' ],
                  [ 'two URIs', original('/metrics', 'GET'),
                    'X-Original-URI: /metrics' ],
                  [ 'two URIs, one with _', original('/metrics', 'GET'),
                    'X_Original_URI: /x' ],
                  [ 'two URIs, one with another case',
                    original('/metrics', 'GET'), 'x-original-URI: /x' ],
                  [ 'two methods', original('/metrics', 'GET'),
                    'X-Original-Method: POST' ],
                  [ 'an empty method', original('/metrics', '') ],
                  [ 'method in lower case', original('/metrics', 'get') ],
                  [ 'method with a blank', original('/metrics', 'GET X') ],
                  [ 'method with a digit', original('/metrics', 'G3T') ],
                  [ 'an empty URI', original('', 'GET') ],
                  [ 'no slash', original('metrics', 'GET') ],
                  [ 'another scheme', original('ftp://h/metrics', 'GET') ],
                  [ 'no path', original('http://host', 'GET') ],
                  [ 'a query only', original('http://host?/metrics', 'GET') ],
                  [ 'dots', original('/a/../metrics', 'GET') ],
                  [ 'escaped dots', original('/a/%2e%2e/metrics', 'GET') ],
                  [ 'two slashes', original('//metrics', 'GET') ],
                  [ 'an authority', original('//host/metrics', 'GET') ],
                  [ 'a fragment', original('/metrics#x', 'GET') ],
                  [ 'a backslash', original('http://h\\metrics', 'GET') ],
                  [ 'not UTF-8', original('/%ff', 'GET') ])
    {
        my ($name, @headers) = @$case;
        my $answer = ask('/nginx', @headers);
        is("$answer->{status} $answer->{result}", '403 bad_path', $name);
    }

    is(scalar $api->accesses('a'), $before, 'none of them is asked about');
}

is(ask('/nginx', original('/metrics', 'GET'), 'X-HTTP-Method-Override: PUT')
   ->{result}, 'bad_attributes', 'a header that overrides the method');


# Configuration

my $conf = "$issuer\nserver {\n    k8s_sa_auth a;\n";
my $values = '$http_a $http_b';

accepted("conf: $_->[0]", "$conf$_->[1]\n}\n")
    for [ 'in a location', "location / { k8s_sa_original $values; "
                           . 'k8s_sa_whoami; }' ],
        [ 'inherited', "k8s_sa_original $values; "
                       . 'location / { k8s_sa_whoami; }' ],
        [ 'off', "k8s_sa_original $values; location / { k8s_sa_whoami; } "
                 . 'location /b { k8s_sa_original off; k8s_sa_whoami; }' ],
        [ 'other variables', 'location / { k8s_sa_whoami; k8s_sa_original '
                             . '/a$request_uri $request_method; }' ];

refused("conf: $_->[0]", "$conf\n$_->[1] # HERE\n}\n", $_->[2])
    for [ 'one value', 'k8s_sa_original $http_a;', qr/has no method/ ],
        [ 'twice', "k8s_sa_original $values; k8s_sa_original $values;",
          qr/is duplicate/ ],
        [ 'three values', "k8s_sa_original $values x;",
          qr/invalid number of arguments/ ],
        [ 'a literal URI', 'k8s_sa_original /a $http_b;',
          qr/invalid value "\/a"/ ],
        [ 'a literal method', 'k8s_sa_original $http_b GET;',
          qr/invalid value "GET"/ ],
        [ 'a header and more', 'k8s_sa_original /a$http_b $http_c;',
          qr/invalid value/ ],
        [ 'a header, then more', 'k8s_sa_original $http_b/a $http_c;',
          qr/invalid value/ ],
        [ 'a header in braces', 'k8s_sa_original ${http_b} $http_c;',
          qr/invalid value/ ],
        [ 'two headers', 'k8s_sa_original $http_a$http_b $http_c;',
          qr/invalid value/ ],
        [ 'without k8s_sa_whoami', "k8s_sa_original $values;",
          qr/not used by any location with "k8s_sa_whoami"/ ];

K8sSa::Nginx->finish;
