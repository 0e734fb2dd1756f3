# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_token_file under load: NGINX as Service 1's sidecar adds the token to
# each request, and no request is lost when the kubelet renews it.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::Nginx;


my ($caller_port, $service_port) = map { free_port() } 1 .. 2;

# The volume: token -> ..data/token, ..data -> a directory that is replaced

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

# Returns the id of the token that the service has received.

sub used {
    my ($id) = header_values(get($caller_port, '/', @_)->{head}, 'X-Id');
    return defined $id ? $id : '';
}

is(used(), 'one', 'the token is added');
is(used(bearer(with_id('own'))), 'one',
   '... and replaces the client\'s own');

# Waits until all workers use the token.

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
    cmp_ok($took, '<', 4, "all workers use token \"$id\"");
}

# written in place, as with a ConfigMap's subPath or by a shell: first an empty
# file, then one with half a token

my $last = with_id('last');
my $at = "$volume/..$generation/token";

write_file($at, '');
sleep 2.5;
is(used(), 'four', 'an empty file: the old one stays in use');
write_file($at, "two\nlines\n");
sleep 2.5;
is(used(), 'four', 'two lines: the old one stays in use');
write_file($at, "\n $last\r\n\n");
cmp_ok(wait_for('last'), '<', 4, 'written in place: in use');

unlink "$volume/token" or die "unlink: $!\n";
sleep 2.5;
is(used(), 'last', 'no file: the old one stays in use');

# a reload, and a new file in the middle of it

symlink '..data/token', "$volume/token" or die "symlink: $!\n";
swap(with_id('reloaded'));
$caller->signal('HUP');
cmp_ok(wait_for('reloaded'), '<', 4, 'across a reload');

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
          'all tokens were used, and no others');
is(scalar(() = $service->log('access') =~ /^(?!200 ok )\d{3} /mg), 0,
   'no request was refused');
like($caller->log, qr/\[error\].*\Q$volume\E\/token.*file is empty/,
     'the problem with the file is logged');
is(scalar(() = $caller->log =~ /file is empty/g), 2,
   '... once by each of two workers');


K8sSa::Nginx->finish;
