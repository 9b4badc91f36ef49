#!/bin/sh
# SPDX-License-Identifier: MIT
# Without the NAT program, programs run, and only who asks for the network is refused.
. "$SRCDIR/testsuite/lib.sh"
[ -x "$DENALI" ] && [ -f "$BUILD/guests/httpd" ] && [ -f "$BUILD/guests/ilwaco" ] || skip "httpd is not built"
DENALI_NAT=$TMPDIR/nowhere
export DENALI_NAT
"$DENALI" run "$BUILD/guests/httpd" --no-such-option >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null
status=$?
grep -qi nat "$TMPDIR/err" && fail "a program without a network: status $status: $(cat "$TMPDIR/err")"
[ $status -lt 120 ] || fail "status $status: $(cat "$TMPDIR/err")"
for option in "-p 0:80" "--net user" "--pcap $TMPDIR/pcap"; do
    # shellcheck disable=SC2086
    timeout 20 "$DENALI" run $option "$BUILD/guests/httpd" >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null
    status=$?
    [ $status = 125 ] || fail "$option: status $status: $(cat "$TMPDIR/err")"
    [ "$(wc -l <"$TMPDIR/err")" = 1 ] || fail "$option: not one line: $(cat "$TMPDIR/err")"
done
