# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_authorize and the access_review directives of an issuer: arguments that
# are accepted, and those that are refused, with their messages and lines.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Nginx;


my $url = 'https://127.0.0.1:6443';
my $keys = 'public_key ' . key_file('ec') . '; audience service2;';

sub issuer { return "k8s_sa_issuer a {\n$_[0]\n}\n" }


# In the issuer

accepted("issuer: $_->[0]", issuer($_->[1]))
    for [ 'alone', "$keys access_review $url;" ],
        [ 'a path', "$keys access_review $url/a/b;" ],
        [ 'http on loopback', "$keys access_review http://127.0.0.1:8001;" ],
        [ 'api_server', "$keys api_server $url; access_review;" ],
        [ 'before api_server', "$keys access_review; api_server $url;" ],
        [ 'with token_review',
          "api_server $url; token_review; access_review;" ],
        [ 'local', "$keys api_server $url; access_review local=n-1;" ],
        [ 'local and a URL', "$keys access_review $url local=n-1;" ],
        [ 'all parameters of the cache', "$keys access_review $url; "
          . 'access_review_cache 5m denied=30s stale=1h;' ],
        [ 'in any order', "access_review_cache 0 stale=0 denied=0; "
          . "access_review $url; $keys" ],
        [ 'extra on', "$keys access_review $url; access_review_extra on;" ],
        [ 'extra off', "$keys access_review $url; access_review_extra off;" ],
        [ 'username_prefix', "$keys kubernetes off; access_review $url; "
          . 'username_prefix oidc:;' ],
        [ 'username_prefix, empty', "$keys kubernetes off; "
          . "access_review $url; username_prefix '';" ],
        [ 'username_prefix, not ASCII', "$keys kubernetes off; "
          . "access_review $url; username_prefix \"\xc3\xa4\";" ],
        [ 'username_prefix without access_review',
          "$keys kubernetes off; username_prefix oidc:;" ],
        [ 'token_review_cache with denied', "token_review $url; "
          . 'token_review_cache 5s denied=1s;' ];

refused("issuer: $_->[0]", issuer("$keys $_->[1] # HERE"), $_->[2])
    for [ 'twice', "access_review $url; access_review $url;",
          qr/"access_review" directive is duplicate/ ],
        [ 'two URLs', "access_review $url $url;",
          qr/invalid parameter "\Q$url\E"/ ],
        [ 'local twice', "access_review $url local=a local=b;",
          qr/invalid parameter "local=b"/ ],
        [ 'an empty URL', 'access_review "";', qr/"access_review" directive has an empty value/ ],
        [ 'local, empty', "access_review $url local=;", qr/namespace/ ],
        [ 'local, upper case', "access_review $url local=Ab;",
          qr/invalid value "Ab": .*namespace/ ],
        [ 'local, all', "access_review $url local=*;",
          qr/invalid value "\*"/ ],
        [ 'local, too long', "access_review $url local=" . 'a' x 64 . ';',
          qr/invalid value "a+"/ ],
        [ 'an unknown parameter', "access_review $url extra=off;",
          qr/invalid parameter "extra=off"/ ],
        [ 'cache twice', 'access_review_cache 5s; access_review_cache 5s;',
          qr/"access_review_cache" directive is duplicate/ ],
        [ 'cache without a value', 'access_review_cache;',
          qr/invalid number of arguments/ ],
        [ 'extra, neither on nor off', 'access_review_extra yes;',
          qr/invalid value "yes"/ ],
        [ 'username_prefix twice',
          'username_prefix a; username_prefix b;',
          qr/"username_prefix" directive is duplicate/ ],
        [ 'username_prefix system:', 'username_prefix system:;',
          qr/invalid value "system:"/ ],
        [ 'username_prefix, a control character',
          "username_prefix \"a\tb\";", qr/invalid value/ ],
        [ 'username_prefix, not UTF-8', "username_prefix \"a\xe4\";",
          qr/invalid value/ ];

for my $bad ('x', '-1', '5s deny=1s', '5s denied=', '5s denied=x', '5s stale=-1',
             '5s denied=1s denied=2s', '5s 6s', 'denied=1s', '5s failed=1s')
{
    my ($value) = (split ' ', $bad)[-1];
    refused("issuer: cache $bad",
            issuer("$keys access_review_cache $bad; # HERE"),
            qr/invalid value "\Q$value\E"/);
}

