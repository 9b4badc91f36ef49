#!/bin/sh
# SPDX-License-Identifier: MIT
# The smallest guest speaks and ends with status 0.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest hello
    expect 0 'Hello from a Denali virtual machine.'
done
