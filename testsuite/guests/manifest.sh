#!/bin/sh
# SPDX-License-Identifier: MIT
# A manifest that cannot be met is refused with one line that says why, status 126.
. "$SRCDIR/testsuite/lib.sh"
engine=interp
for m in twice missing many version; do
    guest manifest-$m
    expect 126 ""
    [ "$(wc -l <"$TMPDIR/err")" = 1 ] || fail "manifest-$m: not one line: $(cat "$TMPDIR/err")"
done
guest manifest-twice
expect_error one
guest manifest-missing
expect_error wanted
guest manifest-version
expect_error 99
dd if=/dev/zero of="$TMPDIR/disk" bs=4096 count=1 2>/dev/null
options="--disk wanted=$TMPDIR/disk"
guest manifest-missing
expect 0 "manifest-missing runs"
