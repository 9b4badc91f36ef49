#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole guest at the end of denali/ABI.md, built as it says there, runs.
. "$SRCDIR/testsuite/lib.sh"
cc=$(sed -n 's/^GUEST_CC = //p' "$BUILD/config.mk")
[ -n "$cc" ] && [ -x "$DENALI" ] || skip "no compiler of guests, or no denali"
sed -n '/^```asm$/,/^```$/p' "$SRCDIR/denali/ABI.md" | sed '1d;$d' >"$TMPDIR/hello.S"
[ -s "$TMPDIR/hello.S" ] || fail "denali/ABI.md has no example"
flags=$(sed -n '1s/^# hello.S: *gcc \(.*\) -o hello hello.S$/\1/p' "$TMPDIR/hello.S")
[ -n "$flags" ] || fail "the example does not tell how to build it"
cd "$TMPDIR" && $cc $flags -o hello hello.S || fail "the example does not build"
for engine in $engines; do
    out=$("$DENALI" run --engine "$engine" "$TMPDIR/hello") || fail "$engine: status $?"
    [ "$out" = "Hello from a Denali guest." ] || fail "$engine: $out"
done
