#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Key sets, generations, leases and reloads.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use SharedTest;
use Test::More;
use Time::HiRes qw(sleep time);


sub state_of { return field(ask("op=state&issuer=$_[0]"), $_[1]) }
sub rc { return field($_[0], 'rc') }

sub sound { is(rc(ask('op=check')), 'ok', "zone is sound: $_[0]") }

# Takes the lease and stores keys, as worker $pid.
sub store {
    my ($pid, $issuer, $more) = @_;
    my $lease = rc(ask_pid($pid, "op=lease&issuer=$issuer"));
    return "lease $lease" if $lease ne 'ok';
    return rc(ask_pid($pid, "op=store&issuer=$issuer&$more"));
}


start('keys:4m', 'a b');

my ($one, $two) = workers();


# a new record

my $s = ask('op=state&issuer=a');
is(rc($s), 'ok', 'state of a new record');
is(field($s, 'keys'), 0, 'no keys');
is(field($s, 'fetched'), -1, 'never fetched');
is(field($s, 'refresh'), -1, 'nothing is due');
is(field($s, 'owner'), 0, 'no lease');
is(field($s, 'failures'), 0, 'no failure');
isnt(field($s, 'generation'), 0, 'generation is not 0');
isnt(field($s, 'events'), 0, 'events is not 0');
my $generation = field($s, 'generation');
my $events = field($s, 'events');

is(rc(ask('op=load&issuer=a')), 'declined', 'nothing to load');


# lease

is(rc(ask_pid($one, 'op=lease&issuer=a&msec=3000')), 'ok', 'lease');
my $answer = ask_pid($two, 'op=lease&issuer=a');
is(rc($answer), 'busy', 'busy for the other worker');
cmp_ok(field($answer, 'wait'), '<=', 3000, 'and is told for how long');
cmp_ok(field($answer, 'wait'), '>', 500, 'which is still long');
is(state_of('a', 'owner'), $one, 'owner is shown');
is(rc(ask_pid($two, 'op=lease&issuer=b')), 'ok', 'another issuer is free');
is(rc(ask_pid($two, 'op=release&issuer=b')), 'ok', 'and released');
is(rc(ask_pid($one, 'op=lease&issuer=a&msec=3000')), 'ok', 'prolonged');
is(rc(ask_pid($two, 'op=store&issuer=a')), 'declined', 'no store');
is(rc(ask_pid($two, 'op=fail&issuer=a&text=x')), 'declined', 'no fail');
is(rc(ask_pid($two, 'op=release&issuer=a')), 'ok', 'no release, either');
is(state_of('a', 'owner'), $one, 'it is still held');
is(rc(ask_pid($one, 'op=release&issuer=a')), 'ok', 'released');
is(rc(ask_pid($two, 'op=lease&issuer=a&msec=200')), 'ok', 'for the other');
sleep 0.3;
is(state_of('a', 'owner'), 0, 'expires');
is(rc(ask_pid($one, 'op=lease&issuer=a')), 'ok', 'and is free');
is(state_of('a', 'events'), $events, 'none of this is an event');


# store

is(rc(ask_pid($one, 'op=store&issuer=a&len=1000&seed=1&refresh=5000'
              . '&iss=https://a.example')),
   'ok', 'stored');
$s = ask('op=state&issuer=a');
is(field($s, 'keys'), 1000, 'length');
is(field($s, 'owner'), 0, 'lease is given back');
like(field($s, 'fetched'), qr/^[01]$/, 'fetched now');
cmp_ok(field($s, 'refresh'), '<=', 5000, 'next fetch');
isnt(field($s, 'generation'), $generation, 'generation moved');
isnt(field($s, 'events'), $events, 'events moved');
unlike($s, qr/MOVED/, 'the same without the lock');
$generation = field($s, 'generation');
$events = field($s, 'events');

for my $pid ($one, $two) {
    $answer = ask_pid($pid, 'op=load&issuer=a&seed=1');
    is(rc($answer), 'ok', 'loaded');
    is(field($answer, 'data'), 'right', 'the same bytes');
    is(field($answer, 'len'), 1000, 'the same length');
    is(field($answer, 'issuer'), '[https://a.example]', 'learned issuer');
    is(field($answer, 'generation'), $generation, 'generation');
}

is(store($one, 'a', 'len=1000&seed=1&iss=https://a.example'), 'ok',
   'the same again');
$s = ask('op=state&issuer=a');
is(field($s, 'generation'), $generation, 'generation stays');
isnt(field($s, 'events'), $events, 'but it is an event');

is(store($two, 'a', 'len=1000&seed=1&iss=https://b.example'), 'ok',
   'another learned issuer');
isnt(state_of('a', 'generation'), $generation, 'moves the generation');
is(field(ask('op=load&issuer=a&seed=1'), 'issuer'), '[https://b.example]',
   'and is loaded');
