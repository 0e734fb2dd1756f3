#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Run by util/faults.sh: each fault under steady load with valid and with
# invalid tokens.  Counts the valid tokens that were refused and the invalid
# ones that were accepted, for each fault; both have to be 0.
#
#     util/faults.pl [PART...]    issuers rotation processes limits clock flood
#
# Writes the table, in Markdown, to the file FAULTS_TABLE.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t/lib";

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);          # time() in whole seconds: for claims

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockDns;
use K8sSa::MockIssuer;
use K8sSa::Nginx;

my $tokens = $ENV{FAULTS_TOKENS};             # bench/tokens.c, built
my $valid = $ENV{FAULTS_VALID} || 100_000;    # distinct tokens
my $garbage = $ENV{FAULTS_GARBAGE} || 1_000_000;
my $faketime = $ENV{FAULTS_FAKETIME} || '';   # libfaketime.so.1

my (@rows, @skipped, $daemon);
my $wrong = 0;

$| = 1;

sub say_ { printf "[%3ds] %s\n", time() - $^T, join ' ', @_ }


# An issuer's tokens: KIND => request.  200 is expected for kinds that begin
# with "valid", 401 for all others.

sub kinds {
    my ($path, $iss, %more) = @_;

    my %of = (
        valid    => { },
        expired  => { claims => { iat => time() - 7200, nbf => time() - 7200,
                                  exp => time() - 3600 } },
        audience => { claims => { aud => ['service3'] } },
        forged   => { key => 'stranger' },
        spoiled  => { spoil => 1 },
        %more,
    );

    my %requests;

    while (my ($kind, $what) = each %of) {
        my $key = $what->{key} || 'first';
        my $token = sign_token(
            key => [ 'ec', $key ], header => { kid => $what->{kid} || 'k' },
            claims => claims(iss => $iss, jti => $kind,
                             %{$what->{claims} || {}}));
        $token = spoil($token) if $what->{spoil};
        $requests{$kind} = with_token("/$path", $token);
    }

    return %requests;
}

sub named { my ($name, %r) = @_; return map { ("$name $_" => $r{$_}) } keys %r }


# row(TEXT, PATTERN of kinds, results...): adds a line to the table

sub row {
    my ($text, $pattern, @results) = @_;
    my %n = (valid => 0, refused => 0, invalid => 0, accepted => 0, lost => 0);

    for my $result (@results) {
        for my $name (grep { /$pattern/ } keys %$result) {
            my ($kind) = $name =~ /(\w+)$/;
            my $of = $result->{$name};

            for my $status (grep { /^\d+$/ } keys %$of) {
                my $count = $of->{$status};

                if ($status == 0) {
                    $n{lost} += $count;

                } elsif ($kind =~ /^valid/) {
                    $n{valid} += $count;
                    $n{refused} += $count if $status != 200;

                } else {
                    $n{invalid} += $count;
                    $n{accepted} += $count if $status < 400;
                    warn "# $name: $status, $count times\n"
                        if $status != 401;
                }
            }
        }
    }

    die "$text: nothing was asked\n" unless $n{valid} && $n{invalid};

    $wrong += $n{refused} + $n{accepted};
    push @rows, [ $text, @n{qw(valid refused invalid accepted lost)} ];
    say_(sprintf '  %-48s %6d valid, %d refused; %6d invalid, %d accepted;'
                 . ' %d without an answer', @{$rows[-1]});
}

sub until_true {
    my ($what, $limit, $code) = @_;
    my $until = time() + $limit;

    while (time() < $until) {
        return 1 if $code->();
        sleep 0.1;
    }

    die "not in $limit s: $what\n";
}

my $ca = authority('ca');

sub issuer {
    my ($name, $where, $more) = @_;
    return "k8s_sa_issuer $name { audience service2; timeout 2s; refresh 1s; "
           . "ssl_trusted_certificate $ca; discovery $where; "
           . ($more || '') . " }\n";
}

sub location {
    my ($name) = @_;
    return "location = /$name { k8s_sa_auth $name; empty_gif; }\n";
}

