# SPDX-License-Identifier: MIT
# For tests with the real gdb: `. "$SRCDIR/testsuite/debug/gdb_lib.sh"`.
. "$SRCDIR/testsuite/lib.sh"
need gdb
[ -x "$DENALI" ] || skip "denali is not built"

started=
trap 'for p in $started; do kill $p 2>/dev/null; done' EXIT

# serve OPTIONS... IMAGE [ARGS]: denali run with a port for gdb, waiting; the port is in $port.
serve() { serve_verb run "$@"; }
serve_pc() { serve_verb pc "$@"; }
serve_verb() {
    _verb=$1
    shift
    rm -f "$TMPDIR/guest.err"
    "$DENALI" $_verb --gdb 0 -S "$@" >"$TMPDIR/guest" 2>"$TMPDIR/guest.err" </dev/null &
    server=$!
    started="$started $server"
    port=
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 $(seq 21 150); do
        port=$(sed -n 's/.*target remote .*:\([0-9]*\)$/\1/p' "$TMPDIR/guest.err" 2>/dev/null)
        [ -n "$port" ] && return
        kill -0 $server 2>/dev/null || break
        sleep 0.2
    done
    fail "no port for gdb: $(cat "$TMPDIR/guest.err")"
}

connect="target remote"

# gdb's commands come by standard input; its output is in $TMPDIR/gdb.
in_gdb() {
    { printf 'set pagination off\nset confirm off\nset width 0\nset sysroot target:\n%s 127.0.0.1:%s\n' "$connect" "$port"
      cat; } >"$TMPDIR/script"
    timeout 60 gdb -batch -nx -x "$TMPDIR/script" >"$TMPDIR/gdb" 2>&1
    gdb_status=$?
    if grep -q -i -e 'packet reply' -e 'malformed' -e 'Remote connection closed' -e 'internal-error' \
        -e 'Truncated register' -e 'error in sourced' "$TMPDIR/gdb"; then
        fail "$engine: gdb complains: $(cat "$TMPDIR/gdb")"
    fi
}

# said PATTERN...: gdb said all of these, each by a regular expression.
said() {
    for _p; do
        grep -q -e "$_p" "$TMPDIR/gdb" || fail "$engine: gdb did not say '$_p': $(cat "$TMPDIR/gdb")"
    done
}

# ended STATUS: so the server ends.
ended() {
    wait $server
    _s=$?
    [ $_s = "$1" ] || fail "$engine: denali's status is $_s, not $1: $(cat "$TMPDIR/guest.err")"
}
