#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Decisions of the cluster in the zone: their share, and that they evict no
# tokens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use SharedTest;
use Test::More;


my $allowed = 3;
my $denied = 4;

sub stat_of { return field(ask('op=stat'), $_[0]) }
sub rc { return field(ask($_[0]), 'rc') }
sub known { return field(ask("op=known&token=$_[0]&to=$_[1]"), 'known') }

sub sound { is(rc('op=check'), 'ok', "zone is sound: $_[0]") }


start('tokens:1m', 'a');

is(rc("op=insert&token=q&kind=$allowed&len=0"), 'ok', 'allowed');
is(rc("op=insert&token=r&kind=$denied&len=10"), 'ok', 'denied');
is(join(' ', map { stat_of($_) } qw(tokens refusals grants denials)),
   '0 0 1 1', 'each in its list');
is(stat_of('grants_used'), 128, 'one block without data');
is(rc("op=insert&token=q&kind=$denied&len=0"), 'ok', 'the other verdict');
is(join(' ', map { stat_of($_) } qw(tokens refusals grants denials)),
   '0 0 0 2', 'replaces it');
sound('a few decisions');


# They have a quarter, denials an eighth

restart('tokens:1m', 'a');

ask('op=insert&token=good&to=500');
ask("op=insert&token=q&to=10000&kind=$allowed&len=0&later=10");
my $room = stat_of('room');
cmp_ok(stat_of('grants_used'), '<=', $room / 4 + 128, 'at most a quarter');
cmp_ok(stat_of('grants_used'), '>', $room / 4 - 1024, 'which they use');
is(known('good', 500), 500, 'no token is displaced');
ask("op=insert&token=d&to=10000&kind=$denied&len=0&later=20");
cmp_ok(stat_of('denials_used'), '<=', $room / 8 + 128, 'denials: an eighth');
cmp_ok(stat_of('denials_used'), '>', $room / 8 - 1024, 'which they use');
cmp_ok(stat_of('grants_used'), '>', $room / 8 - 1024, 'they displace others');
is(known('good', 500), 500, 'but no token');
sound('full of decisions');


# One user's beyond its share go first

restart('tokens:1m', 'a');

ask("op=insert&token=few&to=50&user=few&kind=$allowed&len=0");
ask("op=insert&token=many&to=20000&user=many&kind=$allowed&len=0&later=10");
is(known('few', 50), 50, 'a flood of one user displaces none of others');
cmp_ok(known('many', 200), '>=', 190, 'nor of its own share');
ask("op=insert&token=other&to=1000&kind=$allowed&len=0&later=20");
is(known('other', 1000), 1000, 'others take back what is beyond it');
sound('a flood of one user');


# In a zone that is full of valid tokens there is no room

restart('tokens:1m', 'a');

ask('op=insert&token=t&to=10000');
my $tokens = stat_of('tokens');
ask("op=insert&token=q&to=100&kind=$allowed&len=0");
is(stat_of('tokens'), $tokens, 'decisions evict no valid token');
cmp_ok(stat_of('grants'), '<', 3, 'they have what is free');
is(rc("op=insert&token=r&kind=$allowed&len=1000&later=100000"), 'ok',
   'but those that have expired');
sound('full of tokens');

# and tokens displace decisions that are less recently used

restart('tokens:1m', 'a');

ask("op=insert&token=q&to=1000&kind=$allowed&len=0");
ask('op=insert&token=t&to=10000&later=10');
cmp_ok(stat_of('grants'), '<', 10, 'tokens displace older decisions');
sound('decisions displaced');

unlike(log_text(), qr/\[(alert|emerg|crit)\]/, 'quiet log');

done_testing();