my $first = jwks([ 'ec', 'first', kid => 'k' ]);
my $both = jwks([ 'ec', 'first', kid => 'k' ], [ 'ec', 'second', kid => 's' ]);
my $second = jwks([ 'ec', 'second', kid => 's' ]);


# All faults of an issuer at once, each with its own issuer

sub issuers {
    authority('ca2');
    certificate('ca', 'server', 'IP:127.0.0.1,DNS:api.test');
    certificate('ca', 'name', 'IP:127.0.0.2,DNS:other.test');
    certificate('ca', 'expired', 'IP:127.0.0.1', expired => 1);
    certificate('ca2', 'foreign', 'IP:127.0.0.1');

    my @answers = (
        [ 'hangs', doc => { do => 'hang' } ],
        [ 'answers slowly, byte by byte', doc => { do => 'bytes',
                                                   pace => 0.1 } ],
        [ 'resets the connection', jwks => { do => 'reset' } ],
        [ 'redirects', doc => { status => 302,
                                headers => [ 'Location: http://127.0.0.1:1/'
                                           ] } ],
        (map { [ "answers $_", doc => { status => $_ } ] }
             401, 403, 404, 429, 500),
        [ 'answers with HTML', doc => { body => '<html>login</html>' } ],
        [ 'sends half of an answer', jwks => { do => 'half' } ],
        [ 'sends a truncated key set', jwks => { body => substr $first, 0,
                                                                100 } ],
        [ 'sends an empty key set', jwks => { body => '{"keys":[]}' } ],
        [ 'sends a huge key set', jwks => { body => $first . ' ' x 1_100_000 }
        ],
    );

    my @tls = (
        [ 'is down', undef ],
        [ "'s certificate has expired", { tls => 'expired' } ],
        [ "'s certificate is for another name", { tls => 'name' } ],
        [ "'s certificate was signed by another CA", { tls => 'foreign' } ],
    );

    my @dns = (
        [ "'s name does not exist", 'nx' ],
        [ "'s name server fails", 'fail' ],
        [ "'s name server is silent", 'silence' ],
        [ "'s name has another address, where nothing listens",
          [ '127.0.0.3' ] ],
    );

    my $mock = K8sSa::MockIssuer->new;
    my $byname = K8sSa::MockIssuer->new(tls => 'server');
    my $n = 0;
    my (%at, %requests, $conf, $locations, %mocks);

    for my $fault (@answers, @tls, @dns) {
        my $name = 'i' . $n++;
        my $at = @$fault == 3 ? $mock
               : ref $fault->[1] eq 'HASH' || !defined $fault->[1]
                 ? K8sSa::MockIssuer->new(tls => 'server') : $byname;
        my $base = $at == $byname ? "https://$name.test:$at->{port}/$name"
                                  : $at->url($name);
        my $iss = "https://$name.test";
        my $doc = $at->document($name, issuer => $iss,
                                jwks_uri => "$base/jwks");

        $at->set($name, jwks => { body => $first }, doc => { body => $doc });

        $at{$name} = [ $at, $fault, $doc ];
        $conf .= issuer($name, "$base/.well-known/openid-configuration",
                        $at == $byname ? 'ssl_name api.test;' : '');
        $locations .= location($name);
        %requests = (%requests, named($name, kinds($name, $iss)));
    }

    my @names = sort keys %at;
    my $dns = K8sSa::MockDns->new(map { ("$_.test" => [ '127.0.0.1' ]) }
                                      @names);
    my $port = free_port();

    my $nginx = K8sSa::Nginx->new(workers => 2, http =>
        "resolver 127.0.0.1:$dns->{port} valid=1s ipv6=off;\n$conf"
        . "server { listen 127.0.0.1:$port;\n$locations}\n")->start;

    until_true('all issuers have keys', 20, sub {
        !grep { request($port, $requests{"$_ valid"})->{status} != 200 } @names
    });

    say_('issuers: ' . @names . ' faults at once');

    my $log = length $nginx->log;
    my @loads = map { load($port, %requests) } 1 .. 2;

    for my $name (@names) {
        my ($at, $fault) = @{$at{$name}};

        if (@$fault == 3) {
            $at->set($name, $fault->[1] => $fault->[2]);

        } elsif ($at == $byname) {
            $dns->set("$name.test" => $fault->[1]);

        } else {
            $at->stop;
            $at->{tls} = $fault->[1]{tls} if $fault->[1];
            $at->start if $fault->[1];
        }
    }

    $byname->stop;
    $byname->start;

    for my $name (@names) {
        until_true("$name ($at{$name}[1][0]) fails", 15, sub {
            substr($nginx->log, $log) =~ /keys of issuer "$name" failed/
        });
    }

    sleep 4;

    my @results = map { load_end($_) } @loads;

    for my $name (sort { substr($a, 1) <=> substr($b, 1) } @names) {
        my $text = $at{$name}[1][0];
        row($text =~ /^'/ ? "issuer$text" : "issuer $text", qr/^$name /,
            @results);
    }

    $nginx->stop;
}


