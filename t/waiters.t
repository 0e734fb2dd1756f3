# SPDX-License-Identifier: BSD-2-Clause

# One request of a list of waiters ends another one of the same list while
# they are being woken: two includes of a page wait, and the first one's
# verdict closes the page's connection.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


my $api = K8sSa::MockApi->new;
my $mock = K8sSa::MockIssuer->new;
my $port = free_port();

my $nginx = K8sSa::Nginx->new(workers => 2, http => <<"_");
k8s_sa_issuer api { token_review @{[$api->base]}/api/review; timeout 5s; }
k8s_sa_issuer keys { discovery @{[$mock->discovery('keys')]}; timeout 5s;
                     audience service2; }
server {
    listen 127.0.0.1:$port reuseport;
    location = /pid { return 200 \$pid; }
    location /page { ssi on; default_type text/html; }
    location = /api { k8s_sa_auth api; empty_gif; }
    location = /keys { k8s_sa_auth keys; empty_gif; }
    location /who/api { k8s_sa_auth api; k8s_sa_whoami;
                        error_page 401 503 = /drop; }
    location /who/keys { k8s_sa_auth keys; k8s_sa_whoami;
                         error_page 401 503 = /drop; }
    location = /drop { return 444; }
}
_

for my $kind (qw(api keys)) {
    write_file("$nginx->{dir}/html/page-$kind",
               join '', map { qq(<!--#include virtual="/who/$kind/$_" -->) }
                            1 .. 3);
}

$api->set('api', review => { delay => 1, refuse => 'deleted' });
$mock->set('keys', doc => { delay => 1, status => 500 });

$nginx->start;


# Returns a connection to each worker.

sub connections {
    my %of;

    until_true(10, sub {
        my $c = talk($port);
        ask($c, '/pid');
        $of{receive($c)->{body}} ||= $c;
        return keys %of == 2;
    }) or BAIL_OUT('one worker gets all connections');

    return map { $of{$_} } sort { $a <=> $b } keys %of;
}

sub ask {
    my ($c, $path, $token) = @_;
    print {$c->{socket}} with_token($path, $token, 1);
}

connections();                     # both workers have started
my @workers = sort { $a <=> $b } $nginx->workers;


# Verdicts of another worker, which asks; the last waiter of the list is that
# of a request, or of the page

for my $last (qw(request page)) {
    my $token = opaque_token();
    my ($asks, $waits) = connections();
    my ($before, $after) = map { (connections())[1] } 1 .. 2;

    ask($asks, '/api', $token);
    sleep 0.3;
    ask($before, '/api', $token);
    sleep 0.1;
    ask($waits, '/page-api', $token);
    sleep 0.1;
    ask($after, '/api', $token) if $last eq 'request';

    is(receive($asks)->{status}, 401, 'the worker that asks the API server');
    is(receive($before)->{status}, 401, '... the other one: a request');
    is(receive($waits)->{status}, 0, '... a page whose connection is closed');
    is(receive($after)->{status}, 401, '... a request after the page')
        if $last eq 'request';
    is_deeply([ sort { $a <=> $b } $nginx->workers ], \@workers,
              'no worker has crashed');
}

is(scalar $api->reviews('api'), 2, 'each token was reviewed once');


# Keys, whichever worker fetches them

for my $round (1 .. 2) {
    $mock->wait_requests('keys', 'doc', $round, 10);

    my $token = issuer_token($mock->url('keys'));
    my @lists = map { [ connections() ] } 1 .. 3;

    for my $i (0, 1) {
        ask($lists[0][$i], '/keys', $token);
        ask($lists[1][$i], '/page-keys', $token);
        ask($lists[2][$i], '/keys', $token);
    }

    for my $i (0, 1) {
        is(receive($lists[0][$i])->{status}, 503, 'keys: a request');
        is(receive($lists[1][$i])->{status}, 0,
           '... a page whose connection is closed');
        is(receive($lists[2][$i])->{status}, 503, '... a request after it');
    }

    is_deeply([ sort { $a <=> $b } $nginx->workers ], \@workers,
              'no worker has crashed');
}

K8sSa::Nginx::finish();
