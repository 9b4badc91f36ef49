#!/bin/sh
# SPDX-License-Identifier: MIT
# A host's disk that is full: the guest gets FULL for that block, what was complete is there, and
# when there is room again it goes on.
. "$SRCDIR/testsuite/lib.sh"
cd "$TMPDIR" || exit 1
unshare -rm true 2>/dev/null || skip "no user namespaces"
mkdir small
cat >inside.sh <<'X'
set -e
mount -t tmpfs -o size=160k none small
truncate -s 1M image
"$DENALI" run --disk data=image,cow=small/layer "$BUILD/guests/ledger" >told && exit 1
[ $? = 3 ] || { echo "status not 3"; cat told; exit 1; }
tail -1 told | grep -q "error $FULL" || { echo "no FULL"; tail -3 told; exit 1; }
"$DENALI" disk check small/layer
"$DENALI" run --disk data=image,cow=small/layer,ro "$BUILD/guests/ledger" read >found
awk '/error/ { next } NR == FNR { told[$1] = $2 + 0; next }
    $2 + 0 != told[$1] && $1 != 63 { print "block " $1 ": " $2 ", not " told[$1]; bad = 1 } END { exit bad }' told found
mount -o remount,size=1m small
"$DENALI" run --timeout 0.3 --disk data=image,cow=small/layer "$BUILD/guests/ledger" >told2 || [ $? = 124 ]
grep -q error told2 && exit 1
[ "$(wc -l <told2)" -gt 50 ]
X
FULL=$(sed -n 's/.*DENALI_FULL = \(-[0-9]*\).*/\1/p' "$SRCDIR/denali/abi.h")
export FULL DENALI BUILD
unshare -rm sh inside.sh >out 2>&1 || fail "$(cat out)"
exit 0
