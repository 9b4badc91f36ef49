#!/bin/sh
# SPDX-License-Identifier: MIT
# A stack that overflows or is overwritten ends in a report, or in the guest's handler.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest smash handled
    expect 0 "smash: the stack overflowed"
    for how in overflow return pointer; do
        guest smash $how
        expect 120 ""
        expect_error eip
    done
    guest smash return
    expect_error 0x41414141
done
