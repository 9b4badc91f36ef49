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
      echo $? >status; times >took )
    [ "$(cat status)" = 7 ] || fail "status $(cat status): $(cat out err)"
    tail -1 took | sed 's/^\([0-9]*\)m\([0-9]*\)[.]\([0-9][0-9]\).*/\1 \2 \3/' | {
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
# A watchpoint in a page of hot data: the same hits at the same instructions in both engines, and the instructions that
# touch the page do not take a signal each time.
printf 'watch table[77]\ncontinue\ncontinue\ncontinue\ncontinue\ncontinue\ncontinue\ninfo registers\n' >commands
for engine in interp dbt; do
    timeout 100 "$DENALI" pc --kernel "$BUILD/pc/guests/hot" --exit-port --deterministic --engine $engine --commands commands \
        --batch >hits-$engine 2>err </dev/null
done
grep -q 'table\[77\]' hits-dbt || fail "no hit: $(cat hits-dbt err)"
cmp -s hits-interp hits-dbt || fail "hits differ: $(diff hits-interp hits-dbt | head -5)"
exit 0
