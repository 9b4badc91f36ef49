#!/bin/sh
# SPDX-License-Identifier: MIT
# x87 and SSE2 start, compute, and are kept over interrupts.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest fpu
    expect 0 "fpu: over a port
fpu: ok"
done
