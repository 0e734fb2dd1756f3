# SPDX-License-Identifier: BSD-2-Clause

# Token reviews by a real API server: tokens that it accepts and refuses,
# deletions, permissions, and its absence.
#
# If the environment has KUBE_DIR and a cluster runs there, it is used;
# otherwise one is started for this suite.  Without the binaries of
# util/kube.sh everything is skipped.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::Nginx;


my $kube = "$FindBin::Bin/../../util/kube.sh";
my $cache = $ENV{K8S_SA_CACHE}
            || ($ENV{XDG_CACHE_HOME} || "$ENV{HOME}/.cache") . '/k8s-sa';
my ($ours, $frozen);

plan(skip_all => 'no kube-apiserver: util/kube.sh build')
    unless -x "$cache/kube/bin/kube-apiserver";

$ENV{KUBE_DIR} ||= dir() . '/kube';

sub kube {
    my ($command, @arg) = @_;
    open my $fh, '-|', $kube, $command, @arg or die "$kube: $!\n";
    local $/;
    my $out = <$fh>;
    close $fh or die "kube.sh $command @arg failed: $out\n";
    return $out;
}

sub api {
    my ($method, $path, $body) = @_;
    return decode_json(kube('api', $method, $path,
                            $body ? encode_json($body) : ()));
}

sub kube_token {
    my ($name, @audiences) = @_;
    my $token = kube('token', 'mytest', $name, @audiences);
    $token =~ s/\s+//g;
    return remember($token);
}

if (!-e "$ENV{KUBE_DIR}/kube-apiserver.pid") {
    diag('starting a cluster');
    $ours = 1;
    kube('up');
}

END {
    my $status = $?;
    kill 'CONT', $frozen if $frozen;
    system($kube, 'down') if $ours;
    $? = $status;
}

my %kube = slurp("$ENV{KUBE_DIR}/env") =~ /^(\w+)=(.*)$/mg;


# Accounts, a pod, tokens.  The names are new in each run.

my $ns = '/api/v1/namespaces/mytest';
my $id = time() % 1000000;
$id =~ s/\..*//;
my ($one, $two, $gone, $reviewer) = map { "$_-$id" } qw(one two gone reviewer);

kube('account', 'mytest', $one, $two, $gone, $reviewer);

sub bind_reviewer {
    api('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
        metadata => { name => $reviewer },
        roleRef => { apiGroup => 'rbac.authorization.k8s.io',
                     kind => 'ClusterRole', name => 'system:auth-delegator' },
        subjects => [ { kind => 'ServiceAccount', name => $reviewer,
                        namespace => 'mytest' } ],
    });
}

# Returns its token and the name of its Secret, which the controller manager
# fills in.

sub legacy {
    my ($account) = @_;

    for (1 .. 100) {
        my $found = api('GET', "$ns/serviceaccounts/$account");
        my ($secret) = map { $_->{name} } @{$found->{secrets} || []};

        if ($secret) {
            my $data = api('GET', "$ns/secrets/$secret")->{data};
            return (remember(decode_base64($data->{token})), $secret)
                if $data->{token};
        }
        sleep 0.1;
    }

    die "no legacy token of $account\n";
}

my ($legacy) = legacy($one);
my ($legacy_gone, $secret) = legacy($two);

api('POST', "$ns/pods", {
    metadata => { name => "pod-$id" },
    spec => { serviceAccountName => $one,
              containers => [ { name => 'c', image => 'none.invalid/x' } ] },
});

my $bound = do {
    local $ENV{KUBE_POD} = "pod-$id";
    kube_token($one, 'service2');
};

my %token = (
    service2 => kube_token($one, 'service2'),
    other => kube_token($one, 'other'),
    api => kube_token($one),
    gone => kube_token($gone, 'service2'),
    pod => $bound, legacy => $legacy, 'legacy-gone' => $legacy_gone,
);

write_file('reviewer', kube_token($reviewer));


my $port = free_port();
my $ca = "api_server $kube{KUBE_URL}; token_review; "
         . "ssl_trusted_certificate $kube{KUBE_CA}; "
         . 'token_file ' . dir() . '/reviewer;';
my $brief = 'token_review_cache 1s failed=1s';

my $nginx = K8sSa::Nginx->new(workers => 2, http => <<"_")->start;
k8s_sa_issuer alone { $ca $brief; }
k8s_sa_issuer service2 { $ca $brief; audience service2; }
k8s_sa_issuer both { $ca $brief; audience service2; legacy_tokens on;
                     public_key $kube{KUBE_SA_PUB}; }
k8s_sa_issuer stale { $ca $brief stale=10m; audience service2; timeout 2s; }
add_header X-Result \$k8s_sa_result always;
add_header X-Pod \$k8s_sa_pod always;
server {
    listen 127.0.0.1:$port;
    location = /alone { k8s_sa_auth alone; k8s_sa_whoami; }
    location = /service2 { k8s_sa_auth service2; k8s_sa_whoami; }
    location = /both { k8s_sa_auth both; k8s_sa_whoami; }
    location = /stale { k8s_sa_auth stale; k8s_sa_whoami; }
}
_

sub answer {
    my ($path, $token) = @_;
    my $answer = get($port, "/$path", "Authorization: Bearer $token");
    ($answer->{result}) = header_values($answer->{head}, 'X-Result');
    return $answer;
}

