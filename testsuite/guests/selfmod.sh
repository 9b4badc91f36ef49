#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest may write its own code.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest selfmod
    expect 0 "selfmod: ok"
done
