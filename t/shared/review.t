#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Which worker asks the API server about a token.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use SharedTest;
use Test::More;
use Time::HiRes qw(sleep);


sub rc { return field(ask_pid(@_), 'rc') }


start('review:32k', 'a');

my ($one, $two) = workers();

is(rc($one, 'op=review&token=5'), 'ok', 'the first one asks');
is(rc($two, 'op=review&token=5'), 'busy', 'the second one waits');
is(rc($one, 'op=review&token=5'), 'ok', 'the first one may ask again');
is(rc($two, 'op=review&token=6'), 'ok', 'another token is free');

is(rc($two, 'op=reviewed&token=5'), 'ok', 'a release by the second one');
is(rc($two, 'op=review&token=5'), 'busy', 'has no effect');
is(rc($one, 'op=reviewed&token=5'), 'ok', 'one by the first one');
is(rc($two, 'op=review&token=5&msec=300'), 'ok', 'frees it for the second');
is(rc($one, 'op=review&token=5'), 'busy', 'and the first one waits');
sleep 0.4;
is(rc($one, 'op=review&token=5'), 'ok', 'until the lease expires');
is(rc($two, 'op=reviewed&token=5'), 'ok', 'a late release');
is(rc($two, 'op=review&token=5'), 'busy', 'has no effect, either');


# tokens that share a place

is(rc($one, 'op=reviewed&token=5'), 'ok', 'released');

my $answer = ask_pid($one, 'op=review&token=7');
my $places = field($answer, 'places');

is(field($answer, 'rc'), 'ok', 'makes the place free');
cmp_ok($places, '>=', 16, 'places in the smallest zone');

my $other = 7 + $places;

is(rc($two, "op=review&token=$other"), 'declined', 'a place that is taken');
is(rc($two, "op=reviewed&token=$other"), 'ok', 'by another token');
is(rc($two, 'op=review&token=7'), 'busy', 'stays taken');
is(rc($one, "op=review&token=$other"), 'declined', 'also for its owner');
is(rc($two, 'op=review&token=7'), 'busy', 'which keeps the first token');
is(rc($one, 'op=reviewed&token=7'), 'ok', 'released');
is(rc($two, "op=review&token=$other"), 'ok', 'the other token takes it');


# a worker that dies

is(rc($one, 'op=review&token=9&msec=600000'), 'ok', 'a long lease');
is(rc($two, 'op=review&token=9'), 'busy', 'the second one waits');
kill KILL => $one;
ok(wait_for(sub { rc($two, 'op=review&token=9') eq 'ok' }),
   'does not outlive its owner');

done_testing();
