# SPDX-License-Identifier: BSD-2-Clause

# Key and token files that change while nginx runs, in place and as in a
# ConfigMap volume, to good and to broken content.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $limit = 5;             # seconds until a change is in force

my $port = free_port();
my $up = echo_http();
my $dir = dir();

sub pem { return slurp(key_file('ec', $_[0])) }

# a ConfigMap volume: keys.pem -> ..data/keys.pem, ..data -> ..1, and so on

my $volume = "$dir/volume";
mkdir $volume or die "$volume: $!\n";

sub publish {
    my ($version, %files) = @_;
    mkdir "$volume/..$version" or die "$volume/..$version: $!\n";
    write_file("$volume/..$version/$_", $files{$_}) for keys %files;
    symlink "..$version", "$volume/..data_tmp" or die "symlink: $!\n";
    rename "$volume/..data_tmp", "$volume/..data" or die "rename: $!\n";
}

publish(1, 'keys.pem' => pem('a'), 'keys.json' => jwks([ 'ec', 'a' ]));
symlink "..data/$_", "$volume/$_" or die "symlink: $!\n"
    for 'keys.pem', 'keys.json';

my $pem = write_file('keys.pem', pem('a'));
my $json = write_file('keys.json', jwks([ 'ec', 'a' ]));
my $first = write_file('first.pem', pem('a'));
my $second = write_file('second.pem', pem('b'));
my $third = write_file('third.pem', pem('a'));
my $fourth = write_file('fourth.pem', pem('b'));
my $token_a = sign_token(key => [ 'ec', 'own-a' ]);
my $own = write_file('own', "$token_a\n");

my %files = (
    pem      => "public_key $pem;",
    jwks     => "jwks_file $json;",
    'volume-pem'  => "public_key $volume/keys.pem;",
    'volume-jwks' => "jwks_file $volume/keys.json;",
    both     => "public_key $first; public_key $second;",
    together => "public_key $third; public_key $fourth;",
);

my $nginx = K8sSa::Nginx->new(level => 'notice', workers => 2, http => <<"_");
k8s_sa_token_file \$own $own;
@{[ map { "k8s_sa_issuer $_ { $files{$_} audience service2; }\n" }
    sort keys %files ]}
server {
    listen 127.0.0.1:$port;
    root html;
    k8s_sa_log_level info;
@{[ map { "location = /$_ { k8s_sa_auth $_; try_files /ok =404; }\n" }
    sort keys %files ]}
    location = /own {
        proxy_set_header Authorization "Bearer \$own";
        proxy_pass http://127.0.0.1:$up;
    }
}
_

write_file("$nginx->{dir}/html/ok", "ok\n");
$nginx->start;

my %token = map { $_ => sign_token(key => [ 'ec', $_ ]) } qw(a b c);


sub status {
    my ($location, $key) = @_;
    return get($port, "/$location", bearer($token{$key}))->{status};
}


# Waits until a location accepts tokens of one key and not of the other.  Asks
# often, so that each worker answers.

sub accepts {
    my ($location, $yes, $no, $name) = @_;
    my $until = time() + $limit;
    my ($good, $began) = (0, time());

    while (time() < $until && $good < 10) {
        $good = status($location, $yes) == 200
                && (!defined $no || status($location, $no) == 401)
                ? $good + 1 : 0;
        sleep 0.05 if $good == 0;
    }

    my $took = sprintf '%.1f', time() - $began;
    is($good, 10, "$name: $yes is accepted" . ($no ? ", $no is not" : '')
                  . " (after $took s)");
}


# Returns the log lines since the last call.

my $read = 0;

sub new_log {
    my $log = $nginx->log;
    my $new = substr $log, $read;
    $read = length $log;
    return $new;
}

sub refused {
    my ($file, $issuer, $why, $name) = @_;

    my $line = quotemeta(qq{k8s_sa: "$file" changed and cannot be used, }
                         . qq{issuer "$issuer" keeps its old keys: });

    ok($nginx->wait_log(qr/\[error\].*$line.*$why/, $limit, $read),
       "$name: an error is logged")
        or diag(substr $nginx->log, $read);
}


# As nginx was started

accepts($_, 'a', 'b', "$_: at first") for qw(pem jwks volume-pem volume-jwks);
is(status('both', $_), 200, "both: $_") for 'a', 'b';
is(status('together', $_), 200, "together: $_") for 'a', 'b';
new_log();


# All change at once, each in its own way

write_file($pem, pem('b'));
write_file($json, jwks([ 'ec', 'b' ]));
publish(2, 'keys.pem' => pem('b'), 'keys.json' => jwks([ 'ec', 'b' ]));
write_file($first, pem('c'));
write_file($third, pem('b'));
write_file($fourth, pem('c'));
my $token_b = sign_token(key => [ 'ec', 'own-b' ]);
spew($own, "  $token_b  \n\n");

accepts('pem', 'b', 'a', 'changed in place');
accepts('jwks', 'b', 'a', 'changed in place, JWK set');
accepts('volume-pem', 'b', 'a', 'ConfigMap volume');
accepts('volume-jwks', 'b', 'a', 'ConfigMap volume, JWK set');
accepts('both', 'c', 'a', 'one of two files');
is(status('both', 'b'), 200, 'the other file\'s key stays in use');
accepts('together', 'c', 'a', 'both files change at the same time');

