#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Measures the module against the same nginx without it, in one run, and
# against other solutions in Debian.  Prints the rows of the tables, writes
# bench/README.md and bench/throughput.svg; exits with 1 if a limit is missed.
#
#     make bench                                    (or util/bench.sh)
#     BENCH_ROUNDS=1 BENCH_POINTS=known,two make bench
#
# BENCH_POINTS selects some of the measurements; nothing is written then.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";

use List::Util qw(min);
use POSIX qw(strftime);

use K8sSa;
use K8sSa::Callgrind;
use K8sSa::Load;
use Bench;
use Peers;
use Report;

$| = 1;

my $bin = $ENV{BENCH_BIN} || "$FindBin::Bin/../build/bench";
my $tokens = $ENV{BENCH_TOKENS} || 20_000;
my $load = "load_module $ENV{K8S_SA_MODULE};";
my $began = time;

my @points = (
    known => \&known,
    latency => \&latency,
    new => \&new_ones,
    refused => \&refused,
    instructions => \&instructions,
    two => \&two_workers,
    keys => \&many_keys,
    zone => \&full_zone,
    memory => \&memory,
    others => \&others,
    reviews => \&reviews,
);

my %only = map { $_ => 1 } split /,/, $ENV{BENCH_POINTS} || '';


# ---- Explanations for rows that miss their limit

my %why = (
    noise => 'CPU time varies by a few hundredths from run to run. For a '
        . 'known token the algorithm makes no difference, so the rows for '
        . 'RS256 and ES256 measure the same work, and "two plain nginx" '
        . 'compares two identical servers: the differences there are noise.',

    latency => 'on two shared cores, the slowest hundredth of the requests '
        . 'depends mostly on what else the machine does at the time; what the '
        . 'module itself adds is in the rows about CPU time and instructions.',

    new => 'compare "verification only": within a server, OpenSSL itself '
        . 'takes longer than in a loop of its own.',

    refused => 'most of the work is the same as for a new token, the '
        . 'verification of the signature, so the CPU time comes out just below '
        . 'or just above 1. The rows with instructions are exact and show '
        . 'which of them costs more.',

    keys => 'the row with instructions is exact and shows whether a lookup '
        . 'among 1,000 keys is more work than with one key; the rest is due '
        . 'to the processor\'s caches and to noise.',
);


# ---- servers

sub keys_of { return "$dir/$_[0]" }

sub issuer {
    my ($keys, $size) = @_;
    $size ||= '16m';
    return "k8s_sa_zone k8s_sa:$size; k8s_sa_issuer cluster { issuer "
           . 'https://kubernetes.default.svc; audience service2; '
           . "jwks_file $keys/jwks.json; }";
}

sub module {
    my ($keys, %o) = @_;
    nginx(delete $o{name} || 'module', main => $load, auth => 'k8s_sa_auth cluster;',
          locations => 'location = /status { k8s_sa_status; }',
          http => issuer($keys, delete $o{size}) . (delete $o{http} || ''),
          %o);
}


# The same answers without a check: to accepted and to refused requests.

sub plain {
    my (%o) = @_;
    nginx(delete $o{name} || 'plain', %o, locations => <<'_');
large_client_header_buffers 4 32k;
        location = /refused {
            add_header WWW-Authenticate 'Bearer realm="x", error="y"' always;
            return 401;
        }
_
}

sub backend {
    my (%o) = @_;
    nginx('backend', cpus => 1, http => 'keepalive_requests 1000000;', %o);
}


# ---- known tokens

my @chart = (['no check', 1, 1]);

# The ratio and a plain request's us, with new workers in each round.

sub against_plain {
    my ($name, $path, $tokens) = @_;
    my (@ratio, @plain);

    backend(locations => 'location = /proxy { return 200 "hello\n"; }',
            preload => 'spin.so') if $path eq '/proxy';

    for (1 .. rounds(7)) {
        fresh('plain', $name);

        my $c = compare(1, map {
            my $name = $_;
            $name => sub { run($name, $path, $tokens) }
        } 'plain', $name);

        push @ratio, $c->{plain}{ns} / $c->{$name}{ns};
        push @plain, $c->{plain}{ns};
    }

    stop('backend');

    return median(@ratio), median(@plain) / 1000;
}

