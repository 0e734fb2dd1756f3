# SPDX-License-Identifier: BSD-2-Clause

# The upstream does not see the caller's token, unless it is forwarded; other
# credentials and other headers are left alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $port = free_port();
my $up = echo_http();

my %location = (
    plain    => 'k8s_sa_auth made;',
    forward  => 'k8s_sa_auth made; k8s_sa_forward_token on;',
    any      => 'satisfy any; allow all; k8s_sa_auth made;',
    optional => 'k8s_sa_auth made optional;',
    off      => 'k8s_sa_auth off;',
    header   => 'k8s_sa_auth made optional; '
                . 'k8s_sa_token $http_x_service_token;',
    cookie   => 'k8s_sa_auth made optional; k8s_sa_token $cookie_token;',
    mapped   => 'k8s_sa_auth made optional; k8s_sa_token $mapped;',
    'header-forward' => 'k8s_sa_auth made; k8s_sa_forward_token on; '
                        . 'k8s_sa_token $http_x_service_token;',
    argument => 'k8s_sa_auth made; k8s_sa_forward_token on; '
                . 'k8s_sa_token $arg_token; access_log off;',
    forwarded => 'k8s_sa_auth made; proxy_set_header X-Forwarded-For '
                 . '$proxy_add_x_forwarded_for;',
    set      => 'k8s_sa_auth made; '
                . 'proxy_set_header Authorization "Bearer own";',
    explicit => 'k8s_sa_auth made; '
                . 'proxy_set_header X-Copy "$http_authorization";',
    mirrored => 'mirror /private;',
    redirected => 'k8s_sa_auth made; try_files /none /plain;',
    'redirected-forward' => 'k8s_sa_auth made; try_files /none /forward;',
    short    => 'satisfy any; allow all; k8s_sa_auth made; '
                . 'k8s_sa_token $http_x_service_token;',
    'short-cookie' => 'satisfy any; allow all; k8s_sa_auth made; '
                      . 'k8s_sa_token ${cookie_token};',
);

my $private = dir() . '/private';
my $mirror = echo_http($private);

my $nginx = K8sSa::Nginx->new(http => <<"_");
k8s_sa_issuer made {
    public_key @{[ key_file('ec') ]};
    audience service2;
}
map \$http_x_list \$mapped {
    default "";
    "~^v1,(?<value>[^,]+)" \$value;
}
server {
    listen 127.0.0.1:$port;
@{[ map { "location = /$_ { $location{$_} proxy_pass http://127.0.0.1:$up; }\n" }
    sort keys %location ]}
    location = /private {
        internal;
        k8s_sa_auth made;
        proxy_pass http://127.0.0.1:$mirror/private;
    }
}
_

$nginx->start;

my $token = sign_token();
my $bad = spoil($token);
my $basic = 'Authorization: Basic dXNlcjpwYXNzd29yZA==';
my $identity = 'X-Remote-User: system:serviceaccount:mytest:service1';

sub seen {
    my ($path, @headers) = @_;
    my $answer = get($port, "/$path", @headers);
    my ($head) = $answer->{body} =~ /^\S+ \S+ HTTP\S+\r\n(.*?)\r?\n\n/s;

    return [ "refused $answer->{status}" ] if $answer->{status} != 200;
    return [ grep { !/^(?:Host|Connection):/i } split /\r\n/, $head || '' ];
}


# In the usual place

is_deeply(seen('plain', "Authorization: Bearer $token"), [ $identity ],
          'withheld');
is_deeply(seen('forward', "Authorization: bearer  $token"),
          [ "Authorization: bearer  $token", $identity ],
          'forwarded unchanged');
is_deeply(seen('off', "Authorization: Bearer $token"),
          [ "Authorization: Bearer $token" ], 'k8s_sa_auth off: left alone');
is_deeply(seen('optional', $basic), [ $basic ],
          'optional: Basic credentials are left alone');
is_deeply(seen('any', $basic), [ $basic ],
          'satisfy any: Basic credentials are left alone');
is_deeply(seen('any', "Authorization: Bearer $_"), [],
          'satisfy any: withheld, although access does not depend on it')
    for $bad, 'x', 'abc.def.ghi';
is_deeply(seen('any', "Authorization: Bearer $token"), [ $identity ],
          'satisfy any: withheld, with an identity');
is_deeply(seen('set', "Authorization: Bearer $token"),
          [ 'Authorization: Bearer own', $identity ],
          'proxy_set_header sets another one');
is_deeply(seen('explicit', "Authorization: Bearer $token"), [ $identity ],
          '... and is not in $http_authorization either');


# In other places

is_deeply(seen('header', 'X-A: 1', "X-Service-Token: $token", 'X-B: 2',
               $basic), [ 'X-A: 1', 'X-B: 2', $basic, $identity ],
          'withheld from another header');
is_deeply(seen('header', "X-Service-Token: Bearer $token"), [ $identity ],
          'the same with a scheme');
is_deeply(seen('header-forward', "X-Service-Token: $token"),
          [ "X-Service-Token: $token", $identity ], 'forwarded in that header');