refused("issuer: $_->[0]", issuer("$keys $_->[1]\n} # HERE\n#"), $_->[2])
    for [ 'no URL', 'access_review;',
          qr/"access_review" in issuer "a" needs a URL or "api_server"/ ],
        [ 'not https', 'access_review http://10.0.0.1;',
          qr/"https" is required/ ],
        [ 'not a URL', 'access_review 10.0.0.1;',
          qr/invalid URL "10.0.0.1" in "access_review"/ ],
        [ 'cache without access_review', 'access_review_cache 5s;',
          qr/"access_review_cache" in issuer "a" needs "access_review"/ ],
        [ 'extra without access_review', 'access_review_extra on;',
          qr/"access_review_extra" in issuer "a" needs "access_review"/ ],
        [ 'kubernetes off without username_prefix',
          "kubernetes off; access_review $url;",
          qr/with "kubernetes off" needs "username_prefix"/ ],
        [ 'username_prefix of Kubernetes',
          "access_review $url; username_prefix oidc:;",
          qr/"username_prefix" in issuer "a" needs "kubernetes off"/ ],
        [ 'kubernetes off, no URL',
          'kubernetes off; access_review; username_prefix oidc:;',
          qr/"access_review" in issuer "a" needs a URL or "api_server"/ ];

refused('issuer: token_review_cache with both names',
        issuer("token_review $url; token_review_cache 5s failed=1s denied=1s; "
               . '# HERE'), qr/invalid value "denied=1s"/);


# The rules

my $issuers = issuer("$keys access_review $url;")
    . "k8s_sa_issuer plain { $keys }\n"
    . "k8s_sa_issuer local { $keys access_review $url local=ns1; }\n"
    . "map \$remote_addr \$mapped { default x; }\n";

sub location {
    my ($directives, $auth) = @_;
    $auth = 'a' unless defined $auth;
    return "$issuers\nserver {\n    location / {\n        k8s_sa_auth $auth;\n"
           . "        $directives\n    }\n}\n";
}

my $authorize = 'k8s_sa_authorize';

accepted("rule: $_", location("$authorize $_;"))
    for '', 'path=/metrics', 'path=$k8s_sa_path', 'path=/a$k8s_sa_path',
        'verb=get', 'verb=$k8s_sa_verb', 'verb=*', 'path=/a verb=get',
        'skip=$mapped', 'path=$mapped', 'path=/%C3%BC', "path=/\xc3\xbc",
        'resource=pods', 'resource=pods group=apps namespace=a name=b '
                         . 'subresource=log verb=list',
        'resource=* group=* name=*', 'resource=$mapped',
        'resource=a.b name=a:b@c',
        'resource=pods namespace=$k8s_sa_each each=arg:ns',
        'resource=pods namespace=${k8s_sa_each} each=header:X-Ns',
        'resource=pods namespace=$k8s_sa_each each=arg:ns each=arg:ns2 '
        . 'each=header:a_b each=header:ns form=pass skip=$mapped',
        'resource=pods name="a$k8s_sa_each" each=arg:ns';

accepted('rule: of the namespace of a local review',
         location("$authorize resource=pods; "
                  . "$authorize resource=pods namespace=ns1; "
                  . "$authorize resource=pods namespace=\$mapped;", 'local'));
accepted('rule: off', location("$authorize off;", 'plain'));
accepted('rule: several', location("$authorize; $authorize path=/a;"));
accepted('rule: in limit_except',
         location("limit_except GET { $authorize verb=put; }"));

