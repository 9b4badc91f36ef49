#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 200
# The ROM of random machines (rom/machine.c): 6,000 cases, each engine. What they come to is in
# machines.sums, a sum of each 100 lines, and was held against another emulator (docs/PROCESSOR.md).
#
#   machines.sh --bless     writes the sums anew, by the interpreter; with BUILD, SRCDIR, DENALI set
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
rom=$BUILD/pc/guests/machine.rom sums=$SRCDIR/testsuite/pc/machines.sums
# sums_of LOG
sums_of() {
    awk '/ sums /' "$1" | split -l 100 - part.
    for part in part.*; do cksum <"$part"; done
    rm -f part.*
}
run_rom() {
    "$DENALI" pc --engine "$1" --bios "$rom" --cpu pentium3 --exit-port --debugcon "log.$1" --serial null \
        --no-reboot --timeout 180 >out 2>err </dev/null
    status=$?
}
if [ "${1-}" = --bless ]; then
    run_rom interp
    sums_of log.interp >"$sums"
    exit
fi
cd "$TMPDIR" || exit 1
[ -f "$rom" ] || skip "no guests were built"
for engine in interp dbt; do
    run_rom $engine
    [ $engine = dbt ] && grep -q 'does not run this processor' err && continue
    expect 1
    sums_of log.$engine >have
    cmp -s have "$sums" || fail "$engine: other machines, by hundreds: $(diff have "$sums" | head -5)"
done
exit 0
