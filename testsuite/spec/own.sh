#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 200
# Our own guests, as `denali test` runs them, under every engine.
. "$SRCDIR/testsuite/lib.sh"
[ -f "$BUILD/guests/hello" ] || skip "the guests are not built"
"$DENALI" test --format tap --engines interp,dbt,lockstep "$SRCDIR/testsuite/spec/own" >tap 2>err
rc=$?
[ $rc = 0 ] || fail "status $rc: $(cat tap err)"
