# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_authorize with "each=": every value that the upstream could read is
# asked about, or the request is refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $up = echo_http();
my $api = K8sSa::MockApi->new;
my $port = free_port();
my $issuers = '';
my $locations = '';

sub location {
    my ($name, $rules) = @_;

    $issuers .= 'k8s_sa_issuer ' . $name . ' { public_key ' . key_file('ec')
                . '; audience service2; timeout 2s; access_review '
                . $api->url($name) . "/access; }\n";
    $locations .= "location /$name { k8s_sa_auth $name; $rules "
                  . "k8s_sa_whoami; }\n"
                  . "location /up/$name { k8s_sa_auth $name; $rules "
                  . "proxy_pass http://127.0.0.1:$up/; }\n";
}

my $pods = 'k8s_sa_authorize resource=pods namespace=$k8s_sa_each';

location('arg', "$pods each=arg:ns;");
location('form', "$pods each=arg:ns form=pass;");
location('header', "$pods each=header:X-Ns;");
location('both', "$pods each=arg:ns each=header:X-Ns;");
location('two', "$pods each=arg:ns; k8s_sa_authorize resource=pods "
                . 'name=$k8s_sa_each each=arg:name;');
location('many', join ' ', map { "k8s_sa_authorize resource=r$_ "
                                 . 'namespace=$k8s_sa_each each=arg:ns;' } 1 .. 3);
location('skipped', "$pods each=arg:ns skip=1;");

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuers
server {
    listen 127.0.0.1:$port;
    underscores_in_headers on;
    ignore_invalid_headers off;
    k8s_sa_log_level info;
    add_header X-Result \$k8s_sa_result always;
    add_header X-Access \$k8s_sa_access always;
    add_header X-Each \$k8s_sa_each always;
    $locations
}
_

$nginx->start;

my $token = account_token('mytest', 'service1');

# The location /up/NAME answers 400, /NAME, a k8s_sa_whoami, 403.

sub ask {
    my ($path, @headers) = @_;
    my $method = @headers && $headers[0] =~ /^[A-Z]+$/ ? shift @headers : 'GET';

    return request($port, join "\r\n", "$method $path HTTP/1.1",
        'Host: localhost', bearer($token), @headers, 'Connection: close', '',
        '');
}

