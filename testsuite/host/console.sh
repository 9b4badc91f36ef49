#!/bin/sh
# SPDX-License-Identifier: MIT
# A VM's console on a terminal: what is typed, the guest's mode, Ctrl-C, leaving and coming back; and
# as a script uses it.
. "$SRCDIR/testsuite/host/lib.sh"
[ -x "$BUILD/helpers/pty" ] || skip "the pty helper is not built"
host_start --workers 1
"$DENALI" create --name t "$BUILD/guests/tty" raw >/dev/null || fail "create"
"$DENALI" start t >/dev/null || fail "start"
ready() { "$DENALI" logs t | grep -q 'ready'; }
await 30 ready || fail "the guest is not ready"

# on_terminal STATUS KEYS...: each word is typed when the screen is quiet; $TMPDIR/out.
on_terminal() {
    _want=$1
    shift
    printf '%s\n' "$@" >"$TMPDIR/keys"
    "$BUILD/helpers/pty" "$TMPDIR/keys" "$DENALI" console t >"$TMPDIR/out" 2>&1
    status=$?
    [ $status -eq "$_want" ] || fail "status $status, not $_want: $(cat "$TMPDIR/out")"
}
shows() { grep -q -e "$1" "$TMPDIR/out" || fail "no '$1' on the terminal: $(cat -v "$TMPDIR/out")"; }

# Raw: each byte at once, Ctrl-C as a byte; Ctrl-] leaves and the VM goes on.
on_terminal 0 'a' '\x03' '\x1d'
shows '<61>'
shows '<03>'
is_state t running || fail "the VM has ended with its console"
# Again; it ends while somebody is attached, whose status is the guest's.
on_terminal 3 'b' 'q'
shows '<62>'
shows 'exit, status 3'
"$DENALI" logs t | grep -q '<61>' || fail "the log lacks what was printed: $("$DENALI" logs t)"

# Lines: nothing before Enter, Ctrl-C is a signal.
"$DENALI" create --name lines --start "$BUILD/guests/tty" >/dev/null || fail "create"
printf '%s\n' 'xy\n' '\x03' '\x1d' >"$TMPDIR/keys"
"$BUILD/helpers/pty" "$TMPDIR/keys" "$DENALI" console lines >"$TMPDIR/out" 2>&1 || fail "lines: $?"
shows '<78>'
shows '<0a>'
shows 'signals 1'

# A script: its input is typed, output comes until the VM has ended.
printf 'hello q' | "$DENALI" console --timeout 20 lines >"$TMPDIR/out" 2>"$TMPDIR/err"
status=$?
[ $status -eq 3 ] || fail "a script's console: status $status: $(cat "$TMPDIR/out" "$TMPDIR/err")"
shows '<68>'
grep -q 'exit, status 3' "$TMPDIR/err" || fail "the end is not told: $(cat "$TMPDIR/err")"
"$DENALI" console lines >"$TMPDIR/out" 2>&1
[ $? -eq 1 ] || fail "a console of a VM that has ended"
shows "is ended"
"$DENALI" console nobody >"$TMPDIR/out" 2>&1
[ $? -eq 1 ] || fail "a console of nobody"

fds=$(ls "/proc/$daemon_pid/fd" | wc -l)
# Two at once, one of which reads nothing: the VM goes on, and the other has everything.
"$DENALI" create --name flood --start "$BUILD/guests/tty" raw >/dev/null || fail "create"
sleep 3 | "$DENALI" console --timeout 20 flood 2>/dev/null | { sleep 5; head -c 1 >/dev/null; } &
slow=$!
head -c 40000 /dev/zero | tr '\0' a >"$TMPDIR/many"
"$DENALI" console --timeout 20 flood >"$TMPDIR/out" 2>"$TMPDIR/err" <"$TMPDIR/many" &
fast=$!
all_shown() { [ "$(grep -c '<61>' "$TMPDIR/out")" -eq 40000 ]; }
await 150 all_shown || fail "of 40000 bytes $(grep -c '<61>' "$TMPDIR/out") were shown: $(tail -3 "$TMPDIR/err")"
"$DENALI" kill flood >/dev/null || fail "kill"
wait $fast
[ $? -eq 137 ] || fail "the console's status of a VM that was killed"
wait $slow
closed() { [ "$(ls "/proc/$daemon_pid/fd" | wc -l)" -le $((fds + 1)) ]; }
await 30 closed || fail "the daemon keeps connections of consoles: $fds, $(ls "/proc/$daemon_pid/fd" | wc -l)"
# What a VM printed last reaches who is attached when it ends, however much it is.
"$DENALI" create --name last "$BUILD/guests/tty" raw >/dev/null || fail "create"
"$DENALI" start last >/dev/null || fail "start"
{ head -c 30000 "$TMPDIR/many"; printf q; } >"$TMPDIR/keys"
"$DENALI" console --timeout 20 last <"$TMPDIR/keys" >"$TMPDIR/out" 2>"$TMPDIR/err"
[ $? -eq 3 ] || fail "last: $(tail -3 "$TMPDIR/err")"
[ "$(grep -c '<61>' "$TMPDIR/out")" -eq 30000 ] || fail "the end of the output is missing"
# A log longer than it is kept is still there, its last part.
"$DENALI" logs flood | tail -1 | grep -q '<61>' || fail "the log of a flood"
# One of which the beginning is left out begins with a line, not within one.
log=$TMPDIR/state/logs/$(api GET /v1/vms/flood && field id).log
[ -s "$log" ] || fail "no log $log"
yes "a line of the log" | head -c 1500001 >>"$log"
"$DENALI" logs flood >"$TMPDIR/out" || fail "logs"
[ "$(head -1 "$TMPDIR/out")" = "a line of the log" ] || fail "it begins with $(head -1 "$TMPDIR/out")"
api GET "/v1/vms/flood/logs?offset=0" -D "$TMPDIR/headers"
tr -d '\r' <"$TMPDIR/headers" | grep -qi "^denali-next-offset: $(stat -c %s "$log")$" ||
    fail "where the next begin: $(grep -i offset "$TMPDIR/headers")"
host_end
exit 0