# The key is replaced while tokens of both keys are in use

sub rotation {
    my $mock = K8sSa::MockIssuer->new;
    my $port = free_port();
    my $iss = $mock->url('r');
    my %kinds = kinds('r', $iss, valid2 => { key => 'second', kid => 's' },
                      retired => { });

    $mock->set('r', jwks => { body => $first });

    my $nginx = K8sSa::Nginx->new(workers => 2, http =>
        issuer('r', $mock->discovery('r'), 'refresh 1h;') =~ s/refresh 1s; //r
        . "server { listen 127.0.0.1:$port;\n" . location('r')
        . "}\n")->start;

    until_true('keys', 10, sub {
        request($port, $kinds{valid})->{status} == 200
    });

    say_('rotation');

    my %old = %kinds;
    delete @old{qw(valid2 retired)};
    my $load = load($port, named('r', %old));
    my @results;
    my $change = sub {
        push @results, load_end($load);
        $load = load($port, named('r', @_));
    };

    sleep 1;

    # the new key signs at once, long before the next refresh

    $mock->set('r', jwks => { body => $both });
    $change->(%old, valid2 => $kinds{valid2});
    sleep 2;

    # the old key is removed; a token with an unknown kid causes a fetch

    delete $old{valid};
    $change->(%old, valid2 => $kinds{valid2});
    $mock->set('r', jwks => { body => $second });
    my %more = kinds('r', $iss, unknown => { kid => 'x', key => 'stranger' });

    until_true('the old key has gone', 25, sub {
        request($port, $more{unknown});
        request($port, $kinds{valid})->{status} == 401
    });

    $change->(%old, valid2 => $kinds{valid2},
                     retired => $kinds{retired});
    sleep 2;

    row('keys rotate: a new one is added, then the old one removed', qr/^r /,
        @results, load_end($load));
    $nginx->stop;
}


# Workers and masters start and end

sub children { return split ' ', `pgrep -P $_[0]` }

