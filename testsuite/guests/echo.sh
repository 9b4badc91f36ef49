#!/bin/sh
# SPDX-License-Identifier: MIT
# The keyboard's bytes come whole and in order, to their end: lines, binary data, nothing.
. "$SRCDIR/testsuite/lib.sh"
guest_echo() {
    "$DENALI" run --engine "$engine" "$BUILD/guests/echo" <"$1" >"$TMPDIR/out" 2>"$TMPDIR/err"
    status=$?
    expect 0
    cmp "$1" "$TMPDIR/out" || fail "$engine: the echo of $1 differs"
}
[ -x "$DENALI" ] && [ -f "$BUILD/guests/echo" ] || skip "echo is not built"
echo "a line" >"$TMPDIR/line"
: >"$TMPDIR/empty"
dd if=/dev/urandom of="$TMPDIR/binary" bs=1000 count=1234 2>/dev/null
for engine in $engines; do
    for input in line empty binary; do guest_echo "$TMPDIR/$input"; done
    # Through a pipe, in pieces.
    { echo one; sleep 0.2; echo two; } |
        "$DENALI" run --engine "$engine" "$BUILD/guests/echo" >"$TMPDIR/out" || fail "$engine: pipe"
    [ "$(cat "$TMPDIR/out")" = "one
two" ] || fail "$engine: the pipe's echo differs"
done