my $log = new_log();
like($log, qr/\[notice\].*k8s_sa: issuer "$_" has new keys from /,
     "$_: the change is logged") for sort keys %files;
unlike($log, qr/\[(?:warn|error)\].*k8s_sa/, 'no errors are logged');


# A token file, in each worker

sub carries {
    my ($token, $name) = @_;
    my $until = time() + $limit;
    my $good = 0;

    while (time() < $until && $good < 10) {
        my @seen = header_values(get($port, '/own')->{body}, 'Authorization');
        $good = "@seen" eq "Bearer $token" ? $good + 1 : 0;
        sleep 0.05 if $good == 0;
    }

    is($good, 10, $name);
}

carries($token_b, 'requests carry the new token');


# All are broken, each in its own way

write_file($pem, "hello\n");
write_file($json, '{"keys":[');
publish(3, 'keys.pem' => '', 'keys.json' => '{"keys":[]}');
unlink $first;
write_file($_, "hello\n") for $third, $fourth;
write_file($own, "two words\n");

refused($pem, 'pem', 'no PEM block', 'broken');
refused($json, 'jwks', 'JSON', 'broken JWK set');
refused("$volume/keys.pem", 'volume-pem', 'no PEM block', 'empty');
refused("$volume/keys.json", 'volume-jwks', 'no usable key', 'empty set');
refused($first, 'both', 'No such file', 'deleted');
refused($third, 'together', 'no PEM block', 'both broken');
refused($fourth, 'together', 'no PEM block', 'both broken, the other one');
my $line = quotemeta(qq{"$own" changed and cannot be used, the old token is }
                     . "kept");
ok($nginx->wait_log(qr/\[error\].*$line/, $limit, $read),
   'token file: an error is logged');

accepts($_, 'b', 'a', "$_: broken, the old keys stay in use")
    for qw(pem jwks volume-pem volume-jwks);
accepts('both', 'c', 'a', 'both: deleted, the old keys stay in use');
is(status('both', 'b'), 200, 'both: all of them');
accepts('together', 'c', 'a', 'together: broken, the old keys stay in use');
carries($token_b, 'the old token stays in use');


# Files that are still broken are not reported again

sleep 0.5;
new_log();
sleep 2.5;
unlike(new_log(), qr/k8s_sa: "/, 'an error is logged once');


# All are good again

write_file($pem, pem('c'));
write_file($json, jwks([ 'ec', 'c' ]));
publish(4, 'keys.pem' => pem('c'), 'keys.json' => jwks([ 'ec', 'c' ]));
write_file($first, pem('a'));
write_file($third, pem('a'));
write_file($fourth, pem('b'));
spew($own, $token_a);

accepts('pem', 'c', 'b', 'good again');
accepts('jwks', 'c', 'b', 'good again, JWK set');
accepts('volume-pem', 'c', 'b', 'good again, ConfigMap volume');
accepts('volume-jwks', 'c', 'b', 'good again, ConfigMap volume, JWK set');
accepts('both', 'a', 'c', 'back again');
accepts('together', 'a', 'c', 'both good again');
carries($token_a, 'requests carry a token that is good again');


# A reload during a change uses the current files

write_file($pem, pem('a'));
$nginx->signal('HUP');
accepts('pem', 'a', 'c', 'after a reload');
write_file($pem, pem('b'));
accepts('pem', 'b', 'a', 'changes are noticed as before');

unlike($nginx->log, qr/\[(?:alert|emerg)\]/, 'nothing is broken');


# A change at a moment when the worker has no descriptor left to open the file

my $scarce = free_port();
my $key = write_file('scarce.pem', pem('a'));
my $credential = write_file('scarce', "$token_a\n");

my $poor = K8sSa::Nginx->new(main => 'worker_rlimit_nofile 24;', http => <<"_");
k8s_sa_token_file \$own $credential;
k8s_sa_issuer scarce { public_key $key; audience service2; }
server {
    listen 127.0.0.1:$scarce;
    root html;
    location = / { k8s_sa_auth scarce; try_files /ok =404; }
    location = /own { return 200 "\$own"; }
}
_

write_file("$poor->{dir}/html/ok", "ok\n");
$poor->start;

sub until_ok {
    my ($ok) = @_;
    my $until = time() + $limit;
    sleep 0.1 while !$ok->() && time() < $until;
    return $ok->();
}

is(get($scarce, '/', bearer($token{a}))->{status}, 200, 'few descriptors');

my @held = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$scarce") }
           1 .. 30;
ok($poor->wait_log(qr/accept4?\(\) failed \(24:/, $limit),
   'the worker runs out of them');

write_file($key, pem('b'));
write_file($credential, "$token_b\n");

for my $file ($key, $credential) {
    ok($poor->wait_log(qr/"\Q$file\E" changed and cannot be used.*\(24:/,
                       $limit),
       'a file that cannot be opened is logged');
}

sleep 2.5;
is(scalar(() = $poor->log =~ /"\Q$key\E" changed and cannot/g), 1, 'once');

close $_ for @held;

ok(until_ok(sub { get($scarce, '/', bearer($token{b}))->{status} == 200 }),
   'the key file is read as soon as it can be opened');
is(get($scarce, '/', bearer($token{a}))->{status}, 401, 'the old key is gone');
ok(until_ok(sub { get($scarce, '/own')->{body} eq $token_b }),
   'so is the token file');


K8sSa::Nginx->finish(allow => qr/accept4?\(\) failed \(24:/);
