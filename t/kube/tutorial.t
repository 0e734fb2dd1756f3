# docs/tutorial.md, step by step, against a real API server and with its
# tokens: each step's outcome.  There is no kubelet; what it would run runs
# here, with the configuration that kubectl applied and the tokens that the API
# server gave.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Nginx;


my $root = "$FindBin::Bin/../..";
my $manifests = "$root/conf-examples/kubernetes";
my $client = $ENV{K8S_SA_CLIENT} || "$root/build/k8s-sa-client";
my $default = 'system:serviceaccount:mytest:default';
my $service1 = 'system:serviceaccount:mytest:service1';


# Output of a shell's command line; it has to succeed

sub sh {
    my ($command) = @_;
    my $out = qx{exec 2>&1; $command};
    BAIL_OUT("$command: $out") if $?;
    return $out;
}

sub kube { return sh("$root/util/kube.sh $_[0]") }
sub kubectl { return kube("kubectl $_[0]") }

sub cluster {
    my $dir = $ENV{KUBE_DIR} || ($ENV{TMPDIR} || '/tmp') . "/k8s-sa-kube.$>";
    return map { /^(\w+)=(.*)$/ } split /\n/, slurp("$dir/env");
}

sub until_true {
    my ($limit, $code) = @_;
    my $until = time() + $limit;

    while (time() < $until) {
        my $result = $code->();
        return $result if $result;
        sleep 0.2;
    }

    return;
}

END {
    my $status = $?;
    system "$root/util/kube.sh down >/dev/null 2>&1";
    $? = $status;
}

kube('up');

my %kube = cluster();
my $port = free_port();

$ENV{KUBERNETES_SERVICE_HOST} = '127.0.0.1';
$ENV{KUBERNETES_SERVICE_PORT} = $kube{KUBE_PORT};

ok(kubectl("apply -f $manifests/namespace.yaml"), 'namespace mytest');

# the whole of what a user may apply, as the API server sees it
like(kubectl("apply --dry-run=server -f $manifests -f $manifests/tutorial"),
     qr/deployment\.apps\/service2 created/, 'all manifests are accepted');

kubectl("apply -f $manifests/service-accounts.yaml");


# Tokens as they are in a pod: a file, by its path

sub legacy_token {
    my $token = until_true(20, sub {
        my $encoded = kubectl('-n mytest get secret default-token'
                              . " -o jsonpath='{.data.token}'");
        return $encoded && sh("echo $encoded | base64 -d");
    }) or BAIL_OUT('no token in the secret');

    return write_file('default', remember($token));
}

sub issued {
    my ($account, @audiences) = @_;
    my $token = kube("token mytest $account @audiences");
    $token =~ s/\s+\z//;
    return remember($token);
}


# Service 2 and its sidecar, from the ConfigMaps in the cluster

sub config_map {
    my ($name) = @_;
    return decode_json(kubectl("-n mytest get configmap $name -o json"))
           ->{data};
}

sub container {
    my ($file, %data) = @_;
    my $nginx = K8sSa::Nginx->new(http => '');
    my $dir = $nginx->{dir};
    my $own = 'token_file ' . dir() . '/service2.own; '
              . "ssl_trusted_certificate $kube{KUBE_CA};";

    for my $name (keys %data) {
        my $text = $data{$name};
        $text =~ s{/tmp/service2\.pid}{/tmp/nginx.pid};
        $text =~ s{/(?:tmp|etc/nginx)/}{$dir/}g;
        $text =~ s{/usr/lib/nginx/modules/[\w.]+}{$ENV{K8S_SA_MODULE}};
        $text =~ s{error_log +stderr}{error_log $dir/logs/error.log};
        $text =~ s{/dev/stdout}{$dir/logs/access.log};
        $text =~ s{listen +8080;}{listen 127.0.0.1:$port;};
        $text =~ s{127\.0\.0\.1:9000}{127.0.0.1:$kube{service2}}g;
        $text =~ s{(api_server +in_cluster;)}{$1 $own};
        write_file("$dir/$name", $text);
    }

    my $conf = slurp("$dir/$file");
    write_file("$dir/nginx.conf", "daemon off;\n$conf");
    $nginx->{http} = $conf;

    return $nginx->start;
}

my $sidecar;

sub restart_sidecar {
    $sidecar->stop if $sidecar;
    write_file('service2.own', issued('service2'));
    $sidecar = container('nginx.conf', %{config_map('service2-nginx')},
                         %{config_map('service2-issuer')});
}


# Service 1: what it logs about one call

sub call {
    my ($token_file, $url) = @_;
    my $out = qx{$client --count 1 --timeout 5s --token-file $token_file \\
                 ${\ ($url || "http://127.0.0.1:$port/")} 2>&1};
    return $out;
}

sub is_200 {
    my ($token_file, $user, $name) = @_;
    like(call($token_file), qr/^[\d\/]{10}\ [\d:]{8}\ target=\S+,\ status=200,
                               \ response:\ 'hello\ \Q$user\E'$/mx, $name);
}

sub is_status {
    my ($token_file, $status, $name) = @_;
    like(call($token_file), qr/, status=$status,/, $name);
}


# 2. A token by hand

kubectl("apply -f $manifests/tutorial/legacy-token.yaml");
my $old = legacy_token();
my $inspected = sh("$client inspect $old");

like($inspected, qr/"iss": *"kubernetes\/serviceaccount"/,
     'step 2: the issuer of a legacy token');
like($inspected, qr/"sub": *"\Q$default\E"/, 'step 2: the subject');
like($inspected, qr/serviceaccount\/secret.name": *"default-token"/,
     'step 2: the secret');