sub processes {
    my $mock = K8sSa::MockIssuer->new;
    my $port = free_port();
    my %kinds = kinds('p', $mock->url('p'));

    # each fetch takes a while, so that there always is one in progress

    $mock->set('p', jwks => { body => $first, delay => 0.4 });

    my $http = issuer('p', $mock->discovery('p'))
               . "server { listen 127.0.0.1:$port;\n" . location('p') . "}\n";
    my $nginx = K8sSa::Nginx->new(workers => 2, http => $http)->start;

    my $ready = sub {
        until_true('keys', 10, sub {
            request($port, $kinds{valid})->{status} == 200
        });
    };

    $ready->();
    say_('processes');

    my $load = load($port, named('p', %kinds));
    for (1 .. 12) {
        my $asked = $mock->requests('p', 'jwks');
        $mock->wait_requests('p', 'jwks', $asked + 1, 3);
        kill 'KILL', children($nginx->{pid});
        sleep 0.3;
    }
    row('all workers are killed in the middle of a fetch, 12 times', qr/^p /,
        load_end($load));

    $load = load($port, named('p', %kinds));
    for (1 .. 10) {
        $nginx->signal('HUP');
        sleep 0.5;
    }
    row('10 reloads', qr/^p /, load_end($load));

    $nginx->stop;

    # only a daemon's binary can be upgraded

    my $conf = "$nginx->{dir}/nginx.conf";
    write_file($conf, slurp($conf) =~ s/daemon off;//r);
    system($nginx->command) == 0 or die "nginx does not start\n";
    $daemon = sub { slurp("$nginx->{dir}/nginx.pid") };
    $ready->();

    $load = load($port, named('p', %kinds));
    for (1 .. 3) {
        my $old = $daemon->();
        kill 'USR2', $old;
        until_true('a new master', 10, sub {
            -s "$nginx->{dir}/nginx.pid" && $daemon->() != $old
        });
        sleep 1;
        kill 'QUIT', $old;
        until_true('the old master ends', 10, sub { !kill 0, $old });
    }
    row('3 upgrades of the binary', qr/^p /, load_end($load));

    stop_daemon();
}

sub stop_daemon {
    my $pid = $daemon ? $daemon->() : 0;
    undef $daemon;

    return unless $pid;

    kill 'QUIT', $pid;
    until_true('the last master ends', 10, sub { !kill 0, $pid });
}


# No descriptors or connections are left: connections in the middle of a request
# use them up.  Clients that are connected already are served.

sub limits {
    for my $limit ([ 'out of descriptors',
                     'worker_rlimit_nofile 64;', 512 ],
                   [ 'out of connections', '', 40 ])
    {
        my ($text, $main, $connections) = @$limit;
        my $mock = K8sSa::MockIssuer->new;
        my $port = free_port();
        my %kinds = kinds('l', $mock->url('l'));

        $mock->set('l', jwks => { body => $first });

        my $nginx = K8sSa::Nginx->new(main => $main, http =>
            "keepalive_requests 1000000;\n"
            . issuer('l', $mock->discovery('l'))
            . "server { listen 127.0.0.1:$port;\n" . location('l') . "}\n");

        my $conf = "$nginx->{dir}/nginx.conf";
        write_file($conf, slurp($conf)
                          =~ s/(worker_connections) \d+/$1 $connections/r);
        $nginx->start;

        until_true('keys', 10, sub {
            request($port, $kinds{valid})->{status} == 200
        });

        say_($text);

        my %kept = map { $_ => $kinds{$_} =~ s/Connection: close\r\n//r }
                       keys %kinds;
        my $c = talk($port);
        my (%result, @open);
        my $log = length $nginx->log;
        my $until = time() + 6;

        while (time() < $until) {

            if (@open < 100) {
                my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                              PeerPort => $port, Timeout => 1);
                if ($s) {
                    syswrite $s, "GET /l HTTP/1.1\r\nHost: x\r\n";
                    push @open, $s;
                }
            }

            for my $kind (sort keys %kept) {
                print {$c->{socket}} $kept{$kind};
                my $answer = eval { receive($c) };
                my $status = $answer ? $answer->{status} : 0;

                $result{"l $kind"}{$status}++;
                next if $status;

                # nginx itself closes idle connections when it is short of
                # them; then one of the waiting ones has to go

                shift @open for 1 .. 5;
                $c = talk($port);
            }
        }

        substr($nginx->log, $log)
            =~ /Too many open files|are not enough|reusing/
            or die "$text: the limit was not reached\n";

        row($text, qr/^l /, \%result);
        $nginx->stop;
    }
}


# The clock jumps by an hour, ahead and back

sub clock {
    if (!-e $faketime) {
        push @skipped, 'the clock jumps: there is no libfaketime';
        return;
    }

    my $mock = K8sSa::MockIssuer->new;
    my $port = free_port();
    my $now = time();
    my $file = write_file('faketime', '+0');
    chmod 0644, $file;

    my $long = { claims => { iat => $now - 7200, nbf => $now - 7200,
                             exp => $now + 7200 } };
    my %kinds = kinds('c', $mock->url('c'), valid => $long,
        valid_short => { claims => { iat => $now - 7200, nbf => $now - 7200,
                                     exp => $now + 1800 } },
        valid_young => { claims => { iat => $now - 5, nbf => $now - 5,
                                     exp => $now + 7200 } });

    $mock->set('c', jwks => { body => $first });

    my $nginx = K8sSa::Nginx->new(workers => 2, main => join("\n",
            map { "env $_;" } qw(LD_PRELOAD FAKETIME_TIMESTAMP_FILE
                                 FAKETIME_NO_CACHE FAKETIME_DONT_FAKE_MONOTONIC
                                 DONT_FAKE_MONOTONIC)),
        http => issuer('c', $mock->discovery('c'))
            . "server { listen 127.0.0.1:$port;\n" . location('c') . "}\n");

    {
        local @ENV{qw(LD_PRELOAD FAKETIME_TIMESTAMP_FILE FAKETIME_NO_CACHE
                      FAKETIME_DONT_FAKE_MONOTONIC DONT_FAKE_MONOTONIC)}
            = ($faketime, $file, 1, 1, 1);
        $nginx->start;
    }

    until_true('keys', 10, sub {
        request($port, $kinds{valid})->{status} == 200
    });

    say_('clock');

    my $load = load($port, named('c', %kinds));
    my @results;
    my $change = sub {
        push @results, load_end($load);
        $load = load($port, named('c', @_));
    };

    sleep 1;

    # tokens that a jump makes invalid are not sent meanwhile

    my $jump = sub {
        my ($by, $gone, $as) = @_;
        my %now = %kinds;
        my $request = delete $now{$gone};

        $change->(%now);
        sleep 0.5;
        spew($file, $by);
        sleep 1.5;
        $change->(%now, $as => $request);
        sleep 2;
        $change->(%now);
        sleep 0.5;
        spew($file, '+0');
        sleep 1.5;
        $change->(%kinds);
        sleep 1;
    };

    # the expired token is expired an hour ahead, too, but not an hour back

    $jump->('+3600', 'valid_short', 'expired_now');
    delete $kinds{expired};
    $jump->('-3600', 'valid_young', 'young_now');

    row('the clock jumps an hour ahead and back', qr/^c /, @results,
        load_end($load));
    $nginx->stop;
}


# The smallest zone, more tokens than fit into it, and garbage at full speed

sub anonymous {
    my ($nginx) = @_;
    my $kib = 0;

    for my $pid (children($nginx->{pid})) {
        my ($n) = eval { slurp("/proc/$pid/status") } =~ /^RssAnon:\s+(\d+)/m;
        $kib += $n || 0;
    }

    return $kib;
}

# pipelined(PORT, FILE): sends FILE's tokens once each, over two connections at
# full speed; returns { STATUS => N }

my $batch = 50;

sub pipelined {
    my ($port, $file) = @_;
    my (@pipes, %n);

    for my $half (0, 1) {
        my $pid = open my $pipe, '-|';
        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM);
            alarm 1800;
            print eval { pipelined_half($port, $file, $half) } || "failed: $@";
            close STDOUT;
            POSIX::_exit(0);
        }

        push @pipes, $pipe;
    }

    for my $pipe (@pipes) {
        my $text = join '', <$pipe>;
        die "flood: $text\n" unless $text =~ /^(?:\d+ \d+\n)+\z/;
        $n{$1} += $2 while $text =~ /^(\d+) (\d+)$/mg;
    }

    return \%n;
}

