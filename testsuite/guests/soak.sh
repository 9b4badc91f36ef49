#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 300
# Some seconds of the soak: every request answered, no canary fault, memory as it was (bench soak says
# with its status whether so; the hour is make soak).
. "$SRCDIR/testsuite/lib.sh"
[ -z "${MEMORY_IS_THE_SANITIZERS-}" ] || skip "limits of memory count what the sanitizer takes for itself"
[ -f "$BUILD/guests/ilwaco" ] && [ -f "$BUILD/guests/httpd" ] || skip "ilwaco or httpd is not built"
"$DENALI" bench soak --vms 50 --memory 80M --swap "$TMPDIR/swap" --seconds 5 --json >soak.json 2>soak.err ||
    fail "status $?: $(cat soak.json soak.err)"
for field in '"errors":0,' '"canary_faults":0,' '"lost":0,'; do
    grep -qF "$field" soak.json || fail "no $field in $(cat soak.json)"
done
for field in created killed requests; do
    grep -q "\"$field\":[1-9]" soak.json || fail "no $field in $(cat soak.json)"
done
