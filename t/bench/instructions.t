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

plan skip_all => 'no valgrind' if system('valgrind --version >/dev/null 2>&1');

my $location = 'try_files /small =404;';
my $issuer = <<"_";
k8s_sa_issuer made {
    issuer @{[ claims()->{iss} ]};
    public_key @{[ key_file('ec') ]};
    audience service2;
}
_

# a worker's own table has one slot for a token: an entry from / is not valid
# for /zone, which finds the token in the zone

my $without = K8sSa::Callgrind->new(locations => "location / { $location }");
my $with = K8sSa::Callgrind->new(module => 1, http => $issuer,
    locations => join "\n", map { "location $_ { k8s_sa_auth made; $location }" }
                            qw(/ /zone));

my @tokens = map { sign_token(claims => claims(jti => "id-$_")) } 0 .. 19;
my @requests = map { with_token('/', $_, 1) } @tokens;
my @same = ($requests[0]) x 100;

$_->each_costs(200, @same[0 .. 9]) for $without, $with;

my $plain = $without->each_costs(200, @same);
my $known = $with->each_costs(200, @same) - $plain;

cmp_ok($plain, '>', 10_000, "a request without the module: $plain");
cmp_ok($known, '<=', 4000, "a known token adds: $known");
cmp_ok($known, '>', 500, '... and it was checked');
is($with->calls('ngx_k8s_sa_cache_lookup'), 0,
   '... in the worker\'s table only');

my $new = $with->each_costs(200, @requests[1 .. 19]) - $plain;

cmp_ok($new, '>', 20 * $known, "a new token adds: $new");

my @zone = map { with_token('/zone', $_, 1) } @tokens;
my $zone = $with->each_costs(200, @zone) - $plain;

cmp_ok($zone, '<=', 8000, "a token from the zone adds: $zone");
is($with->calls('ngx_k8s_sa_cache_lookup'), 20,
   '... and each was looked up in the zone');

done_testing();
