#!/bin/sh
# SPDX-License-Identifier: MIT
# Faults reach the guest's handler, exact; without one they end the VM with a report, status 120.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest fault
    expect 0 "fault: ok"
    guest fault read
    expect 120 ""
    expect_error 0x00005000
    expect_error eip
    expect_error eax
    expect_error 00001234
    guest fault write
    expect 120 ""
    expect_error 0xdead0000
    guest fault jump
    expect 120 ""
    expect_error 0xf0000000
    for how in divide undefined halt interrupt double; do
        guest fault $how
        expect 120 ""
        [ -s "$TMPDIR/err" ] || fail "$engine: no report of $how"
    done
done
