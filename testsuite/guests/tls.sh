#!/bin/sh
# SPDX-License-Identifier: MIT
# FS: and GS: add the guest's own words.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest tls
    expect 0 "tls: ok"
done
