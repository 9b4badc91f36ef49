#!/bin/sh
# SPDX-License-Identifier: MIT
# Arguments and environment arrive as given.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest args one "two words" "" 'q"u$o`te'
    expect 0
    [ "$(grep '^arg' "$TMPDIR/out")" = 'arg 1: one
arg 2: two words
arg 3: 
arg 4: q"u$o`te' ] || fail "$engine: $(cat "$TMPDIR/out")"
    options='--env A=1 --env B=two=2'
    guest args
    expect 0
    grep -q '^env [0-9]*: A=1$' "$TMPDIR/out" || fail "$engine: no A: $(cat "$TMPDIR/out")"
    grep -q '^env [0-9]*: B=two=2$' "$TMPDIR/out" || fail "$engine: no B: $(cat "$TMPDIR/out")"
    options=
done