sub asked {
    my ($name, $path, $questions, @headers) = @_;
    my $before = () = $api->accesses($name);

    my $answer = ask($path, @headers);
    my @asked = $api->questions($name);

    is($answer->{status}, 200, "$path @headers: allowed");
    is_deeply([ @asked[$before .. $#asked] ],
              [ map { "get pods namespace=$_" } @$questions ],
              "$path @headers: asked");
    return $answer;
}

sub refused {
    my ($name, $query, $reason, @headers) = @_;
    my $before = $api->accesses($name);

    for my $case ([ "/$name", 403 ], [ "/up/$name", 400 ]) {
        my ($path, $status) = @$case;
        my $answer = ask("$path$query", @headers);

        is($answer->{status}, $status, "$path$query @headers: $status");
        is_deeply([ header_values($answer->{head}, 'X-Result') ],
                  [ 'bad_attributes' ], "$path$query @headers: result");
        is_deeply([ header_values($answer->{head}, 'WWW-Authenticate') ], [],
                  "$path$query @headers: no challenge");
    }

    like($nginx->log, qr/\(bad_attributes\): [^:]*: $reason/,
         "$query @headers: $reason");
    is(scalar $api->accesses($name), $before, "$query @headers: not asked");
}

$api->set($_, access => { allow => 1 })
    for qw(arg form header both two many skipped);


# Arguments

asked('arg', '/arg?ns=a', [ 'a' ]);
my $answer = asked('arg', '/arg?ns=b&ns=c', [ 'b', 'c' ]);
is((header_values($answer->{head}, 'X-Each'))[0], 'c', '$k8s_sa_each: the last');
is((header_values($answer->{head}, 'X-Access'))[0], 'get pods namespace=c',
   '$k8s_sa_access: the last');
asked('arg', '/arg?ns=d&x=1&ns=d&ns=e', [ 'd', 'e' ]);
asked('arg', '/arg?n%73=f', [ 'f' ]);
asked('arg', '/arg?ns=%67', [ 'g' ]);
asked('arg', '/arg?&ns=h&', [ 'h' ]);
asked('arg', '/arg?nsx=1&xns=2&ns=i&x=ns=3', [ 'i' ]);
asked('arg', '/arg?ns=' . join('&ns=', map { "j$_" } 1 .. 16),
      [ map { "j$_" } 1 .. 16 ]);
asked('arg', '/arg?ns=k', [ 'k' ], 'Content-Type: application/json');

refused('arg', $_->[0], $_->[1])
    for [ '', 'no value for "each="' ],
        [ '?', 'no value for "each="' ],
        [ '?x=1', 'no value for "each="' ],
        [ '?ns=', '' ],
        [ '?ns', '' ],
        [ '?ns=a&ns=', '' ],
        [ '?NS=a', '' ],
        [ '?ns=a&Ns=b', '' ],
        [ '?ns=a;ns=b', '' ],
        [ '?ns=a;x=b', '' ],
        [ '?ns=a%', '' ],
        [ '?ns=%zz', '' ],
        [ '?x=%zz&ns=a', '' ],
        [ '?ns[]=a', '' ],
        [ '?ns%5B0%5D=a&ns=a', '' ],
        [ '?ns=a&[ns]=b', 'a name in the query' ],
        [ '?ns=a&%5Dns=b', 'a name in the query' ],
        [ '?ns=a&ns]=b', 'a name in the query' ],
        [ '?ns=a&' . join('&', map { "ns=a$_" } 1 .. 16), '' ],
        [ '?ns=A', 'unfit value for namespace' ],
        [ '?ns=a%2Fb', 'unfit value for namespace' ],
        [ '?ns=*', 'unfit value for namespace' ],
        [ '?ns=a+b', 'unfit value for namespace' ],
        [ '?ns=%00', 'unfit value for namespace' ];

# "#" ends a query for some servers

is(ask('/up/arg?ns=a#&ns=b')->{status}, 400, 'a fragment');

# What is not asked about is not in the variable: it could hold a line end

{
    my $answer = ask('/arg?ns=a%0d%0aX-Injected:%20yes');

    is($answer->{status}, 403, 'a line end in a value');
    is_deeply([ header_values($answer->{head}, 'X-Injected') ], [],
              'a line end in a value: not in the response');
    is_deeply([ header_values($answer->{head}, 'X-Each') ], [],
              'an unfit value: $k8s_sa_each is empty');
}


# Forms

for my $type ('application/x-www-form-urlencoded', 'multipart/form-data',
              'Application/X-WWW-Form-Urlencoded; charset=utf-8',
              'multipart/form-data; boundary=x')
{
    refused('arg', '?ns=a', 'a form may', 'POST', "Content-Type: $type",
            'Content-Length: 0');
    is(ask('/form?ns=a', 'POST', "Content-Type: $type", 'Content-Length: 0')
       ->{status}, 200, "form=pass: $type");
}


# Headers

asked('header', '/header', [ 'a' ], 'X-Ns: a');
asked('header', '/header', [ 'b', 'c' ], 'X-Ns: b', 'x-ns: c');
asked('header', '/header', [ 'd', 'e' ], 'X_Ns: d', 'X-Other: x', 'X-Ns: e');
asked('header', '/header', [ 'f' ], 'X-Ns: f', 'X-NS: f');

refused('header', '?ns=a', 'no value for "each="');
refused('header', '', '', 'X-Ns: ');
refused('header', '', 'unfit value for namespace', 'X-Ns: a, b');
refused('header', '', '', 'X-Ns: a', 'X.Ns: ');
refused('header', '', 'unfit value for namespace', 'X-Ns: a', 'X_Ns: B');


# Both, several rules, limits

asked('both', '/both?ns=a', [ 'a', 'b' ], 'X-Ns: b');
asked('both', '/both?ns=c', [ 'c' ]);
asked('both', '/both', [ 'd' ], 'X-Ns: d');
asked('both', '/both?ns=e', [ 'e' ], 'X-Ns: e');
refused('both', '', 'no value for "each="');

is(ask('/two?ns=a&name=b')->{status}, 200, 'two rules with each=');
is_deeply([ $api->questions('two') ],
          [ 'get pods namespace=a', 'get pods name=b' ],
          'two rules: each has its values');
is(ask('/two?ns=a')->{status}, 403, 'two rules: one without a value');

is(ask('/many?ns=' . join('&ns=', 1 .. 10))->{status}, 200, '30 questions');
$answer = ask('/up/many?ns=' . join('&ns=', 1 .. 11));
is($answer->{status}, 400, '33 questions');
like($nginx->log, qr/\(bad_attributes\): .*: too many questions/,
     '33 questions: log');

is(ask('/skipped')->{status}, 200, 'skip= comes before the values');
is(scalar $api->accesses('skipped'), 0, 'skip=: not asked');


# One that is denied is enough

$api->set('arg', access => { allow => [ 'get pods namespace=x' ] });
is(ask('/arg?ns=x')->{status}, 200, 'one allowed');
$answer = ask('/arg?ns=x&ns=y');
is($answer->{status}, 403, 'one of two denied');
like($answer->{head}, qr/error_description="cannot get pods in namespace y"/,
     'the description names it');

K8sSa::Nginx->finish;
