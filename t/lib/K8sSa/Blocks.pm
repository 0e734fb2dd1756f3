# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Blocks;

# The common part of the suites in Test::Nginx's format.  Each block has these
# issuers, and "http://up", which answers with the request that it received:
#
#     cluster   the keys of the recorded 1.36.2 cluster
#     old       the keys of the recorded 1.20.2 cluster
#     made      for tokens from sign_token()
#
# Must be loaded before Test::Nginx::Socket.  Blocks without a request send
# "GET /t".  No log may contain a token.

use strict;
use warnings;

use Exporter qw(import);

use K8sSa;                 # sets what Test::Nginx reads when it is loaded
use K8sSa::Upstream;
use Test::More;
use Test::Nginx::Socket;

our @EXPORT = @K8sSa::EXPORT;

my $common = <<"_";
k8s_sa_issuer cluster {
    public_key @{[ fixture('1.36.2/sa.pub') ]};
    public_key @{[ fixture('1.36.2/keys/sa-ec.pub') ]};
    issuer     https://kubernetes.default.svc;
    audience   service2;
}
k8s_sa_issuer old {
    public_key @{[ fixture('1.20.2/sa.pub') ]};
    issuer     https://kubernetes.default.svc;
    audience   service2;
}
k8s_sa_issuer made {
    public_key @{[ key_file('ec') ]};
    issuer     https://kubernetes.default.svc;
    audience   service2;
}
upstream up {
    server 127.0.0.1:@{[ echo_http() ]};
}
_

no_shuffle();

add_block_preprocessor(sub {
    my ($block) = @_;
    my $own = $block->http_config;

    $block->set_value(http_config => $common . (defined $own ? $own : ''));
    $block->set_value(request => 'GET /t')
        unless defined $block->request || defined $block->raw_request
               || defined $block->pipelined_requests;

    my $none = $block->no_error_log;
    my @none = !defined $none ? () : ref $none ? @$none : split /\n/, $none;

    $block->set_value(no_error_log => [ @none, '[alert]', '[emerg]', '[crit]' ]);
});

add_response_body_check(sub {
    my ($block) = @_;
    my $log = slurp("$ENV{TEST_NGINX_SERVROOT}/logs/error.log");
    my @leaks = leaks($log);

    is(scalar @leaks, 0, $block->name . ' - no log contains a token')
        or diag(@leaks);
});


1;
