#!/bin/sh
# SPDX-License-Identifier: MIT
# Initialised and zeroed data.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest data
    expect 0 "data: ok"
done
