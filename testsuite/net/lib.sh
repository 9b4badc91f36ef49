# SPDX-License-Identifier: MIT
# For the network's tests: a VM (or the native program) behind a port of this host.
. "$SRCDIR/testsuite/lib.sh"

[ -x "$DENALI" ] && [ -x "$BUILD/denali-nat" ] || skip "denali or denali-nat is not built"
[ -f "$BUILD/guests/ilwaco" ] && [ -x "$BUILD/guests/httpd" ] || skip "ilwaco or httpd is not built"
tools() { for t in "$@"; do command -v "$t" >/dev/null 2>&1 || skip "no $t"; done; }

port=$(($$ % 1200 * 10 + 20000)) # ten for each test, below the ephemeral ones
started=
trap 'for p in $started; do kill $p 2>/dev/null; done' EXIT

# serve MODE SITE: httpd in a VM with engine MODE, or natively; $url leads to it.
serve() {
    mode=$1 site=$2
    port=$((port + 1))
    url=http://127.0.0.1:$port
    : >"$TMPDIR/server" # the last one's words must not pass for this one's
    if [ "$mode" = native ]; then
        "$BUILD/guests/httpd" -p $port -a 127.0.0.1 "$site" >"$TMPDIR/server" 2>&1 &
    else
        "$DENALI" run --engine "$mode" ${options-} -p $port:80 --root "$site" "$BUILD/guests/httpd" \
            >"$TMPDIR/server" 2>&1 &
    fi
    server=$!
    started="$started $server"
    for _ in $(seq 100); do
        grep -q serving "$TMPDIR/server" && break
        kill -0 $server 2>/dev/null || fail "$mode: $(cat "$TMPDIR/server")"
        sleep 0.1
    done
}

stop() {
    kill $server 2>/dev/null
    wait $server 2>/dev/null || :
}

# site DIR: files of several sizes.
site() {
    mkdir -p "$1/sub/empty" "$1/list"
    echo '<h1>hello</h1>' >"$1/index.html"
    head -c 1000 /dev/urandom >"$1/k1"
    head -c 300000 /dev/urandom >"$1/k300"
    : >"$1/nothing"
    echo text >"$1/list/a b<c>.txt"
}
