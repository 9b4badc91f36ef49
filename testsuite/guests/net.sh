#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest that answers ARP and ICMP echo: 100,000 pings without a loss.
# timeout: 120
. "$SRCDIR/testsuite/lib.sh"
[ -x "$DENALI" ] && [ -x "$BUILD/guests/net" ] && [ -x "$BUILD/helpers/pinger" ] || skip "net is not built"
for engine in $engines; do
    count=100000
    case $engine in lockstep) count=5000 ;; esac
    rm -f "$TMPDIR/wire"
    "$BUILD/helpers/pinger" "$TMPDIR/wire" $count 2>"$TMPDIR/pinger" &
    pinger=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -S "$TMPDIR/wire" ] && break; sleep 0.1; done
    options="--net socket:$TMPDIR/wire"
    guest net
    wait $pinger || fail "$engine: $(cat "$TMPDIR/pinger" "$TMPDIR/err")"
    expect 0 "net: answered $count"
    cat "$TMPDIR/pinger"
done