is(store($two, 'a', 'len=1000&seed=2'), 'ok', 'other bytes, no issuer');
$answer = ask('op=load&issuer=a&seed=2');
is(field($answer, 'data') . field($answer, 'issuer'), 'right[]', 'loaded');
is(rc(ask('op=load&issuer=b')), 'declined', 'the other issuer has none');
sound('after storing');

is(store($one, 'b', 'len=10&age=1000'), 'ok', 'a set from disk');
$s = ask('op=state&issuer=b');
like(field($s, 'fetched'), qr/^100[01]$/, 'keeps its age');
like(field($s, 'age'), qr/^100[01]\d{3}$/, 'also in msec');


# failures

$generation = state_of('a', 'generation');
$events = state_of('a', 'events');
ask_pid($one, 'op=lease&issuer=a');
is(rc(ask_pid($one, 'op=fail&issuer=a&retry=700&text=one%0Atwo%00%C3%A4%7F!')),
   'ok', 'failed');
$s = ask('op=state&issuer=a');
is(field($s, 'error'), '[one?two????!]', 'cleaned text');
is(field($s, 'failures'), 1, 'counted');
is(field($s, 'keys'), 1000, 'keys stay');
is(field($s, 'generation'), $generation, 'generation stays');
isnt(field($s, 'events'), $events, 'events moved');
is(field($s, 'owner'), 0, 'lease is given back');
cmp_ok(field($s, 'refresh'), '<=', 700, 'retry');
ask_pid($one, 'op=lease&issuer=a');
ask_pid($one, 'op=fail&issuer=a&text=' . 'x' x 1000);
$s = ask('op=state&issuer=a');
is(field($s, 'failures'), 2, 'twice');
is(length field($s, 'error'), 256 + 2, 'cut');
is(store($one, 'a', 'len=1000&seed=2'), 'ok', 'success');
is(state_of('a', 'failures'), 0, 'resets the count');
$answer = ask('op=count&issuer=a');
is(field($answer, 'fetches'), 5, 'fetches counted');
is(field($answer, 'fetch_errors'), 2, 'errors counted');


# a fetch out of turn

is(rc(ask_pid($one, 'op=force&issuer=a&msec=600')), 'ok', 'forced');
$answer = ask_pid($two, 'op=force&issuer=a&msec=600');
is(rc($answer), 'busy', 'not twice');
cmp_ok(field($answer, 'wait'), '<=', 600, 'told how long');
cmp_ok(field($answer, 'wait'), '>', 0, 'not at once');
is(rc(ask('op=force&issuer=b&msec=600')), 'ok', 'each issuer on its own');
sleep 0.7;
is(rc(ask_pid($two, 'op=force&issuer=a&msec=600')), 'ok', 'later');


# sizes

for my $len (1, 115, 116, 117, 240, 241, 65536, 1048576) {
    is(store($one, 'a', "len=$len&seed=$len"), 'ok', "set of $len bytes");
    is(field(ask("op=load&issuer=a&seed=$len"), 'data'), 'right',
       "set of $len bytes is right");
}
ask_pid($one, 'op=lease&issuer=a');
is(rc(ask_pid($one, 'op=store&issuer=a&len=1048577')), 'error',
   'larger than 1m');
is(rc(ask_pid($one, 'op=store&issuer=a&len=0')), 'error', 'empty');
is(rc(ask_pid($one, 'op=store&issuer=a&iss=' . 'i' x 1025)), 'error',
   'issuer too long');
is(state_of('a', 'owner'), $one, 'lease is kept');
ask_pid($one, 'op=release&issuer=a');


# keys come before tokens

ask('op=bench&tokens=20000&n=0');
my $tokens = field(ask('op=stat'), 'tokens');
cmp_ok($tokens, '>', 5000, 'cache is full');
is(store($one, 'b', 'len=1048576&seed=7'), 'ok', 'a large set fits');
cmp_ok(field(ask('op=stat'), 'tokens'), '<', $tokens, 'tokens were evicted');
is(field(ask('op=load&issuer=b&seed=7'), 'data'), 'right', 'it is right');
sound('full of keys and tokens');

is(store($one, 'b', 'len=1048576&seed=8'), 'ok', 'replaced by another');
$tokens = field(ask('op=stat'), 'tokens');
is(store($one, 'a', 'len=1048576&seed=9'), 'ok', 'and again');
sound('full of keys');


# reload

$generation = state_of('b', 'generation');
ask('op=insert&token=token');
ask('op=count&n=3');
ok(reload('keys:4m', 'b c'), 'reload with the same zone');
is(field(ask('op=load&issuer=b&seed=8'), 'data'), 'right', 'keys stay');
is(state_of('b', 'generation'), $generation, 'with their generation');
is(rc(ask('op=lookup&token=token')), 'ok', 'tokens stay');
is(field(ask('op=count'), 'expired'), 3, 'counters stay');
is(rc(ask('op=load&issuer=c')), 'declined', 'new issuer');
sound('after a reload');

