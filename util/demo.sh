#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A demonstration: Service 2 behind NGINX with the module, called by
# k8s-sa-client with genuine Kubernetes tokens and with bad ones, and with the
# verdicts of a stand-in for the API server.  Installs missing packages, builds,
# uses loopback only, and leaves nothing running.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

BUILD=${BUILD:-build}
NGINX=/usr/sbin/nginx
TOKENS=t/fixtures/1.36.2/tokens         # from a real API server
ISSUER=https://kubernetes.default.svc
USER1=system:serviceaccount:mytest:service1

install_packages "${DEMO_PACKAGES[@]}"
step "building the module and the client" \
    make -j"$(nproc)" BUILD="$BUILD" all

CLIENT=$(realpath "$BUILD/k8s-sa-client")
MODULE=$(realpath "$BUILD/ngx_http_k8s_sa_module.so")


# in its own directory, which nginx's workers can read

D=$SCRATCH/demo
PORT=$(free_port)
SERVICE2=$(free_port)
API=$(free_port)
URL=http://127.0.0.1:$PORT

mkdir -p "$D"/keys "$D"/tmp "$D"/bindings
cp t/fixtures/1.36.2/sa.pub t/fixtures/1.20.2/jwks.json "$D/keys/"

cat >"$D/nginx.conf" <<END
load_module  $MODULE;
pid          nginx.pid;
error_log    error.log warn;
events       { }

http {
    include  paths.conf;                            # for temporary files

    k8s_sa_issuer cluster {                         # Kubernetes 1.36
        issuer         $ISSUER;
        audience       service2;
        public_key     keys/sa.pub;
        legacy_tokens  on;

        api_server           http://127.0.0.1:$API;
        access_review;                              # for /metrics
        access_review_cache  1s denied=1s;
    }

    k8s_sa_issuer old_cluster {                     # Kubernetes 1.20
        issuer         $ISSUER;
        audience       service2;
        jwks_file      keys/jwks.json;
        legacy_tokens  on;
    }

    server {                                        # the sidecar
        listen  127.0.0.1:$PORT;

        location / {
            k8s_sa_auth  cluster;
            proxy_pass   http://127.0.0.1:$SERVICE2/;
        }

        location /old/ {
            k8s_sa_auth  old_cluster;
            proxy_pass   http://127.0.0.1:$SERVICE2/old/;
        }

        location = /metrics {                       # RBAC decides
            k8s_sa_auth       cluster;
            k8s_sa_authorize;
            proxy_pass        http://127.0.0.1:$SERVICE2/metrics;
        }
    }

    log_format  received  'X-Remote-User: "\$http_x_remote_user", '
                          'Authorization: "\$http_authorization"';

    server {                                        # Service 2
        listen      127.0.0.1:$SERVICE2;
        access_log  service2.log received;
        return      200 "hello \$http_x_remote_user";
    }

    include  api-server.conf;
}
END

# The API server's stand-in allows what has a file bindings/USER/VERB/PATH.  The
# question is handed on in a header, since "map" cannot read a body.

cat >"$D/api-server.conf" <<END
map \$http_x_review \$binding {
    "~\"user\":\"(?<user>[\w:]+)\".*\"path\":\"(?<path>[/\w]+)\",\"verb\":\"(?<verb>\w+)\""
             $D/bindings/\$user/\$verb\$path;
}

server {
    listen  127.0.0.1:$API;

    set  \$allowed false;
    if (-f \$binding) {
        set  \$allowed true;
    }

    location = /apis/authorization.k8s.io/v1/subjectaccessreviews {
        proxy_set_header  X-Review \$request_body;
        proxy_pass        http://127.0.0.1:$API/verdict;
    }

    location = /verdict {
        return 201 '{"apiVersion": "authorization.k8s.io/v1",
                     "kind": "SubjectAccessReview",
                     "status": {"allowed": \$allowed}}';
    }
}
END

cat >"$D/paths.conf" <<END
access_log             access.log;
client_body_temp_path  tmp/body;
proxy_temp_path        tmp/proxy;
fastcgi_temp_path      tmp/fastcgi;
uwsgi_temp_path        tmp/uwsgi;
scgi_temp_path         tmp/scgi;
END


# Output and checks

title() {
    printf '\n== %s\n' "$*"
}

indent() {
    sed 's/^/   /'
}

expect() {
    local pattern=$1 file=$2

    if ! grep -qE "$pattern" "$file"; then
        tail -n 5 "$D/error.log" >&2 || true
        fail "expected \"$pattern\""
    fi
}

# call TOKEN-FILE PATH PATTERN: fails unless the answer matches PATTERN

call() {
    echo "   \$ k8s-sa-client --token-file $1 --count 1 $URL$2"
    timeout 20 "$CLIENT" --token-file "$1" --count 1 "$URL$2" \
        >"$D/answer" 2>&1 || true
    sed "s/\\(response: '.\{48\}\).*/\\1 .../" "$D/answer" | indent
    expect "$3" "$D/answer"
}

received() {
    tail -n 1 "$D/service2.log" | sed 's/^/   Service 2 received  /'
}

inspect() {
    echo "   \$ k8s-sa-client inspect $1"
    "$CLIENT" inspect "$1" >"$D/answer"
    sed -n '/^kind:/,$p' "$D/answer" | indent
}

