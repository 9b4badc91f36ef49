#!/bin/sh
# SPDX-License-Identifier: MIT
# Ilwaco's TCP in a VM against Linux's over a wire that loses, doubles, reorders, damages and
# delays frames: files arrive whole, both ways. Behind the NAT and on a tap device.
# timeout: 150
. "$SRCDIR/testsuite/net/lib.sh"
tools curl cmp

"$DENALI" run --net user,loss=many "$BUILD/guests/httpd" >"$TMPDIR/out" 2>&1 && fail "loss=many was taken"
grep -q 'percent' "$TMPDIR/out" || fail "$(cat "$TMPDIR/out")"

site "$TMPDIR/site"
head -c 2000000 /dev/urandom >"$TMPDIR/site/m2"
for wire in loss=2,reorder=5,duplicate=2,corrupt=1 loss=5,delay=5,seed=7; do
    options="--net user,$wire"
    serve dbt "$TMPDIR/site"
    for file in k1 k300 m2; do
        curl -s -m 60 -o "$TMPDIR/got" $url/$file || fail "user,$wire: $file: curl $?"
        cmp "$TMPDIR/got" "$TMPDIR/site/$file" || fail "user,$wire: $file differs"
    done
    stop
done

[ "$(id -u)" = 0 ] && command -v ip >/dev/null && [ -x "$BUILD/net/sockets" ] || exit 0
space=denali$$
ip netns add $space 2>/dev/null || exit 0
trap 'for p in $started; do kill $p 2>/dev/null; done; ip netns del $space' EXIT
inside() { ip netns exec $space "$@"; }
inside ip tuntap add tap0 mode tap 2>/dev/null || exit 0
inside ip addr add 10.0.0.1/24 dev tap0
inside ip link set tap0 up
wire=loss=3,reorder=5,duplicate=2,corrupt=1,delay=1
ip netns exec $space "$DENALI" run --net tap:tap0,$wire --root "$TMPDIR/site" \
    --env denali.net=10.0.0.7/24,10.0.0.1 "$BUILD/guests/httpd" >"$TMPDIR/vm" 2>&1 &
server=$!
started="$started $server"
sleep 1
for file in k1 k300 m2; do
    inside curl -s -m 60 -o "$TMPDIR/got" http://10.0.0.7/$file || fail "tap,$wire: $file: curl $?: $(cat "$TMPDIR/vm")"
    cmp "$TMPDIR/got" "$TMPDIR/site/$file" || fail "tap,$wire: $file differs"
done
stop
# The other way: the VM sends to a Linux program, and ends.
command -v socat >/dev/null || exit 0
ip netns exec $space socat -u TCP-LISTEN:7000,reuseaddr OPEN:"$TMPDIR/got",creat,trunc &
listener=$!
started="$started $listener"
sleep 0.5
inside "$DENALI" run --net tap:tap0,$wire --env denali.net=10.0.0.7/24,10.0.0.1 \
    "$BUILD/net/sockets" send 10.0.0.1 7000 1500000 >"$TMPDIR/vm" 2>&1 || fail "send: $?: $(cat "$TMPDIR/vm")"
wait $listener
[ "$(wc -c <"$TMPDIR/got")" = 1500000 ] || fail "$(wc -c <"$TMPDIR/got") of 1500000 bytes arrived"
