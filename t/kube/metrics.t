# SPDX-License-Identifier: BSD-2-Clause

# conf-examples/kubernetes/metrics: a sidecar in front of an exporter, and a
# Prometheus that scrapes it, with a real API server and Debian's Prometheus.
# What the kubelet would do is done here: it mounts files and renews a token
# during the scrape.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Crypt::JWT qw(encode_jwt);
use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Kube;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Server;


my ($prometheus) = grep { -x } map { "$_/prometheus" } split /:/, $ENV{PATH};

plan(skip_all => 'no prometheus (Debian: prometheus)') unless $prometheus;

my %kube = %{kube_up()};
my $manifests = fixture('..') . '/../conf-examples/kubernetes/metrics';
my $user = 'system:serviceaccount:monitoring:prometheus';
my ($https, $health, $web) = map { free_port() } 1 .. 3;

$ENV{KUBERNETES_SERVICE_HOST} = '127.0.0.1';
$ENV{KUBERNETES_SERVICE_PORT} = $kube{KUBE_PORT};

sub kubectl { return kube('kubectl', split ' ', $_[0]) }

sub object { return decode_json(kubectl("$_[0] -o json")) }


# The API server accepts the manifests, whose pods have no privileges

like(kubectl("apply -f $manifests/rbac.yaml -f $manifests"),
     qr/deployment\.apps\/prometheus created/, 'the manifests are accepted');

my %spec;

for my $name (qw(node-exporter prometheus)) {
    my $ns = $name eq 'prometheus' ? 'monitoring' : $name;
    my $spec = object("-n $ns get deployment $name")->{spec}{template}{spec};

    $spec{$name} = $spec;
    ok($spec->{securityContext}{runAsNonRoot}, "$name: does not run as root");

    for my $container (@{$spec->{containers}}) {
        my $context = $container->{securityContext};

        ok($context->{readOnlyRootFilesystem}
           && !$context->{allowPrivilegeEscalation}
           && $context->{capabilities}{drop}[0] eq 'ALL'
           && $container->{resources}{limits}{memory},
           "$name, $container->{name}: no privileges, a memory limit");
    }
}

my ($volume) = map { $_->{projected} || () } @{$spec{prometheus}{volumes}};
my $source = $volume->{sources}[0]{serviceAccountToken};
is($source->{audience}, 'metrics', 'Prometheus has a token for metrics');


# The exporter, and the sidecar with the configuration of its ConfigMap

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                   ReuseAddr => 1) or die "listen: $!\n";
my $exporter = $listen->sockport;

my $exporter_pid = serve($listen, sub {
    my ($c) = @_;
    my $head = '';

    while ($head !~ /\r\n\r\n/) {
        sysread $c, $head, 65536, length $head or return;
    }

    my ($scraper) = $head =~ /^X-Remote-User: (\S+)\r$/m;
    my $text = "# TYPE scraped gauge\nscraped{by=\"$scraper\"} 1\n";

    print $c "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n",
             'Content-Length: ', length $text, "\r\n\r\n$text";
});

my $ca = authority('metrics-ca');
my $tls = certificate('metrics-ca', 'tls',
                      'DNS:node-exporter.node-exporter.svc');
my $own = write_file('own', kube_token('node-exporter', 'node-exporter'));

my $sidecar = K8sSa::Nginx->new(http => '');

{
    my $dir = $sidecar->{dir};
    my $text = object('-n node-exporter get configmap node-exporter-nginx')
               ->{data}{'nginx.conf'};
    my $key = $tls =~ s/crt$/key/r;

    $text =~ s{/tmp/}{$dir/}g;
    $text =~ s{/tls/tls\.crt}{$tls};
    $text =~ s{/tls/tls\.key}{$key};
    $text =~ s{/usr/lib/nginx/modules/[\w.]+}{$ENV{K8S_SA_MODULE}};
    $text =~ s{error_log +stderr}{error_log $dir/logs/error.log};
    $text =~ s{/dev/stdout}{$dir/logs/access.log};
    $text =~ s{listen +8081;}{listen 127.0.0.1:$health;};
    $text =~ s{listen +8443 ssl;}{listen 127.0.0.1:$https ssl;};
    $text =~ s{127\.0\.0\.1:9100}{127.0.0.1:$exporter}g;
    $text =~ s{(api_server +in_cluster;)}
              {$1 ssl_trusted_certificate $kube{KUBE_CA}; token_file $own;};

    write_file("$dir/nginx.conf", "daemon off;\n$text");
    $sidecar->{http} = $text;
    $sidecar->start;
}

is(get($health, '/healthz')->{status}, 200, 'the sidecar is healthy');

# Returns the status of a request of the account, by curl.

sub status {
    my ($path, $token) = @_;
    my $header = write_file('header', "Authorization: Bearer $token");

    return `curl -sS -o /dev/null -w '%{http_code}' --noproxy '*' \\
            --max-time 10 --cacert $ca -H \@$header \\
            --connect-to ::127.0.0.1:$https \\
            https://node-exporter.node-exporter.svc$path`;
}

my $token = kube_token('monitoring', 'prometheus', 'metrics');
kube_account('monitoring', 'other');
my $other = kube_token('monitoring', 'other', 'metrics');

