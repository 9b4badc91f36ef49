#!/bin/sh
# SPDX-License-Identifier: MIT
# The host's side of the network: busy and bad ports, UDP, a NAT process that dies, captures,
# other networks.
# timeout: 90
. "$SRCDIR/testsuite/net/lib.sh"
tools curl socat ps

refuse() { # STATUS PATTERN OPTIONS...
    status=$1 pattern=$2
    shift 2
    "$DENALI" run "$@" "$BUILD/guests/httpd" >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null
    got=$?
    [ $got = "$status" ] || fail "$*: status $got, not $status: $(cat "$TMPDIR/err")"
    [ "$(wc -l <"$TMPDIR/err")" = 1 ] || fail "$*: not one line: $(cat "$TMPDIR/err")"
    grep -q "$pattern" "$TMPDIR/err" || fail "$*: $(cat "$TMPDIR/err")"
}

site "$TMPDIR/site"
options="--pcap $TMPDIR/wire.pcap"
serve dbt "$TMPDIR/site"
refuse 125 'publish.*choose another' -p $port:80
refuse 125 'not a port' -p 80
refuse 125 'not a port' -p 70000:80
refuse 125 'not a port' -p 1.2.3.4.5:80:80
refuse 125 'unknown network' --net moon
refuse 125 'needs --net user' --net none -p $((port + 5)):80
refuse 125 'capture\|pcap' --pcap /nowhere/at/all.pcap

# The capture is whole while the VM runs, and what tcpdump needs.
curl -s -m 10 -o /dev/null $url/k1 || fail "curl: $?"
if command -v tcpdump >/dev/null 2>&1; then
    tcpdump -nr "$TMPDIR/wire.pcap" >"$TMPDIR/dump" 2>"$TMPDIR/err" || fail "tcpdump: $(cat "$TMPDIR/err")"
    grep -q '10.0.2.15.80.*GET /k1' "$TMPDIR/dump" || grep -q 'HTTP: GET /k1' "$TMPDIR/dump" || fail "no request in the capture"
    grep -qi truncated "$TMPDIR/err" && fail "capture: $(cat "$TMPDIR/err")"
fi

# The NAT process dies: the VM says so once, and lives until it is told to end.
nat=$(ps -o pid= --ppid $server 2>/dev/null | while read -r p; do
    grep -q denali-nat /proc/$p/cmdline 2>/dev/null && echo $p; done | head -1)
[ -n "$nat" ] || fail "no NAT process below $server"
kill -9 $nat
sleep 0.5
kill -0 $server || fail "the VM ended with its NAT process"
curl -s -m 2 -o /dev/null $url/ && fail "an answer without a NAT process"
[ "$(grep -c 'NAT process is gone' "$TMPDIR/server")" = 1 ] || fail "$(cat "$TMPDIR/server")"
stop
options=

if [ -x "$BUILD/net/sockets" ]; then
    # A program that ends right after its last write: all of it arrives.
    socat -u TCP-LISTEN:$((port + 6)),bind=127.0.0.1,reuseaddr OPEN:"$TMPDIR/got",creat,trunc &
    listener=$!
    started="$started $listener"
    sleep 0.5
    "$DENALI" run "$BUILD/net/sockets" send 10.0.2.2 $((port + 6)) 3000000 || fail "send: $?"
    wait $listener
    [ "$(wc -c <"$TMPDIR/got")" = 3000000 ] || fail "only $(wc -c <"$TMPDIR/got") bytes arrived"
    # UDP through a published port.
    "$DENALI" run -p $((port + 7)):77/udp "$BUILD/net/sockets" udp 77 >"$TMPDIR/udp" 2>&1 &
    udp=$!
    started="$started $udp"
    for _ in $(seq 50); do grep -q serving "$TMPDIR/udp" && break; sleep 0.1; done
    got=$(echo a datagram | socat -t 1 - UDP:127.0.0.1:$((port + 7)))
    [ "$got" = "a datagram" ] || fail "UDP: '$got': $(cat "$TMPDIR/udp")"
    echo stop | socat -t 1 - UDP:127.0.0.1:$((port + 7)) >"$TMPDIR/got"
    wait $udp || fail "UDP: status $?"
fi

# Without a network the program runs, and finds only itself.
timeout 3 "$DENALI" run --net none --root "$TMPDIR/site" "$BUILD/guests/httpd" >"$TMPDIR/out" 2>&1
grep -q serving "$TMPDIR/out" || fail "--net none: $(cat "$TMPDIR/out")"

# When the VM is killed, its NAT process ends as well and gives the port back.
serve dbt "$TMPDIR/site"
kill -9 $server
for _ in $(seq 50); do curl -s -m 1 -o /dev/null $url/ || break; sleep 0.1; done
sleep 0.2
socat -u OPEN:/dev/null TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr &
listener=$!
started="$started $listener"
sleep 0.3
kill -0 $listener 2>/dev/null || fail "the port is still busy after the VM was killed"
socat -u OPEN:/dev/null TCP:127.0.0.1:$port
