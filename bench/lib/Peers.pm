# SPDX-License-Identifier: BSD-2-Clause

package Peers;

# Other solutions in Debian that can verify an RS256 token's signature, its
# expiry time and its audience.

use strict;
use warnings;

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use Bench;

my $modules = '/usr/lib/nginx/modules';
my $files = "$FindBin::Bin/peers";


# peers(KEYS, MAIN, HTTP): returns names and code that starts one as "peer", or
# dies if it is not installed.  MAIN and HTTP are the configuration of the
# module.

sub peers {
    my ($keys, $main, $http) = @_;

    return (
        'auth_request, verdict cached' => sub {

            # this module in another nginx decides; a cached verdict is used
            # even if its token has expired meanwhile

            nginx('verdict', cpus => 1, main => $main, http => $http,
                  locations => 'location = /auth { k8s_sa_auth cluster; '
                               . 'k8s_sa_whoami; }');

            nginx('peer', auth => 'auth_request /auth;',
                  http => "proxy_cache_path $dir/cache keys_zone=auth:16m;",
                  locations => <<"_");
location = /auth {
            internal;
            proxy_pass http://127.0.0.1:@{[ port('verdict') ]};
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_cache auth;
            proxy_cache_key \$http_authorization;
            proxy_cache_valid 200 10m;
        }
_
        },

        'HAProxy jwt_verify' => sub {
            die "no haproxy\n" unless -x '/usr/sbin/haproxy';

            my $bearer = 'http_auth_bearer';
            write_file('haproxy.cfg', <<"_");
global
    nbthread 1
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 5s
frontend f
    bind 127.0.0.1:@{[ port('peer') ]}
    http-request set-var(txn.bearer) $bearer
    http-request set-var(txn.exp) $bearer,jwt_payload_query('\$.exp','int')
    http-request set-var(txn.now) date()
    acl rs256 var(txn.bearer),jwt_header_query('\$.alg') -m str RS256
    acl audience var(txn.bearer),jwt_payload_query('\$.aud[0]') -m str service2
    acl expired var(txn.exp),sub(txn.now) -m int le 0
    acl genuine var(txn.bearer),jwt_verify("RS256","$keys/key.pem") -m int 1
    http-request deny deny_status 401 if !rs256 || !audience || expired || !genuine
    http-request return status 200 content-type text/plain string hello
_
            start('peer', 0, '/usr/sbin/haproxy', '-db', '-f',
                  "$dir/haproxy.cfg");
        },

        'njs, WebCrypto' => sub {
            my $so = "$modules/ngx_http_js_module.so";
            die "no njs\n" unless -e $so;

            nginx('peer', main => "load_module $so; env BENCH_KEY;",
                  http => "js_path $files; js_import check from check.js;",
                  locations => <<'_');
location /local/ { js_content check.check; }
        location = /small { internal; }
_
        },

        'Lua, luaossl' => sub {
            my $so = "$modules/ngx_http_lua_module.so";
            die "no Lua\n" unless -e $so;

            my $ndk = "$modules/ndk_http_module.so";
            nginx('peer',
                  main => "load_module $ndk; load_module $so; env BENCH_KEY;",
                  http => "lua_package_path '$files/?.lua;;'; "
                          . "init_by_lua_block { check = require 'check' }",
                  auth => 'access_by_lua_block { check() }');
        },
    );
}


# Dies unless valid tokens get 200, and forged and expired ones 401.

sub does_its_job {
    my ($path, $keys) = @_;

    for my $file (qw(tokens forged expired)) {
        open my $fh, '<', "$keys/$file" or die "$keys/$file: $!\n";
        chomp(my $token = <$fh>);

        my $status = request(port('peer'), with_token($path, $token))->{status};
        die "$status for a token of $file\n"
            if $status != ($file eq 'tokens' ? 200 : 401);
    }
}

1;
