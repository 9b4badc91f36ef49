#!/bin/sh
# SPDX-License-Identifier: MIT
# A program that tries sockets of every kind sees in a VM what it sees under Linux.
# timeout: 120
. "$SRCDIR/testsuite/net/lib.sh"
[ -x "$BUILD/net/sockets" ] || skip "net/sockets is not built"
"$BUILD/net/sockets" >"$TMPDIR/native" 2>&1 || fail "natively: $(cat "$TMPDIR/native")"
for engine in interp dbt; do
    "$DENALI" run --engine $engine "$BUILD/net/sockets" >"$TMPDIR/out" 2>&1 ||
        fail "$engine: $(head -20 "$TMPDIR/out")"
    cmp "$TMPDIR/native" "$TMPDIR/out" || fail "$engine: $(cat "$TMPDIR/out")"
done
# Without a network the loopback interface is there all the same.
"$DENALI" run --net none "$BUILD/net/sockets" >"$TMPDIR/out" 2>&1 || fail "--net none: $(cat "$TMPDIR/out")"