refused("rule: $_->[0]", location("$authorize $_->[0]; # HERE"), $_->[1])
    for [ 'x', qr/invalid parameter "x"/ ],
        [ '""', qr/invalid parameter ""/ ],
        [ 'method=get', qr/invalid parameter "method=get"/ ],
        [ 'Path=/a', qr/invalid parameter "Path=\/a"/ ],
        [ '=a', qr/invalid parameter "=a"/ ],
        [ 'apiGroup=apps', qr/invalid parameter "apiGroup=apps", use "group="/ ],
        [ 'apigroup=apps', qr/use "group="/ ],
        [ 'apiVersion=v1', qr/use "group="/ ],
        [ 'path=/a path=/b', qr/duplicate parameter "path=\/b"/ ],
        [ 'verb=a verb=b', qr/duplicate parameter "verb=b"/ ],
        [ 'skip=$mapped skip=$mapped', qr/duplicate parameter/ ],
        [ 'path=', qr/empty parameter "path="/ ],
        [ 'skip=', qr/empty parameter "skip="/ ],
        [ 'resource=', qr/empty parameter "resource="/ ],
        [ 'resource=pods namespace=', qr/empty parameter "namespace="/ ],
        [ 'resource=pods name=', qr/empty parameter "name="/ ],
        [ 'path=a', qr/invalid value "a": .*path/ ],
        [ 'path=/a/../b', qr/invalid value .*path/ ],
        [ "path=\"/a\tb\"", qr/invalid value .*path/ ],
        [ "path=/\xe4", qr/invalid value .*path/ ],
        [ 'verb=a/b', qr/invalid value .*verb/ ],
        [ 'resource=pods/log', qr/"resource=pods\/log", use "subresource="/ ],
        [ 'resource=a%b', qr/invalid value .*resource/ ],
        [ 'resource=pods namespace=A', qr/invalid value .*namespace/ ],
        [ 'resource=pods namespace=*', qr/invalid value .*namespace/ ],
        [ 'resource=pods name=..', qr/invalid value .*name/ ],
        [ 'resource=pods "name=a b"', qr/invalid value .*name/ ],
        [ 'resource=pods name=' . 'a' x 254, qr/invalid value .*name/ ],
        [ 'path=/a resource=pods', qr/resource beside "path="/ ],
        [ 'path=/a name=b', qr/resource beside "path="/ ],
        [ 'namespace=a', qr/has no "resource="/ ],
        [ 'verb=get name=b', qr/has no "resource="/ ],
        [ 'each=arg:a', qr/no "resource="/ ],
        [ 'path=/$k8s_sa_each', qr/no "resource="/ ],
        [ 'resource=pods each=arg:a', qr/no "\$k8s_sa_each"/ ],
        [ 'resource=pods name=$k8s_sa_each', qr/no "each="/ ],
        [ 'resource=pods name=$k8s_sa_each_x each=arg:a',
          qr/no "\$k8s_sa_each"/ ],
        [ 'resource=pods name=$k8s_sa_each each=a', qr/"each=a"/ ],
        [ 'resource=pods name=$k8s_sa_each each=arg:', qr/"each=arg:"/ ],
        [ 'resource=pods name=$k8s_sa_each each=arg:a&b', qr/"each=arg:a&b"/ ],
        [ 'resource=pods name=$k8s_sa_each each=arg:$mapped',
          qr/"each=arg:\$mapped"/ ],
        [ 'resource=pods name=$k8s_sa_each each=header:a:b',
          qr/"each=header:a:b"/ ],
        [ 'resource=pods name=$k8s_sa_each each=cookie:a',
          qr/"each=cookie:a"/ ],
        [ 'resource=pods name=$k8s_sa_each each=arg:a each=arg:A',
          qr/duplicate parameter "each=arg:A"/ ],
        [ 'resource=pods name=$k8s_sa_each each=header:a-b each=header:A_B',
          qr/duplicate parameter "each=header:A_B"/ ],
        [ 'resource=pods name=$k8s_sa_each each=arg:a each=arg:b each=arg:c '
          . 'each=arg:d each=arg:e', qr/more than 4 parameters "each="/ ],
        [ 'form=pass', qr/no "each=arg:"/ ],
        [ 'resource=pods name=$k8s_sa_each each=header:a form=pass',
          qr/no "each=arg:"/ ],
        [ 'resource=pods name=$k8s_sa_each each=arg:a form=off',
          qr/invalid parameter "form=off"/ ],
        [ 'resource=pods name=$k8s_sa_each each=arg:a form=pass form=pass',
          qr/invalid parameter "form=pass"/ ],
        [ 'off path=/a', qr/has parameters after "off"/ ],
        [ 'path=/a off', qr/invalid parameter "off"/ ];

refused("rule: $_->[0]", location("$_->[1] # HERE"), $_->[2])
    for [ 'off first', "$authorize off; $authorize;",
          qr/cannot be combined with "off"/ ],
        [ 'off last', "$authorize; $authorize off;",
          qr/cannot be combined with "off"/ ],
        [ 'off twice', "$authorize off; $authorize off;",
          qr/cannot be combined with "off"/ ];

