#!/bin/sh
# SPDX-License-Identifier: MIT
# Idle ends at its time, on an interrupt, and at once when one is pending.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest idle
    expect 0 "idle: ok"
done
