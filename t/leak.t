# SPDX-License-Identifier: BSD-2-Clause

# An identity stays with its request: on kept-alive and pipelined connections,
# among concurrent HTTP/2 streams, and with the token cache between them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my ($port, $h2) = map { free_port() } 1 .. 2;
my $up = echo_http();
my $pem = dir() . '/server.pem';

system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
       . " -subj /CN=localhost -days 2 -keyout $pem -out $pem.crt 2>/dev/null"
       . " && cat $pem.crt >>$pem") == 0
    or die "openssl: exit $?\n";

my $nginx = K8sSa::Nginx->new(http => <<"_");
k8s_sa_issuer made {
    public_key @{[ key_file('ec') ]};
    audience service2;
}
k8s_sa_issuer else {
    public_key @{[ key_file('ec') ]};
    audience service3;
}
keepalive_requests 10000;
map \$k8s_sa_username \$mapped {
    default \$k8s_sa_name;
}
server {
    listen 127.0.0.1:$port;
    listen 127.0.0.1:$h2 ssl http2;
    ssl_certificate $pem;
    ssl_certificate_key $pem;

    add_header X-Seen "\$k8s_sa_username|\$k8s_sa_claim_sub|\$mapped" always;
    add_header X-Connection \$connection always;

    location / {
        k8s_sa_auth made optional;
        proxy_set_header X-Seen "\$k8s_sa_username|\$k8s_sa_claim_sub|\$mapped";
        proxy_pass http://127.0.0.1:$up;
    }
    location /off {
        proxy_set_header X-Seen "\$k8s_sa_username|\$k8s_sa_claim_sub|\$mapped";
        proxy_pass http://127.0.0.1:$up;
    }
    location /other {
        k8s_sa_auth else;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

$nginx->start;


# Requests that can follow each other on a connection: [path, header, status,
# user, name]

sub caller_of {
    my ($name) = @_;
    my $user = "system:serviceaccount:mytest:$name";
    my $token = sign_token(claims => claims(sub => $user,
        'kubernetes.io' => { namespace => 'mytest', serviceaccount =>
                             { name => $name, uid => "uid-$name" } }));
    return [ '/', bearer($token), 200, $user, $name ];
}

my $one = caller_of('one');
my $two = caller_of('two');
my $none = [ '/', 'X-None: 1', 200, '', '' ];
my $forged = [ '/', "X-Remote-User: $one->[3]", 200, '', '' ];
my $bad = [ '/', spoil($one->[1]), 401, '', '' ];
my $cut = [ '/', substr($one->[1], 0, -1), 401, '', '' ];
my $off = [ '/off', $one->[1], 200, '', '' ];
my $other = [ '/other', $one->[1], 401, '', '' ];

my @order = ($one, $none, $two, $none, $one, $two, $bad, $one, $one, $forged,
             $two, $cut, $none, $off, $two, $off, $none, $one, $other, $one,
             $forged, $bad, $bad, $two, $two, $none);


sub bytes {
    my ($case, $last) = @_;
    return "GET $case->[0] HTTP/1.1\r\nHost: a\r\n$case->[1]\r\n"
           . ($last ? "Connection: close\r\n" : '') . "\r\n";
}


# Returns "" for the right answer, otherwise what is wrong with it.

sub wrong {
    my ($answer, $case) = @_;
    my (undef, undef, $status, $user, $name) = @$case;
    my @seen = header_values($answer->{head}, 'X-Seen');
    my @up = header_values($answer->{body}, 'X-Remote-User');
    my @told = header_values($answer->{body}, 'X-Seen');

    return "status $answer->{status}" if $answer->{status} != $status;
    return "variables @seen" if "@seen" ne "$user|$user|$name";
    return "upstream got @up" if "@up" ne $user;
    return "upstream was told @told"
        if $status == 200 && "@told" ne "$user|$user|$name";
    return '';
}


# One after the other

my $c = talk($port);
my %connections;

for my $i (0 .. 2 * $#order + 1) {
    my $case = $order[$i % @order];
    print {$c->{socket}} bytes($case);
    my $answer = receive($c);
    $connections{(header_values($answer->{head}, 'X-Connection'))[0]} = 1;
    is(wrong($answer, $case), '', "kept alive: request $i, $case->[0]");
}

is(scalar keys %connections, 1, 'all on one connection');


# All at the same time

for my $shift (0 .. 4) {
    my @cases = (@order[$shift .. $#order], @order[0 .. $shift - 1]);

    $c = talk($port);
    print {$c->{socket}} map { bytes($_) } @cases;

    for my $i (0 .. $#cases) {
        is(wrong(receive($c), $cases[$i]), '', "pipelined: $shift, $i");
    }
}


# Overlapping streams of one connection, because the upstream is slow.  (curl
# only knows in time that a connection can be shared if it uses TLS.)

sub streams {
    my @cases = @_;
    my $dir = dir() . '/streams';
    my @arguments;

    mkdir $dir;

    for my $i (0 .. $#cases) {
        my ($path, $header) = @{$cases[$i]};
        $path = '/slow' if $path eq '/';
        push @arguments, '--next' if $i;
        push @arguments, '-s', '-k', '--http2', '--max-time', 20,
                         '-D', "$dir/$i.head", '-o', "$dir/$i.body", '-H',
                         $header, "https://127.0.0.1:$h2$path";
    }

    # the first one opens the connection that the others use
    is(system('curl', '-Z', '--no-progress-meter', '--parallel-max', 50, @arguments), 0, 'curl');

    return map {
        my $head = slurp("$dir/$_.head");
        my ($status) = $head =~ m{^HTTP/2 (\d+)};
        { status => $status, head => $head, body => slurp("$dir/$_.body") }
    } 0 .. $#cases;
}

my %streams;
my @answers = streams(@order);

for my $i (0 .. $#order) {
    is(wrong($answers[$i], $order[$i]), '', "stream $i");
    $streams{(header_values($answers[$i]{head}, 'X-Connection'))[0]}++;
}

my ($most) = sort { $b <=> $a } values %streams;
cmp_ok($most, '>', 10, 'streams shared a connection');


K8sSa::Nginx->finish;
