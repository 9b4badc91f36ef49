#!/bin/sh
# SPDX-License-Identifier: MIT
# A VM on a tap device in a network namespace: 20,000 pings without a loss, large ones, and httpd
# with the host's own TCP at the other end of the wire.
# timeout: 90
. "$SRCDIR/testsuite/net/lib.sh"
tools ip ping curl
[ "$(id -u)" = 0 ] || skip "needs root for a network namespace"
space=denali$$
ip netns add $space 2>/dev/null || skip "no network namespaces"
trap 'for p in $started; do kill $p 2>/dev/null; done; ip netns del $space' EXIT
inside() { ip netns exec $space "$@"; }
inside ip tuntap add tap0 mode tap 2>/dev/null || skip "no tap devices"
inside ip addr add 10.0.0.1/24 dev tap0
inside ip link set tap0 up

vm() {
    ip netns exec $space "$DENALI" run --net tap:tap0 "$@" >"$TMPDIR/vm" 2>&1 &
    server=$!
    started="$started $server"
    sleep 1
}

vm "$BUILD/guests/net"
inside ping -q -c 3 10.0.0.2 >"$TMPDIR/out" || fail "ping: $(cat "$TMPDIR/out")"
inside ping -q -f -c 20000 10.0.0.2 >"$TMPDIR/out" || fail "ping -f: $(cat "$TMPDIR/out")"
grep -q ' 0% packet loss' "$TMPDIR/out" || fail "ping -f: $(cat "$TMPDIR/out")"
awk '/transmitted/ { ms = $NF; sub("ms", "", ms); printf "%d round trips a second\n", 20000000 / ms }' "$TMPDIR/out"
stop

# Ilwaco with an address of its own.
site "$TMPDIR/site"
vm --root "$TMPDIR/site" --env denali.net=10.0.0.7/24,10.0.0.1,10.0.0.1 "$BUILD/guests/httpd"
inside curl -s -m 10 -o "$TMPDIR/got" http://10.0.0.7/k300 || fail "curl: $?: $(cat "$TMPDIR/vm")"
cmp "$TMPDIR/got" "$TMPDIR/site/k300" || fail "k300 differs"
inside ping -q -f -c 3000 -s 8000 10.0.0.7 >"$TMPDIR/out" || fail "ping of 8000 bytes: $(cat "$TMPDIR/out")"
grep -q ' 0% packet loss' "$TMPDIR/out" || fail "ping of 8000 bytes: $(cat "$TMPDIR/out")"
stop
