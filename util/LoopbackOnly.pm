# SPDX-License-Identifier: BSD-2-Clause

package LoopbackOnly;

# Test::Nginx's server listens on all addresses of the machine, and there is no
# setting to change that.  util/test.sh loads this into the tests; their
# $TEST_NGINX_SERVER_PORT is still the port alone.

use strict;
use warnings;

INIT {
    if ($INC{'Test/Nginx/Util.pm'}) {
        no warnings 'once';

        my $port = $Test::Nginx::Util::ServerPort;

        if ($port =~ /^\d+$/) {
            $Test::Nginx::Util::ServerPort = "127.0.0.1:$port";
            $Test::Nginx::Util::ServerPortForClient = $port;
            $ENV{TEST_NGINX_SERVER_PORT} ||= $port;
            $ENV{TEST_NGINX_STREAM_PORT} ||= $port + 1;
        }
    }
}

1;
