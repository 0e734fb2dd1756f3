# SPDX-License-Identifier: BSD-2-Clause

# token_review and token_review_cache: arguments that are accepted, and those
# that are refused, with their messages.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use K8sSa;
use K8sSa::Conf;
use K8sSa::Nginx;


my $keys = 'public_key ' . key_file('ec') . '; audience service2;';
my $url = 'https://127.0.0.1:6443';

sub issuer { return "k8s_sa_issuer a {\n$_[0]\n}\n" }

accepted('alone', issuer("token_review $url;"));
accepted('with an audience', issuer("token_review $url; audience a b;"));
accepted('audience any', issuer("token_review $url; audience any;"));
accepted('a path', issuer("token_review $url/a/b;"));
accepted('api_server', issuer("api_server $url; token_review;"));
accepted('http on loopback', issuer('token_review http://127.0.0.1:8001;'));
accepted('with keys', issuer("$keys token_review $url;"));
accepted('with discovery',
         issuer("discovery; api_server $url; audience a; token_review;"));
accepted('rules of the local check', issuer(
    "$keys token_review $url; issuer x; legacy_tokens on; leeway 0;"));
accepted('all parameters of the cache', issuer(
    "token_review $url; token_review_cache 5s failed=0 stale=1h;"));
accepted('in any order', issuer(
    "token_review_cache 500ms stale=1h failed=1s; token_review $url;"));

refused('nothing', "k8s_sa_issuer a {\n}  # HERE\n", 'has no keys');
refused('no URL', issuer("token_review;\n}  # HERE\n#"), 'needs a URL or');
refused('not https', issuer("token_review http://10.0.0.1;\n}  # HERE\n#"),
        '"https" is required');
refused('not a URL', issuer("token_review 10.0.0.1;\n}  # HERE\n#"),
        'invalid URL "10.0.0.1" in "token_review"');
refused('twice', issuer("token_review $url; token_review;  # HERE"),
        '"token_review" directive is duplicate');
refused('too many arguments', issuer("token_review $url x;  # HERE"),
        'invalid number of arguments in "token_review"');
refused('with keys, without an audience',
        issuer('public_key ' . key_file('ec')
               . ";\ntoken_review $url;\n}  # HERE\n#"), 'has no "audience"');

refused('not UTF-8',
        issuer("token_review $url; audience \"a\xe4\";\n}  # HERE\n#"),
        'is not UTF-8');

for my $rule ('issuer x', 'algorithms RS256', 'legacy_tokens off',
              'kubernetes on', 'leeway 60s')
{
    my ($name) = split ' ', $rule;
    refused("$name without keys",
            issuer("token_review $url; $rule;\n}  # HERE\n#"),
            "\"$name\" in issuer \"a\" needs keys");
}

refused('a cache without token_review',
        issuer("$keys token_review_cache 5s;\n}  # HERE\n#"),
        '"token_review_cache" in issuer "a" needs "token_review"');

for my $bad ('x', '-1', '5s fail=1s', '5s failed=', '5s failed=x', '5s stale=-1',
             '5s failed=1s failed=2s', '5s 6s', 'failed=1s')
{
    my ($value) = (split ' ', $bad)[-1];
    refused("cache $bad",
            issuer("token_review $url; token_review_cache $bad;  # HERE"),
            "invalid value \"\Q$value\E\"");
}

refused('cache twice', issuer("token_review $url;\n"
        . "token_review_cache 5s; token_review_cache 5s;  # HERE"),
        '"token_review_cache" directive is duplicate');
refused('a cache without a value',
        issuer("token_review $url; token_review_cache;  # HERE"),
        'invalid number of arguments');

K8sSa::Nginx::finish();
