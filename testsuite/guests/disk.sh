#!/bin/sh
# SPDX-License-Identifier: MIT
# Asynchronous blocks, read-only disks, refused transfers; the host's file has what was written.
. "$SRCDIR/testsuite/lib.sh"
# Lines of 11 bytes, each telling its offset.
awk 'BEGIN { for (at = 0; at < 1000000; at += 11) printf "%010d\n", at }' >"$TMPDIR/pattern"
for engine in $engines; do
    cp "$TMPDIR/pattern" "$TMPDIR/data"
    cp "$TMPDIR/pattern" "$TMPDIR/fixed"
    options="--disk data=$TMPDIR/data --disk fixed=$TMPDIR/fixed,ro"
    guest disk
    expect 0
    want=$(dd if="$TMPDIR/pattern" bs=4096 skip=1 count=1 2>/dev/null | head -c 11)
    [ "$(cat "$TMPDIR/out")" = "block 1 begins $want
disk: ok" ] || [ "$(cat "$TMPDIR/out")" = "block 1 begins ${want}disk: ok" ] ||
        fail "$engine: $(cat "$TMPDIR/out")"
    cmp "$TMPDIR/pattern" "$TMPDIR/fixed" || fail "$engine: the read-only disk was changed"
    [ "$(wc -c <"$TMPDIR/data")" = "$(wc -c <"$TMPDIR/pattern")" ] || fail "$engine: the disk has grown"
    # The guest wrote blocks 0 to 199 and nothing else.
    cmp -s "$TMPDIR/pattern" "$TMPDIR/data" && fail "$engine: nothing was written"
    tail -c +819201 "$TMPDIR/data" >"$TMPDIR/rest"
    tail -c +819201 "$TMPDIR/pattern" | cmp - "$TMPDIR/rest" || fail "$engine: other blocks were written"
done