sub known {
    my $limit = { '/local' => { one => 0.95, tokens => 0.85 },
                  '/proxy' => { one => 0.98, tokens => 0.95 } };

    for my $alg (qw(rs256 es256)) {
        my $keys = keys_of($alg);
        my %ratio;

        module($keys);
        run('module', '/local', "$keys/tokens", once => 1);

        for my $file (qw(one tokens)) {
            my $what = $file eq 'one' ? 'the same token'
                                      : "$tokens tokens in turn";

            for my $path (qw(/local /proxy)) {
                my ($ratio, $plain) = against_plain('module', $path,
                                                    "$keys/$file");

                limit('known',
                      sprintf('%s, %s, %s (%.1f us)', uc $alg, $what,
                              $path eq '/local' ? 'local' : 'proxied',
                              $plain),
                      '%.3f', $ratio, ">= $limit->{$path}{$file}", $why{noise});

                $ratio{$file} = $ratio if $path eq '/local';
            }
        }

        push @chart, ['this module, ' . uc $alg, @ratio{qw(one tokens)}];
    }

    my ($ratio) = against_plain('plain2', '/local',
                                keys_of('rs256') . '/tokens');
    figure('known', 'two plain nginx, local', '%.3f', $ratio);
}


# ---- latency, measured with the core to itself

sub latency {
    my $keys = keys_of('rs256');
    my %p99;

    module($keys);

    for my $round (1 .. rounds(11)) {
        my @names = qw(plain module);
        @names = reverse @names if $round % 2;
        push @{$p99{$_}}, run($_, '/local', "$keys/one", seconds => 1)->{p99}
            for @names;
    }

    my ($plain, $module) = map { quartile(@{$p99{$_}}) } qw(plain module);

    limit('known', sprintf('latency: p99, %d us, relative to %d us without the '
                           . 'module (RS256, the same token, local; lower '
                           . 'quartiles)', $module, $plain),
          '%.2f', $module / $plain, '<= 1.10', $why{latency});
}


# ---- new, forged and expired tokens: a signature is verified

# Each has the core for about half a second, within the same four seconds: the
# machine may be faster before or afterwards.

sub new_ones {
    for my $alg (qw(rs256 es256)) {
        my $keys = keys_of($alg);
        my $some = keys_of("$alg-new");
        my $n = $alg eq 'rs256' ? 6000 : 4000;
        my (@new, @bare, @inside, %other);

        mkdir $some or die "$some: $!\n";
        system("cp $keys/key.pem $some && head -n 3000 $keys/tokens >$some/first "
               . "&& tail -n $n $keys/tokens >$some/tokens") == 0 or die;

        local $ENV{VERIFY_DIR} = $some;
        plain(name => 'inside', preload => 'inside.so');

        for (1 .. rounds(7)) {
            module($keys, name => $_) for qw(module forged expired);
            fresh(qw(plain plain2 inside));

            # of many tokens a worker's own table takes only the first ones

            run($_, '/local', "$some/first", once => 1)
                for qw(module forged expired);

            my $c = compare(1,
                (map {
                    my $name = $_;
                    $name => sub { run($name, '/local', "$some/tokens",
                                       seconds => 4) }
                } qw(plain inside)),
                refused => sub { run('plain2', '/refused', "$keys/forged",
                                     seconds => 4, refused => 1) },
                new => sub { run('module', '/local', "$some/tokens",
                                 once => 1) },
                bare => sub {
                    return { ns => `taskset -c 0 $bin/verify $some 0.5`
                                   + 0 };
                },
                map {
                    my $kind = $_;
                    $kind => sub { run($kind, '/local', "$keys/$kind",
                                       seconds => 4, refused => 1) }
                } qw(forged expired));

            my ($bare, $plain) = map { $c->{$_}{ns} } qw(bare plain);
            my $new = $c->{new}{ns} - $plain;

            push @bare, $bare;
            push @new, $new / $bare;
            push @inside, ($c->{inside}{ns} - $plain) / $bare;
            push @{$other{$_}}, ($c->{$_}{ns} - $c->{refused}{ns}) / $new
                for qw(forged expired);
        }

        limit('new', sprintf('%s: CPU time (OpenSSL alone: %.1f us)', uc $alg,
                             median(@bare) / 1000),
              '%.2f', median(@new), '<= ' . ($alg eq 'rs256' ? 1.5 : 1.2),
              $why{new});
        figure('new', uc($alg) . ': CPU time, verification only', '%.2f',
               median(@inside));

        limit('refused', uc($alg) . ", $_: CPU time, relative to a new token",
              '%.2f', median(@{$other{$_}}), '<= 1', $why{refused})
            for qw(forged expired);
    }

    stop($_) for qw(forged expired inside);
}


