# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_token_file under load: NGINX as Service 1's sidecar puts the token on
# each request, and its renewal, as the kubelet does it, loses none.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::Nginx;


my ($caller_port, $service_port) = map { free_port() } 1 .. 2;

# The volume: token -> ..data/token, ..data -> a directory that is swapped

my $volume = dir() . '/tokens';
my $generation = 0;

mkdir $volume or die "$volume: $!\n";

sub swap {
    my ($token) = @_;
    my $new = '..' . ++$generation;

    mkdir "$volume/$new" or die "$volume/$new: $!\n";
    write_file("$volume/$new/token", $token);
    symlink $new, "$volume/..data_tmp" or die "symlink: $!\n";
    rename "$volume/..data_tmp", "$volume/..data" or die "rename: $!\n";
    symlink '..data/token', "$volume/token" unless -l "$volume/token";
}

sub with_id {
    return sign_token(claims => claims(jti => $_[0], @_[1 .. $#_]));
}

my $service = K8sSa::Nginx->new(workers => 2, http => <<"_");
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2; }
log_format k8s "\$status \$k8s_sa_result \$k8s_sa_jti";
access_log logs/access.log k8s;
server {
    listen 127.0.0.1:$service_port;
    keepalive_requests 100000;
    location / {
        k8s_sa_auth made;
        add_header X-Id \$k8s_sa_jti always;
        empty_gif;
    }
}
_

swap(with_id('one') . "\n");

my $caller = K8sSa::Nginx->new(workers => 2, http => <<"_");
k8s_sa_token_file \$service2_token $volume/token;
access_log off;
upstream service2 { server 127.0.0.1:$service_port; keepalive 4; }
server {
    listen 127.0.0.1:$caller_port;
    keepalive_requests 100000;
    location / {
        proxy_set_header Authorization "Bearer \$service2_token";
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://service2;
    }
}
_

$_->start for $service, $caller;

# The id of the token that the service got

sub used {
    my ($id) = header_values(get($caller_port, '/', @_)->{head}, 'X-Id');
    return defined $id ? $id : '';
}

is(used(), 'one', 'the token is put on');
is(used(bearer(with_id('own'))), 'one',
   'instead of a client\'s own');

# Until one token is in use in all workers

sub wait_for {
    my ($id) = @_;
    my $began = time();
    my $in_row = 0;

    while (time() - $began < 8) {
        $in_row = used() eq $id ? $in_row + 1 : 0;
        return time() - $began if $in_row == 20;
        sleep 0.02;
    }

    return 99;
}

my $request = with_token('/', undef);
my @loads = map { load($caller_port, a => $request, b => $request) } 1 .. 2;
my @tokens = qw(two three four);

for my $id (@tokens) {
    sleep 0.3;
    swap(with_id($id) . "\n");
    my $took = wait_for($id);
    cmp_ok($took, '<', 4, "token \"$id\" is in use");
}

# in place, as a ConfigMap's subPath or a shell does it: an empty file in the
# meantime, and one that holds half a token

my $last = with_id('last');
my $at = "$volume/..$generation/token";

write_file($at, '');
sleep 2.5;
is(used(), 'four', 'an empty file: the old one stays');
write_file($at, "two\nlines\n");
sleep 2.5;
is(used(), 'four', 'two lines: the old one stays');
write_file($at, "\n $last\r\n\n");
cmp_ok(wait_for('last'), '<', 4, 'written in place: in use');

unlink "$volume/token" or die "unlink: $!\n";
sleep 2.5;
is(used(), 'last', 'no file: the old one stays');

# a reload and a new file in the middle of it

symlink '..data/token', "$volume/token" or die "symlink: $!\n";
swap(with_id('reloaded'));
$caller->signal('HUP');
cmp_ok(wait_for('reloaded'), '<', 4, 'over a reload');

my (%status, $total);

for my $load (@loads) {
    my $tally = load_end($load);

    for my $kind (qw(a b)) {
        for my $status (grep { /^\d+$/ } keys %{$tally->{$kind}}) {
            $status{$status} += $tally->{$kind}{$status};
            $total += $tally->{$kind}{$status};
        }
    }
}

is_deeply([ keys %status ], [ 200 ], 'no request was lost')
    or diag(explain(\%status));
cmp_ok($total, '>', 500, 'under load');
diag("$total requests, 6 changes of the token, all answered with 200");

my %used;
$used{$_}++ for $service->log('access') =~ /^200 ok (\S+)$/mg;
is_deeply([ sort keys %used ], [ sort 'one', @tokens, qw(last reloaded) ],
          'each token was used, and no other');
is(scalar(() = $service->log('access') =~ /^(?!200 ok )\d{3} /mg), 0,
   'none was refused');
like($caller->log, qr/\[error\].*\Q$volume\E\/token.*file is empty/,
     'what is wrong with the file is logged');
is(scalar(() = $caller->log =~ /file is empty/g), 2,
   'once, by each of two workers');


K8sSa::Nginx->finish;
