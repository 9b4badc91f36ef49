#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest that never idles is interrupted; --timeout ends it with 124; so does a flood of output.
. "$SRCDIR/testsuite/lib.sh"
for engine in $engines; do
    guest spin ticks
    expect 0 "spin: ok"
    options='--timeout 1'
    guest spin
    expect 124 ""
    "$DENALI" run --engine "$engine" --timeout 1 "$BUILD/guests/spin" flood >/dev/null 2>"$TMPDIR/err"
    [ $? = 124 ] || fail "$engine: flood: status $?"
    # Nobody reads the flood: the time still ends it.
    # shellcheck disable=SC2216
    { "$DENALI" run --engine "$engine" --timeout 1 "$BUILD/guests/spin" flood 2>/dev/null
      echo $? >"$TMPDIR/status"; } | sleep 3
    case $(cat "$TMPDIR/status") in 124 | 125 | 141) ;; *) fail "$engine: unread flood: $(cat "$TMPDIR/status")" ;; esac
    options=
done
