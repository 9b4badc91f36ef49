# SPDX-License-Identifier: MIT
# For the tests of the host: `. "$SRCDIR/testsuite/host/lib.sh"`. A daemon of the test's own.
. "$SRCDIR/testsuite/lib.sh"

need curl
[ -x "$BUILD/denali-host" ] || skip "denali-host is not built"
[ -x "$BUILD/guests/httpd" ] || skip "httpd is not built"

DENALI_HOST=$TMPDIR/run/s
export DENALI_HOST
daemon_pid=

# host_start [OPTIONS...]: a daemon, ready.
host_start() {
    mkdir -p "$TMPDIR/site"
    echo "a page" >"$TMPDIR/site/index.html"
    "$DENALI" host --state "$TMPDIR/state" --detach --orphan 5 --grace 3 "$@" >"$TMPDIR/start" 2>&1 ||
        fail "the daemon does not start: $(cat "$TMPDIR/start")"
    daemon_pid=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' "$TMPDIR/start")
}

# host_end: ends it as a person does; all its processes must be gone.
host_end() {
    [ -n "$daemon_pid" ] || return 0
    kill "$daemon_pid" 2>/dev/null
    await 100 no_process_left || fail "processes are left: $(processes)"
    daemon_pid=
}

# Every process that was started for this test's state folder.
processes() {
    for p in /proc/[0-9]*; do
        { tr "\0" " " <"$p/cmdline"; } 2>/dev/null | grep -q -e "--state $TMPDIR/state" && echo "${p#/proc/}"
    done
}
no_process_left() { [ -z "$(processes)" ]; }

# await TENTHS COMMAND...: until it succeeds.
await() {
    _n=$1
    shift
    while ! "$@" >/dev/null 2>&1; do
        _n=$((_n - 1))
        [ "$_n" -gt 0 ] || return 1
        sleep 0.1
    done
}

# api METHOD PATH [CURL OPTIONS...]: the answer's body in $TMPDIR/answer, its status in $code.
api() {
    _method=$1 _path=$2
    shift 2
    code=$(curl -s -m 20 --unix-socket "$DENALI_HOST" -X "$_method" -o "$TMPDIR/answer" \
        -w '%{http_code}' "$@" "http://x$_path")
}

# field NAME: the value of a string or number in the last answer, the first of that name.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$TMPDIR/answer" | head -1; }
state_of() { api GET "/v1/vms/$1"; sed -n 's/.*"state":"\([a-z]*\)".*/\1/p' "$TMPDIR/answer"; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }

# worker_pid VM: the process that runs it.
worker_pid() {
    api GET "/v1/vms/$1"
    _w=$(sed -n 's/.*"worker":\([0-9]*\).*/\1/p' "$TMPDIR/answer")
    api GET /v1/host
    sed -n "s/.*{\"index\":$_w,\"pid\":\([0-9]*\),.*/\1/p" "$TMPDIR/answer"
}

# page PORT: whether the VM behind that port answers.
page() { [ "$(curl -s -m 5 "http://127.0.0.1:$1/index.html")" = "a page" ]; }

# A port of the host that is free, below the ephemeral ones.
free_port() {
    _p=$((20000 + $$ % 5000 + ${1-0}))
    while ss -ltn 2>/dev/null | grep -q ":$_p "; do _p=$((_p + 7)); done
    echo $_p
}

make_httpd() { # NAME PORT [OPTIONS...]
    _name=$1 _port=$2
    shift 2
    "$DENALI" create --name "$_name" -p "$_port:80" --root "$TMPDIR/site" "$@" "$BUILD/guests/httpd" / \
        >/dev/null || fail "cannot create $_name"
}

trap 'host_end >/dev/null 2>&1; for p in $(processes); do kill -9 "$p" 2>/dev/null; done' EXIT
trap 'exit 1' HUP INT TERM
