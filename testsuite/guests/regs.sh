#!/bin/sh
# SPDX-License-Identifier: MIT
# The page of virtual registers is sound, and a guest that writes over it harms only itself.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest regs
    expect 0
    grep -q '^regs: overwritten, the console still works$' "$TMPDIR/out" || fail "$engine: $(cat "$TMPDIR/out")"
    first=$(grep '^random' "$TMPDIR/out")
    guest regs
    [ "$first" != "$(grep '^random' "$TMPDIR/out")" ] || fail "$engine: two VMs have one seed"
    guest regs all
    case $status in 0 | 120) ;; *) fail "$engine: status $status: $(cat "$TMPDIR/err")" ;; esac
done
