#!/bin/sh
# SPDX-License-Identifier: MIT
# A VM boots from a virtual disk: raw, shared by many, and from a layer; and says when it cannot.
. "$SRCDIR/testsuite/lib.sh"
cd "$TMPDIR" || exit 1
cp "$BUILD/guests/args" boot
truncate -s 1M boot
engine=$(echo "$engines" | awk '{ print $NF }')

boot() { "$DENALI" run --engine "$engine" "$@" >out 2>err; status=$?; }
boot --disk b=boot,ro --env X=1 disk:b one two
expect 0
for i in 1 2 3; do
    "$DENALI" run --disk b=boot,ro disk:b "$i" >"out$i" 2>&1 &
done
wait
for i in 1 2 3; do grep -q "arg 1: $i" "out$i" || fail "VM $i: $(cat "out$i")"; done
grep -q 'arg 2: two' out || fail "$(cat out)"

# The image that the layer has, not the one below it; the disk itself may be written.
truncate -s 1M empty
"$DENALI" disk create system --base empty || fail "no layer"
cp "$BUILD/guests/ledger" ledger
truncate -s 1M ledger
boot --timeout 0.3 --disk data=ledger,cow=own disk:data
[ $status = 124 ] && grep -q '^[0-9]* [0-9]*$' out || fail "status $status: $(cat out err)"

boot --disk b=empty,ro disk:b
expect 126
expect_error 'disk:b is not an ELF program'
boot --disk b=boot,ro disk:c
expect 125
expect_error 'no such disk'
if [ -f "$BUILD/guests/httpd" ]; then
    boot --disk b="$BUILD/guests/httpd",ro disk:b
    expect 126
    expect_error 'a Linux program'
fi
exit 0
