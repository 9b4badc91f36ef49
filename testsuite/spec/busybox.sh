#!/bin/sh
# SPDX-License-Identifier: MIT
# Busybox's applets, as its documentation has them, in a machine and natively.
# timeout: 240
. "$SRCDIR/testsuite/lib.sh"
[ -f "$BUILD/guests/ilwaco" ] || skip "ilwaco is not built"
if [ -z "${DENALI_BUSYBOX-}" ]; then
    root=$("$SRCDIR/testsuite/debian/fetch" "$BUILD/debian") || { printf '%s\n' "$root"; exit 77; }
    DENALI_BUSYBOX=$root/bin/busybox
fi
[ -f "$DENALI_BUSYBOX" ] || skip "no $DENALI_BUSYBOX"
suite=$SRCDIR/testsuite/spec/busybox
"$DENALI" test --format tap --define busybox="$DENALI_BUSYBOX" "$suite" >tap 2>err
rc=$?
[ $rc = 0 ] || fail "status $rc: $(grep -A8 '^not ok' tap; cat err)"
[ "$(grep -c '^ok' tap)" -ge 100 ] || fail "fewer than 100 applets: $(tail -3 tap)"
# What needs no files of its own, and asks nothing of the host, does the same natively.
case $(uname -m) in x86_64 | i?86) ;; *) exit 0 ;; esac
"$DENALI" test --format tap --engines dbt,native --define busybox="$DENALI_BUSYBOX" -k applets/awk -k applets/sed \
    -k applets/grep -k applets/sort -k applets/sha -k applets/dc -k applets/od "$suite" >tap 2>err
rc=$?
[ $rc = 0 ] || fail "natively: status $rc: $(grep -A8 '^not ok' tap; cat err)"
