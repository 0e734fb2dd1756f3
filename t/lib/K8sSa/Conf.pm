# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Conf;

# What "nginx -t" says of a configuration.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

use K8sSa;
use K8sSa::Nginx;

our @EXPORT = qw(accepted refused said);

my $nginx = K8sSa::Nginx->new(http => '');
my $conf = "$nginx->{dir}/nginx.conf";
my $port = free_port();


# nginx -t binds ports: each "server {" at the beginning of a line gets one
# that is free.

sub said {
    my ($http) = @_;
    $http =~ s/^server \{/server { listen 127.0.0.1:$port;/mg;
    $nginx->configure($http);
    return $nginx->test;
}


# The line with "# HERE" is the one that must be named.

sub refused {
    my ($name, $http, $reason) = @_;
    my ($status, $out) = said($http);

    my ($before) = slurp($conf) =~ /^(.*?)# HERE/s;
    my $line = 1 + ($before =~ tr/\n//);

    is($status, 1, "$name: refused");
    like($out, qr/\[emerg\] .*$reason.* in \Q$conf\E:$line$/m,
         "$name: why and where");
}


sub accepted {
    my ($name, $http, $warning) = @_;
    my ($status, $out) = said($http);

    is($status, 0, "$name: accepted") or diag($out);

    if ($warning) {
        like($out, qr/\[warn\] .*$warning/, "$name: warned");

    } else {
        unlike($out, qr/k8s_sa|\[warn\]/, "$name: nothing is said");
    }
}


1;
