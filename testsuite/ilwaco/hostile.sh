#!/bin/sh
# SPDX-License-Identifier: MIT
# Random system calls: the VM ends as the program does, not of a fault. Not run natively, where
# they would do harm.
# timeout: 120
. "$SRCDIR/testsuite/ilwaco/lib.sh"
[ -x "$BUILD/linux/hostile" ] || skip "linux/hostile is not built"
for engine in ${DENALI_ENGINES:-interp dbt}; do
    for seed in 1 2 3 4 5 6; do
        "$DENALI" run --engine "$engine" --timeout 50 --net none "$BUILD/linux/hostile" $seed 8000 \
            </dev/null >"$TMPDIR/out" 2>"$TMPDIR/err"
        status=$?
        [ $status = 0 ] && tail -1 "$TMPDIR/out" | grep -q end ||
            fail "$engine, seed $seed: status $status: $(tail -5 "$TMPDIR/err")"
    done
done
