# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_dry_run: decides and logs, but refuses nothing.

use strict;
use warnings;

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $pub = key_file('ec');
my $up = echo_http();
my ($port, $server_port) = map { free_port() } 1 .. 2;
my $mock = K8sSa::MockIssuer->new;

$mock->set('down', doc => { status => 500 });

my $issuer = "k8s_sa_issuer made { public_key $pub; audience service2; }\n";

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuer
k8s_sa_issuer down { discovery @{[ $mock->discovery('down') ]};
                     audience service2; timeout 1s; }
k8s_sa_dry_run on;
k8s_sa_auth made;
log_format k8s "\$uri \$status [\$k8s_sa_result] [\$k8s_sa_username]";
access_log logs/access.log k8s;
server {
    listen 127.0.0.1:$port;
    location = /plain { proxy_pass http://127.0.0.1:$up; }
    location = /allow {
        k8s_sa_allow mytest/service2;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /require {
        k8s_sa_require "" error=404;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /optional {
        k8s_sa_auth made optional;
        k8s_sa_allow mytest/service2;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /front {
        k8s_sa_front_proxy_headers on;
        k8s_sa_allow mytest/service2;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /down {
        k8s_sa_auth down;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /any {
        satisfy any; deny all;
        proxy_pass http://127.0.0.1:$up;
    }
    location = /all { deny all; proxy_pass http://127.0.0.1:$up; }
    location = /off {
        k8s_sa_dry_run off;
        k8s_sa_allow mytest/service2;
        proxy_pass http://127.0.0.1:$up;
    }
    location /outer {
        k8s_sa_dry_run off;
        location /outer/inner { proxy_pass http://127.0.0.1:$up; }
    }
    location = /limit {
        k8s_sa_dry_run off;
        limit_except GET { k8s_sa_dry_run on; }
        proxy_pass http://127.0.0.1:$up;
    }
    location = /quiet {
        k8s_sa_log_level info;
        proxy_pass http://127.0.0.1:$up;
    }
}
server {
    listen 127.0.0.1:$server_port;
    k8s_sa_dry_run off;
    location = /server { proxy_pass http://127.0.0.1:$up; }
    location = /on { k8s_sa_dry_run on; proxy_pass http://127.0.0.1:$up; }
}
_

$nginx->start;

my $user = 'system:serviceaccount:mytest:service1';
my $good = bearer(sign_token());
my $bad = bearer(spoil(sign_token()));
my $expired = bearer(sign_token(claims => claims(exp => time() - 100)));
my @forged = ('X-Remote-User: admin', 'X_Remote_Group: system:masters',
              'X-Remote-Extra-a: b', 'X-Remote-Uid: 0');

# status, identity headers at the upstream, result and user in the access log,
# and the line in the error log

sub ask {
    my ($path, @headers) = @_;
    my $from = length $nginx->log;
    my $lines = length $nginx->log('access');
    my $answer = get($port, $path, grep { defined } @headers);

    # our line is written after the answer, and after the line in nginx's own
    # format

    my $line;

    for (1 .. 100) {
        ($line) = substr($nginx->log('access'), $lines)
                  =~ /^\S+ (\d+ \[.*\])\n/m
            and last;
        select undef, undef, undef, 0.02;
    }

    my ($refused) = substr($nginx->log, $from)
                    =~ /^(.*k8s_sa: request refused.*)$/m;

    return ($answer, [ $answer->{body} =~ /^(X.Remote.*?)\r?$/mgi ],
            $line, $refused || '');
}

for (
        # known and allowed
        [ '/plain', $good, 'ok', $user ],
        [ '/outer/inner', $good, 'ok', $user, 'enforced' ],

        # not known: no identity
        [ '/plain', undef, 'no_token', '' ],
        [ '/plain', $bad, 'bad_signature', '' ],
        [ '/plain', $expired, 'expired', '' ],
        [ '/plain', bearer('x.y.z'), 'malformed', '' ],
        [ '/allow', $bad, 'bad_signature', '' ],
        [ '/front', $expired, 'expired', '' ],
        [ '/down', bearer(issuer_token($mock->url('down'))), 'no_keys', '' ],
        [ '/optional', undef, 'no_token', '' ],

        # known but not allowed
        [ '/allow', $good, 'not_allowed', $user ],
        [ '/require', $good, 'not_required', $user ],
        [ '/optional', $good, 'not_allowed', $user ])
{
    my ($path, $token, $result, $who) = @$_;
    my ($answer, $seen, $line, $refused)
        = ask($path, defined $token ? $token : (), @forged, 'X-Kept: 1');
    my $name = "$path, $result";

    is($answer->{status}, 200, "$name: passes");
    unlike($answer->{head}, qr/^WWW-Authenticate/mi, "$name: no challenge");
    is_deeply($seen, $who ? [ "X-Remote-User: $who" ] : [],
              "$name: identity headers");
    unlike($answer->{body}, qr/^Authorization/mi, "$name: no token");
    like($answer->{body}, qr/^X-Kept/m, "$name: other headers are passed on");
    is($line, "200 [$result] [" . ($who || '-') . ']', "$name: access log");

    if ($result eq 'ok') {
        is($refused, '', "$name: no line in the error log");

    } else {
        like($refused, qr/k8s_sa:\ request\ refused,\ dry\ run
                          \ \($result\):\ /x, "$name: the line in the log");
        like($refused, $result eq 'no_keys' ? qr/\[error\]/ : qr/\[warn\]/,
             "$name: its level");
    }
}

my ($answer, $seen) = ask('/front', $good, @forged);
is_deeply($seen, [ "X-Remote-User: $user", 'X-Remote-Uid: uid-1',
                   'X-Remote-Group: system:serviceaccounts',
                   'X-Remote-Group: system:serviceaccounts:mytest',
                   'X-Remote-Group: system:authenticated' ],
          'all headers for a caller that is known but not allowed');

# Other locations still refuse

is((ask('/any'))[0]{status}, 403, 'satisfy any: the address decides');
is((ask('/any', $good))[0]{status}, 200, 'satisfy any: the token is enough');
is((ask('/all', $good))[0]{status}, 403, 'satisfy all: the address decides');

# Off again

is((ask('/off'))[0]{status}, 401, 'off: no token');
is((ask('/off', $good))[0]{status}, 403, 'off: not allowed');
unlike((ask('/off', $good))[3], qr/dry run/,
       'off: the log does not say dry run');
is((ask('/outer/inner'))[0]{status}, 401, 'off is inherited');
is(get($server_port, '/server')->{status}, 401, 'off in a server');
is(get($server_port, '/on')->{status}, 200, '... and on again in a location');
is((ask('/limit'))[0]{status}, 401, 'limit_except: GET is not a dry run');
is(request($port, "POST /limit HTTP/1.0\r\n\r\n")->{status}, 200,
   'limit_except: POST is a dry run');
like((ask('/quiet'))[3], qr/\[info\].*dry run/, 'k8s_sa_log_level is obeyed');


# Removed by a reload: the rule applies at once, also to a cached token

my $reload_port = free_port();
my $text = <<"_";
$issuer
server {
    listen 127.0.0.1:$reload_port;
    add_header X-Cache \$k8s_sa_cache always;
    location / {
        k8s_sa_auth made; k8s_sa_allow mytest/service2; k8s_sa_dry_run DRY;
        empty_gif;
    }
}
_

my $reload = K8sSa::Nginx->new(http => $text =~ s/DRY/on/r)->start;

is(get($reload_port, '/', $good)->{status}, 200, 'before a reload') for 1, 2;
$reload->reload($text =~ s/DRY/off/r);

my $reloaded = get($reload_port, '/', $good);
is($reloaded->{status}, 403, '... and after it');
like($reloaded->{head}, qr/^X-Cache: HIT\r$/m,
     '... although the token was cached');


refused("dry_run: $_->[0]", "$issuer\n$_->[1] # HERE", $_->[2])
    for [ 'neither on nor off', 'k8s_sa_dry_run yes;',
          qr/invalid value "yes" in "k8s_sa_dry_run" directive/ ],
        [ 'twice', 'k8s_sa_dry_run on; k8s_sa_dry_run on;',
          qr/"k8s_sa_dry_run" directive is duplicate/ ];


K8sSa::Nginx->finish;
