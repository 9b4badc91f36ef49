#!/bin/sh
# SPDX-License-Identifier: MIT
# --coverage and --trace of a PC: what the translator says has run is what a trace of each instruction shows; interrupts,
# faults, ports and frames have their lines; what cannot be is refused.
# timeout: 200
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
[ -f "$BUILD/pc/guests/paged" ] || skip "no guests (a compiler for i386)"
case " $(pc_engines)" in *' dbt '*) ;; *) skip "no translator of PCs here" ;; esac

# blocks FILE: "ADDRESS LENGTH" of each block of a drcov file whose first module begins at $base.
blocks() {
    at=$(grep -a -b -m1 '^BB Table' "$1" | cut -d: -f1)
    head=$(grep -a -m1 '^BB Table' "$1" | wc -c)
    base=$(sed -n '5s/^ *0, 0x\([0-9a-f]*\),.*/\1/p' "$1")
    tail -c +$((at + head + 1)) "$1" | od -An -v -t u4 -w8 |
        awk -v base="$((0x$base))" '{ printf "%.0f %d\n", $1 + ($2 < 65536 ? base : 0), $2 % 65536 }'
}

for guest in paged hello; do
    run="--kernel $BUILD/pc/guests/$guest --exit-port --deterministic --timeout 100 --debugcon file:con"
    # shellcheck disable=SC2086 # words
    pc $run --coverage drcov:cover --coverage lcov:cover.info
    first=$status
    # shellcheck disable=SC2086
    pc $run --trace instruction:steps,json --trace block:jumps
    [ "$status" = "$first" ] || fail "$guest: status $status traced, $first covered: $(cat err)"
    [ -s cover ] && [ -s cover.info ] && [ -s steps ] && [ -s jumps ] || fail "$guest: an empty file"
    grep -q "^SF:.*$guest" cover.info || fail "$guest: lcov without its source: $(head -3 cover.info)"
    blocks cover >blocks
    sed 's/.*"eip":\([0-9]*\),"bytes":"\([0-9a-f]*\)".*/\1/' steps | sort -un >ran
    # Every instruction that ran lies in a block; every block begins with one.
    awk 'NR == FNR { for (i = 0; i < $2; i++) in_block[sprintf("%.0f", $1 + i)]; next } !($1 in in_block)' blocks ran >missed
    [ ! -s missed ] || fail "$guest: ran but is not covered: $(head -3 missed)"
    awk 'NR == FNR { ran[$1]; next } !($1 in ran)' ran blocks >never
    [ ! -s never ] || fail "$guest: covered but did not run: $(head -3 never)"
    [ "$(wc -l <jumps)" -lt "$(wc -l <steps)" ] || fail "$guest: as many blocks as instructions"
done

# Interrupts and faults, alike under both engines.
if [ -f /usr/share/seabios/bios-256k.bin ]; then
    for engine in interp dbt; do
        pc --deterministic --at 1 --screen-text --trace interrupt:events-$engine --trace port:ports-$engine
        expect 0
    done
    engine=
    grep -q 'interrupt 0x8' events-dbt || fail "no timer interrupt: $(head -3 events-dbt)"
    grep -q 'software 0x10' events-dbt || fail "no BIOS call: $(head -3 events-dbt)"
    grep -q 'out port 0x70 size 1' ports-dbt || fail "no port: $(head -3 ports-dbt)"
    cmp -s events-interp events-dbt || fail "events differ: $(diff events-interp events-dbt | head -3)"
    cmp -s ports-interp ports-dbt || fail "ports differ: $(diff ports-interp ports-dbt | head -3)"
fi
if [ -f "$BUILD/pc/guests/frames" ]; then
    pc --kernel "$BUILD/pc/guests/frames" --net none --nic ne2k --exit-port --timeout 8 --trace packet:frames.json
    grep -q '"way":"sent"' frames.json || fail "no frame was told: $(cat err)"
fi
pc --kernel "$BUILD/pc/guests/hello" --trace port:here,first=1,from=zero
[ "$status" = 125 ] || fail "status $status of a bad filter"
pc --kernel "$BUILD/pc/guests/hello" --trace nothing:here
expect_error 'say KIND:FILE'
pc --kernel "$BUILD/pc/guests/hello" --trace call:here --engine lockstep
expect_error 'not lockstep'
pc --kernel "$BUILD/pc/guests/hello" --coverage drcov:here --engine interp
expect_error 'collected by the translator'
pc --kernel "$BUILD/pc/guests/hello" --coverage drcov:here --monitor
expect_error 'under the debugger'
[ "$status" = 125 ] || fail "status $status"
pc --kernel "$BUILD/pc/guests/hello" --verify --engine dbt
expect_error 'no verifier of a PC'
[ "$status" = 125 ] || fail "status $status of --verify with the translator"
exit 0
