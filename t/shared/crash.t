#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Workers that are killed in the middle of an operation, and random load.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use SharedTest;
use Test::More;
use Time::HiRes qw(sleep);


sub rc { return field($_[0], 'rc') }
sub stat_of { return field(ask('op=stat'), $_[0]) }
sub sound { is(rc(ask('op=check')), 'ok', "zone is sound: $_[0]") }

# Makes a worker kill itself, and waits for its successor.
sub die_in {
    my ($where) = @_;
    my %old = map { $_ => 1 } workers();
    my $answer = ask("op=die&$where");
    is($answer, undef, "a worker died: $where");
    ok(wait_for(sub {
        my @now = workers();
        return @now == 2 && grep { !$old{$_} } @now;
    }), 'it was replaced');
}


start('crash:1m', 'a');

my ($one) = workers();
ask_pid($one, 'op=lease&issuer=a');
ask_pid($one, 'op=store&issuer=a&len=2000&seed=5');
ask("op=insert&token=k&from=$_&to=$_&kind=" . ($_ % 3)) for 1 .. 50;

die_in('in=lock');
is(rc(ask('op=lookup&token=k1')), 'ok', 'nothing had been changed');
is(stat_of('recoveries'), 0, 'nothing to repair');
sound('died with the lock');

my $generation = field(ask('op=state&issuer=a'), 'generation');

die_in('in=lists');
is(rc(ask('op=lookup&token=k1')), 'declined', 'tokens were dropped');
is(stat_of('recoveries'), 1, 'repaired once');
is(field(ask('op=load&issuer=a&seed=5'), 'data'), 'right', 'keys were not');
is(field(ask('op=state&issuer=a'), 'generation'), $generation, 'untouched');
sound('died with wrecked lists');
ask('op=insert&token=k&to=50');
is(rc(ask('op=lookup&token=k50')), 'ok', 'the cache works again');

die_in('in=store&issuer=a');
is(field(ask('op=load&issuer=a&seed=5'), 'data'), 'right',
   'unpublished: the old keys');
sound('died before publishing');

die_in('in=publish&issuer=a');
is(field(ask('op=load&issuer=a&seed=77'), 'data'), 'right',
   'published: the new keys');
isnt(field(ask('op=state&issuer=a'), 'generation'), $generation, 'noticed');
sound('died after publishing');
is(stat_of('recoveries'), 3, 'repaired three times');


# the lease of a dead worker

($one, my $two) = workers();
is(rc(ask_pid($one, 'op=lease&issuer=a&msec=600000')), 'ok', 'long lease');
is(rc(ask_pid($two, 'op=lease&issuer=a')), 'busy', 'held');
kill KILL => $one;
ok(wait_for(sub {
    rc(ask_pid($two, 'op=lease&issuer=a')) eq 'ok'
}), 'does not outlive its owner');


# random operations in two workers at once: all answers are right

sub storm {
    my ($n, $during) = @_;
    my @children;

    for my $seed (1 .. 4) {
        my $pid = fork;
        die "fork: $!\n" unless defined $pid;
        if ($pid == 0) {
            my $answer = ask("op=storm&issuer=a&n=$n&tokens=8000&seed=$seed",
                             60);
            my $status = !defined $answer ? 2 : rc($answer) eq 'ok' ? 0 : 1;
            require POSIX;
            POSIX::_exit($status);
        }
        push @children, $pid;
    }

    $during->() if $during;

    my %status;
    for my $pid (@children) {
        waitpid $pid, 0;
        $status{$? >> 8}++;
    }
    return \%status;
}

is_deeply(storm(100000), { 0 => 4 }, 'storm: every answer is right');
sound('after a storm');
cmp_ok(stat_of('evictions'), '>', 1000, 'which evicted a lot');


# the same with workers killed at any moment

my $recoveries = stat_of('recoveries');
my ($wrong, $died) = (0, 0);

for my $round (1 .. 60) {
    last if $round > 10 && stat_of('recoveries') > $recoveries + 2;

    my $status = storm(50000, sub {
        sleep 0.02 + rand 0.05;
        my @workers = workers();
        kill KILL => $workers[rand @workers] if @workers;
    });
    $wrong += $status->{1} || 0;
    $died += $status->{2} || 0;
    wait_for(sub { workers() == 2 });
    fail("zone is broken in round $round"), last
        if rc(ask('op=check')) ne 'ok';
}

is($wrong, 0, 'no wrong answer');
cmp_ok($died, '>', 0, 'requests died with their workers');
note("$died requests died, ", stat_of('recoveries') - $recoveries,
     ' repairs');
cmp_ok(stat_of('recoveries'), '>', $recoveries, 'and the zone was repaired');
is(rc(ask('op=insert&token=end')), 'ok', 'still working');
is(rc(ask('op=lookup&token=end')), 'ok', 'and finding');
sound('at the end');

like(log_text(), qr/a process died while it changed k8s_sa_zone "crash"/,
     'logged');

done_testing();
