#!/bin/sh
# SPDX-License-Identifier: MIT
# Copy-on-write layers: the image stays, what was written is in the layer, wrong ones are refused,
# and what denali disk says of them.
. "$SRCDIR/testsuite/lib.sh"
cd "$TMPDIR" || exit 1
engine=$(echo "$engines" | awk '{ print $NF }')

# disk STATUS ARGS...: denali disk.
disk() {
    _want=$1
    shift
    "$DENALI" disk "$@" >out 2>err
    _status=$?
    [ $_status = "$_want" ] || fail "denali disk $*: status $_status, not $_want: $(cat out err)"
}

awk 'BEGIN { for (at = 0; at < 1000000; at += 11) printf "%010d\n", at }' >pattern
cp pattern image
for engine in $engines; do
    rm -f mine
    options="--disk data=image,cow=mine --disk fixed=pattern,ro"
    guest disk
    expect 0
    cmp -s pattern image || fail "$engine: the image was changed"
    # A second run finds what the first one wrote.
    guest disk
    expect 0
done
disk 0 check mine --json
grep -q '"damaged":0' out || fail "check: $(cat out)"
grep -q '"used_blocks":20[0-9]' out || fail "check: $(cat out)"
disk 0 info mine
grep -q '200 blocks are here\|20[0-9] blocks are here' out || fail "info: $(cat out)"

# What does not fit.
disk 0 create other 4M
[ "$(wc -c <other)" = 4194304 ] || fail "denali disk create made $(wc -c <other) bytes"
disk 125 create other 4M
disk 125 create mine --base image
disk 125 create x 4Q
disk 125 info image
disk 125 info absent
disk 125 frobnicate
options="--disk data=other,cow=mine --disk fixed=pattern,ro"
guest disk
expect 125
expect_error 'does not belong'
dd if=/dev/zero of=mine bs=1 count=1 seek=8200 conv=notrunc 2>/dev/null
options="--disk data=image,cow=mine --disk fixed=pattern,ro"
guest disk
expect 125
expect_error 'is damaged'

# A damaged block: check tells, and the guest hears of it.
rm mine
guest disk
expect 0
size=$(wc -c <mine)
printf XXXX | dd of=mine bs=1 seek=$((size - 6000)) conv=notrunc 2>/dev/null
disk 1 check mine
grep -q '1 damaged' out || fail "check: $(cat out)"

# One writer at a time; any number of them on one image.
rm mine
disk 0 create mine --base image
"$DENALI" run --disk data=image,cow=mine "$BUILD/guests/ledger" >ledger.out 2>&1 &
writer=$!
while ! [ -s ledger.out ]; do sleep 0.05; kill -0 $writer || fail "$(cat ledger.out)"; done
"$DENALI" run --disk data=image,cow=mine "$BUILD/guests/ledger" read >out 2>err && fail "two writers"
grep -q 'in use' err || fail "$(cat err)"
"$DENALI" run --disk data=image,cow=theirs "$BUILD/guests/ledger" read >out 2>err || fail "$(cat err)"
kill -9 $writer
wait $writer 2>/dev/null

# Commit: the image becomes what the disk was.
"$DENALI" run --disk data=image,cow=mine,ro "$BUILD/guests/ledger" read >before || fail "read only"
disk 0 commit mine --base image
"$DENALI" run --disk data=image,ro "$BUILD/guests/ledger" read >after || fail "after commit"
cmp before after || fail "the committed image differs"
disk 0 info mine --json
grep -q '"used_blocks":0' out || fail "not empty after commit: $(cat out)"
"$DENALI" run --disk data=image,cow=theirs "$BUILD/guests/ledger" read >out 2>err &&
    fail "a layer fits an image that has changed"
exit 0