# ---- tokens that fail before the signature is verified

my %refused = (
    size => 'too large',
    shape => 'not a token',
    alg => 'unsupported algorithm',
    'unknown-issuer' => 'unknown issuer',
    'unknown-key' => 'unknown key',
);

sub refused {
    my $keys = keys_of('rs256');

    module($keys, http => 'large_client_header_buffers 4 32k;');

    for my $kind (qw(size shape alg unknown-issuer unknown-key)) {
        system("head -n 2000 $keys/$kind >$keys/few-$kind") == 0 or die;

        my @extra = map {
            my $c = compare(1, map {
                my ($name, $path) = @$_;
                $name => sub { run($name, $path, "$keys/few-$kind",
                                   refused => 1, seconds => 1) }
            } ['plain2', '/refused'], ['module', '/local']);

            $c->{module}{ns} - $c->{plain2}{ns};
        } 1 .. rounds(5);

        limit('refused', "$refused{$kind}: CPU time, us", '%.1f',
              median(@extra) / 1000, '< 5');
    }
}


# ---- instructions, which are the same in every run

sub instructions {
    my @requests;
    my $location = 'try_files /small =404;';
    my $keys = keys_of('rs256');
    my $many = keys_of('keys1000');
    my $without = K8sSa::Callgrind->new(locations =>
        "location / { $location } location = /refused { return 401; }");

    my $with = sub {
        return K8sSa::Callgrind->new(module => 1, http => issuer($_[0]),
            locations => "location / { k8s_sa_auth cluster; $location } "
                         . 'location = /refused { return 401; }');
    };

    my $m = $with->($keys);
    my %t = map { $_ => [ requests("$keys/$_", 120) ] }
            qw(tokens forged expired);
    my @same = ($t{tokens}[0]) x 500;

    $_->each_costs(200, @same[0 .. 99]) for $without, $m;

    my @none = map { refused_at_once($_) } @{$t{forged}};

    $without->each_costs(401, @none);

    my $refused = $without->each_costs(401, @none);
    my $plain = $without->each_costs(200, @same);

    limit('known', 'instructions that a known token adds', '%d',
          $m->each_costs(200, @same) - $plain, '<= 4,000');

    my %cost = (
        new => $m->each_costs(200, @{$t{tokens}}[1 .. 100]) - $plain,
        map { $_ => $m->each_costs(401, @{$t{$_}}) - $refused }
            qw(forged expired)
    );

    limit('refused', "RS256, $_: instructions, relative to a new token",
          '%.3f', $cost{$_} / $cost{new}, '<= 1') for qw(forged expired);

    new_instructions($with, $plain, $_) for qw(rs256 es256);

    my %unknown;

    for my $n (1, 1000) {
        my $keys = keys_of("keys$n");
        my $m = $with->($keys);
        my @t = requests("$keys/unknown-key", 200);

        # of this process, since a heap with many keys makes each request more
        # expensive, checked or not

        my @none = map { refused_at_once($_) } @t[0 .. 99];

        $m->each_costs(401, @t[0 .. 99], @none);
        $unknown{$n} = $m->each_costs(401, @t[100 .. 199])
                       - $m->each_costs(401, @none);
        $m->stop;
    }

    limit('scale', '1,000 keys: instructions for a token with an unknown key, '
                   . 'relative to one key', '%.3f',
          $unknown{1000} / $unknown{1}, '<= 1.02');

    $_->stop for $without, $m;
}