unlike($inspected, qr/"(?:exp|aud)":/, 'step 2: no end, no audience');


# 3. Service 1 before Service 2

like(call($old, 'http://service2.mytest.invalid/'),
     qr/target=\S+, error: .*resolve/i, 'step 3: the name does not resolve');


# 4. TokenReview by hand

sub review {
    my ($token) = @_;
    $token =~ s/\s+\z//;
    return decode_json(kube('api POST /apis/authentication.k8s.io/v1/'
        . "tokenreviews '" . encode_json({
            apiVersion => 'authentication.k8s.io/v1', kind => 'TokenReview',
            spec => { token => $token } }) . "'"))->{status};
}

my $status = review(slurp($old));
ok($status->{authenticated}, 'step 4: authenticated');
is($status->{user}{username}, $default, 'step 4: user name');
like($status->{user}{uid}, qr/^[0-9a-f-]{36}$/, 'step 4: uid');
is_deeply($status->{user}{groups},
    [ 'system:serviceaccounts', 'system:serviceaccounts:mytest',
      'system:authenticated' ], 'step 4: groups');

write_file('invalidated', slurp($old));
kubectl('-n mytest delete serviceaccount default');

# the API server remembers its own verdicts for ten seconds
$status = until_true(20, sub {
    my $status = review(slurp($old));
    return !$status->{authenticated} && $status;
});
like($status->{error}, qr/invalid bearer token.*invalidated/,
     'step 4: the token is invalidated with its account');


# 5. Service 2 in TokenReview mode

$kube{service2} = free_port();

kubectl("apply -f $manifests/service2-config.yaml"
        . " -f $manifests/tutorial/issuer-tokenreview.yaml"
        . " -f $manifests/service2.yaml");

container('service2.conf', %{config_map('service2-nginx')});
restart_sidecar();

is_status($old, 503, 'step 5: the sidecar may not ask yet');

kubectl("apply -f $manifests/tutorial/auth-delegator.yaml");

until_true(20, sub { call($old) =~ /status=401/ });
is_status($old, 401, 'step 5: the invalidated token');

until_true(20, sub {
    qx{$root/util/kube.sh kubectl -n mytest get sa default 2>&1};
    return $? == 0;
});
kubectl("apply -f $manifests/tutorial/legacy-token.yaml");
my $new = legacy_token();
is_200($new, $default, 'step 5: after a restart, with the new token');


# 6. A static key

my $verified = sh("$client verify --legacy --pub-key $kube{KUBE_SA_PUB} $new");
like($verified, qr/^valid: \Q$default\E$/m, 'step 6: verified offline');

sub static_key {
    my ($conf) = @_;
    sh("$root/util/kube.sh kubectl -n mytest create configmap service2-issuer"
       . " --from-file=issuer.conf=$manifests/tutorial/$conf"
       . " --from-file=sa.pub=$kube{KUBE_SA_PUB} --dry-run=client -o yaml"
       . " >" . dir() . '/issuer.yaml');
    kubectl('apply -f ' . dir() . '/issuer.yaml');
    restart_sidecar();
}

static_key('static-key.conf');
is_200($new, $default, 'step 6: the same token by the static key');


# 7. Disadvantages

is_200(dir() . '/invalidated', $default,
       'step 7: a static key does not know that the account is gone');


# 8. A projected token

kubectl("apply -f $manifests/service1.yaml");

my $template = decode_json(kubectl('-n mytest get deployment service1 -o json'))
               ->{spec}{template};
my $source = $template->{spec}{volumes}[0]{projected}{sources}[0]
             ->{serviceAccountToken};

is($source->{audience}, 'service2', 'step 8: the volume has an audience');
is($source->{expirationSeconds}, 600, 'step 8: and a life time');

write_file('pod.json', encode_json({
    apiVersion => 'v1', kind => 'Pod', spec => $template->{spec},
    metadata => { name => 'service1-1', namespace => 'mytest' } }));
kubectl('apply -f ' . dir() . '/pod.json');

{
    local $ENV{KUBE_POD} = 'service1-1';
    local $ENV{KUBE_SECONDS} = $source->{expirationSeconds};
    write_file($source->{path}, issued('service1', $source->{audience}));
}

my $projected = dir() . "/$source->{path}";
$inspected = sh("$client inspect $projected");
like($inspected, qr/"pod": *\{[^}]*"name": *"service1-1"/,
     'step 8: bound to the pod');
like($inspected, qr/"exp":/, 'step 8: it expires');

static_key('static-key-audience.conf');
is_status($new, 401, 'step 8: the default token has no audience');
is_200($projected, $service1, 'step 8: the projected one');


# 9. Discovery

kubectl("apply -f $manifests/service2-issuer.yaml -f $manifests/rbac.yaml");

my $own = issued('service2');
my $get = "curl -sSf --noproxy '*' --max-time 10 --cacert $kube{KUBE_CA}"
          . " -H 'Authorization: Bearer $own' $kube{KUBE_URL}";
my $document = decode_json(sh("$get/.well-known/openid-configuration"));

is($document->{issuer}, $kube{KUBE_ISSUER},
   'step 9: the document, with the sidecar\'s own token');
like(sh("$get/openid/v1/jwks"), qr/"keys":/, 'step 9: the keys');

restart_sidecar();
is_200($projected, $service1, 'step 9: the projected token');
is_status($new, 401, 'step 9: the default token');

# the keys are at hand, whatever becomes of the API server
kube('stop-apiserver');
is_200($projected, $service1, 'step 9: without the API server');


K8sSa::Nginx::finish();
