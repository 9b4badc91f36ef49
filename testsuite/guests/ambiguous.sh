#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions that need an operating system do the harmless thing that denali/ABI.md promises.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest ambiguous
    expect 0 "ambiguous: ok"
done
