# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Conf;

# Checks configurations with "nginx -t".

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


# nginx -t binds ports: each "server {" at the beginning of a line gets a free
# one.

sub said {
    my ($http) = @_;
    $http =~ s/^server \{/server { listen 127.0.0.1:$port;/mg;
    $nginx->configure($http);
    return $nginx->test;
}


# The error must name the line with "# HERE".

sub refused {
    my ($name, $http, $reason) = @_;
    my ($status, $out) = said($http);

    my ($before) = slurp($conf) =~ /^(.*?)# HERE/s;
    my $line = 1 + ($before =~ tr/\n//);

    is($status, 1, "$name: refused");
    like($out, qr/\[emerg\] .*$reason.* in \Q$conf\E:$line$/m,
         "$name: reason and line");
}


sub accepted {
    my ($name, $http, $warning) = @_;
    my ($status, $out) = said($http);

    is($status, 0, "$name: accepted") or diag($out);

    if ($warning) {
        like($out, qr/\[warn\] .*$warning/, "$name: warned");

    } else {
        unlike($out, qr/k8s_sa|\[warn\]/, "$name: no warnings");
    }
}


1;
