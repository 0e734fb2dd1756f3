# SPDX-License-Identifier: BSD-2-Clause

# conf-examples/: in no location of any example does the service get a header
# that a client made up, or the token.  (See external_auth.t for those of other
# proxies.)

use strict;
use warnings;

use Test::More;
use YAML::XS ();

use K8sSa;
use K8sSa::Example;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Upstream;


# Service 1's own sidecar: the one of Service 2 removes the headers, and the
# token is the one that it adds itself.

my %other = ('caller.conf' => 1);

my %text = map { m{([^/]+)$} => slurp($_) } examples('*.conf');

for my $file (examples('*.yaml'), examples('kubernetes/*.yaml')) {
    my ($name) = $file =~ m{([^/]+)$};

    for my $object (YAML::XS::LoadFile($file)) {
        my $data = $object->{data} || {};
        $text{"$name, $_"} = $data->{$_} for grep { $_ eq 'nginx.conf' }
                                             keys %$data;
    }
}

cmp_ok(scalar keys %text, '>', 14, 'examples');

my $api = K8sSa::MockApi->new;
$api->set('apis', access => { allow => 1 });


for my $name (sort grep { !$other{$_} } keys %text) {
    my $got = dir() . '/got';
    unlink $got;

    my $text = $text{$name};
    my $nginx = example($text, echo_http($got));

    # the same issuers, with a key of ours

    put($nginx, 'include\s+/etc/nginx/issuer.conf;',
        "k8s_sa_issuer cluster {\n }\n") if $text =~ /issuer\.conf/;
    my @issuers = $nginx->{http} =~ /^\s*k8s_sa_issuer (\w+) \{/mg;
    my $pub = key_file('ec');
    my $access = $text =~ /^\s*access_review\b/m
                 ? 'access_review ' . $api->base . ';' : '';
    $nginx->{http} =~ s{(k8s_sa_issuer (\w+) \{).*?\n\s*\}}
                       {$1 issuer https://$2; audience any; public_key $pub;
                        $access \}}gs;

    # nginx itself drops such headers unless these are set

    put($nginx, 'http \{', "http {\nunderscores_in_headers on;\n"
                           . 'ignore_invalid_headers off;');
    $nginx->start;

    my @names = $text =~ /\b(?:k8s_sa|proxy)_set_header\s+(X-[\w-]+)/g;
    my @spoofed = map { "$_: spoofed" } spoofs(@names);
    my @tokens = map { my $issuer = $_;
                       map { account(@$_, iss => "https://$issuer") }
                       [ 'mytest', 'admin' ], [ 'monitoring', 'prometheus' ] }
                 @issuers;

    my @paths = map { my $path = $_; map { "$path$_" } '', 'x/y' }
                '/', $text =~ /\blocation\s+(?:=\s+)?(\/\S*)\s/g;
    my %status;

    for my $port (grep { $_ != 9000 } sort keys %{$nginx->{port}}) {
        for my $path (@paths) {
            for my $token ('X-Token: none', @tokens) {
                my $answer = get($nginx->{port}{$port}, $path, $token,
                                 @spoofed);
                $status{$answer->{status}}++;
            }
        }
    }

    $nginx->stop;

    my $requests = -e $got ? slurp($got) : '';
    my $signature = join '|', map { quotemeta +(/\.([^.]+)$/)[0] } @tokens;

    ok($status{200} || $status{204}, "$name: requests pass")
        or diag(explain(\%status));
    ok($requests || $text !~ /127\.0\.0\.1:9000/, "$name: reach the service");
    is(join('', $requests =~ /^.*spoofed.*$/mg), '',
       "$name: but nothing that a client made up");
    unlike($requests, qr/^Authorization:|(?:$signature)/m,
           "$name: and no token");
}


K8sSa::Nginx->finish;