# the keys may not have arrived yet
until_true(20, sub { status('/metrics', $token) eq '200' });

for my $case ([ '/metrics', 200, 403 ], [ '/probe', 200, 403 ],
              [ '/x', 404, 404 ])
{
    my ($path, $status, $status_other) = @$case;

    is(status($path, $token), $status, "$path: Prometheus");
    is(status($path, $other), $status_other, "$path: another account");
}

is(status('/metrics', kube_token('monitoring', 'prometheus')), 401,
   '/metrics: a token for the API server');


# A volume as the kubelet mounts it: FILE is a symbolic link to ..data/FILE, and
# ..data, one to a directory, is replaced.

my $mount = dir() . '/mount';
my $version = 0;

sub mount_token {
    my ($token) = @_;
    my $name = '..' . ++$version;

    mkdir "$mount/$name" or die "$mount/$name: $!\n";
    write_file("$mount/$name/$source->{path}", $token);
    symlink $name, "$mount/..new" or die "symlink: $!\n";
    rename "$mount/..new", "$mount/..data" or die "rename: $!\n";
}

mkdir $mount or die "$mount: $!\n";
symlink "..data/$source->{path}", "$mount/$source->{path}"
    or die "symlink: $!\n";

# The first token ends soon; the API server would not issue it.

my $ends = int(time()) + 15;
my $private = slurp("$ENV{KUBE_DIR}/pki/sa.key");
my $kid = decode_json(decode_base64url((split /\./, $token)[0]))->{kid};

mount_token(remember(encode_jwt(
    alg => 'RS256', key => \$private, extra_headers => { kid => $kid },
    payload => encode_json(claims(
        iss => $kube{KUBE_ISSUER}, aud => [ 'metrics' ], sub => $user,
        exp => $ends, 'kubernetes.io' => { namespace => 'monitoring',
            serviceaccount => { name => 'prometheus', uid => 'u' } })))));


# Prometheus, with the configuration of its ConfigMap

my $pid;

END {
    my $status = $?;
    kill 'TERM', $pid if $pid;
    waitpid $pid, 0 if $pid;
    stop_server($exporter_pid) if $exporter_pid;
    $? = $status;
}

{
    my $dir = dir() . '/prometheus';
    mkdir $dir or die "$dir: $!\n";

    my $text = object('-n monitoring get configmap prometheus')
               ->{data}{'prometheus.yml'};
    $text =~ s{/var/run/secrets/metrics/}{$mount/};
    $text =~ s{/etc/prometheus-ca/ca\.crt}{$ca};
    $text =~ s{(tls_config:\n)( +)}
              {$1$2server_name: node-exporter.node-exporter.svc\n$2};
    $text =~ s{node-exporter\.node-exporter\.svc:443}{127.0.0.1:$https};

    my $conf = write_file("$dir/prometheus.yml",
        "global: { scrape_interval: 1s, scrape_timeout: 1s }\n$text");

    $pid = fork;
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        { exec $prometheus, "--config.file=$conf",
               "--storage.tsdb.path=$dir/data", '--log.level=warn',
               "--web.listen-address=127.0.0.1:$web" }
        POSIX::_exit(127);
    }
}

# Returns the value of an expression, or ''.

sub query {
    my ($expression) = @_;
    my $answer = eval { get($web, "/api/v1/query?query=$expression") }
        or return '';
    my $found = eval { decode_json($answer->{body})->{data}{result}[0] };

    return $found ? $found->{value}[1] : '';
}

sub last_error {
    my $targets = decode_json(get($web, '/api/v1/targets')->{body});
    return $targets->{data}{activeTargets}[0]{lastError};
}

ok(until_true(30, sub { query('up') eq '1' }), 'Prometheus scrapes')
    or diag(slurp(dir() . '/prometheus/log'));
is(query("scraped%7Bby=%22$user%22%7D"), 1,
   'the exporter knows who has scraped it');


# The token is renewed during the scrape

my $from = length $sidecar->log('access');

mount_token($token);
sleep 0.2 while time() < $ends + 3;

my @statuses = substr($sidecar->log('access'), $from)
               =~ /"GET \/metrics HTTP\/1\.1" (\d+) /g;

cmp_ok(scalar @statuses, '>=', 3, 'scrapes after the token was renewed');
is(scalar(grep { $_ != 200 } @statuses), 0,
   'the old token has expired, and no scrape has failed');
is(query('min_over_time(up%5B5s%5D)'), 1, 'Prometheus has missed nothing');


# RBAC decides about the next scrape, too

kubectl('delete clusterrolebinding prometheus-metrics-reader');
ok(until_true(30, sub { query('up') eq '0' }), 'the binding is deleted');
like(last_error(), qr/403/, 'Prometheus is refused');
like($sidecar->log, qr/access_denied\): not allowed by the cluster: cannot get path "\/metrics", issuer: "cluster", subject: "\Q$user\E"/,
     'the log has the question');

kubectl("apply -f $manifests/rbac.yaml");
ok(until_true(30, sub { query('up') eq '1' }), 'the binding is there again');


K8sSa::Nginx->finish;
