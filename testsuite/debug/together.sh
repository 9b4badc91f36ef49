#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb and the monitor on one VM: gdb's breakpoint is listed by the monitor, the monitor's stops gdb's
# continue, gdb's `monitor` runs the table's commands but lets nothing run.
. "$SRCDIR/testsuite/debug/lib.sh"
need gdb socat
port=$((20000 + $$ % 5000))

"$DENALI" debug --gdb $port --monitor unix:"$TMPDIR/s" "$guest" >"$TMPDIR/told" 2>"$TMPDIR/err" </dev/null &
server=$!
trap 'kill $server 2>/dev/null' EXIT
for _i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -S "$TMPDIR/s" ] && grep -q 'target remote' "$TMPDIR/err" && break
    sleep 0.1
done
[ -S "$TMPDIR/s" ] || skip "no port to listen on: $(cat "$TMPDIR/err")"
tell() { printf '%s\n' "$@" | socat -t 5 - UNIX-CONNECT:"$TMPDIR/s"; }

tell 'break accounts.c:57' >"$TMPDIR/answer"
cat >"$TMPDIR/script" <<END
set pagination off
set breakpoint always-inserted on
target remote 127.0.0.1:$port
break remember
continue
monitor info breakpoints
monitor print account->name
monitor continue
delete
continue
print sum
END
timeout 60 gdb -q -batch -nx -x "$TMPDIR/script" "$guest" >"$TMPDIR/raw" 2>&1
plain <"$TMPDIR/raw" >"$TMPDIR/out"
has 'Breakpoint 1, remember (account=0xN <accounts>' 'gdb     breakpoint      keep y   0xN <remember+N> at accounts.c:39' \
    '= 0xN "rent"' 'lets the machine run; from gdb use' 'audit () at' '$1 = 26962'
# gdb has let go of the guest, which has ended.
wait $server
[ $? = 1 ] || fail "the guest's status was lost: $(cat "$TMPDIR/err")"
