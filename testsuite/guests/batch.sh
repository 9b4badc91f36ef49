#!/bin/sh
# SPDX-License-Identifier: MIT
# Several waiting interrupts are one upcall.
. "$SRCDIR/testsuite/lib.sh"
dd if=/dev/zero of="$TMPDIR/disk" bs=4096 count=4 2>/dev/null
options="--disk data=$TMPDIR/disk"
for engine in $engines; do
    guest batch
    expect 0 "batch: ok"
done
