#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 200
# Tests of a PC that go on from another one's boot do what they do when each boots by itself: to the sum of their whole state.
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_bios
[ -f "$BUILD/pc/guests/writer" ] || skip "no guests were built"
cp "$SRCDIR/testsuite/spec/booted/booted.toml" . && cp "$BUILD/pc/guests/writer" writer.img && truncate -s 1440K writer.img || exit 1

# answers OPTIONS...: what each test did, without the host's part in it.
answers() {
    "$DENALI" test --no-record --format json "$@" booted.toml >out 2>err || fail "$*: status $?: $(cat out err)"
    sed -n 's/"host_ns":[0-9]*//; s/"runs":[0-9]*//; s/,"booted":true//; /"event":"test"/p' out
}
for engine in $(pc_engines); do
    [ $engine = lockstep ] && continue
    answers --engines $engine --fresh >fresh
    grep -q '"booted"' out && fail "$engine: --fresh, and it was not"
    answers --engines $engine --jobs 1 >shared
    [ "$(grep -c '"booted":true' out)" = 1 ] || fail "$engine: nobody went on from a boot: $(cat out)"
    cmp fresh shared || fail "$engine: another answer: $(diff fresh shared)"
    answers --engines $engine --jobs 2 --repeat 3 >again
    cmp fresh again || fail "$engine: another answer when repeated: $(diff fresh again)"
done
exit 0