sub pipelined_half {
    my ($port, $file, $half) = @_;
    my $c = talk($port);
    my (%n, $requests);
    my $count = 0;

    open my $tokens, '<', $file or die "$file: $!\n";

    while (1) {
        my $token = <$tokens>;

        if (defined $token) {
            next if $. % 2 == $half;
            chomp $token;
            $requests .= with_token('/f', $token, 1);
            next if ++$count < $batch;
        }

        print {$c->{socket}} $requests if $count;
        $n{receive($c)->{status}}++ for 1 .. $count;

        last unless defined $token;
        ($requests, $count) = ('', 0);
    }

    return join '', map { "$_ $n{$_}\n" } sort keys %n;
}

sub flood_ {
    if (!$tokens || !-x $tokens) {
        push @skipped, 'floods: bench/tokens is not built';
        return;
    }

    my $at = dir() . '/flood';
    mkdir $at;
    system($tokens, 'es256', $valid, 1, $at) == 0 or die "$tokens failed\n";

    # different ones with the shape of a token; a tenth of them come first, so
    # that buffers are allocated when memory is measured

    my @part = map { join '', map { chr(97 + int rand 26) } 1 .. 300 } 1 .. 64;
    my $fh;

    for my $i (0 .. $garbage - 1) {
        if ($i == 0 || $i == int($garbage / 10)) {
            open $fh, '>', $at . ($i ? '/garbage' : '/garbage-first')
                or die "$at: $!\n";
        }

        printf $fh "eyJhbGciOiJFUzI1NiJ9.%s%d.%s\n", $part[$i % 64], $i,
               substr $part[($i >> 6) % 64], 0, 86;
    }

    close $fh;

    my $port = free_port();
    my $iss = 'https://kubernetes.default.svc';
    my $conf = <<"_";
k8s_sa_zone k8s_sa:32k;
keepalive_requests 10000000;
k8s_sa_issuer f { public_key @{[ key_file('ec') ]}; jwks_file $at/jwks.json;
                  issuer $iss; audience service2; algorithms ES256; }
server { listen 127.0.0.1:$port; access_log off; k8s_sa_log_level info;
@{[ location('f') ]}}
_

    my $nginx = K8sSa::Nginx->new(workers => 2, http => $conf,
                                  level => 'error')->start;

    say_("floods: the smallest zone, $valid tokens, $garbage of garbage");

    for my $flood ([ "$valid distinct valid tokens, zone of 32k",
                     valid => 'tokens' ],
                   [ "$garbage garbage tokens", garbage => 'garbage-first',
                     'garbage' ])
    {
        my ($text, $kind, @files) = @$flood;
        my $load = load($port, named('f', flood_kinds($iss)));
        my $began = time();
        my ($before, $sum, @results);

        for my $file (@files) {
            $before = anonymous($nginx);
            push @results, { "f flood.$kind" => pipelined($port,
                                                          "$at/$file") };
            $sum += $_ for map { values %{$_->{"f flood.$kind"}} } $results[-1];
        }

        my $seconds = time() - $began || 1;
        my $after = anonymous($nginx);

        row($text, qr/^f /, load_end($load), @results);
        say_(sprintf '    %d requests in %d s, %d a second; anonymous memory'
                     . ' of the workers %d KiB before, %d KiB after',
             $sum, $seconds, $sum / $seconds, $before, $after);
    }

    $nginx->stop;
}

