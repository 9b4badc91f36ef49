#!/bin/sh
# SPDX-License-Identifier: MIT
# Damaged translations of our guests: what the verifier accepts does no harm; undamaged ones are
# accepted. make verify-mutants and verify-blocks do the same at length.
[ -x "$BUILD/mutants/mutants" ] || { echo "SKIP: no Zydis or no Capstone"; exit 77; }
[ -f "$BUILD/guests/ilwaco" ] || { echo "SKIP: no guests"; exit 77; }
set -- "$BUILD"/guests/ilwaco "$BUILD"/guests/hello
[ -f "$BUILD/guests/httpd" ] && set -- "$@" "$BUILD/guests/httpd"
"$BUILD/mutants/mutants" blocks --count 300000 "$@" || exit
out=$("$BUILD/mutants/mutants" mutate --count 20000 "$@")
rc=$?
echo "$out"
[ $rc -eq 0 ] || exit $rc
# The harness sees harm where there is some.
caught=$(echo "$out" | sed 's/.*"refused_harmful": \([0-9]*\).*/\1/')
[ "$caught" -gt 100 ] || { echo "the harness found little harm in refused mutants: $caught"; exit 1; }
