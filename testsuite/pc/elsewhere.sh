#!/bin/sh
# SPDX-License-Identifier: MIT
# A breakpoint in the page of a PC's hot code leaves that code translated: it ends where it would without, and the interpreter
# does not get it. Twenty times the processor time of a run without a debugger would be it.
# timeout: 120
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
[ -f "$BUILD/pc/guests/hot" ] || skip "no guests (a compiler for i386)"
case " $(pc_engines)" in *' dbt '*) ;; *) skip "no translator of PCs here" ;; esac
# seconds OPTIONS...: processor time of a run to its exit port, in hundredths.
hundredths() {
    ( "$DENALI" pc --kernel "$BUILD/pc/guests/hot" --exit-port --timeout 100 "$@" >out 2>err </dev/null
      echo $? >status; times >times )
    [ "$(cat status)" = 7 ] || fail "status $(cat status): $(cat out err)"
    tail -1 times | sed 's/^\([0-9]*\)m\([0-9]*\)[.]\([0-9][0-9]\).*/\1 \2 \3/' | {
        read -r m s h
        echo $((m * 6000 + s * 100 + 1$h - 100))
    }
}
plain=$(hundredths)
printf 'break never\ncontinue\n' >commands
stopped=$(hundredths --commands commands --batch)
[ "$stopped" -le $((20 * plain + 200)) ] ||
    fail "a breakpoint beside hot code: $stopped hundredths of a second, $plain without"
printf 'break mix\ncontinue\ncontinue\ninfo breakpoints\n' >commands
"$DENALI" pc --kernel "$BUILD/pc/guests/hot" --exit-port --timeout 100 --commands commands --batch >out 2>err </dev/null
grep -q 'mix' out || fail "a breakpoint at hot code does not stop: $(cat out err)"
exit 0
