# SPDX-License-Identifier: BSD-2-Clause

# Runs docs/tutorial.md step by step against a real API server and with its
# tokens, and checks each step's outcome.  There is no kubelet; what it would
# run runs here, with the configuration that kubectl applied and the tokens
# that the API server issued.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa qw(:DEFAULT until_true);
use K8sSa::Kube;
use K8sSa::Nginx;


my $root = fixture('..') . '/..';
my $examples = "$root/conf-examples";
my $manifests = "$examples/kubernetes";
my $client = $ENV{K8S_SA_CLIENT} || "$root/build/k8s-sa-client";
my $default = 'system:serviceaccount:mytest:default';
my $service1 = 'system:serviceaccount:mytest:service1';
my $tutorial = slurp("$root/docs/tutorial.md");


# Returns the output of a shell command, which must succeed.

sub sh {
    my ($command) = @_;
    my $out = qx{exec 2>&1; $command};
    BAIL_OUT("$command: $out") if $?;
    return $out;
}

sub kubectl {
    my ($command) = @_;
    return kube('kubectl', split ' ', $command);
}

# Runs a command of the tutorial.

sub step {
    my ($command) = @_;

    like($tutorial, qr/^ {4}kubectl \Q$command\E$/m,
         "in the tutorial: kubectl $command");
    $command =~ s{-f (\S)}{-f $manifests/$1}g;

    return kubectl($command);
}

my %kube = %{kube_up()};
my $port = free_port();

$ENV{KUBERNETES_SERVICE_HOST} = '127.0.0.1';
$ENV{KUBERNETES_SERVICE_PORT} = $kube{KUBE_PORT};


# 1. The scenario

step('apply -f namespace.yaml -f service-accounts.yaml');

# everything that a user may apply, as the API server sees it
like(kubectl("apply --dry-run=server -f $manifests -f $manifests/tutorial"),
     qr/deployment\.apps\/service2 created/, 'all manifests are accepted');
like(kubectl("apply -f $examples/external-auth-ingress.yaml"),
     qr/ingress\.networking\.k8s\.io\/service2 created/,
     'external-auth-ingress.yaml is accepted');


# Tokens as they are in a pod: a file name

sub legacy_token {
    my $encoded = until_true(20, sub {
        return kubectl('-n mytest get secret default-token'
                       . ' -o jsonpath={.data.token}');
    }) or BAIL_OUT('no token in the secret');

    return write_file('default.jwt', remember(decode_base64($encoded)));
}

sub issued {
    my ($account, @audiences) = @_;
    return kube_token('mytest', $account, @audiences);
}

# Returns the pod that a Deployment asks for, as the API server admits it.

sub pod {
    my ($name, $deployment) = @_;
    my $template = decode_json(kubectl(
        "-n mytest get deployment $deployment -o json"))->{spec}{template};

    my $file = write_file("$name.json", encode_json({
        apiVersion => 'v1', kind => 'Pod', spec => $template->{spec},
        metadata => { name => $name, namespace => 'mytest' } }));

    return decode_json(kubectl("apply -f $file -o json"))->{spec};
}


# Service 2 and its sidecar, configured by the ConfigMaps in the cluster

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


# Returns Service 1's log of one call.