# Waits until the answer is STATUS, for at most LIMIT seconds.

sub becomes {
    my ($status, $limit, $path, $token) = @_;
    my $until = time() + $limit;
    my $now;

    while (time() < $until) {
        $now = answer($path, $token)->{status};
        return 1 if $now == $status;
        sleep 0.3;
    }

    diag("/$path answers $now");
    return 0;
}


# Permission to ask

my $from = length $nginx->log;
is(answer('alone', $token{api})->{status}, 503, 'without RBAC: 503');
like(substr($nginx->log, $from),
     qr/\[error\].*answered 403.*ClusterRoleBinding.*system:auth-delegator/,
     '... the log names the missing role');

bind_reviewer();
ok(becomes(200, 10, 'alone', $token{api}), 'with RBAC: 200');


# Accepted tokens

my $me = decode_json(answer('alone', $token{api})->{body});
my $user = "system:serviceaccount:mytest:$one";

is($me->{username}, $user, 'the user');
is($me->{uid}, api('GET', "$ns/serviceaccounts/$one")->{metadata}{uid},
   'its uid');
is_deeply([ sort @{$me->{groups}} ],
          [ 'system:authenticated', 'system:serviceaccounts',
            'system:serviceaccounts:mytest' ], 'its groups');

my %expected = (
    'alone api' => 200, 'alone legacy' => 200, 'alone service2' => 401,
    'service2 service2' => 200, 'service2 other' => 401,
    'service2 api' => 401, 'service2 legacy' => 401, 'service2 pod' => 200,
    'both service2' => 200, 'both pod' => 200, 'both legacy' => 200,
    'both other' => 401, 'both gone' => 200, 'both legacy-gone' => 200,
    'service2 gone' => 200, 'alone legacy-gone' => 200,
);

for my $case (sort keys %expected) {
    my ($path, $kind) = split ' ', $case;
    is(answer($path, $token{$kind})->{status}, $expected{$case},
       "$path: the token \"$kind\"");
}

is(answer('service2', spoil($token{service2}))->{status}, 401, 'a forged one');
is(answer('service2', 'garbage')->{status}, 401, 'garbage');
my ($pod) = header_values(answer('service2', $token{pod})->{head}, 'X-Pod');
is($pod, "pod-$id", 'the pod');


# Deletions take effect after our second and the API server's ten

api('DELETE', "$ns/serviceaccounts/$gone");
api('DELETE', "$ns/pods/pod-$id", { gracePeriodSeconds => 0 });
api('DELETE', "$ns/secrets/$secret");

ok(becomes(401, 25, 'service2', $token{gone}), 'a deleted service account');
ok(becomes(401, 25, 'both', $token{gone}), '... also after the local check');
ok(becomes(401, 25, 'service2', $token{pod}), 'a deleted pod');
ok(becomes(401, 25, 'both', $token{pod}), '... also after the local check');
ok(becomes(401, 25, 'alone', $token{'legacy-gone'}), 'a deleted Secret');
ok(becomes(401, 25, 'both', $token{'legacy-gone'}),
   '... also after the local check');
is(answer('service2', $token{service2})->{status}, 200,
   'other tokens are still accepted');


# An API server that goes down under load

is(answer('stale', $token{service2})->{status}, 200, 'reviewed');

sub tally_of {
    my ($load) = @_;
    my $result = $load->load_end;
    my %n;

    for my $kind (qw(good bad stale)) {
        $n{$kind} = join ',', grep { /^\d+$/ && $_ } sort keys %{$result->{$kind}};
    }

    return \%n;
}

my %load = (
    good => with_token('/service2', $token{service2}),
    stale => with_token('/stale', $token{service2}),
    bad => with_token('/service2', spoil($token{service2})),
);

my $load = load($port, %load);
sleep 1.5;
my $began = time();
kube('restart-apiserver');
sleep 2;
ok(becomes(200, 20, 'service2', $token{service2}),
   'an API server that was restarted');
diag(sprintf 'restarted after %.1f s', time() - $began);
sleep 1.5;
my $tally = tally_of($load);

like($tally->{good}, qr/^200(?:,503)?$/, 'meanwhile 200 or 503');
like($tally->{bad}, qr/^401(?:,503)?$/, '... and no bad token passed');
is($tally->{stale}, '200', 'with "stale" no request failed');


# etcd, which the API server asks for accounts

$load = load($port, %load);
sleep 1;
$frozen = slurp("$ENV{KUBE_DIR}/etcd.pid") + 0;
kill 'STOP', $frozen;
sleep 15;
kill 'CONT', $frozen;
undef $frozen;
ok(becomes(200, 40, 'service2', $token{service2}), 'etcd was stopped');
sleep 1.5;
$tally = tally_of($load);

like($tally->{good}, qr/^200(?:,503)?$/, 'meanwhile 200 or 503');
like($tally->{bad}, qr/^401(?:,503)?$/, '... and no bad token passed');
diag("without etcd: good $tally->{good}, stale $tally->{stale}, "
     . "bad $tally->{bad}");

api('DELETE', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/'
    . $reviewer);
api('DELETE', "$ns/serviceaccounts/$_") for $one, $two, $reviewer;

K8sSa::Nginx::finish();
