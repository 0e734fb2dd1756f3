#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Reloads that fail, and reloads while a worker dies with the zone's lock.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use SharedTest;
use Test::More;


sub rc { return field($_[0], 'rc') }
sub sound { is(rc(ask('op=check')), 'ok', "zone is sound: $_[0]") }

# Takes the lease and stores keys, as worker $pid.
sub store {
    my ($pid, $issuer) = @_;
    ask_pid($pid, "op=lease&issuer=$issuer");
    return rc(ask_pid($pid, "op=store&issuer=$issuer&len=100&seed=3"));
}

sub stopped {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    return <$fh> =~ /\) T /;
}

# Returns a function that kills worker $pid, which is stopped with the lock.
sub stop_with_lock {
    my ($pid) = @_;
    ask_async($pid, 'op=die&in=lock&signal=19');
    ok(wait_for(sub { stopped($pid) }), 'a worker is stopped with the lock');
    return sub { kill KILL => $pid };
}


# the master does not wait for the lock

start('lock:1m', 'a b');
my ($one) = workers();
is(store($one, 'a'), 'ok', 'keys');

my $die = stop_with_lock($one);
my @new = hup('lock:1m', 'a c');
is(scalar @new, 2, 'a reload starts new workers');

$die->();
ok(wait_for(sub {
    log_text() =~ /shared memory zone "lock" was locked by $one/
}), 'the master unlocks the zone when the worker dies');
is(field(ask("op=load&issuer=a&seed=3"), 'data'), 'right', 'keys are there');
is(rc(ask('op=load&issuer=c')), 'declined', 'a record for the new issuer');
sound('after a reload with the lock held');

($one) = workers();
stop_with_lock($one);
hup('lock:1m', 'a');

# the master sends SIGKILL when its timer has run up to ten times

ok(stop(60), 'the master ends while the lock is held');


# a reload that fails after the zones were set up

start('failed:32k', 'a b c d');
($one, my $two) = workers();
is(store($one, $_), 'ok', "keys for $_") for qw(a b c d);
my $generation = field(ask('op=state&issuer=a'), 'generation');

my ($busy, $port) = busy_port();
ok(hup_refused(qr/still could not bind/, 'failed:32k', 'e f g h',
               "server { listen 127.0.0.1:$port; }"),
   'reload with a port in use');
is(field(ask_pid($two, "op=load&issuer=$_&seed=3"), 'data'), 'right',
   "$_ has its keys") for qw(a b c d);
is(field(ask('op=state&issuer=a'), 'generation'), $generation,
   'of the same generation');
ok(!ask_pid($one, 'op=die&in=lock'), 'a worker dies');
ok(wait_for(sub { grep { $_ != $one && $_ != $two } workers() }),
   'a new one is started');
my ($three) = grep { $_ != $one && $_ != $two } workers();
is(field(ask_pid($three, "op=load&issuer=$_&seed=3"), 'data'), 'right',
   "it has the keys of $_") for qw(a b c d);
sound('after a failed reload');

ok(reload('failed:32k', 'e f g h'), 'a reload that succeeds');
is(rc(ask("op=load&issuer=$_")), 'declined', "$_ is new") for qw(e f g h);
sound('after a reload');



# new workers do not wait for a fetch of an old one

restart('lease:1m', 'a');
($one, $two) = workers();
is(rc(ask_pid($one, 'op=lease&issuer=a&msec=600000')), 'ok', 'a lease');
is(rc(ask_pid($two, 'op=lease&issuer=a')), 'busy', 'held');
my ($late) = ask_later($one, 'op=store&issuer=a&len=100&seed=1&after=2000');
@new = hup('lease:1m', 'a');
is(field(ask_pid($new[0], 'op=state&issuer=a'), 'owner'), 0,
   'new workers see no lease of an old one');
is(rc(ask_pid($new[0], 'op=lease&issuer=a&msec=600000')), 'ok', 'take it');
is(rc(ask_pid($new[1], 'op=lease&issuer=a')), 'busy', 'and hold it');
is(rc($late->()), 'declined', 'the result of the old one comes too late');
is(field(ask('op=state&issuer=a'), 'owner'), $new[0], 'the lease is still held');

# the lock of a zone that was replaced

restart('old:1m', 'a');
($one, $two) = workers();
$late = ask_half($two, 'op=lookup&token=x');
$die = stop_with_lock($one);
hup('old:2m', 'a');
ok(wait_for(sub { log_text() =~ /$two#$two: gracefully shutting down/ }),
   'a reload with another size');
$die->();
is(rc($late->(5)), 'declined', 'an old worker gets the lock of a dead one');

done_testing();
