#!/bin/sh
# SPDX-License-Identifier: MIT
# A PC under the debugger, backwards: by counted time each state that was is found again, live and in a replay.
# timeout: 200
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
hello=$BUILD/pc/guests/hello
[ -f "$hello" ] || skip "no guests were built"
session() { "$DENALI" "$@" --commands commands --batch >out 2>err </dev/null || fail "$*: $(cat out err | tail -n 8)"; }

# Registers at some places on the way, then at the same places in another order, backwards.
places='500 5 413 99 350 351 12 499'
: >commands
echo 'stepi 520' >>commands
for at in $(echo $places | tr ' ' '\n' | sort -n) $places; do
    printf '%s\n' "goto $at" "echo at $at\\n" 'info registers' >>commands
done
session pc --deterministic --kernel "$hello" --exit-port --serial null --display none
for at in $places; do
    awk -v at="at $at" '$0 == at { n++ } /^at / { on = $0 == at } on && !/^at / && /^e/ { print > ("state." n) }' out
    [ -s state.1 ] && [ -s state.2 ] || fail "nothing was told of $at: $(cat out)"
    cmp -s state.1 state.2 || fail "at $at the registers are $(cat state.2), not $(cat state.1)"
    rm -f state.1 state.2
done

cat >commands <<'END'
break run
continue
stepi 400
print $eip
reverse-continue
print $icount
stepi 400
print $eip
who wrote $esp
info history
END
session pc --deterministic --kernel "$hello" --exit-port --serial null --display none
[ "$(sed -n 's/^\$1 = //p' out)" = "$(sed -n 's/^\$3 = //p' out)" ] || fail "there and back: $(cat out)"
grep -q 'was last written at instruction' out || fail "who wrote: $(cat out)"
# A replay, too; beyond its end there is nothing.
"$DENALI" pc --kernel "$hello" --exit-port --serial null --display none --record rec --timeout 60 \
    >/dev/null 2>err </dev/null
cat >commands <<'END'
continue
reverse-stepi 1000
print $icount
reverse-stepi 10
reverse-continue
info history
END
"$DENALI" replay --commands commands --batch rec >out 2>err </dev/null # its status is the guest's
grep -q 'Instructions 0 to' out || fail "replay: $(cat out err)"
exit 0
