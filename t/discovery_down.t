# SPDX-License-Identifier: BSD-2-Clause

# The issuer is down: when nginx starts, later, and while keys from disk have
# to be used.

use strict;
use warnings;

use JSON::PP;
use POSIX qw(WNOHANG mkfifo);
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority('ca');

my $ca = 'ssl_trusted_certificate ' . dir() . '/ca.crt;';
my $mock = K8sSa::MockIssuer->new;
my $port = free_port();
my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);
my $two = jwks([ 'ec', 'first', kid => 'k' ], [ 'ec', 'second', kid => 's' ]);

sub signed {
    my ($name, $key, $kid) = @_;
    return with_token("/$name", issuer_token($mock->url($name), $key, $kid));
}

my %request;

sub status {
    my ($name) = @_;
    return request($port, $request{$name} ||= signed($name))->{status};
}

sub conf {
    my %issuers = @_;
    return join '',
        (map { "k8s_sa_issuer $_ { audience service2; timeout 2s; $ca "
               . 'discovery ' . $mock->discovery($_) . "; $issuers{$_} }\n" }
             sort keys %issuers),
        "server { listen 127.0.0.1:$port;\n",
        (map { "location = /$_ { k8s_sa_auth $_; empty_gif; }\n" }
             sort keys %issuers),
        "}\n";
}

sub until_status {
    my ($name, $status, $limit) = @_;
    my $began = time();
    sleep 0.02 while status($name) != $status && time() - $began < $limit;
    return time() - $began;
}


# When nginx starts

$mock->stop;
$mock->set($_, jwks => { body => $jwks }) for qw(start later);

my $nginx = K8sSa::Nginx->new(workers => 2, http => conf(
    start => '', later => 'refresh 1s; stale 3s;'));

is(($nginx->test)[0], 0, 'down: the configuration is fine');
$nginx->start;

my $began = time();
is(status('start'), 503, 'down: nginx starts and answers 503');
cmp_ok(time() - $began, '<', 1, '... at once');
ok($nginx->wait_log(fetch_failed('start', qr/.*111: Connection refused/)),
   'the log has the reason');

sleep 2;                                   # several attempts
$mock->start;
my $took = until_status('start', 200, 5);
cmp_ok($took, '<', 2.5, 'it recovers by itself');
diag(sprintf 'down at start: back after %.2f s', $took);


# Later on

until_status('later', 200, 3);
$mock->stop;
my $stopped = time();
my $load = load($port, 'start' => signed('start'));

is(status('later'), 200, 'down later: the keys stay in use');
sleep 0.1 while time() < $stopped + 1.5;
is(status('later'), 200, '... for a while');
$took = until_status('later', 503, 5);
cmp_ok(time() - $stopped, '>', 2, '... until "stale" has passed');
cmp_ok(time() - $stopped, '<', 3.5, '... and no longer');

# a request whose token was accepted all the time
is(status('later'), 503, '... also for the next request');

$mock->start;
$took = until_status('later', 200, 5);
cmp_ok($took, '<', 2.5, 'stale: it recovers by itself');

my $result = load_end($load);
is_deeply([ grep { /^\d/ } keys %{$result->{start}} ], [ 200 ],
          'an issuer with a longer "stale" was available all the time')
    or diag(explain($result));

$nginx->stop;


# Keys on disk

my $state = dir() . '/state';
my @disk = qw(disk rotated changed damaged cut foreign text old open fifo huge
              stuck);
push @disk, 'owned' if $> == 0;            # only root can change the owner

$mock->set($_, jwks => { body => $jwks }) for @disk;

my %conf = map { $_ => "state_path $state;" } @disk;
$conf{old} .= ' refresh 1s; stale 1s;';
$conf{rotated} .= ' refresh 200ms;';

$nginx = K8sSa::Nginx->new(workers => 2, http => conf(%conf))->start;

is(status($_), 200, "$_: keys") for @disk;

my %file = map { $_ => "$state/$_.json" } @disk;

sleep 0.02 while time() < $began + 60 && grep { !-e } values %file;

my @dir = stat $state;
my @stat = stat $file{disk};
is($stat[2] & 07777, 0600, 'saved: readable for nginx only');
is($dir[2] & 0077, 0, '... in a directory for nginx only');
is($stat[4], $dir[4], '... with the same owner');