# What a new token adds, relative to the bare verification.

sub new_instructions {
    my ($with, $plain, $alg) = @_;
    my $keys = keys_of($alg);
    my $m = $with->($keys);
    my @t = requests("$keys/tokens", 200);

    $m->each_costs(200, @t[0 .. 99]);
    my $new = $m->each_costs(200, @t[100 .. 199]) - $plain;
    $m->stop;

    my ($few, $many) = map {
        my $some = keys_of("$alg-$_");

        mkdir $some or die "$some: $!\n";
        system("head -n $_ $keys/tokens >$some/tokens "
               . "&& cp $keys/key.pem $some") == 0 or die;

        my $out = `valgrind --tool=callgrind --callgrind-out-file=/dev/null \\
                   $bin/verify $some 2>&1`;
        $out =~ /Collected : (\d+)/ ? $1 : die "verify: $out";
    } 100, 200;

    limit('new', sprintf('%s: instructions (OpenSSL alone: %d)', uc $alg,
                         ($many - $few) / 100),
          '%.2f', $new / (($many - $few) / 100),
          '<= ' . ($alg eq 'rs256' ? 1.5 : 1.2));
}

sub refused_at_once { return $_[0] =~ s{^GET /}{GET /refused}r }

sub requests {
    my ($file, $n) = @_;
    my @tokens;

    open my $fh, '<', $file or die "$file: $!\n";

    while (@tokens < $n && defined(my $token = <$fh>)) {
        chomp $token;
        push @tokens, with_token('/', $token, 1);
    }

    return @tokens;
}


# ---- two workers share a zone, and both cores with the load generator

sub two_workers {
    my $keys = keys_of('rs256');
    my @runs;

    for (['module', 1], ['module', 2], ['plain', 1], ['plain', 2]) {
        my ($kind, $workers) = @$_;
        my $name = "$kind-$workers";
        my @o = (name => $name, workers => $workers, cpus => '0,1',
                 listen => 'reuseport');

        $kind eq 'module' ? module($keys, @o) : plain(@o);
        run($name, '/local', "$keys/tokens", once => 1);

        push @runs, $name => sub {
            my $r = run($name, '/local', "$keys/tokens", cpus => '0,1',
                        seconds => 4, connections => 64, sleeps => 1);
            die "$name: one worker did it all\n"
                if $r->{least} * $workers < 0.3;
            return $r;
        };
    }

    my $c = compare(rounds(5), @runs);

    limit('scale', 'two workers: CPU time per request, relative to one worker',
          '%.3f', $c->{'module-2'}{ratio}, '<= 1.05');
    figure('scale', 'the same for plain nginx', '%.3f',
           $c->{'plain-2'}{ns} / $c->{'plain-1'}{ns});

    stop($_) for qw(module-1 module-2 plain-1 plain-2);
}


# ---- many keys

sub many_keys {
    my %ratio;
    my @n = (1, 10, 100, 1000);

    for (1 .. rounds(9)) {
        module(keys_of("keys$_"), name => "keys$_") for @n;

        my $c = compare(1, map {
            my $name = "keys$_";
            $_ => sub { run($name, '/local', keys_of($name) . '/tokens',
                            once => 1) }
        } @n);

        push @{$ratio{$_}}, $c->{$_}{ratio} for @n;
    }

    limit('scale', "$_ keys: CPU time of a new token, relative to one key",
          '%.3f', median(@{$ratio{$_}}), '<= 1.03',
           $why{keys}) for 10, 100, 1000;

    stop("keys$_") for @n;
}


