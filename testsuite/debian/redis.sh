#!/bin/sh
# SPDX-License-Identifier: MIT
# redis-server published to the host, under redis-benchmark and redis-cli.
# timeout: 180
. "$SRCDIR/testsuite/debian/lib.sh"
need redis-benchmark redis-cli
port=$(($$ % 12000 + 20000))
denali_pid=
trap '[ -n "$denali_pid" ] && kill $denali_pid 2>/dev/null' EXIT
"$DENALI" run --engine "$engine" --root "$root" -p $port:6379 \
    redis-server --save '' --bind 0.0.0.0 --protected-mode no >"$TMPDIR/server" 2>&1 &
denali_pid=$!
cli() { redis-cli -h 127.0.0.1 -p $port "$@"; }
for _ in $(seq 100); do [ "$(cli ping 2>/dev/null)" = PONG ] && break; sleep 0.1; done
[ "$(cli ping)" = PONG ] || fail "no answer: $(tail -5 "$TMPDIR/server")"

[ "$(cli set key value)" = OK ] || fail "set"
[ "$(cli get key)" = value ] || fail "get"
i=0
while [ $i -lt 500 ]; do echo "RPUSH list $((i * 7919 % 503))"; i=$((i + 1)); done | cli >/dev/null
[ "$(cli sort list | md5sum)" = "$(i=0; while [ $i -lt 500 ]; do echo $((i * 7919 % 503)); i=$((i + 1)); done | sort -n | md5sum)" ] || fail "sort"
head -c 3000000 "$root/usr/bin/python3.11" >"$TMPDIR/blob"
[ "$(cli -x set blob <"$TMPDIR/blob")" = OK ] || fail "set of 3 MB"
cli --raw get blob | head -c 3000000 | cmp - "$TMPDIR/blob" || fail "3 MB came back changed"
[ "$(cli eval 'local s = 0 for i = 1, 100000 do s = s + i end return s' 0)" = 5000050000 ] || fail "eval"
[ "$(cli dbsize)" = 3 ] || fail "dbsize"
for args in '-n 20000 -c 50 -P 1' '-n 20000 -c 20 -P 16' '-n 1000 -c 5 -d 10000'; do
    timeout 50 redis-benchmark -h 127.0.0.1 -p $port --csv -t set,get,incr,lpush,lrange_100,mset $args \
        >"$TMPDIR/bench" 2>&1 || fail "redis-benchmark $args: status $?: $(tail -3 "$TMPDIR/bench")"
    grep -qi error "$TMPDIR/bench" && fail "redis-benchmark $args: $(grep -i error "$TMPDIR/bench")"
done
cli shutdown nosave 2>/dev/null
for _ in $(seq 50); do kill -0 $denali_pid 2>/dev/null || break; sleep 0.1; done
kill -0 $denali_pid 2>/dev/null && fail "shutdown did not end the VM"
wait $denali_pid || fail "status $?: $(tail -5 "$TMPDIR/server")"
denali_pid=
