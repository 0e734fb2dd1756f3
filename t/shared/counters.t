#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Counters: incremented by both workers, read without a lock.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use SharedTest;
use Test::More;


start('count:1m', 'a b');

ask_pid($_, 'op=count&n=1000') for workers();
is(field(ask('op=count'), 'expired'), 2000, 'zone: from both workers');
is(field(ask('op=count'), 'hits'), 2000, 'zone: another counter');
is(field(ask('op=count'), 'ok'), 0, 'zone: no other counter');

ask_pid($_, 'op=count&issuer=a&n=10') for workers();
is(field(ask('op=count&issuer=a'), 'expired'), 20, 'issuer');
is(field(ask('op=count&issuer=b'), 'expired'), 0, 'the other issuer');
is(field(ask('op=count'), 'expired'), 2000, 'not also in the zone');

ask("op=count&issuer=a&review=$_") for 0, 1, 2, 3, 5000, 5001, 90000;
my $answer = ask('op=count&issuer=a&review=7&failed=1');
is(field($answer, 'reviews'), 7, 'reviews');
is(field($answer, 'review_errors'), 1, 'failed ones');
is(field($answer, 'msec'), 100014, 'time');
is(field($answer, 'latency'), '2,1,1,1,0,0,0,0,0,0,0,1,2,', 'latencies');


# callers

$answer = ask('op=caller&ns=mytest&name=service1');
like($answer, qr{ n=2 /:0:0 mytest/service1:1:0 }, 'first caller');
ask_pid($_, 'op=caller&ns=mytest&name=service1&late=1') for workers();
$answer = ask('op=caller&ns=mytestser&name=vice1&late=1');
like($answer, qr{mytest/service1:1:2 }, 'the same one');
like($answer, qr{mytestser/vice1:0:1 }, 'another one');
is(field($answer, 'late') . field($answer, 'warnafter'), '31', 'totals');

like(ask('op=caller&ns=&name=x'), qr{ /:1:0 }, 'no namespace');
like(ask('op=caller&ns=' . 'n' x 63 . '&name=' . 's' x 253),
     qr{ n{63}/s{253}:1:0 }, 'the longest names that Kubernetes has');
like(ask('op=caller&ns=' . 'n' x 63 . '&name=' . 's' x 258), qr{ /:2:0 },
     'longer ones');

ask("op=caller&ns=many&name=n$_") for 1 .. 300;
$answer = ask('op=caller&ns=mytest&name=service1');
cmp_ok(field($answer, 'n'), '<=', 128, 'bounded');
like($answer, qr{mytest/service1:2:2 }, 'the first ones are still counted');
my ($others) = $answer =~ m{ /:(\d+):0 };
is($others + field($answer, 'n') - 1, 300 + 2 + 4 - 1,
   'the rest is counted together');

ok(reload('count:1m', 'b a'), 'reload');
is(field(ask('op=count'), 'expired'), 2000, 'zone counters stay');
is(field(ask('op=count&issuer=a'), 'expired'), 20, 'issuer counters stay');
like(ask('op=caller&ns=mytest&name=service1'), qr{mytest/service1:3:2 },
     'callers stay');

unlike(log_text(), qr/\[(alert|emerg|crit)\]/, 'quiet log');

done_testing();
