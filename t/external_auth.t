# SPDX-License-Identifier: BSD-2-Clause

# External authorization for Envoy, ingress-nginx, Traefik and HAProxy.  Of
# these only nginx is in Debian; so the requests that they send are sent here
# byte by byte, as described in their documentation and in conf-examples/, and
# their handling of the answer is simulated.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use YAML::XS ();

use K8sSa;
use K8sSa::Example;
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $up = echo_http();
my $user = 'system:serviceaccount:mytest:service1';
my $realm = 'Bearer realm="kubernetes"';
my $bad_token = "$realm, error=\"invalid_token\"";
my $expired_token = "$bad_token, error_description=\"The token is expired\"";
my $scope = "$realm, error=\"insufficient_scope\"";

# All YAML files, and each document in them

my %yaml = map { my ($name) = m{conf-examples/(.*)\.yaml$};
                 ($name => eval { [ YAML::XS::LoadFile($_) ] }) }
           map { examples($_) } qw(*.yaml kubernetes/*.yaml
                                   kubernetes/tutorial/*.yaml);

for my $name (sort keys %yaml) {
    ok($yaml{$name} && @{$yaml{$name}}, "$name.yaml: valid YAML");

    next if $name eq 'external-auth-envoy';

    is(scalar(grep { !$_->{apiVersion} || !$_->{kind}
                     || !$_->{metadata}{name} } @{$yaml{$name}}), 0,
       "$name.yaml: contains objects");
}

# Returns { NAME => VALUE } of the headers with an identity or a challenge.

sub told {
    my ($head) = @_;
    return { map { /^((?:X.Remote|WWW-Auth|Authorization)[^:]*): *(.*?)\r?$/i
                   ? (lc $1 => $2) : () } split /\n/, $head };
}


# Envoy: sends a request for METHOD, PATH, headers of its client, in lower
# case, as Envoy does in HTTP/1.1.  Returns the answer that the client gets, or
# the headers that the service gets.

my ($envoy) = @{$yaml{'external-auth-envoy'}};
my ($listener) = @{$envoy->{static_resources}{listeners}};
my $manager = $listener->{filter_chains}[0]{filters}[0]{typed_config};
my %filter = map { ($_->{name} =~ /(\w+)$/)[0] => $_->{typed_config} }
             @{$manager->{http_filters}};
my $authz = $filter{ext_authz};
my $service = $authz->{http_service};
my %cluster = map { $_->{name} => $_ }
              @{$envoy->{static_resources}{clusters}};

is_deeply([ map { ($_->{name} =~ /(\w+)$/)[0] } @{$manager->{http_filters}} ],
          [ qw(header_mutation ext_authz router) ], 'Envoy: the filters');
ok(!$authz->{failure_mode_allow}, 'Envoy: refuses if it cannot ask');
ok($cluster{$service->{server_uri}{cluster}}, 'Envoy: the cluster exists');

my $socket = $cluster{whoami}{load_assignment}{endpoints}[0]{lb_endpoints}[0]
             {endpoint}{address}{socket_address};
my $whoami = example('external-auth-envoy.conf', $up)->start;
my $whoami_port = $whoami->{port}{$socket->{port_value}};

ok($whoami_port, 'Envoy: asks the address of external-auth-envoy.conf');

sub names {
    my ($matcher) = @_;
    return map { $_->{exact} } @{$matcher->{patterns} || []};
}

my $kept;

sub envoy {
    my ($method, $path, %header) = @_;

    for (@{$filter{header_mutation}{mutations}{request_mutations}}) {
        my $regex = $_->{remove_on_match}{key_matcher}{safe_regex}{regex};

        # Envoy matches the whole name, in lower case
        delete @header{grep { /\A(?:$regex)\z/ } keys %header};
    }

    my %ask = map { ($_ => $header{$_}) } grep { exists $header{$_} }
              'host', 'authorization', names($authz->{allowed_headers}),
              names($service->{authorization_request}{allowed_headers});

    # Envoy keeps its connections

    $kept = talk($whoami_port) unless $kept;
    print {$kept->{socket}} join "\r\n",
        "$method " . ($service->{path_prefix} || '') . "$path HTTP/1.1",
        (map { "$_: $ask{$_}" } sort keys %ask), 'content-length: 0',
        'x-envoy-internal: true', 'x-forwarded-for: 10.0.0.1',
        'x-envoy-expected-rq-timeout-ms: 6000', '', '';

    my $answer = receive($kept, $method);
    undef $kept if $answer->{head} =~ /^Connection: close\r$/m;

    my %response = map { /^([\w-]+): *(.*?)\r?$/ ? (lc $1 => $2) : () }
                   split /\n/, $answer->{head};
    my $status = $answer->{status};
    my $allowed = $service->{authorization_response};

    if ($status == 200) {
        my @set = grep { exists $response{$_} }
                  names($allowed->{allowed_upstream_headers});
        @header{@set} = @response{@set};
        delete @header{@{$manager->{route_config}{virtual_hosts}[0]
                         {request_headers_to_remove}}};
        return { service => \%header };
    }

    $status = 503 if $status >= 500 || $status == 0;

    return { client => $status, map { exists $response{$_}
                                      ? ($_ => $response{$_}) : () }
             'location', names($allowed->{allowed_client_headers}) };
}

is($authz->{status_on_error}{code}, 'ServiceUnavailable',
   'Envoy: 503 when it cannot ask');

sub envoy_token { return account(@_) =~ s/^Authorization: //r }

my $good = envoy_token('mytest', 'service1');
my %client = (host => 'service2.example.com', 'user-agent' => 'curl/8',
              accept => '*/*', map { (lc $_ => 'spoofed') } spoofs());
my %passed = (host => 'service2.example.com', 'user-agent' => 'curl/8',
              accept => '*/*', 'x-remote-user' => $user);

for my $method (qw(GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND)) {
    for my $path ('/', '/v1/things?id=1&x=%2F..', '/a%20b/%C3%A4', '/whoami',
                  '/long/' . 'x' x 4000, '//a/../b', '/.well-known/../../a')
    {
        my $name = "Envoy: $method " . substr $path, 0, 24;
        my $beyond = $path =~ m{^/\.well-known};

        is_deeply(envoy($method, $path, %client, authorization => $good),
                  $beyond ? { client => 400 } : { service => \%passed },
                  $name);
        is_deeply(envoy($method, $path, %client),
                  $beyond ? { client => 400 }
                          : { client => 401, 'www-authenticate' => $realm },
                  "$name, no token");
    }
}

is_deeply(envoy('POST', '/', %client, authorization => $_->[0]), $_->[1],
          "Envoy: $_->[2]")
    for [ spoil($good), { client => 401, 'www-authenticate' => $bad_token },
          'forged' ],
        [ 'Bearer a.b', { client => 401, 'www-authenticate' => $bad_token },
          'malformed' ],
        [ envoy_token('mytest', 'service1', exp => time - 100),
          { client => 401, 'www-authenticate' => $expired_token },
          'expired' ],
        [ envoy_token('other', 'service1'),
          { client => 403, 'www-authenticate' => $scope },
          'another namespace' ];

# A client chooses the path, so no path may be answered with 200 by anything
# but k8s_sa_whoami.  Paths that nginx does not accept are refused, too.

for my $path ('/healthz', '/../healthz', '/..', '/%2e%2e/healthz', '/status',
              '/metrics', '/index.html', '/whoami/../x', '/a%00b', '/%', '/a?%',
              '/;x', '/a/./../..//', '/50x.html', '*', '/favicon.ico',
              '/' . 'x' x 9000)
{
    for my $method (qw(GET HEAD POST OPTIONS TRACE CONNECT)) {
        my $got = envoy($method, $path, %client);

        ok(!$got->{service} && $got->{client} >= 400,
           "Envoy: $method " . substr($path, 0, 16) . ' without a token')
            or diag(explain($got));
    }
}


# The nginx of the Deployment: keys come from the API server

my $cluster_ca = authority('ca');
certificate('ca', 'api', 'IP:127.0.0.1');

my $mock = K8sSa::MockIssuer->new(tls => 'api');
$mock->set('api', doc => { status => 500 });

my %object = map { $_->{kind} => $_ } @{$yaml{'external-auth-ingress'}};
my $pod = example($object{ConfigMap}{data}{'nginx.conf'}, $up);

put($pod, qr/api_server +in_cluster;/,
    'api_server ' . $mock->url('api') . '; timeout 1s; '
    . "ssl_trusted_certificate $cluster_ca; "
    . 'token_file ' . write_file('own', 'own-token') . ';');

my ($status, $out) = $pod->test;
is($status, 0, 'Deployment: its nginx.conf is valid') or diag($out);
$pod->start;

my $container = $object{Deployment}{spec}{template}{spec}{containers}[0];
my ($listens) = @{$container->{ports}};
my $pod_port = $pod->{port}{$listens->{containerPort}};

ok($pod_port, 'Deployment: the container\'s port is nginx\'s');
is($object{Service}{spec}{ports}[0]{targetPort}, $listens->{name},
   '... and the Service\'s');
is($_->{httpGet}{port}, $listens->{name}, '... and that of the probes')
    for @$container{qw(readinessProbe livenessProbe)};
is(get($pod_port, $container->{readinessProbe}{httpGet}{path})->{status}, 204,
   'Deployment: it is ready');

sub in_cluster {
    my ($namespace, %over) = @_;

    return sign_token(header => { kid => 'c' }, claims => claims(
        iss => $mock->url('api'), %over,
        sub => "system:serviceaccount:$namespace:service1",
        'kubernetes.io' => {
            namespace => $namespace,
            serviceaccount => { name => 'service1', uid => 'u' },
        }));
}

my %token = (
    good    => in_cluster('mytest'),
    forged  => spoil(in_cluster('mytest')),
    expired => in_cluster('mytest', exp => time - 100),
    other   => in_cluster('other'),
    none    => undef,
);
my %expected = (
    good    => [ 200 ],
    forged  => [ 401, $bad_token ],
    expired => [ 401, $expired_token ],
    other   => [ 403, $scope ],
    none    => [ 401, $realm ],
);


# ingress-nginx: the configuration that it writes into its nginx.conf for these
# annotations

my ($ingress) = grep { $_->{kind} eq 'Ingress' }
                @{$yaml{'external-auth-ingress'}};
my %annotation = map { m{/([\w-]+)$} => $ingress->{metadata}{annotations}{$_} }
                 keys %{$ingress->{metadata}{annotations}};
my ($auth_host, $auth_path)
    = $annotation{'auth-url'} =~ m{^http://([^/]+)(/\S*)$};

is($auth_host, "$object{Service}{metadata}{name}."
               . "$object{Service}{metadata}{namespace}.svc.cluster.local",
   'ingress-nginx: asks the Service');

my $n = 0;
my $set = join '', map {
    my $variable = lc $_ =~ tr/-/_/r;
    ++$n;
    "auth_request_set \$authHeader$n \$upstream_http_$variable;\n"
    . "proxy_set_header '$_' \$authHeader$n;\n"
} split /, */, $annotation{'auth-response-headers'};

my $ingress_port = free_port();
my $controller = K8sSa::Nginx->new(http => <<"_")->start;
server {
    listen 127.0.0.1:$ingress_port;
    location = /_external-auth {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Forwarded-Proto "";
        proxy_set_header X-Request-ID \$request_id;
        proxy_set_header Host $auth_host;
        proxy_set_header X-Original-URL \$scheme://\$http_host\$request_uri;
        proxy_set_header X-Original-Method \$request_method;
        proxy_set_header X-Sent-From "nginx-ingress-controller";
        proxy_set_header X-Real-IP \$remote_addr;
        proxy_set_header X-Forwarded-For \$remote_addr;
        proxy_set_header X-Auth-Request-Redirect \$request_uri;
        proxy_buffering off;
        proxy_buffer_size 4k;
        proxy_http_version 1.1;
        proxy_pass_request_headers on;
        set \$target http://127.0.0.1:$pod_port$auth_path;
        proxy_pass \$target;
    }
    location / {
        auth_request /_external-auth;
        $set
        proxy_set_header Host \$http_host;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

sub ingress_nginx {
    my ($method, $path, $token, $body) = @_;

    # all but X-Remote-Extra-..., of which the file warns

    return request($ingress_port, join "\r\n", "$method $path HTTP/1.1",
        'Host: service2.example.com',
        (map { "$_: spoofed" } grep { !/extra/i } spoofs()), defined $token ? bearer($token) : (),
        'Connection: close', 'Content-Length: ' . length $body, '', $body);
}

# without keys

is(ingress_nginx('GET', '/', $token{good}, '')->{status}, 500,
   'ingress-nginx: turns 503 into 500');

$mock->set('api', doc => {}, jwks => {
    body => jwks([ 'ec', 'first', kid => 'c' ]) });

for (1 .. 100) {
    last if ingress_nginx('GET', '/', $token{good}, '')->{status} == 200;
    select undef, undef, undef, 0.1;
}

for my $method (qw(GET POST PUT OPTIONS DELETE)) {
    for my $who (sort keys %token) {
        for my $body ('', 'x' x 50_000) {
            my $name = "ingress-nginx: $method, $who, " . length $body;
            my $answer = ingress_nginx($method, '/v1/things?a=b', $token{$who},
                                       $body);
            my ($expected, $challenge) = @{$expected{$who}};

            is($answer->{status}, $expected, $name);

            # it passes on the challenge of a 401

            is(told($answer->{head})->{'www-authenticate'},
               $expected == 401 ? $challenge : undef, "$name: challenge");

            next unless $expected == 200;

            like($answer->{body}, qr{^$method /v1/things\?a=b }, "$name: what");
            is_deeply(told($answer->{body}),
                      { 'x-remote-user' => $user,
                        authorization => "Bearer $token{good}" },
                      "$name: what the service gets");
        }
    }
}


# Traefik: always GET, with all of the client's headers except those of the
# body

my ($middleware) = grep { $_->{kind} eq 'Middleware' }
                   @{$yaml{'external-auth-traefik'}};
my $forward = $middleware->{spec}{forwardAuth};
my ($traefik_ingress) = grep { $_->{kind} eq 'Ingress' }
                        @{$yaml{'external-auth-traefik'}};

is($forward->{address}, $annotation{'auth-url'}, 'Traefik: asks the Service');
is($traefik_ingress->{metadata}{annotations}
   {'traefik.ingress.kubernetes.io/router.middlewares'},
   "$middleware->{metadata}{namespace}-$middleware->{metadata}{name}"
   . '@kubernetescrd', 'Traefik: uses the Middleware');

sub traefik {
    my ($method, $path, %header) = @_;
    my ($at) = $forward->{address} =~ m{^http://[^/]+(/.*)};

    my $answer = request($pod_port, join "\r\n", "GET $at HTTP/1.1",
        "Host: $auth_host", (map { "$_: $header{$_}" } sort keys %header),
        "X-Forwarded-Method: $method", 'X-Forwarded-Proto: https',
        'X-Forwarded-Host: service2.example.com', "X-Forwarded-Uri: $path",
        'X-Forwarded-For: 10.0.0.1', 'Accept-Encoding: gzip',
        'Connection: close', '', '');

    return { client => $answer->{status}, %{told($answer->{head})} }
        if $answer->{status} !~ /^2/;

    # removes what matches from the request, then adds it from the answer

    delete @header{grep { /$forward->{authResponseHeadersRegex}/ }
                   keys %header};

    while ($answer->{head} =~ /^([\w-]+): *(.*?)\r$/mg) {
        my ($name, $value) = ($1, $2);
        $header{$name} = $value
            if $name =~ /$forward->{authResponseHeadersRegex}/;
    }

    return { service => \%header };
}

for my $method (qw(GET POST OPTIONS)) {
    for my $who (sort keys %token) {
        my ($expected, $challenge) = @{$expected{$who}};
        my %header = (Accept => '*/*', 'Content-Type' => 'text/plain',
                      defined $token{$who}
                      ? (Authorization => "Bearer $token{$who}") : ());

        is_deeply(traefik($method, '/v1/things?a=b', %header,
                          map { ($_ => 'spoofed') } spoofs()),
                  $expected == 200
                  ? { service => { %header, 'X-Remote-User' => $user } }
                  : { client => $expected, 'www-authenticate' => $challenge },
                  "Traefik: $method, $who");
    }
}


# HAProxy with auth-request asks with HEAD

for my $who (sort keys %token) {
    my ($expected, $challenge) = @{$expected{$who}};
    my $answer = request($pod_port, join "\r\n", "HEAD $auth_path HTTP/1.1",
        "Host: $auth_host", 'X-Remote-User: admin', 'Content-Length: 0',
        defined $token{$who} ? bearer($token{$who}) : (), 'Connection: close',
        '', '');

    is($answer->{status}, $expected, "HAProxy: $who");
    is_deeply(told($answer->{head}),
              $expected == 200 ? { 'x-remote-user' => $user }
                               : { 'www-authenticate' => $challenge },
              "HAProxy: $who, status");
}


# The body contains the whole identity

my $json = decode_json(get($pod_port, $auth_path, bearer($token{good}))
                       ->{body});
is_deeply([ @$json{qw(username issuer audiences)} ],
          [ $user, $mock->url('api'), [ 'service2' ] ],
          'the body has the identity');


K8sSa::Nginx->finish;
