#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest printed in ABI.md builds by the command in its first line, and runs.
. "$SRCDIR/testsuite/lib.sh"
need gcc
[ -x "$DENALI" ] || skip "denali is not built"
awk '/^```asm/ { on = 1; next } /^```/ { on = 0 } on' "$SRCDIR/denali/ABI.md" >"$TMPDIR/hello.S"
build=$(sed -n '1s/^# hello.S: *//p' "$TMPDIR/hello.S")
[ -n "$build" ] || fail "ABI.md's example does not say how it is built"
echo 'int main(void) { return 0; }' >"$TMPDIR/t.c"
gcc -m32 -c -o "$TMPDIR/t.o" "$TMPDIR/t.c" 2>/dev/null || skip "gcc takes no -m32"
(cd "$TMPDIR" && $build) || fail "it does not build: $build"
for engine in $engines; do
    "$DENALI" run --engine "$engine" "$TMPDIR/hello" >"$TMPDIR/out" 2>"$TMPDIR/err"
    status=$?
    expect 0 'Hello from a Denali guest.'
done