# Asks for /metrics once, or until the status is STATUS.

metrics() {
    curl -sS -m 20 --noproxy '*' -i -H "@$D/authorization" "$URL/metrics" \
        | tr -d '\r' >"$D/answer"
}

metrics_until() {
    local tries

    for tries in {1..100}; do
        metrics
        ! grep -q "^HTTP/1.1 $1" "$D/answer" || break
        sleep 0.3
    done

    echo "   \$ curl -i -H @authorization $URL/metrics"
    (cat "$D/answer"; echo) | grep -E '^(HTTP|hello)' | indent
    expect "^HTTP/1.1 $1" "$D/answer"
}

is_running() {
    [ -n "${PID:-}" ] && [ -d "/proc/$PID" ]
}

stop_nginx() {
    local tries

    if is_running; then
        kill "$PID"
        for tries in {1..50}; do
            is_running || return 0
            sleep 0.1
        done
        fail "nginx (pid $PID) did not stop in $((tries / 10)) s"
    fi
}

accepted() {
    grep -c . "$D/service2.log" || true
}


title "The configuration of NGINX in front of Service 2"
indent <"$D/nginx.conf"

at_exit stop_nginx
"$NGINX" -p "$D/" -c "$D/nginx.conf" -e "$D/error.log"
PID=$(cat "$D/nginx.pid")

title "A projected token: for an audience, for a time, for a pod"
inspect $TOKENS/long-aud-service2-pod.jwt

title "Service 1 calls Service 2 with it: 200"
call $TOKENS/long-aud-service2-pod.jwt / \
    "status=200, response: 'hello system:serviceaccount:mytest:service1'"
received

title "A legacy token, from a Secret: no audience, and it never expires"
inspect $TOKENS/legacy-manual.jwt
call $TOKENS/legacy-manual.jwt / \
    "status=200, response: 'hello system:serviceaccount:mytest:service1'"
received

title "Tokens from an older cluster, whose keys are in a JWKS file"
call ${TOKENS/1.36.2/1.20.2}/long-aud-service2.jwt /old/ \
    "status=200, response: 'hello system:serviceaccount:mytest:service1'"
call ${TOKENS/1.36.2/1.20.2}/legacy-manual.jwt /old/ \
    "status=200, response: 'hello system:serviceaccount:mytest:service1'"

title "A caller cannot claim to be someone else"
(printf 'Authorization: Bearer '; cat $TOKENS/long-aud-service2.jwt) \
    >"$D/authorization"
echo "   \$ curl -H @authorization -H 'X-Remote-User: root' $URL/"
curl -sS -m 20 --noproxy '*' -H "@$D/authorization" -H 'X-Remote-User: root' \
    "$URL/" >"$D/answer"
indent <"$D/answer" && echo
expect '^hello system:serviceaccount:mytest:service1$' "$D/answer"
received

SO_FAR=$(accepted)

title "Without a token: 401"
echo "   \$ curl -i $URL/"
curl -sS -m 20 --noproxy '*' -i "$URL/" | tr -d '\r' >"$D/answer"
grep -E '^(HTTP|WWW-Auth)' "$D/answer" | indent
expect '^HTTP/1.1 401' "$D/answer"
expect '^WWW-Authenticate: Bearer realm="kubernetes"' "$D/answer"

title "With a token for another audience: 401"
call $TOKENS/long-service2-aud-service3.jwt / "status=401"

title "With a forged token, one character of its signature changed: 401"
token=$(cat $TOKENS/long-aud-service2-pod.jwt)
at=$((${#token} - 100))
other=A
[ "${token:at:1}" != A ] || other=B
printf '%s%s%s\n' "${token:0:at}" $other "${token:at + 1}" >"$D/forged.jwt"
call "$D/forged.jwt" / "status=401"

[ "$(accepted)" = "$SO_FAR" ] || fail "a refused request reached Service 2"

title "The API server, here a stand-in, decides who may read /metrics: 403"
echo "   \$ curl -i -H @authorization $URL/metrics"
metrics
grep -E '^(HTTP|WWW-Auth)' "$D/answer" | fold -s -w 73 | indent
expect '^HTTP/1.1 403' "$D/answer"
expect 'error="insufficient_scope", error_description="cannot get path /metrics"' \
    "$D/answer"

[ "$(accepted)" = "$SO_FAR" ] || fail "a refused request reached Service 2"

title "After a ClusterRoleBinding is created: 200"
mkdir -p "$D/bindings/$USER1/get"
touch "$D/bindings/$USER1/get/metrics"
metrics_until 200
received

title "After it is deleted: 403"
rm "$D/bindings/$USER1/get/metrics"
metrics_until 403

title "NGINX's log of these requests (never a token)"
grep -E '\[(warn|error)\]' "$D/error.log" | sed 's/, client: .*//' \
    | fold -s -w 76 | indent
for token in "$TOKENS"/*.jwt "$D/forged.jwt"; do
    ! grep -qF "$(sed 's/.*\.//' "$token")" "$D"/*.log \
        || fail "the signature of $token is in a log"
done

stop_nginx
title "Everything worked; nothing is left running."
