#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# The token cache: entries, times, eviction, and the bound on refused tokens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use SharedTest;
use Test::More;


sub stat_of { return field(ask('op=stat'), $_[0]) }
sub rc { return field(ask($_[0]), 'rc') }

sub sound { is(rc('op=check'), 'ok', "zone is sound: $_[0]") }


start('tokens:1m', 'a');

my @workers = workers();
is(scalar @workers, 2, 'two workers');


# one entry

is(rc('op=lookup&token=a'), 'declined', 'unknown token');
is(rc('op=insert&token=a&len=237&ttl=50&verdict=7'), 'ok', 'inserted');

for my $pid (@workers) {
    my $answer = ask_pid($pid, 'op=lookup&token=a');
    is(field($answer, 'rc'), 'ok', "found by worker");
    is(field($answer, 'data'), 'right', 'its data and key id');
    is(field($answer, 'len'), 237, 'length');
    is(field($answer, 'verdict'), 7, 'verdict');
    is(field($answer, 'kind'), 0, 'kind');
    like(field($answer, 'fresh'), qr/^[01]$/, 'fresh');
    like(field($answer, 'ttl'), qr/^(50|49)$/, 'expires');
}

is(stat_of('tokens'), 1, 'one entry');
is(stat_of('tokens_used'), 3 * 128, 'in three blocks');

is(rc('op=lookup&token=a&size=237'), 'ok', 'buffer just large enough');
is(rc('op=lookup&token=a&size=236'), 'declined', 'buffer too small');
is(rc('op=lookup&token=b'), 'declined', 'another token');
is(rc('op=lookup&token=a&tail=1'), 'declined', 'one with another last byte');
is(rc('op=insert&token=a&tail=1&len=5'), 'ok', 'which is an entry of its own');
is(field(ask('op=lookup&token=a&tail=1'), 'len'), 5, 'found');
is(field(ask('op=lookup&token=a'), 'len'), 237, 'and so is the first');
is(rc('op=delete&token=a&tail=1'), 'ok', 'deleted alone');

is(rc('op=insert&token=a&len=20&kind=1'), 'ok', 'replaced');
my $answer = ask('op=lookup&token=a');
is(field($answer, 'len') . field($answer, 'data'), '20right', 'by new data');
is(stat_of('tokens_used'), 128, 'which need one block');

is(rc('op=insert&token=a&kind=2'), 'ok', 'replaced by a refusal');
is(stat_of('tokens') . stat_of('refusals'), '01', 'it is in the other list');
is(field(ask('op=lookup&token=a'), 'kind'), 2, 'and found');

is(rc('op=delete&token=a'), 'ok', 'deleted');
is(rc('op=lookup&token=a'), 'declined', 'gone');
is(rc('op=delete&token=a'), 'ok', 'deleted again');
is(stat_of('used'), 0, 'nothing is in use');
sound('after single operations');


# sizes around the ends of blocks, and the limits

for my $len (0, 1, 15, 16, 17, 139, 140, 141, 263, 264, 265, 2048, 16384) {
    is(rc("op=insert&token=s$len&len=$len"), 'ok', "$len bytes");
    $answer = ask("op=lookup&token=s$len");
    is(field($answer, 'len') . field($answer, 'data'), "${len}right",
       "$len bytes found");
    ask("op=delete&token=s$len");
}

is(rc('op=insert&token=big&len=16384'), 'ok', 'the largest');
is(rc('op=insert&token=big&len=16385'), 'declined', 'one more byte');
is(rc('op=lookup&token=big'), 'declined', 'removed the older one');
is(stat_of('used'), 0, 'nothing is in use');


# time

is(rc('op=insert&token=t&ttl=10'), 'ok', 'ten seconds');
is(rc('op=lookup&token=t&later=8'), 'ok', 'before');
is(rc('op=lookup&token=t&later=12'), 'declined', 'after');
is(rc('op=lookup&token=t'), 'declined', 'removed by the lookup');
is(rc('op=insert&token=t&ttl=0'), 'declined', 'expired when inserted');
is(stat_of('used'), 0, 'nothing is in use');


# eviction: the least recently used first

is(rc('op=insert&token=k&to=1000&later=1'), 'ok', 'a thousand');
is(rc('op=lookup&token=k1&later=10'), 'ok', 'the first one is used again');
my $n = field(ask('op=insert&token=k&from=1001&to=10000&evictions=1&later=20'),
              'next') - 1;

my $capacity = stat_of('tokens');
note("1m holds $capacity typical tokens");
cmp_ok($capacity, '>', 2500, 'typical tokens in 1m');
cmp_ok(1048576 / $capacity, '<', 600, 'bytes a token, all included');
is(rc('op=lookup&token=k1'), 'ok', 'the one in use stayed');
is(rc('op=lookup&token=k2'), 'declined', 'the oldest one was evicted');
is(rc("op=lookup&token=k$n"), 'ok', 'the newest one is there');
is(stat_of('evictions'), 1, 'one for one');
sound('when full');

is(rc('op=insert&token=large&len=16000&later=30'), 'ok', 'a large one fits');
is(rc('op=lookup&token=large'), 'ok', 'and is found');
sound('after a large one');

my $evictions = stat_of('evictions');
is(rc('op=insert&token=later&ttl=10&later=100000'), 'ok', 'much later');
is(stat_of('evictions'), $evictions, 'expired ones make room first');
sound('after expiry');


