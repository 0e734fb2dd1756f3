# SPDX-License-Identifier: BSD-2-Clause

# A reload, a binary upgrade and a worker's crash while callers with tokens
# keep calling: no request is lost.  Connections break only with the worker
# that holds them, and their requests are sent again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa qw(:DEFAULT until_true);
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $callers = 4;
my $port = free_port();
my $up = echo_http();

authority('ca');

my $mock = K8sSa::MockIssuer->new;
$mock->set('fetched', jwks => { body => jwks([ 'rsa', 'first', kid => 'r' ]) });

my $http = <<"_";
k8s_sa_zone k8s_sa:1m;
k8s_sa_issuer files {
    public_key @{[ key_file('ec') ]};
    audience service2;
}
k8s_sa_issuer fetched {
    discovery @{[ $mock->discovery('fetched') ]};
    ssl_trusted_certificate @{[ dir() ]}/ca.crt;
    audience service2;
}
server {
    listen 127.0.0.1:$port;
    location / {
        k8s_sa_auth files;
        proxy_pass http://127.0.0.1:$up;
    }
    location /fetched {
        k8s_sa_auth fetched;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

my $nginx = K8sSa::Nginx->new(workers => 2, http => $http)->start;

my @requests = (
    [ '/', bearer(sign_token()), 200 ],
    [ '/', bearer(spoil(sign_token())), 401 ],
    [ '/fetched', bearer(sign_token(key => [ 'rsa' ],
                         header => { kid => 'r' },
                         claims => claims(iss => $mock->url('fetched')))),
      200 ],
);

my $user = 'system:serviceaccount:mytest:service1';


# A caller: sends the requests in turn, each on its own connection, until the
# file "stop" exists (a signal would interrupt a request), and sometimes a
# fresh token that is not cached.  If the connection breaks, the request is
# sent once more, as HTTP clients do with GET.  The tally goes into a file.

sub caller_loop {
    my ($file) = @_;
    my %tally = (ok => 0, broken => 0, lost => 0, wrong => []);
    my $stop = dir() . '/stop';
    my $until = time() + 60;

    for (my $n = 0; !-e $stop && time() < $until; $n++) {
        my ($path, $bearer, $status) = @{$requests[$n % @requests]};

        $bearer = bearer(sign_token()) if $n % 60 == 0;

        my $answer;

        for (1 .. 2) {
            $answer = eval { get($port, $path, $bearer, 'Connection: close') };
            last if $answer && $answer->{status};
            $tally{broken}++;
        }

        if (!$answer || !$answer->{status}) {
            $tally{lost}++;

        } elsif ($answer->{status} != $status
                 || ($status == 200
                     && $answer->{body} !~ /^X-Remote-User: \Q$user\E\r?$/mi))
        {
            push @{$tally{wrong}}, "$path: $answer->{status}";

        } else {
            $tally{ok}++;
        }
    }

    write_file($file, encode_json(\%tally));
}

sub under_load {
    my ($code) = @_;
    my %pids;

    for my $n (1 .. $callers) {
        my $pid = fork;
        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            eval { caller_loop("caller$n") };
            warn $@ if $@;
            POSIX::_exit(0);
        }

        $pids{$pid} = "caller$n";
    }

    sleep 0.5;
    eval { $code->() };
    my $error = $@;
    sleep 0.5;

    write_file('stop', '');

    my %sum = (ok => 0, broken => 0, lost => 0, wrong => []);

    for my $pid (keys %pids) {
        waitpid $pid, 0;
        my $tally = decode_json(slurp(dir() . "/$pids{$pid}"));
        $sum{$_} += $tally->{$_} for qw(ok broken lost);
        push @{$sum{wrong}}, @{$tally->{wrong}};
    }

    unlink dir() . '/stop';
    die $error if $error;

    return \%sum;
}

sub nothing_lost {
    my ($sum, $name, $broken) = @_;

    cmp_ok($sum->{ok}, '>', 50, "$name: there was load");
    cmp_ok($sum->{broken}, '<=', $broken || 0, "$name: connections broken");
    is($sum->{lost}, 0, "$name: no request is lost");
    is_deeply($sum->{wrong}, [], "$name: each request has its answer");
    note("$name: $sum->{ok} answers, $sum->{broken} connections broken");
}

sub workers {
    my ($master) = @_;
    my $children = `ps -o pid=,args= --ppid $master`;
    my @pids = $children =~ /^\s*(\d+) \w+: worker process(?! is s)/mg;
    return @pids;
}

# Waits until the old workers have gone and new ones run.

sub replaced {
    my ($master, @old) = @_;
    my %old = map { $_ => 1 } @old;

    return until_true(20, sub {
        my @now = workers($master);
        return @now == 2 && !grep { $old{$_} } @now;
    });
}


until_true(20, sub {
    get($port, '/fetched', $requests[2][1])->{status} == 200;
});


# Reload

nothing_lost(under_load(sub {
    for (1 .. 3) {
        my @old = workers($nginx->{pid});
        $nginx->signal('HUP');
        ok(replaced($nginx->{pid}, @old), 'reload: other workers');
    }
}), 'reload');

is($mock->requests('fetched', 'jwks'), 1,
   'reload: keys stay in shared memory');


# A worker's crash: only its current requests are affected

my $crashes = 3;

nothing_lost(under_load(sub {
    for (1 .. $crashes) {
        my @old = workers($nginx->{pid});
        kill 'KILL', $old[0];
        ok(until_true(20, sub {
            my @now = workers($nginx->{pid});
            return @now == 2 && !grep { $_ == $old[0] } @now;
        }), 'crash: the master starts another worker');
        sleep 0.2;
    }
}), 'crash', $crashes * $callers);


$nginx->stop;

# the master's messages about the workers that were killed
my $log = slurp("$nginx->{dir}/logs/error.log");
my $killed = $log =~ s/^.*\[alert\] .*exited on signal 9\n//mg;
is($killed, $crashes, 'crash: the log reports each one');
write_file("$nginx->{dir}/logs/error.log", $log);


# Binary upgrade as described in nginx's manual: a second master is started,
# then the first one ends.  This needs nginx as a daemon, so these processes
# are not our children.

my $daemon = K8sSa::Nginx->new(workers => 2, http => $http);
my $conf = slurp("$daemon->{dir}/nginx.conf");
$conf =~ s/^daemon off;\n//m;
write_file("$daemon->{dir}/nginx.conf", $conf);

my $pid_file = "$daemon->{dir}/nginx.pid";
my @masters;

sub alive {
    my ($pid) = @_;
    my $exe = readlink "/proc/$pid/exe";           # a zombie has none
    return defined $exe && $exe =~ /nginx/;
}

END {
    my $status = $?;
    kill 'TERM', grep { alive($_) } @masters;
    $? = $status;
}

BAIL_OUT('nginx did not start') if system $daemon->command;
until_true(20, sub { -s $pid_file && workers(slurp($pid_file) + 0) == 2 });
push @masters, slurp($pid_file) + 0;

until_true(20, sub {
    get($port, '/fetched', $requests[2][1])->{status} == 200;
});

nothing_lost(under_load(sub {
    kill 'USR2', $masters[0];

    ok(until_true(20, sub {
        return -s "$pid_file.oldbin" && -s $pid_file
               && slurp($pid_file) != $masters[0];
    }), 'upgrade: a second master');

    push @masters, slurp($pid_file) + 0;
    ok(until_true(20, sub { workers($masters[1]) == 2 }), 'upgrade: its workers');

    # its shared memory is new: the keys have to be fetched first
    ok($mock->wait_requests('fetched', 'jwks', 3), 'upgrade: fetches keys');

    kill 'WINCH', $masters[0];
    ok(until_true(20, sub { workers($masters[0]) == 0 }),
       'upgrade: the old workers have ended');

    kill 'QUIT', $masters[0];
    ok(until_true(20, sub { !alive($masters[0]) }),
       'upgrade: the old master has ended');
}), 'upgrade');

is(get($port, '/fetched', $requests[2][1])->{status}, 200,
   'upgrade: keys have been fetched');

kill 'QUIT', $masters[1];
ok(until_true(20, sub { !alive($masters[1]) }), 'upgrade: the new master ends');

$log = $daemon->log;
is(scalar(() = leaks($log)), 0, 'upgrade: no log shows a token');
unlike($log, qr/\[(?:alert|emerg|crit)\]/, 'upgrade: nor a crash');

K8sSa::Nginx::finish();