refused("rule: $_->[0]", location("$authorize $_->[1]; # HERE", $_->[2]),
        $_->[3])
    for [ 'an issuer without access_review', '', 'plain',
          qr/needs "access_review" in issuer "plain"/ ],
        [ 'one of two issuers', '', 'a plain',
          qr/needs "access_review" in issuer "plain"/ ],
        [ 'optional', '', 'plain optional', qr/needs "access_review"/ ],
        [ 'off in the same block', '', 'off',
          qr/is beside "k8s_sa_auth off"/ ],
        [ 'a path, local review', '', 'local',
          qr/is about a path, but issuer "local" has .*local=ns1/ ],
        [ 'another namespace, local review', 'resource=pods namespace=ns2',
          'local', qr/names another namespace, but issuer "local"/ ];



# Rules on several levels

refused("levels: $_->[0]", "$issuers\n$_->[1]", $_->[2])
    for [ 'without k8s_sa_auth', <<"_", qr/not used by any location with/ ],
server {
    location / {
        $authorize; # HERE
    }
}
_
        [ 'only k8s_sa_auth off below', <<"_", qr/not used by any location/ ],
$authorize; # HERE
server {
    location / { k8s_sa_auth off; }
}
server {
    location / { k8s_sa_auth a; $authorize off; }
}
_
        [ 'the issuer of a location below', <<"_", qr/issuer "plain"/ ],
server {
    k8s_sa_auth a;
    $authorize; # HERE
    location / { }
    location /b { k8s_sa_auth plain; }
}
_
        [ 'limit_except with off', <<"_", qr/is beside "k8s_sa_auth off"/ ];
server {
    k8s_sa_auth a;
    location / {
        limit_except GET {
            k8s_sa_auth off;
            $authorize; # HERE
        }
    }
}
_

accepted("levels: $_->[0]", "$issuers\n$_->[1]")
    for [ 'used by one location', <<"_" ],
$authorize;
server {
    location / { }
    location /b { k8s_sa_auth a; }
}
_
        [ 'k8s_sa_auth off below', <<"_" ],
server {
    k8s_sa_auth a;
    $authorize;
    location /b { k8s_sa_auth off; }
}
_
        [ 'off below', <<"_" ];
server {
    k8s_sa_auth a;
    $authorize;
    location /b { k8s_sa_auth plain; $authorize off; }
}
_

{
    said("$issuers\nserver {\n    k8s_sa_auth a;\n"
        . "    $authorize;\n    location / {\n        $authorize path=/a;\n"
        . "    }\n}\n");

    # nginx prints only warnings and errors, the rest is in its log

    my ($log) = glob dir() . '/nginx*/logs/start.log';
    my $out = slurp($log);

    like($out, qr/\[notice\] \S+ "k8s_sa_authorize" in (\S+):(\d+) replaces the inherited one of \1:(\d+)$/m,
         'levels: a rule that replaces another is noticed');
    my (undef, $own, $old) = $out =~ /in (\S+):(\d+) replaces .*:(\d+)$/m;
    is($own - $old, 2, 'levels: with both lines');
}


# Warnings

for my $case ([ 'resource=pods namespace=$arg_ns', '$arg_ns', 'each=arg:NAME' ],
              [ 'resource=pods namespace=${arg_ns}', '$arg_ns', 'each=arg:' ],
              [ 'resource=pods namespace=$http_x_ns', '$http_x_ns',
                'each=header:NAME' ],
              [ 'resource=pods name=$cookie_n', '$cookie_n', 'each=header' ],
              [ 'resource=pods name=a$args', '$args', 'each=arg' ],
              [ 'path=$request_uri', '$request_uri', '$k8s_sa_path' ],
              [ 'path=/a$uri', '$uri', '$k8s_sa_path' ],
              [ 'path=$document_uri', '$document_uri', '$k8s_sa_path' ],
              [ 'skip=$http_x', '$http_x', 'each=header:NAME' ],
              [ 'verb=$request_method', '$request_method', '$k8s_sa_verb' ])
{
    my ($rule, $name, $advice) = @$case;
    accepted("warning: $rule", location("$authorize $rule;"),
             qr/"\Q$name\E" in "k8s_sa_authorize" .*\Q$advice\E/);
}


K8sSa::Nginx::finish();