($one, $two) = workers();
is(store($one, 'c', 'len=5000&seed=4'), 'ok', 'keys for the new one');
ok(reload('keys:4m', 'a b c'), 'reload with the first one again');
is(field(ask('op=load&issuer=a&seed=9'), 'data'), 'right',
   'its keys are still there');

ok(reload('keys:4m', 'b'), 'two issuers less');
($one, $two) = workers();
is(store($one, 'b', 'len=1048576&seed=11'), 'ok', 'room');
ok(reload('keys:4m', 'b d e'), 'two others');
($one, $two) = workers();
is(store($one, 'd', 'len=1048576&seed=12'), 'ok', 'large set');
is(store($one, 'e', 'len=1048576&seed=13'), 'ok', 'and another one');
is(field(ask('op=load&issuer=b&seed=11'), 'data'), 'right', 'b is untouched');
is(field(ask('op=load&issuer=d&seed=12'), 'data'), 'right', 'd is there');
is(field(ask('op=load&issuer=e&seed=13'), 'data'), 'right', 'e is there');
sound('after records were given up');
is(store($one, 'd', 'len=1048576&seed=14'), 'error', 'no room left at all');
is(state_of('d', 'owner'), $one, 'the lease is kept then');
is(field(ask('op=load&issuer=d&seed=12'), 'data'), 'right', 'and the set');
sound('without room');

ok(reload('keys:8m', 'b c'), 'reload with another size');
is(field(ask('op=stat'), 'size'), 8388608, 'new size');
is(rc(ask('op=load&issuer=b')), 'declined', 'starts empty');
is(rc(ask('op=lookup&token=token')), 'declined', 'no token');
sound('with another size');


# many records come and go over reloads: their memory is reused

restart('keys:32k', 'a');
($one, $two) = workers();
is(store($one, 'a', 'len=100&seed=1'), 'ok', 'keys');
for my $i (1 .. 6) {
    ok(reload('keys:32k', "a b$i c$i"), "reload $i");
}
is(field(ask('op=load&issuer=a&seed=1'), 'data'), 'right', 'a has its keys');
sound('after many reloads');


# no record of an issuer that stays is reused for another one

restart('keys:32k', 'a b c d');
($one, $two) = workers();
is(store($one, $_, 'len=100&seed=3'), 'ok', "keys for $_") for qw(a b c d);
ok(reload('keys:32k', 'e b c d'), 'e instead of a');
is(field(ask("op=load&issuer=$_&seed=3"), 'data'), 'right', "$_ has its keys")
    for qw(b c d);
is(rc(ask('op=load&issuer=e')), 'declined', 'e has none yet');
sound('after one issuer took the place of another');


# nor is any reused if the new configuration does not fit

ok(hup_refused(qr/too small for 5 issuers/, 'keys:32k', 'f g h i j'),
   'reload without room for its issuers');
is(field(ask("op=load&issuer=$_&seed=3"), 'data'), 'right', "$_ has its keys")
    for qw(b c d);
is(rc(ask('op=lease&issuer=e')), 'ok', 'e can still be fetched');
ok(reload('keys:32k', 'd c b'), 'reload with fewer');
is(field(ask("op=load&issuer=$_&seed=3"), 'data'), 'right', "$_ has its keys")
    for qw(b c d);
sound('after a reload that failed');


# an old worker whose record was given to another issuer

restart('keys:32k', 'a');
($one, $two) = workers();
is(store($one, 'a', 'len=100&seed=1'), 'ok', 'keys');
my ($load, $lease) = ask_later($one, 'op=load&issuer=a&seed=1&after=2000',
                               $two, 'op=lease&issuer=a&after=2000');

my @new = hup('keys:32k', 'b c d e');
is(scalar @new, 2, 'reload while old workers are busy');
for my $issuer (qw(b c d e)) {
    is(store($new[0], $issuer, 'len=100&seed=2'), 'ok', "keys for $issuer");
    is(rc(ask_pid($new[0], "op=lease&issuer=$issuer&msec=600000")), 'ok',
       "lease for $issuer");
}

$answer = $load->();
is(rc($answer), 'error', 'its keys are gone, and no others are loaded');
unlike($answer, qr/data=/, 'nothing was loaded');
is(rc($lease->()), 'error', 'nor does it see another lease');
is(field(ask("op=load&issuer=$_&seed=2"), 'data'), 'right', "$_ has its own")
    for qw(b c d e);
sound('after a record was taken over');


# an old worker whose cached time is from before the fetch

restart('keys:4m', 'a');
($one) = workers();
my ($state) = ask_later($one, 'op=state&issuer=a&after=2000');

@new = hup('keys:4m', 'a');
is(store($new[0], 'a', 'len=100&seed=1'), 'ok', 'fetched meanwhile');
$answer = $state->();
is(field($answer, 'keys'), 100, 'the busy worker sees the keys');
is(field($answer, 'age'), 0, 'new, and not from its future');

unlike(log_text(), qr/\[(alert|emerg|crit)\](?!.*too small)/, 'quiet log');

done_testing();