sub flood_kinds {
    my ($iss) = @_;

    # key_file() writes PEM: its key has no kid

    my %of = (valid => [ 'first', {} ],
              forged => [ 'stranger', {} ],
              expired => [ 'first', { exp => time() - 3600,
                                      iat => time() - 7200,
                                      nbf => time() - 7200 } ]);

    return map { my ($key, $over) = @{$of{$_}};
                 $_ => with_token('/f', sign_token(
                     key => [ 'ec', $key ],
                     claims => claims(iss => $iss, %$over))) } keys %of;
}


END {
    my $status = $?;
    stop_daemon();
    $? = $status;
}


my %parts = (issuers => \&issuers, rotation => \&rotation,
             processes => \&processes, limits => \&limits, clock => \&clock,
             flood => \&flood_);
my @parts = qw(issuers rotation processes limits clock flood);

for my $part (@ARGV ? @ARGV : @parts) {
    ($parts{$part} || die "there is no part '$part', only: @parts\n")->();
}

if ($ENV{FAULTS_TABLE}) {
    write_file($ENV{FAULTS_TABLE}, join '',
        "| fault | valid tokens sent | wrongly refused | invalid tokens sent"
        . " | wrongly accepted |\n|---|---:|---:|---:|---:|\n",
        map { sprintf "| %s | %d | %d | %d | %d |\n", @$_[0 .. 4] } @rows);
}

say_("skipped: $_") for @skipped;
say_(@rows . " faults, $wrong wrong decisions");
exit($wrong || !@rows ? 1 : 0);