is_deeply(seen('cookie', "Cookie: a=b; token=$token; c=d", 'X-A: 1'),
          [ 'X-A: 1', $identity ], 'withheld together with its cookies');
is_deeply(seen('cookie', 'Cookie: a=b; c=d', 'X-A: 1'),
          [ 'Cookie: a=b; c=d', 'X-A: 1' ],
          'cookies without a token are left alone');
is_deeply(seen('mapped', "X-List: v1,$token,x", 'X-A: 1'),
          [ 'X-List: v1,,x', 'X-A: 1', $identity ],
          'withheld from the header that a map reads');
is_deeply(seen("argument?token=$token", 'X-A: 1'), [ 'X-A: 1', $identity ],
          'in an argument');


# Sent twice

is_deeply(seen('plain', "Authorization: Bearer $token", "X-Copy: $token",
               'X-A: 1', "X-Copy: <$token>"),
          [ 'X-A: 1', 'X-Copy: <>', $identity ],
          'withheld from other headers, too');
is_deeply(seen('plain', "Authorization: Bearer $token",
               "X-Forwarded-For: $token, 203.0.113.7",
               "Via: 1.1 $token, 1.1 lb"),
          [ 'X-Forwarded-For: , 203.0.113.7', 'Via: 1.1 , 1.1 lb', $identity ],
          '... of which the rest stays');
is_deeply(seen('forwarded', "Authorization: Bearer $token",
               "X-Forwarded-For: $token, 203.0.113.7"),
          [ 'X-Forwarded-For: , 203.0.113.7, 127.0.0.1', $identity ],
          '... also in a variable');
is_deeply(seen('plain', "Authorization: Bearer $token", 'X-A: <'
               . substr($token, 0, 50) . $token . substr($token, 50) . '>'),
          [ 'X-A: <>', $identity ], '... twice, one in the other');
is_deeply(seen('redirected', "Authorization: Bearer $token",
               "X-Copy: $token", 'X-A: 1'), [ 'X-A: 1', $identity ],
          'after an internal redirect, too');
is_deeply(seen('redirected-forward', "Authorization: Bearer $token",
               "X-Copy: $token", 'X-A: 1'),
          [ 'X-A: 1', "Authorization: Bearer $token", "X-Copy: $token",
            $identity ],
          '... or all forwarded');


# Only the token is withheld, and not whatever a client sends as one: a header
# that a proxy in front of nginx has set must not get lost

my @front = ('X-Forwarded-For: 10.1.1.1', 'X-Verified: NONE', 'X-A: 1');

for my $value ('10.1.1.1', 'NONE', 'N', '1', '.', '10.1') {
    is_deeply(seen('any', "Authorization: Bearer $value", @front), [ @front ],
              "satisfy any: \"Bearer $value\" removes no other header");
    is_deeply(seen('any', @front, "Authorization: Bearer $value"), [ @front ],
              "satisfy any: nor a later one");
}


my $failed = 'X-Verify: FAILED:unable to get local issuer certificate';
my $name = 'X-Forwarded-Host: eyes.example.very-long-name-of-a-host.example';

for my $value ('get local issuer certificate..........',
               'unable to get local issuer certificate',
               'FAILED:unable to get local issuer certificate',
               'example.very-long-name-of-a-host.example')
{
    is_deeply(seen('any', "Authorization: Bearer $value", $failed, $name),
              [ grep { !/: \Q$value\E$/ } $failed, $name ],
              "satisfy any: \"Bearer $value\" is not a token");
}


# Two credentials in one header

is_deeply(seen('optional', "$basic, Bearer $token"), [ 'refused 401' ],
          'optional: two credentials in one header');
is_deeply(seen('optional', "$basic ,,\tbearer  $token"), [ 'refused 401' ],
          '... in another spelling');
is_deeply(seen('any', "$basic, Bearer $token", 'X-A: 1'), [ 'X-A: 1' ],
          'satisfy any: withheld');
is_deeply(seen('optional', 'Authorization: Digest a="b", c="Bearer"'),
          [ 'Authorization: Digest a="b", c="Bearer"' ],
          'optional: a list of parameters is left alone');


# A short token, such as a bootstrap token, is withheld only from where it was
# looked for

my $short = 'abcdef.0123456789abcdef';

is_deeply(seen('short', "X-Service-Token: $_", "X-A: $short"),
          [ "X-A: $short" ], 'short: withheld from its header and no other')
    for $short, "Bearer $short";
is_deeply(seen('short-cookie', "Cookie: a=b; token=$short", "X-A: $short"),
          [ "X-A: $short" ],
          'short: withheld with its cookies and from no other header');


# A mirror that requires a token, of a location that does not

is_deeply(seen('mirrored', "Authorization: Bearer $token", 'X-A: 1'),
          [ "Authorization: Bearer $token", 'X-A: 1' ],
          'mirrored: the location without a check');

for (1 .. 100) {
    last if -s $private;
    select undef, undef, undef, 0.02;
}

like(slurp($private), qr/^X-A: 1\r$/m, 'mirrored: the mirror got a request');
unlike(slurp($private), qr/^Authorization|Remote/mi,
       'mirrored: the protected mirror');


K8sSa::Nginx->finish;
