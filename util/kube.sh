#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A genuine Kubernetes API server 1.20 on loopback, with its controller manager
# and etcd, for t/kube.
#
#     util/kube.sh build              build the binaries (minutes, at first)
#     util/kube.sh up                 start a new cluster and wait for it
#     util/kube.sh status             show what is running, and the environment
#     util/kube.sh down               stop everything and remove its state
#
#     util/kube.sh api METHOD PATH [JSON]    send a request as cluster-admin
#     util/kube.sh account NS NAME...        create the namespace and accounts
#     util/kube.sh token NS NAME [AUD...]    get a token by the TokenRequest API
#     util/kube.sh kubectl ARGUMENT...       Debian's kubectl, as cluster-admin
#     util/kube.sh stop-apiserver
#     util/kube.sh start-apiserver [--signing-key F] [--key-file F]... [FLAG...]
#     util/kube.sh restart-apiserver
#
# start-apiserver uses the previous keys and flags unless it gets others.  FLAG
# is one of the API server's own, written --flag=value.
#
# Environment: KUBE_DIR, the state (default: a directory for each user in /tmp;
# "up" writes KUBE_DIR/env, which other scripts can source); KUBE_ISSUER;
# KUBE_SECONDS, a token's life time; KUBE_POD, the pod that it is bound to;
# K8S_SA_CACHE, where binaries are kept.

# KUBE_* are in the env file
# shellcheck disable=SC1091,SC2153
set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

