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
is(rc($two, 'op=review&token=6'), 'ok', 'another token is nobody else\'s');

is(rc($two, 'op=reviewed&token=5'), 'ok', 'what is not its own');
is(rc($two, 'op=review&token=5'), 'busy', 'the second one cannot give back');
is(rc($one, 'op=reviewed&token=5'), 'ok', 'the first one can');
is(rc($two, 'op=review&token=5&msec=300'), 'ok', 'now it is the second one\'s');
is(rc($one, 'op=review&token=5'), 'busy', 'and the first one waits');
sleep 0.4;
is(rc($one, 'op=review&token=5'), 'ok', 'until its time is over');
is(rc($two, 'op=reviewed&token=5'), 'ok', 'who is late');
is(rc($two, 'op=review&token=5'), 'busy', 'gives nothing back');


# Tokens that meet in one place

is(rc($one, 'op=reviewed&token=5'), 'ok', 'what is over');

my $answer = ask_pid($one, 'op=review&token=7');
my $places = field($answer, 'places');

is(field($answer, 'rc'), 'ok', 'makes room');
cmp_ok($places, '>=', 16, 'places in the smallest zone');

my $other = 7 + $places;

is(rc($two, "op=review&token=$other"), 'declined', 'one that is taken');
is(rc($two, "op=reviewed&token=$other"), 'ok', 'by another token');
is(rc($two, 'op=review&token=7'), 'busy', 'stays so');
is(rc($one, "op=review&token=$other"), 'declined', 'for its own worker, too');
is(rc($two, 'op=review&token=7'), 'busy', 'who goes on with the first');
is(rc($one, 'op=reviewed&token=7'), 'ok', 'given back');
is(rc($two, "op=review&token=$other"), 'ok', 'it is free for the other token');


# Who dies

is(rc($one, 'op=review&token=9&msec=600000'), 'ok', 'a long time');
is(rc($two, 'op=review&token=9'), 'busy', 'to wait');
kill KILL => $one;
ok(wait_for(sub { rc($two, 'op=review&token=9') eq 'ok' }),
   'does not outlive its owner');

done_testing();