sub call {
    my ($token_file) = @_;
    return scalar qx{$client --count 1 --timeout 5s --token-file $token_file \\
                     http://127.0.0.1:$port/ 2>&1};
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

step('apply -f tutorial/legacy-token.yaml');
my $old = legacy_token();
my $inspected = sh("$client inspect $old");

like($inspected, qr/"iss": *"kubernetes\/serviceaccount"/,
     'step 2: the issuer of a legacy token');
like($inspected, qr/"sub": *"\Q$default\E"/, 'step 2: the subject');
like($inspected, qr/serviceaccount\/namespace": *"mytest"/,
     'step 2: the namespace');
like($inspected, qr/serviceaccount\/secret.name": *"default-token"/,
     'step 2: the secret');
like($inspected, qr/serviceaccount\/service-account.name": *"default"/,
     'step 2: the account');
like($inspected, qr/serviceaccount\/service-account.uid": *"[0-9a-f-]{36}"/,
     'step 2: its uid');
unlike($inspected, qr/"(?:exp|aud)":/, 'step 2: no expiry time, no audience');


# 3. Service 1 before Service 2

step('apply -f tutorial/service1-default-token.yaml');

my ($container) = @{until_true(20, sub {
    return eval { pod('service1-0', 'service1')->{containers} };
}) || BAIL_OUT('no pod of Service 1')};

is_deeply($container->{args}, [ 'http://service2/' ],
          'step 3: Service 1 calls Service 2');

# where the client looks for a token
my $mounted = $container->{volumeMounts}[0]{mountPath};

is($mounted, '/var/run/secrets/kubernetes.io/serviceaccount',
   'step 2: the admission controller mounts a token');
like(sh("$client --help"), qr/--token-file FILE.*\s\Q$mounted\E\/token$/ms,
     'step 3: Service 1 uses it');

my $url = 'http://service2.mytest.invalid/';
my $out = qx{$client --count 2 --token-file $old $url 2>&1};

like($out, qr/^[\d\/]{10} [\d:]{8} start client: \Q$url\E$/m,
     'step 3: Service 1 starts');

my @at = $out =~ /^\S+\ ((?:\d\d:?){3})\ target=\Q$url\E,
               \ error:\ could\ not\ resolve\ host/mgx;
is(scalar @at, 2, 'step 3: the name does not resolve') or diag($out);

my ($first, $second) = map { my ($h, $m, $s) = split /:/;
                             ($h * 60 + $m) * 60 + $s } @at;
cmp_ok(abs(($second - $first) % 86400 - 5), '<=', 1,
       'step 3: every five seconds');


# 4. TokenReview by hand

sub review {
    my ($token) = @_;
    my $file = write_file('review.json', encode_json({
        apiVersion => 'authentication.k8s.io/v1', kind => 'TokenReview',
        spec => { token => $token } }));

    return decode_json(kubectl("create -o json -f $file"))->{status};
}

# the API server caches its own verdicts for ten seconds

sub refused {
    my ($token) = @_;

    return until_true(30, sub {
        my $status = review($token);
        return !$status->{authenticated} && $status;
    });
}

my $status = review(slurp($old));
ok($status->{authenticated}, 'step 4: authenticated');
is($status->{user}{username}, $default, 'step 4: user name');
like($status->{user}{uid}, qr/^[0-9a-f-]{36}$/, 'step 4: uid');
is_deeply($status->{user}{groups},
    [ 'system:serviceaccounts', 'system:serviceaccounts:mytest',
      'system:authenticated' ], 'step 4: groups');

write_file('invalidated', slurp($old));
step('-n mytest delete serviceaccount default');

$status = refused(slurp($old));
is($status->{error}, '[invalid bearer token, Token has been invalidated]',
   'step 4: the token is invalidated with its account');


# 5. Service 2 in TokenReview mode

$kube{service2} = free_port();

step('apply -f service2-config.yaml -f tutorial/issuer-tokenreview.yaml'
     . ' -f service2.yaml');

container('service2.conf', %{config_map('service2-nginx')});
restart_sidecar();

is_status($old, 503, 'step 5: the sidecar is not allowed to ask yet');
like($sidecar->log, qr/token review of issuer "cluster" failed: .* 403/,
     'step 5: its log has the reason');

step('apply -f tutorial/auth-delegator.yaml');

until_true(20, sub { call($old) =~ /status=401/ });
is_status($old, 401, 'step 5: the invalidated token');

until_true(20, sub {
    return eval { kubectl('-n mytest get serviceaccount default') };
});
step('apply -f tutorial/legacy-token.yaml');
my $new = legacy_token();
is_200($new, $default, 'step 5: after a restart, with the new token');


# 6. A static key

my ($ps) = $tutorial =~ /^    (ps -C kube-apiserver .*)$/m;
my ($sa_pub) = sh($ps) =~ /^--service-account-key-file=(\Q$kube{KUBE_DIR}\E.*)$/m;
ok($sa_pub, 'step 6: the API server names the file');

my $verified = sh("$client verify --legacy --pub-key $sa_pub $new");
like($verified, qr/^valid: \Q$default\E$/m, 'step 6: verified offline');

# Makes the ConfigMap with FILE as the issuer, and the key.

sub issuer {
    my ($file) = @_;
    my $map = kubectl('-n mytest create configmap service2-issuer'
        . " --from-file=issuer.conf=$file --from-file=sa.pub=$sa_pub"
        . ' --dry-run=client -o yaml');

    kubectl('apply -f ' . write_file('issuer.yaml', $map));
    restart_sidecar();
}

issuer("$manifests/tutorial/static-key.conf");
is_200($new, $default, 'step 6: the same token with the static key');
is(sh("curl -sS --noproxy '*' --max-time 10 -w ' %{http_code}'"
      . " -H \"Authorization: Bearer \$(cat $new)\" http://127.0.0.1:$port/"),
   "hello $default 200", 'step 6: with curl');


# 7.  Drawbacks

is_200(dir() . '/invalidated', $default,
       'step 7: with a static key, the token of a deleted account passes');

kubectl("apply -f $manifests/tutorial/issuer-tokenreview.yaml");
restart_sidecar();
is_200($new, $default, 'step 7: TokenReview');
write_file('another', issued('service1'));
kube('stop-apiserver');
is_status(dir() . '/another', 503, 'step 7: TokenReview needs the API server');
kube('start-apiserver');


# 8. A projected token

step('apply -f service1.yaml');

my $spec = pod('service1-1', 'service1');
my $source = $spec->{volumes}[0]{projected}{sources}[0]{serviceAccountToken};

is($source->{audience}, 'service2', 'step 8: the volume has an audience');
is($source->{expirationSeconds}, 600, 'step 8: and a lifetime');
is_deeply($spec->{containers}[0]{args},
          [ '--token-file',
            "$spec->{containers}[0]{volumeMounts}[0]{mountPath}/$source->{path}",
            'http://service2/' ], 'step 8: Service 1 reads that file');

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

issuer("$manifests/tutorial/static-key-audience.conf");
is_status($new, 401, 'step 8: the default token has no audience');
like($sidecar->log('access'), qr/ 401 legacy_token /,
     'step 8: the log has the reason');
is_200($projected, $service1, 'step 8: the projected one');


# Privileges of all containers: none

for my $deployment (@{decode_json(kubectl('get deployments -A -o json'))
                      ->{items}})
{
    my $name = $deployment->{metadata}{name};
    my $spec = $deployment->{spec}{template}{spec};

    ok($spec->{securityContext}{runAsNonRoot}, "$name: does not run as root");

    for my $container (@{$spec->{containers}}) {
        my $context = $container->{securityContext};

        $name = "$deployment->{metadata}{name}, $container->{name}";
        ok($context->{readOnlyRootFilesystem}, "$name: read-only");
        is_deeply($context->{capabilities}, { drop => [ 'ALL' ] },
                  "$name: no capabilities");
        ok(!$context->{allowPrivilegeEscalation},
           "$name: no privilege escalation");
        ok($container->{resources}{limits}{memory}, "$name: memory limit");
    }
}


# 9. Discovery

step('apply -f service2-issuer.yaml -f rbac.yaml');

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

# no API is asked, so what the API server knows about the token is unknown here

kubectl('-n mytest delete pod service1-1 --grace-period=0 --force');
ok(refused(slurp($projected)),
   'step 9: the API server knows that the pod is gone');
is_200($projected, $service1, 'step 9: discovery does not');

# "both checks together", as in the example

my ($both) = slurp("$examples/tokenreview-and-keys.conf")
             =~ /^ {4}(k8s_sa_issuer .*?^ {4}\})$/ms;
issuer(write_file('both.conf', "$both\n"));
write_file('another', issued('service1', 'service2'));
is_status($projected, 401, 'step 9: both together do');
is_200(dir() . '/another', $service1, 'step 9: another token passes both');

# the keys stay in use, whatever happens to the API server

step('apply -f service2-issuer.yaml -f rbac.yaml');
restart_sidecar();
is_200($projected, $service1, 'step 9: discovery again');
kube('stop-apiserver');
is_200($projected, $service1, 'step 9: without the API server');
kube('start-apiserver');


# The end

kubectl('delete namespace mytest');
kubectl('delete clusterrolebinding mytest-service2-auth-delegator'
        . ' mytest-service2-issuer-discovery');
unlike(kubectl('get clusterrolebindings,namespaces'), qr/mytest/,
       'nothing is left');


K8sSa::Nginx::finish();
