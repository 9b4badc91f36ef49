#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest's exit status is its own up to 119.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    for n in 0 1 42 119; do
        guest terminate $n
        expect $n ""
        [ ! -s "$TMPDIR/err" ] || fail "$engine: $(cat "$TMPDIR/err")"
    done
    # What only denali says cannot be said by a guest.
    for n in 120 126 200 255 256 4294967295; do
        guest terminate $n
        expect 119 ""
        expect_error $n
    done
done