# the file is replaced as a whole: a reader always sees a complete one

my ($bad, %seen) = (0);
my $until = time() + 1.5;

while (time() < $until) {
    my $text = slurp($file{rotated});
    my $json = eval { decode_json($text) };
    $bad++ unless $json && keys %$json == 4 && $json->{jwks} eq $jwks;
    $seen{(stat $file{rotated})[1]} = 1;
}

is($bad, 0, 'saved: never half a file');
cmp_ok(scalar keys %seen, '>', 2, '... although it was replaced meanwhile');

$mock->set('rotated', jwks => { body => $two });
$until = time() + 5;
sleep 0.05 while time() < $until && slurp($file{rotated}) !~ /"s\\"/;
is_deeply(decode_json(slurp($file{rotated}))->{jwks}, $two,
          'new keys are saved');

$nginx->stop;
is_deeply([ grep { !/\.json$/ } glob "$state/*" ], [],
          'no other file is left there');
$mock->stop;

my $text = slurp($file{damaged});
write_file($file{damaged},
           $text =~ s/(x\\":\\")(.)/$1 . ($2 eq 'A' ? 'B' : 'A')/er);
isnt(slurp($file{damaged}), $text, '(damaged)');
write_file($file{cut}, substr $text, 0, 200);
write_file($file{foreign}, slurp($file{disk}));
write_file($file{text}, 'hello');
chmod 0606, $file{open};

if ($file{owned}) {
    chmod 0644, $file{owned};
    chown 1, -1, $file{owned} or die "chown: $!\n";
}

unlink $file{fifo};
mkfifo($file{fifo}, 0666);
write_file($file{huge}, $text . ' ' x (4 * 1024 * 1024));
$conf{changed} .= ' issuer ' . $mock->url('changed') . ';';
sleep 1.1;                                 # makes "old" too old

$nginx = K8sSa::Nginx->new(workers => 2, http => conf(%conf))->start;

is(status($_), 200, "$_: served from disk") for qw(disk rotated stuck);
is(request($port, signed('rotated', 'second', 's'))->{status}, 200,
   'rotated: with the new key');
is(request($port, signed('disk', 'second', 's'))->{status}, 401,
   'disk: and with no other');

sub unusable {
    my ($level, $name, $reason) = @_;
    return qr/\[$level\].*saved keys of issuer "$name" cannot be used: (?#
             )"\Q$file{$name}\E": $reason/;
}

my %why = (
    changed => qr/another configuration/,
    damaged => qr/damaged/,
    cut => qr/not JSON/,
    foreign => qr/another configuration/,
    text => qr/not JSON/,
    old => qr/older than "stale"/,
    open => qr/anyone may write it/,
    $file{owned} ? (owned => qr/belongs to another user/) : (),
    fifo => qr/not a regular file/,
    huge => qr/larger than/,
);

for (sort keys %why) {
    is(status($_), 503, "$_: 503");
    ok($nginx->wait_log(unusable('warn', $_, qr/.*$why{$_}/)),
       "$_: a warning with the reason");
}

is(scalar(() = $nginx->log =~ /"disk" has saved keys/g), 1,
   'one worker has read the files');

# The issuer is back: its keys are used and saved.

chmod 0500, $state;
$mock->set('disk', jwks => { body => $two });
unlink $file{fifo};
$mock->start;

cmp_ok(until_status('text', 200, 5), '<', 2.5, 'all issuers are back');
ok($nginx->wait_log(qr/\[error\].*cannot save .*"\Q$file{text}\E" \(13:/),
   'a directory that is not writable is an error');
is(slurp($file{text}), 'hello', '... and the file is unchanged');

$request{disk} = signed('disk', 'second', 's');
cmp_ok(until_status('disk', 200, 10), '<', 9,
       'disk: the keys of the issuer, with the next try');

chmod 0700, $state;
$nginx->stop;

# down for good: nginx starts with the saved keys

$mock->stop;
unlink $file{cut};
$nginx->start;
delete $request{disk};
is(status('disk'), 200, 'restarted: keys from disk');
is(status('cut'), 503, 'a missing file');
ok($nginx->wait_log(unusable('notice', 'cut', qr/open\(\) failed \(2:/)),
   'is no more than a notice');


K8sSa::Nginx::finish();