# refused tokens

restart('tokens:1m', 'a');

ask('op=insert&token=good&to=1000');
my $used = stat_of('tokens_used');

ask('op=insert&token=bad&to=3000&kind=2&later=50&len=10');
is(stat_of('tokens'), 1000, 'refusals leave accepted ones alone');
is(stat_of('tokens_used'), $used, 'all of them');
cmp_ok(stat_of('refusals_used'), '<=', 1048576 / 8, 'at most an eighth');
cmp_ok(stat_of('refusals'), '>', 900, 'which they use');
is(rc('op=lookup&token=bad3000'), 'ok', 'the newest refusal is there');
is(rc('op=lookup&token=bad1'), 'declined', 'the oldest is not');
is(rc('op=insert&token=bigbad&kind=2&len=16384'), 'ok', 'large refusal');
sound('with refusals');

my $refusals = stat_of('refusals');
$evictions = stat_of('evictions') + 10;
my $next = field(ask('op=insert&token=more&to=3000&later=100'
                     . "&evictions=$evictions"), 'next');
is(stat_of('refusals'), $refusals, 'the oldest go first, of either kind');
is(rc('op=lookup&token=good1'), 'declined', 'which were accepted ones');

ask("op=insert&token=more&from=$next&to=3000&later=100");
is(rc('op=lookup&token=more3000'), 'ok', 'accepted ones displace refusals');
cmp_ok(stat_of('refusals'), '<', 900, 'which become fewer');

ask('op=insert&token=bad&to=3000&kind=2&later=200&len=10');
cmp_ok(stat_of('tokens'), '>', 2150, 'a full cache and a flood of refusals');
sound('after the flood');


# one user's tokens

restart('tokens:1m', 'a');

sub known { return field(ask("op=known&token=$_[0]&to=$_[1]"), 'known') }

ask('op=insert&token=few&to=50&user=few');
ask('op=insert&token=many&to=5000&user=many');
cmp_ok(known('many', 5000), '>', 2400, 'one user may fill the cache');
cmp_ok(stat_of('evictions'), '>', 2000, 'and displaces');
is(known('few', 50), 50, 'no token of another user');
cmp_ok(known('many', 300), '>=', 290, 'nor of its own share');
sound('full of tokens of one user');

ask('op=insert&token=other&to=2000');
is(known('other', 2000), 2000, 'others take back');
cmp_ok(known('many', 5000), '<', 700, 'what is beyond its share');
is(known('few', 50), 50, 'first');
cmp_ok(known('many', 300), '>=', 290, 'but not that');

ask('op=insert&token=other&from=2001&to=5000&later=10');
is(known('few', 50), 0, 'then the oldest tokens go');
cmp_ok(known('many', 5000), '<', 10, 'of any user');
cmp_ok(stat_of('tokens'), '>', 2500, 'the cache is full');
is(rc('op=insert&token=many1&user=many&kind=2'), 'ok',
   'a refusal has no user');
sound('full of tokens of many users');


# expired ones

restart('tokens:1m', 'a');

ask('op=insert&token=short&ttl=50');
ask('op=insert&token=shortbad&ttl=50&kind=2');
ask('op=insert&token=long&ttl=500');
is(stat_of('tokens') . stat_of('refusals'), '21', 'two and one');
ask('op=insert&token=new&later=100&ttl=1000');
is(stat_of('tokens') . stat_of('refusals'), '20',
   'an insertion removes expired ones');

ask('op=insert&token=bad&to=400&kind=2&later=200&ttl=100&len=10');
ask('op=insert&token=k&to=10000&later=200&ttl=5000&evictions=1');
$evictions = stat_of('evictions');
$refusals = stat_of('refusals');
cmp_ok($refusals, '>', 300, 'full, with refusals');
ask('op=insert&token=large&len=16000&later=400');
is(rc('op=lookup&token=large&later=400'), 'ok', 'a large entry');
is(stat_of('evictions'), $evictions, 'displaces expired refusals');
cmp_ok(stat_of('refusals'), '<', $refusals, 'as many as it needs');


# the smallest zone

like(test_config('tokens:28k', 'a'), qr/zone "tokens" is too small/,
     'less than eight pages');
restart('tokens:32k', 'a b c');

ask('op=insert&token=k&to=200');
is(rc('op=lookup&token=k200'), 'ok', '32k: works');
note('32k holds ' . stat_of('tokens') . ' typical tokens');
cmp_ok(stat_of('tokens'), '>', 20, '32k: some');
is(rc('op=insert&token=big&len=16384'), 'declined', '32k: nothing large');
is(rc('op=lookup&token=k200'), 'ok', '32k: and that displaces nothing');

my ($one) = workers();
ask_pid($one, 'op=lease&issuer=b');
is(field(ask_pid($one, 'op=store&issuer=b&len=3000&seed=3'), 'rc'), 'ok',
   '32k: storing');
is(field(ask('op=load&issuer=b&seed=3'), 'data'), 'right', '32k: a key set');
sound('32k');

like(test_config('tokens:32k', join ' ', 1 .. 40),
     qr/k8s_sa_zone "tokens" is too small for 40 issuers/, 'many issuers');

unlike(log_text(), qr/\[(alert|emerg|crit)\](?!.*too small)/, 'quiet log');

done_testing();