# ---- a zone that is too small

sub full_zone {
    my $keys = keys_of('rs256');

    module($keys, size => '4m');
    run('module', '/local', "$keys/tokens", once => 1);

    my $zone = zone('module');

    die "it was not full\n" unless $zone->{evictions};

    limit('scale', sprintf('a full zone: bytes per token (%d evicted, all '
                           . 'requests answered)', $zone->{evictions}), '%.0f',
          $zone->{size} / $zone->{tokens}, '<= 600');

    my $all = sub { run('module', '/local', "$keys/last", once => 1) };

    system("tail -n 5000 $keys/tokens >$keys/last") == 0 or die;
    my $before = zone('module')->{cache_misses};
    $all->();
    my $missed = zone('module')->{cache_misses} - $before;

    limit('scale', 'a full zone: evicted tokens among the last 5,000', '%d',
          $missed, '<= 0');
}


# ---- memory; connections that have just ended hold up to 2 MB for a while, also
# without the module, so the lowest of several values counts

sub memory {
    my $keys = keys_of('rs256');

    module($keys);
    system("for i in 1 2 3 4 5 6 7 8 9 10; do head -n 1000 $keys/tokens; done "
           . ">$keys/first") == 0 or die;

    my $n = run('module', '/local', "$keys/first", once => 1)->{n};
    my $first = rss('module');
    my @later;

    while ($n < 1_000_000) {
        $n += run('module', '/local', "$keys/first", seconds => 4)->{n};
    }

    for (1 .. 5) {
        $n += run('module', '/local', "$keys/first", seconds => 1)->{n};
        push @later, rss('module');
    }

    limit('scale', sprintf('memory after %.2f million requests with 1,000 '
                           . 'tokens, relative to 10,000 requests (%d kB)',
                           $n / 1e6, $first),
          '%.3f', min(@later) / $first, '<= 1.02');
}


# ---- other solutions

sub others {
    my $keys = keys_of('rs256');
    my @peers = Peers::peers($keys, $load, issuer($keys));

    $ENV{BENCH_KEY} = "$keys/key.pem";

    while (my ($name, $start) = splice @peers, 0, 2) {
        my %ratio;

        if (!eval { $start->(); Peers::does_its_job('/local/x', $keys); 1 }) {
            print "$name is left out: $@";
            stop('peer');
            next;
        }

        run('peer', '/local/x', "$keys/tokens", once => 1)
            if $name =~ /cached/;

        for my $file (qw(one tokens)) {
            my $c = compare(rounds(3), map {
                my $name = $_;
                $name => sub { run($name, '/local/x', "$keys/$file",
                                   sleeps => 1) }
            } qw(plain peer));
            $ratio{$file} = 1 / $c->{peer}{ratio};
        }

        push @chart, [$name, @ratio{qw(one tokens)}];
        stop($_) for qw(peer verdict);
    }

    columns('others', '', 'the same token', "$tokens tokens in turn");
    row('others', $_->[0], map { sprintf '%.2f', $_ } @$_[1, 2])
        for sort { $b->[1] <=> $a->[1] || $b->[2] <=> $a->[2] } @chart;
}


# ---- TokenReview, against an API server that answers at once

