# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Example;

# Runs the configurations in conf-examples/ as they are; only addresses, keys
# and tokens are replaced.

use strict;
use warnings;

use Exporter qw(import);

use K8sSa;
use K8sSa::Nginx;

our @EXPORT = qw(account example example_file examples put spoofs);

my $root = fixture('..') . '/../conf-examples';

my $before = <<'_';
daemon off;
pid nginx.pid;
error_log logs/error.log info;
http {
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
_


sub example_file { return "$root/$_[0]" }

sub examples { return glob "$root/$_[0]" }


# example(FILE or TEXT, PORT of the service at 9000) returns an nginx that is
# not started yet.  Its ports are replaced by free ones: the one for 8080 is
# $nginx->{port}{8080}.

sub example {
    my ($text, $up) = @_;
    my %port = (9000 => $up);
    my $nginx = K8sSa::Nginx->new(http => '');
    my $pub = key_file('ec');
    my $token_file = write_file('service2', sign_token() . "\n");

    $text = slurp(example_file($text)) if $text !~ /\n/;

    $text =~ s{\S*modules/ngx_http_k8s_sa_module\.so}{$ENV{K8S_SA_MODULE}};
    $text =~ s{\b(listen\s+)(?:127\.0\.0\.1:)?(\d+)}
              {$1 . '127.0.0.1:' . ($port{$2} ||= free_port())}ge;
    $text =~ s{\b127\.0\.0\.1:(\d+)(?!\d)}
              {'127.0.0.1:' . ($port{$1} || $1)}ge;
    $text =~ s{/etc/nginx/[\w-]+\.pub}{$pub}g;
    $text =~ s{/var/run/secrets/tokens/\w+}{$token_file}g;

    $text =~ s{\b(root\s+)/}{$1$nginx->{dir}/}g;
    $text =~ s{\b(proxy_cache_path\s+)\S+}{$1$nginx->{dir}/cache}g;

    # directives for containers

    $text =~ s/^\s*(?:pid|error_log|\w+_temp_path)\s[^;]*;\n//mg;

    my $log = $text =~ /^ {4}access_log /m ? ''
                                           : 'access_log logs/access.log;';

    $text =~ s/^http \{\n/$before$log\n/m;

    $nginx->{http} = $text;
    $nginx->{port} = \%port;
    write_file("$nginx->{dir}/nginx.conf", $text);

    return $nginx;
}


sub put {
    my ($nginx, $from, $to) = @_;

    $nginx->{http} =~ s/$from/$to/g or die "no $from\n";
    write_file("$nginx->{dir}/nginx.conf", $nginx->{http});
}


# Returns names of headers that a service could mistake for an identity, those
# of other names included.

sub spoofs {
    return map { my $name = $_;
                 map { $name =~ s/-/$_/gr } '-', '_' }
           qw(X-Remote-User X-Remote-Group X-Remote-Uid X-Remote-Extra-Foo), @_;
}


# Returns a header with a token of a service account.

sub account {
    return bearer(account_token(@_));
}


1;
