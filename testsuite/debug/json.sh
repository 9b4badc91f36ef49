#!/bin/sh
# SPDX-License-Identifier: MIT
# The JSON socket: requests and answers, errors, "interrupt" while the guest runs, nonsense.
. "$SRCDIR/testsuite/debug/lib.sh"
need socat
grep -q 'HAVE_JANSSON 1' "$BUILD/config.h" || skip "no jansson"

# ask GUEST REQUESTS: the answers, one on a line, are in $TMPDIR/out.
ask() {
    "$DENALI" debug --monitor unix:"$TMPDIR/s" "$1" >"$TMPDIR/told" 2>"$TMPDIR/err" </dev/null &
    server=$!
    for _i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -S "$TMPDIR/s" ] && break
        sleep 0.1
    done
    eval "$2" | socat -t 5 - UNIX-CONNECT:"$TMPDIR/s" >"$TMPDIR/out"
    wait $server
    status=$?
}

ask "$guest" "printf '%s\n' '{\"id\": 7, \"command\": \"break post if amount == 30\"}' 'continue' \
    '{\"command\": \"backtrace\"}' '{\"command\": \"print account->name\"}' 'frobnicate' '{\"x\": 1}' '{broken' \
    '{\"command\": \"info registers eax\"}' '{\"command\": \"x/2xw \$esp\"}' 'info breakpoints' 'help step' quit"
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
[ "$(wc -l <"$TMPDIR/out")" = 12 ] || fail "not 12 answers: $(cat "$TMPDIR/out")"
has '"id":7,' '"breakpoint":1' '"ok":true' '"kind":"breakpoint"' '"function":"post"' '"line":46' '"level":1' \
    '"value":"0x' 'there is no command' 'say {\"command\"' '"registers":{"eax":' '"values":[' '"hits":1' '"example":"step"'
[ -S "$TMPDIR/s" ] && fail "the socket was left behind"
if command -v python3 >/dev/null 2>&1; then
    python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' <"$TMPDIR/out" || fail "not JSON: $(cat "$TMPDIR/out")"
fi

# While the guest runs "interrupt" is heard; other commands wait until it stands.
ask "$BUILD/guests/spin" "(echo continue; sleep 0.5; echo 'print 1'; sleep 0.2; echo interrupt; sleep 0.5; echo 'print 2'; echo quit)"
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
has '"kind":"interrupted"' '"value":"1"' '"value":"2"'

# A line without end is hung up on; the next client is served.
ask "$guest" "(head -c 100000 /dev/zero | tr '\0' a | socat -t 1 - UNIX-CONNECT:$TMPDIR/s >/dev/null; echo 'print 3'; echo quit)"
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
has '"value":"3"'
"$DENALI" debug --monitor unix:/nonexistent/x "$guest" </dev/null >"$TMPDIR/out" 2>"$TMPDIR/err"
[ $? = 125 ] && grep -q 'cannot listen' "$TMPDIR/err" || fail "$(cat "$TMPDIR/err")"