sub reviews {
    my $keys = keys_of('rs256');
    my $path = '/apis/authentication.k8s.io/v1/tokenreviews';
    my $review = '{"kind":"TokenReview",'
        . '"apiVersion":"authentication.k8s.io/v1","status":'
        . '{"authenticated":true,"user":{"username":'
        . '"system:serviceaccount:mytest:service1","uid":"16fe82e9",'
        . '"groups":["system:serviceaccounts"]},"audiences":["service2"]}}';

    backend(locations => "location $path { default_type application/json; "
                         . "return 201 '$review'; }");

    # one worker each, since CPU time is counted per worker

    my $start = sub {
        module($keys, name => $_[0], locations => 'location /reviewed { k8s_sa_auth api; '
                                   . 'try_files /small =404; }',
               http => 'k8s_sa_issuer api { audience service2; token_review '
                       . "http://127.0.0.1:@{[ port('backend') ]}$path; "
                       . 'token_review_cache 10m; }');
    };

    $start->($_) for qw(module reviewed);
    nginx('peer', auth => 'auth_request /auth;', locations => <<"_");
location = /auth {
            internal;
            proxy_method POST;
            proxy_set_header Content-Type application/json;
            proxy_set_body '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"\$http_authorization","audiences":["service2"]}}';
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://backend$path;
        }
_

    my $c = compare(rounds(3), map {
        my ($as, $name, $path) = @$_;
        $as => sub { run($name, $path, "$keys/one", seconds => 4,
                         sleeps => 1) }
    } [plain => 'plain', '/local'], [local => 'module', '/local'],
      [cached => 'reviewed', '/reviewed'], [peer => 'peer', '/local']);

    my @first;

    system("head -n 2000 $keys/tokens >$keys/few") == 0 or die;

    for (1 .. rounds(3)) {
        $start->('reviewed');
        my $p = run('plain', '/local', "$keys/few", once => 1, sleeps => 1);
        my $m = run('reviewed', '/reviewed', "$keys/few", once => 1, sleeps => 1);
        push @first, $m->{ns} - $p->{ns};
    }

    columns('reviews', '', 'measured');
    figure('reviews', 'requests/s with a cached verdict, relative to plain '
                      . 'nginx', '%.2f', 1 / $c->{cached}{ratio});
    figure('reviews', 'the same with a known token that is verified locally',
           '%.2f', 1 / $c->{local}{ratio});
    figure('reviews', 'the same with auth_request and one review per request',
           '%.2f', 1 / $c->{peer}{ratio});
    figure('reviews', 'CPU time of a first review in nginx, without that of '
                      . 'the API server, us', '%.0f', median(@first) / 1000);
}


# ---- everything

for my $set ([rs256 => 'rs256', $tokens, 1], [es256 => 'es256', $tokens, 1],
             map { ["keys$_", 'es256', 4000, $_] } 1, 10, 100, 1000)
{
    my ($name, @arg) = @$set;
    my $keys = keys_of($name);

    mkdir $keys or die "$keys: $!\n";
    system("$bin/tokens", @arg, $keys) == 0 or die "$bin/tokens failed\n";
    system("head -n 1 $keys/tokens >$keys/one") == 0 or die;
}

my $cpuinfo = slurp('/proc/cpuinfo');
my ($model) = $cpuinfo =~ /^model name\s*:\s*(.*)/m;
my @versions = map {
    my $v = `dpkg-query -W -f '\${Version}' $_ 2>/dev/null`;
    $v ? "$_ $v" : ()
} qw(nginx libssl3 libssl3t64 wrk haproxy libnginx-mod-http-js
     libnginx-mod-http-lua lua-luaossl);

says(strftime('%F', gmtime) . ', ' . (() = $cpuinfo =~ /^processor/mg)
     . ' cores of ' . ($model || 'an unknown kind') . '; Debian\'s '
     . join(', ', @versions) . '.');

keep_awake();
plain();
plain(name => 'plain2');

while (my ($name, $code) = splice @points, 0, 2) {
    next if %only && !$only{$name};
    $code->();
    printf "  [%d s, %s]\n", time - $began, $name;
}

if (!%only) {
    my @rows = sort { $b->[1] <=> $a->[1] || $b->[2] <=> $a->[2] }
               grep { $_->[0] ne 'this module, ES256' } @chart;

    picture("$FindBin::Bin/throughput.svg", 'RS256, one worker on one core, '
            . "a small local file. Dark: the same token; light: $tokens tokens "
            . 'in turn.', @rows);
    write_readme("$FindBin::Bin/README.md");
    print "\nwritten: bench/README.md, bench/throughput.svg\n";
}

print failed() ? "\noutside of their limits: " . join('; ', failed()) . "\n"
               : "\nall within their limits\n";
exit(failed() ? 1 : 0);
