#!/bin/bash

# Instructions that the module adds to a request with a known token: callgrind
# over the same nginx process with and without k8s_sa_auth.  Repeatable.
#
#     instructions.sh MODULE DIR      (DIR has jwks.json and one)

set -eu

module=$1
keys=$2
dir=$(mktemp -d)
pid=

cleanup() {
    [ -z "$pid" ] || kill -QUIT "$pid" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT

mkdir "$dir/www"
echo hello >"$dir/www/small"

cat >"$dir/nginx.conf" <<END
load_module $module;
daemon off;
master_process off;
pid $dir/pid;
error_log $dir/log error;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $dir/tmp; proxy_temp_path $dir/tmp;
    fastcgi_temp_path $dir/tmp; uwsgi_temp_path $dir/tmp;
    scgi_temp_path $dir/tmp;
    k8s_sa_issuer cluster {
        issuer https://kubernetes.default.svc;
        jwks_file $keys/jwks.json;
        audience service2;
    }
    server {
        listen 127.0.0.1:18109;
        root $dir/www;
        location = /free { try_files /small =404; }
        location = /auth { k8s_sa_auth cluster; try_files /small =404; }
    }
}
END

# instructions of a run with $2 requests to $1
run() {
    local i

    for ((i = 0; i < $2; i++)); do
        printf 'url = http://127.0.0.1:18109/%s\noutput = /dev/null\n' "$1"
    done >"$dir/requests"

    valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        nginx -p "$dir" -c "$dir/nginx.conf" 2>"$dir/valgrind" &
    pid=$!

    for ((i = 0; i < 200; i++)); do
        curl -s -o /dev/null "http://127.0.0.1:18109/free" && break
        sleep 0.1
    done

    curl -sf -H "Authorization: Bearer $(cat "$keys/one")" -K "$dir/requests"

    kill -QUIT "$pid"
    wait "$pid" || true
    pid=
    awk '/Collected/ { print $4 }' "$dir/valgrind"
}

few=$(run auth 100)
many=$(run auth 600)
few_free=$(run free 100)
many_free=$(run free 600)

echo $(((many - few) / 500 - (many_free - few_free) / 500))
