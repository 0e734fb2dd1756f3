# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_front_proxy_headers: byte by byte the headers of Kubernetes' own front
# proxy, which clients cannot send themselves.

use strict;
use warnings;

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Upstream;


my ($port, $h2, $plain_port) = map { free_port() } 1 .. 3;
my $up = echo_http();
my $fcgi = echo_fastcgi();
my $api = K8sSa::MockApi->new;

my $issuers = <<"_";
k8s_sa_issuer cluster {
    public_key @{[ fixture('1.36.2/sa.pub') ]};
    public_key @{[ fixture('1.36.2/keys/sa-ec.pub') ]};
    issuer https://kubernetes.default.svc; audience any; legacy_tokens on;
}
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2; }
k8s_sa_issuer other { public_key @{[ key_file('ec', 'other') ]};
    kubernetes off; issuer https://other.example; audience service2; }
k8s_sa_issuer review { token_review @{[ $api->base ]}/review/review;
    audience service2; token_review_cache 1s failed=1s; }
_

my %location = (
    plain    => '',
    same     => 'k8s_sa_set_header X-Remote-User "admin"; '
                . 'k8s_sa_set_header x-remote-group g; '
                . 'k8s_sa_set_header X-REMOTE-UID u; '
                . 'k8s_sa_set_header X-Remote-Extra-pod p; '
                . 'k8s_sa_set_header X_Remote_User "admin"; '
                . 'k8s_sa_set_header x.remote_group g; '
                . 'k8s_sa_set_header X_Remote_Extra_pod p; '
                . 'k8s_sa_set_header X-Other "o-$k8s_sa_name";',
    none     => 'k8s_sa_set_header off;',
    off      => 'k8s_sa_front_proxy_headers off;',
    free     => 'k8s_sa_auth off;',
    any      => 'satisfy any; allow all;',
    optional => 'k8s_sa_auth made optional;',
    proxy    => 'proxy_set_header X-Remote-User "own";',
);

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuers
underscores_in_headers on;
ignore_invalid_headers off;
k8s_sa_auth cluster made other;
k8s_sa_front_proxy_headers on;
server {
    listen 127.0.0.1:$port;
    listen 127.0.0.1:$h2 http2;
@{[ map { "location = /$_ { $location{$_} "
          . "proxy_pass http://127.0.0.1:$up; }\n" }
    sort keys %location ]}
    location = /review {
        k8s_sa_auth review;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /whoami {
        k8s_sa_auth review;
        k8s_sa_set_header off;
        k8s_sa_whoami;
    }
    location /plain/inner { proxy_pass http://127.0.0.1:$up; }
    location = /limit {
        k8s_sa_front_proxy_headers off;
        limit_except GET { k8s_sa_front_proxy_headers on; }
        proxy_pass http://127.0.0.1:$up;
    }
    location = /cgi { fastcgi_pass 127.0.0.1:$fcgi; }
    location = /cgi-free { k8s_sa_auth off; fastcgi_pass 127.0.0.1:$fcgi; }
    location = /sub {
        k8s_sa_auth off;
        auth_request /ask;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /ask {
        internal;
        k8s_sa_auth off;
        proxy_pass http://127.0.0.1:$up;
    }
}
server {
    listen 127.0.0.1:$plain_port;
    k8s_sa_auth off;
    location / { proxy_pass http://127.0.0.1:$up; }
}
_

$nginx->start;

sub seen {
    my ($path, @headers) = @_;
    my $answer = get($port, "/$path", @headers);

    return [ "refused $answer->{status}" ] if $answer->{status} != 200;
    return [ map { s/\r//r } grep { /^x.*remote/i }
             split /\n/, $answer->{body} ];
}


# Reads such headers as apiserver/pkg/authentication/request/headerrequest
# does: the prefix in any case, the rest in lower case, then unescaped
# (net/url.PathUnescape), or unchanged if it cannot be unescaped.

sub decoded {
    my %extra;

    for (@{$_[0]}) {
        my ($name, $value) = /^(.*?): (.*)$/;
        next unless $name =~ /^X-Remote-Extra-(.*)/i;
        my $key = lc $1;
        $key =~ s/%([0-9a-f]{2})/chr hex $1/ge
            unless $key =~ /%(?![0-9a-f]{2})/;
        push @{$extra{$key}}, $value;
    }

    return \%extra;
}


# Tokens of real clusters

my $claims = JSON::PP::decode_json(slurp(fixture(
    '1.36.2/tokens/long-aud-service2-pod.claims.json')));
my $io = $claims->{'kubernetes.io'};
my $extra = 'X-Remote-Extra-authentication.kubernetes.io%2f';
my $user = 'system:serviceaccount:mytest:service1';
my @groups = map { "X-Remote-Group: $_" }
             'system:serviceaccounts', 'system:serviceaccounts:mytest',
             'system:authenticated';
my @pod = ("X-Remote-User: $user",
           "X-Remote-Uid: $io->{serviceaccount}{uid}", @groups,
           "${extra}credential-id: JTI=$claims->{jti}",
           "${extra}node-name: $io->{node}{name}",
           "${extra}node-uid: $io->{node}{uid}",
           "${extra}pod-name: $io->{pod}{name}",
           "${extra}pod-uid: $io->{pod}{uid}");
my $bound = bearer('1.36.2/long-aud-service2-pod');

sub order { return [ sort @{$_[0]} ] }

is_deeply(order(seen('plain', $bound)), [ sort @pod ],
          'a token bound to a pod: exactly these headers');
is_deeply([ grep { /Group/ } @{seen('plain', $bound)} ], \@groups,
          'one line per group, in Kubernetes\' order');
is_deeply(decoded(seen('plain', $bound)),
          { 'authentication.kubernetes.io/credential-id'
              => [ "JTI=$claims->{jti}" ],
            'authentication.kubernetes.io/node-name' => [ $io->{node}{name} ],
            'authentication.kubernetes.io/node-uid' => [ $io->{node}{uid} ],
            'authentication.kubernetes.io/pod-name' => [ $io->{pod}{name} ],
            'authentication.kubernetes.io/pod-uid' => [ $io->{pod}{uid} ] },
          'the API server reads the same identity as its TokenReview returns');
is_deeply(seen('plain', $bound), seen('plain', $bound),
          'from the cache, too');

my $legacy = seen('plain', bearer('1.36.2/legacy-manual'));
is_deeply(order([ map { s/Uid: [0-9a-f-]{36}$/Uid: */r } @$legacy ]),
          [ sort "X-Remote-User: $user", 'X-Remote-Uid: *', @groups ],
          'a legacy token: no extra');

is_deeply(seen('plain', bearer(sign_token())),
          [ "X-Remote-User: $user", 'X-Remote-Uid: uid-1', @groups ],
          'a token without jti: no extra');

sub sub_token {
    return bearer(sign_token(key => [ 'ec', 'other' ], claims => claims(
        iss => 'https://other.example', sub => $_[0],
        'kubernetes.io' => undef, @_[1 .. $#_])));
}

is_deeply(seen('plain', sub_token('alice')), [ 'X-Remote-User: alice' ],
          'not Kubernetes: the user name and nothing else');
is_deeply(seen('plain', sub_token("\xc3\xa4lice b")),
          [ "X-Remote-User: \xc3\xa4lice b" ], 'unchanged');


# Values that would not arrive unchanged

for my $sub (' alice', 'alice ', ' ', '   ') {
    is_deeply(seen('plain', sub_token($sub)), [ 'refused 400' ],
              "user name '$sub': refused, and not trimmed");
    is_deeply(seen('off', sub_token($sub)), [ 'refused 400' ],
              "user name '$sub' in k8s_sa_set_header's");
}

is_deeply(seen('plain', sub_token("al\nice")), [ 'refused 401' ],
          'a line feed in the user name');
my $line = 'k8s_sa: value for header "X-Remote-User" has a control '
           . 'character, or begins or ends with a blank';
like($nginx->log, qr/\[warn\].*\Q$line\E/, 'the log says why');


# Results of the TokenReview API: keys that have to be escaped arrive unchanged
# (all strings are bytes here)

my $count = 0;

sub reviewed {
    my ($path, %user) = @_;

    $api->set('review', review => { user => 'alice', groups => [], %user });
    return get($port, "/$path", 'Authorization: Bearer opaque-token-'
                                . ++$count);
}

my %odd = (
    'example.com/a' => [ '1', '2', '1' ],
    'Upper-Case' => [ 'U' ],
    'upper-case' => [ 'u' ],
    'under_score.dot' => [ 'x' ],
    '100%' => [ 'x' ],
    '%2f' => [ 'x' ],
    'a b' => [ 'x' ],
    'colon:semi;"quoted"' => [ 'x' ],
    "\xc3\xa4" => [ "\xc3\xb6" ],
    '!#$&\'*+-.^_`|~' => [ 'legal' ],
    'empty' => [ '' ],
);
my $odd = [ map { s/\r//r } grep { /^x-remote/i }
            split /\n/, reviewed('review', extra => \%odd)->{body} ];

is_deeply(decoded($odd), \%odd, 'unusual keys of a review');
is(scalar(grep { /^X-Remote-Extra-[^A-Z]*: / } @$odd), 13,
   'one line per value, the key in lower case');
is(scalar(grep { !/^[!#\$%&'*+.^_`|~0-9A-Za-z-]+: / } @$odd), 0,
   '... with valid header names');
is_deeply(JSON::PP->new->decode(
              reviewed('whoami', extra => \%odd)->{body})->{extra}, \%odd,
          'k8s_sa_whoami shows them as they are');
is_deeply([ reviewed('review', groups => [ 'one', 'two words', 'three,four' ])
            ->{body} =~ /^X-Remote-Group: (.*?)\r$/mg ],
          [ 'one', 'two words', 'three,four' ], 'groups of a review');

for ([ user => ' alice' ], [ user => 'alice ' ], [ groups => [ 'a', ' b' ] ],
     [ groups => [ 'a ' ] ], [ extra => { a => [ ' b' ] } ],
     [ extra => { a => [ 'b ' ] } ])
{
    my $answer = reviewed('review', @$_);
    is($answer->{status}, 400, "$_->[0] with a blank at an end: refused");
}

for ([ user => "al\nice" ], [ groups => [ "a\nb" ] ],
     [ extra => { a => [ "b\r\nX-A: 1" ] } ], [ extra => { "a\n" => [ 'b' ] } ],
     [ extra => { "a\tb" => [ 'c' ] } ])
{
    my $answer = reviewed('review', @$_);
    isnt($answer->{status}, 200, "$_->[0] with a control character: refused");
}


# Combined with k8s_sa_set_header and proxy_set_header

my @made = ("X-Remote-User: $user", 'X-Remote-Uid: uid-1', @groups);
my $good = bearer(sign_token());

is_deeply(seen('same', $good), \@made, 'k8s_sa_set_header: none comes twice');
like(get($port, '/same', $good)->{body}, qr/^X-Other: o-service1\r$/m,
     'k8s_sa_set_header: others come, too');
is_deeply(seen('none', $good), \@made, 'k8s_sa_set_header off');
is_deeply(seen('off', $good), [ "X-Remote-User: $user" ], 'off');
is_deeply(seen('plain/inner', $good), \@made, 'inherited');
is_deeply(seen('limit', $good), [ "X-Remote-User: $user" ],
          'limit_except: GET');
is(scalar(() = request($port, "POST /limit HTTP/1.0\r\n$good\r\n\r\n")->{body}
          =~ /^X-Remote-Group/mg), 3, 'limit_except: POST');
is_deeply(order(seen('proxy', $good)), order([ 'X-Remote-User: own',
          @made[1 .. $#made] ]), 'proxy_set_header wins');
is_deeply(seen('any', $good), \@made, 'satisfy any');


# Clients cannot send an identity

my @names = ('X-Remote-User', 'X-Remote-Uid', 'X-Remote-Group',
             'X-Remote-Extra-a', 'X-Remote-Extra-',
             'X-Remote-Extra-authentication.kubernetes.io%2fpod-name',
             'X-Remote-Extra-' . 'a' x 80);
my @spellings = (sub { $_[0] }, sub { lc $_[0] }, sub { uc $_[0] },
                 sub { $_[0] =~ tr/-/_/r }, sub { lc($_[0]) =~ tr/-/_/r },
                 sub { $_[0] =~ tr/-/./r }, sub { $_[0] =~ tr/-/+/r },
                 sub { $_[0] =~ s/-/_/r },
                 sub { $_[0] =~ s/Remote-/Remote_/r });
my @spoofs = do {
    my %seen;
    grep { !$seen{$_}++ } map { my $name = $_; map { $_->($name) } @spellings }
    @names;
};

for my $spoof (@spoofs) {
    my $header = "$spoof: admin";

    is_deeply([ map { @{seen($_, $header, 'X-Kept: 1')} }
                qw(free any optional sub) ], [],
              "$spoof: does not arrive");
    is_deeply(seen('plain', $header, $good), \@made,
              "$spoof: nor together with a token");
}

is(scalar @{seen('plain', $good, map { "$_: admin" } @spoofs)}, 5,
   'all of them at once');
is_deeply(seen('free', 'X-Remote: a', 'X-Remote-Users: b',
               'X-Remote-Extras: c', 'XX-Remote-User: d'),
          [ 'X-Remote: a', 'X-Remote-Users: b', 'X-Remote-Extras: c',
            'XX-Remote-User: d' ], 'other headers are passed on');
like(get($plain_port, '/', 'X-Remote-Group: a')->{body}, qr/^X-Remote-Group/m,
     '... as are all in a server that checks no tokens');

for my $path (qw(free any)) {
    my $body = get_http2($h2, "/$path", (map { "$_: admin" } @spoofs), 'X-Kept: 1');

    is_deeply([ $body =~ /^(x.remote.*)$/mgi ], [],
              "HTTP/2, $path: no identity");
    like($body, qr/^x-kept: 1/mi, "HTTP/2, $path: other headers arrive");
}

is_deeply([ map { s/\r//r } grep { /^x.remote/i } split /\n/,
            get_http2($h2, '/plain', $good, map { "$_: admin" } @spoofs) ],
          \@made, 'HTTP/2: what is true arrives, and nothing else');


# CGI uses other names for them

my $cgi = get($port, '/cgi', $bound, map { "$_: admin" } @spoofs)->{body};
unlike($cgi, qr/admin/, 'FastCGI: forged headers are removed');
like($cgi, qr/^HTTP_X_REMOTE_USER=\Q$user\E$/m, 'FastCGI: the user name');
like($cgi, qr/^HTTP_X_REMOTE_EXTRA_\S*CREDENTIAL.ID=JTI=\Q$claims->{jti}\E$/m,
     'FastCGI: extra');
unlike(get($port, '/cgi-free', map { "$_: admin" } @spoofs)->{body},
       qr/^HTTP_X.REMOTE/m, 'FastCGI, without a check: no identity');


refused("front_proxy_headers: $_->[0]", "$issuers\n$_->[1] # HERE", $_->[2])
    for [ 'neither on nor off', 'k8s_sa_front_proxy_headers yes;',
          qr/invalid value "yes" in "k8s_sa_front_proxy_headers" directive/ ],
        [ 'twice', 'k8s_sa_front_proxy_headers on; '
                   . 'k8s_sa_front_proxy_headers on;', qr/is duplicate/ ];


K8sSa::Nginx->finish;
