#!/bin/sh
# SPDX-License-Identifier: MIT
# INT n, TRAPRET and RESUME.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest trap
    expect 0 "trap: ok"
done
