#!/bin/sh
# SPDX-License-Identifier: MIT
# A console write of 64 KiB comes whole, also through a pipe that is slow to read.
. "$SRCDIR/testsuite/lib.sh"
awk 'BEGIN {
    for (i = 0; i < 65536; i++)
        printf "%s", i % 64 == 63 ? "\n" : substr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (i * 7 + int(i / 64)) % 26 + 1, 1)
}' >"$TMPDIR/want"
for engine in $engines; do
    guest console
    expect 0
    cmp "$TMPDIR/want" "$TMPDIR/out" || fail "$engine: the output differs"
    [ "$(cat "$TMPDIR/err")" = errors ] || fail "$engine: stderr: $(cat "$TMPDIR/err")"
    "$DENALI" run --engine "$engine" "$BUILD/guests/console" 2>/dev/null | { sleep 0.3; cat; } >"$TMPDIR/out"
    cmp "$TMPDIR/want" "$TMPDIR/out" || fail "$engine: through a pipe the output differs"
done
