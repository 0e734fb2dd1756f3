# SPDX-License-Identifier: BSD-2-Clause

# The number of instructions that a request costs.  It is the same on a busy
# machine, so that a change that makes the common case slower fails here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use K8sSa;
use K8sSa::Callgrind;
use K8sSa::Load;
use K8sSa::MockApi;

plan skip_all => 'no valgrind' if system('valgrind --version >/dev/null 2>&1');

my $location = 'try_files /small =404;';
my $issuer = <<"_";
k8s_sa_issuer made {
    issuer @{[ claims()->{iss} ]};
    public_key @{[ key_file('ec') ]};
    audience service2;
}
_

my $api = K8sSa::MockApi->new;

$api->set('made', access => { allow => 1 });
$issuer =~ s/\}/    access_review @{[ $api->url('made') ]}\/access;
    access_review_cache 1h;
}/;

my $without = K8sSa::Callgrind->new(locations => "location / { $location }");
my $with = K8sSa::Callgrind->new(module => 1, http => $issuer,
    locations => "k8s_sa_paths any;\n"
                 . "location / { k8s_sa_auth made; $location }\n"
                 . "location /strict/ { k8s_sa_auth made; $location\n"
                 . "                    k8s_sa_paths strict; }\n"
                 . "location /rbac/ { k8s_sa_auth made; k8s_sa_authorize;\n"
                 . "                  $location k8s_sa_paths strict; }\n");

my @tokens = map { sign_token(claims => claims(jti => "id-$_")) } 0 .. 19;
my @requests = map { with_token('/', $_, 1) } @tokens;
my @same = ($requests[0]) x 100;

$_->each_costs(200, @same[0 .. 9]) for $without, $with;

my $plain = $without->each_costs(200, @same);
my $known = $with->each_costs(200, @same) - $plain;

cmp_ok($plain, '>', 10_000, "a request without the module: $plain");
cmp_ok($known, '<=', 3000, "a known token adds: $known");
cmp_ok($known, '>', 500, '... and it was checked');
is($with->calls('ngx_k8s_sa_cache_lookup'), 0,
   '... in the worker\'s table only');

my $new = $with->each_costs(200, @requests[1 .. 19]) - $plain;

cmp_ok($new, '>', 20 * $known, "a new token adds: $new");

# Of these, some share a slot of the worker's table: only one of each slot is
# kept there, the others are found in the zone.

my @many = map { with_token('/', $_, 1) }
           map { sign_token(claims => claims(jti => "many-$_")) } 1 .. 200;

$with->each_costs(200, @many);

my $mixed = $with->each_costs(200, @many) - $plain;
my $lookups = $with->calls('ngx_k8s_sa_cache_lookup');

cmp_ok($lookups, '>', 0, "tokens that are looked up in the zone: $lookups");

my $zone = int($known + ($mixed - $known) * @many / ($lookups || 1));

cmp_ok($zone, '<=', 8000, "a token from the zone adds: $zone");

# Paths

for (   [ '/', 0, 20 ],
        [ '/strict/', 60, 140 ],
        [ '/strict/metrics?a=b', 80, 200 ],
        [ '/strict/api/v1/namespaces/default/pods', 100, 280 ])
{
    my ($path, $min, $max) = @$_;

    $with->each_costs(200, (with_token($path, $tokens[0], 1)) x 10);

    my $cost = $with->call_costs('ngx_http_k8s_sa_check_path');

    cmp_ok($cost, '>=', $min, "k8s_sa_paths, $path: $cost");
    cmp_ok($cost, '<=', $max, '... not more');
}

# A remembered decision of the cluster, for a known token

my ($strict, $rbac) = map {
    my @requests = (with_token($_, $tokens[0], 1)) x 100;
    $with->each_costs(200, @requests[0 .. 9]);
    $with->each_costs(200, @requests);
} '/strict/', '/rbac/';

my $decision = $rbac - $strict;

cmp_ok($decision, '<=', 1800, "a remembered decision adds: $decision");
cmp_ok($decision, '>', 200, '... and it was looked up');

done_testing();