CACHE=${K8S_SA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/k8s-sa}/kube
BIN=$CACHE/bin
DIR=${KUBE_DIR:-${TMPDIR:-/tmp}/k8s-sa-kube.$(id -u)}
PKI=$DIR/pki
ISSUER=${KUBE_ISSUER:-https://kubernetes.default.svc.cluster.local}


# Certificates and keys of the temporary cluster

certificate() {
    local name=$1 subject=$2 extensions=$3

    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -keyout "$PKI/$name.key" -out "$PKI/$name.csr" -subj "$subject"
    openssl x509 -req -in "$PKI/$name.csr" -out "$PKI/$name.crt" -days 30 \
        -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial \
        -extfile <(printf '%s\n' "$extensions")
}

make_pki() {
    mkdir "$PKI"

    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -keyout "$PKI/ca.key" -out "$PKI/ca.crt" -days 30 -subj /CN=k8s-sa-test

    certificate apiserver /CN=kube-apiserver "subjectAltName=IP:127.0.0.1,\
DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
DNS:kubernetes.default.svc.cluster.local"
    certificate admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth

    # the signing key, and two for rotations
    openssl genrsa -out "$PKI/sa.key" 2048
    openssl genrsa -out "$PKI/sa-2.key" 2048
    openssl ecparam -name prime256v1 -genkey -noout -out "$PKI/sa-ec.key"

    for key in sa sa-2 sa-ec; do
        openssl pkey -in "$PKI/$key.key" -pubout -out "$PKI/$key.pub"
    done
}

write_kubeconfig() {
    cat >"$DIR/kubeconfig" <<END
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {server: "$KUBE_URL", certificate-authority: $PKI/ca.crt}
users:
- name: admin
  user: {client-certificate: $PKI/admin.crt, client-key: $PKI/admin.key}
contexts:
- name: test
  context: {cluster: test, user: admin}
current-context: test
END
}

write_env() {
    local port etcd

    port=$(free_port)
    etcd=$(free_port)

    cat >"$DIR/env" <<END
KUBE_DIR=$DIR
KUBE_URL=https://127.0.0.1:$port
KUBE_PORT=$port
KUBE_ETCD_PORT=$etcd
KUBE_ISSUER=$ISSUER
KUBE_CA=$PKI/ca.crt
KUBE_CERT=$PKI/admin.crt
KUBE_KEY=$PKI/admin.key
KUBE_SA_PUB=$PKI/sa.pub
KUBECONFIG=$DIR/kubeconfig
END
}


# Processes, by their pid files.  The executable has to be ours, since the pid
# may belong to another process by now.

is_running() {
    local pid

    pid=$(cat "$DIR/$1.pid" 2>/dev/null) || return 1
    [ "$(readlink "/proc/$pid/exe")" = "$(realpath "$BIN/$1")" ]
}

start() {
    local name=$1 tries
    shift

    # in a session of its own: neither a test's end nor ^C stops it
    setsid "$BIN/$name" "$@" >>"$DIR/$name.log" 2>&1 </dev/null 9>&- &
    echo $! >"$DIR/$name.pid"

    # it is a shell or setsid at first
    for tries in {1..100}; do
        is_running "$name" && break
        sleep 0.05
    done
}

stop() {
    local name=$1 pid tries

    if is_running "$name"; then
        pid=$(cat "$DIR/$name.pid")
        kill "$pid"

        # the API server would wait a minute for watches
        for tries in {1..50}; do
            is_running "$name" || break
            [ "$tries" != 30 ] || kill -9 "$pid" || true
            sleep 0.1
        done
    fi

    rm -f "$DIR/$name.pid"
}

# wait_for NAME TEXT COMMAND...: repeats COMMAND until it succeeds; fails if
# process NAME ends

wait_for() {
    local name=$1 text=$2 tries
    shift 2

    for tries in {1..600}; do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        if ! is_running "$name"; then
            tail -n 20 "$DIR/$name.log" >&2
            fail "$name ended while waiting for $text"
        fi
        sleep 0.2
    done

    tail -n 20 "$DIR/$name.log" >&2
    fail "no $text after $((tries / 5)) s"
}


start_etcd() {
    local url=http://127.0.0.1:$KUBE_ETCD_PORT peer

    peer=http://127.0.0.1:$(free_port)
    start etcd --data-dir "$DIR/etcd" --unsafe-no-fsync \
        --listen-client-urls "$url" --advertise-client-urls "$url" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
        --initial-cluster "default=$peer"
    wait_for etcd "etcd's health" curl -sf --noproxy '*' "$url/health"
}

# start_apiserver [--signing-key FILE] [--key-file FILE]... [FLAG...]

start_apiserver() {
    local signing='' files=() flags=()

    while [ $# != 0 ]; do
        case $1 in
        --signing-key) signing=$(realpath "$2"); shift 2 ;;
        --key-file)    files+=("$(realpath "$2")"); shift 2 ;;
        *)             flags+=("$1"); shift ;;
        esac
    done

    if [ -n "$signing" ]; then
        echo "--service-account-signing-key-file=$signing" >"$DIR/signing"
        [ ${#files[@]} != 0 ] || files=("$signing")
    fi
    if [ ${#files[@]} != 0 ]; then
        printf -- '--service-account-key-file=%s\n' "${files[@]}" \
            >"$DIR/key-files"
    fi
    if [ ${#flags[@]} != 0 ]; then
        printf '%s\n' "${flags[@]}" >"$DIR/flags"
    fi

    mapfile -t flags < <(cat "$DIR/signing" "$DIR/key-files" "$DIR/flags")

    start kube-apiserver \
        --bind-address=127.0.0.1 --secure-port="$KUBE_PORT" \
        --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
        --etcd-servers="http://127.0.0.1:$KUBE_ETCD_PORT" \
        --service-cluster-ip-range=10.96.0.0/16 \
        --tls-cert-file="$PKI/apiserver.crt" \
        --tls-private-key-file="$PKI/apiserver.key" \
        --client-ca-file="$PKI/ca.crt" --authorization-mode=RBAC \
        --service-account-issuer="$KUBE_ISSUER" \
        --service-account-jwks-uri="$KUBE_URL/openid/v1/jwks" \
        --api-audiences="$KUBE_ISSUER" "${flags[@]}"

    # RBAC's default roles may be created after readyz succeeds
    wait_for kube-apiserver "API server that is ready" api GET /readyz
    wait_for kube-apiserver "clusterrole system:auth-delegator" api GET \
        /apis/rbac.authorization.k8s.io/v1/clusterroles/system:auth-delegator
}

start_controller_manager() {
    start kube-controller-manager --kubeconfig="$DIR/kubeconfig" \
        --bind-address=127.0.0.1 --port=0 --secure-port="$(free_port)" \
        --cert-dir="$DIR/controller-manager" --leader-elect=false \
        --root-ca-file="$PKI/ca.crt" \
        --service-account-private-key-file="$PKI/sa.key" \
        --controllers=serviceaccount,serviceaccount-token,namespace,root-ca-cert-publisher
    wait_for kube-controller-manager "default service account" \
        api GET /api/v1/namespaces/default/serviceaccounts/default
}

# If a start fails, the processes that were started are stopped.

READY=yes

down_unless_ready() {
    [ -n "$READY" ] || down
}

up() {
    if is_running kube-apiserver; then
        say "already running: $DIR"
        return
    fi

    build
    down
    mkdir -m 700 "$DIR" || fail "cannot create $DIR for the cluster's state"

    READY=
    at_exit down_unless_ready
    write_env
    . "$DIR/env"
    step "making certificates and keys" make_pki
    write_kubeconfig
    : >"$DIR/flags"

    say "starting etcd, kube-apiserver, kube-controller-manager ..."
    start_etcd
    start_apiserver --signing-key "$PKI/sa.key" --key-file "$PKI/sa.pub"
    start_controller_manager
    READY=yes
    say "ready: $KUBE_URL (see $DIR/env)"
}

down() {
    if [ -O "$DIR/env" ]; then
        stop kube-controller-manager
        stop kube-apiserver
        stop etcd
        rm -rf "$DIR"
    fi
}

build() {
    if [ ! -x "$BIN/kube-apiserver" ]; then
        util/kube-build.sh "$CACHE"
    fi
}

status() {
    local name

    for name in etcd kube-apiserver kube-controller-manager; do
        is_running $name && echo "$name runs" || echo "$name does not run"
    done
    cat "$DIR/env" 2>/dev/null
}


# Requests

api() {
    curl -sS --fail-with-body --noproxy '*' --max-time 20 --cacert "$KUBE_CA" \
        --cert "$KUBE_CERT" --key "$KUBE_KEY" -X "$1" "$KUBE_URL$2" \
        ${3:+-H Content-Type:application/json --data-binary "$3"}
}

account() {
    local ns=$1 path=/api/v1/namespaces
    shift

    if ! api GET $path/"$ns" >/dev/null 2>&1; then
        api POST $path '{"metadata": {"name": "'"$ns"'"}}' >/dev/null
    fi

    for name in "$@"; do
        api POST $path/"$ns"/serviceaccounts \
            '{"metadata": {"name": "'"$name"'"}}' >/dev/null
    done
}

token() {
    local ns=$1 name=$2 audiences='' bound=''
    shift 2

    if [ $# != 0 ]; then
        audiences=$(printf ', "%s"' "$@")
        audiences='"audiences": ['${audiences#, }'], '
    fi
    if [ -n "${KUBE_POD:-}" ]; then
        bound='"boundObjectRef": {"kind": "Pod", "apiVersion": "v1",
               "name": "'$KUBE_POD'"}, '
    fi

    api POST /api/v1/namespaces/"$ns"/serviceaccounts/"$name"/token \
        '{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
          "spec": {'"$audiences$bound"'
                   "expirationSeconds": '"${KUBE_SECONDS:-3600}"'}}' \
        | sed -n 's/^ *"token": "\(.*\)",\?$/\1/p'
}

# the version that fits the API server; only unpacked, since the machine may
# have another one installed

fetch_kubectl() {
    mkdir "$SCRATCH/kubectl"
    (fetch_debs bookworm "$SCRATCH/kubectl" kubernetes-client)
    dpkg -x "$SCRATCH"/kubectl/*.deb "$SCRATCH/kubectl/root"
    cp "$SCRATCH/kubectl/root/usr/bin/kubectl" "$BIN/kubectl.new"
    mv "$BIN/kubectl.new" "$BIN/kubectl"
}

kubectl() {
    if [ ! -x "$BIN/kubectl" ]; then
        step "fetching Debian's kubernetes-client" fetch_kubectl >&2
    fi

    NO_PROXY=127.0.0.1 "$BIN/kubectl" --kubeconfig="$KUBECONFIG" \
        --cache-dir="$DIR/kubectl" "$@"
}


command=${1:-help}
[ $# = 0 ] || shift

case $command in
up | down | build | status)
    "$command" "$@"
    ;;
api | account | token | kubectl \
| start-apiserver | stop-apiserver | restart-apiserver)
    [ -O "$DIR/env" ] || fail "no cluster in $DIR; start one: util/kube.sh up"
    . "$DIR/env"
    case $command in
    stop-apiserver)    stop kube-apiserver ;;
    start-apiserver)   start_apiserver "$@" ;;
    restart-apiserver) stop kube-apiserver; start_apiserver "$@" ;;
    *)                 "$command" "$@" ;;
    esac
    ;;
*)
    sed -n '4,/^$/s/^# \?//p' "$0"
    exit 2
    ;;
esac
