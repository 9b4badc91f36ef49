#!/bin/sh
# SPDX-License-Identifier: MIT
# Rights of pages, contents given back.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest memory
    expect 0 "memory: ok"
done
