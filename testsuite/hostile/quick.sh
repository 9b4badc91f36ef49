#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 400
# Every attack beside a victim, briefly: no escape, no crash, right answers, no canary touched. How
# long the victim takes is judged by `make hostile`, on a machine that is quiet.
. "$SRCDIR/testsuite/lib.sh"
[ -x "$BUILD/hostile-suite" ] && [ -x "$BUILD/hostile/guest" ] || skip "the attacks are not built"
"$BUILD/hostile-suite" --quick --guests "$BUILD/guests" --attack "$BUILD/hostile/guest" >"$TMPDIR/out" 2>&1 ||
    fail "$(grep -A2 -e LOST -e hostile: "$TMPDIR/out"; tail -1 "$TMPDIR/out")"
