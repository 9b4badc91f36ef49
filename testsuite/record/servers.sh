#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's servers under load are recorded, and replayed three times: the same sums of the state, the
# same frames out. RECORD_SECONDS sets how long each is under load (2).
# timeout: 900
. "$SRCDIR/testsuite/debian/lib.sh"
for t in redis-benchmark redis-cli curl; do
    command -v $t >/dev/null 2>&1 || skip "no $t"
done
cd "$TMPDIR" || exit 1
seconds=${RECORD_SECONDS:-2}
port=$(($$ % 12000 + 20000))
server=
trap '[ -n "$server" ] && kill $server 2>/dev/null' EXIT

# record NAME PORT PROGRAM ARGS...: starts it, published as $port.
record() {
    name=$1 inside=$2
    shift 2
    port=$((port + 1))
    "$DENALI" run --record "$name" --root "$root" -p $port:$inside "$@" >"$name.run" 2>&1 &
    server=$!
}

# answers COMMAND...: waits until it succeeds.
answers() {
    for _ in $(seq 600); do
        "$@" >/dev/null 2>&1 && return
        kill -0 $server 2>/dev/null || break
        sleep 0.1
    done
    fail "$name does not answer: $(tail -3 "$name.run")"
}

# for_seconds COMMAND...: again and again.
for_seconds() {
    end=$(($(date +%s) + seconds)) times=0
    while [ "$(date +%s)" -lt $end ]; do
        "$@" >"$name.load" 2>&1 || fail "$name: $* failed: $(tail -3 "$name.load")"
        times=$((times + 1))
    done
}

# same: ends it, and holds three replays against the recording.
same() {
    kill $server
    wait $server 2>/dev/null
    server=
    for i in 1 2 3; do
        "$DENALI" replay -q "$name" 2>said || fail "$name, replay $i: $(cat said)"
        grep -q 'to the end: output, frames and [0-9]* sums .* are the same' said ||
            fail "$name, replay $i: $(cat said)"
    done
    echo "$name, $times times: $(cat said)"
}

record redis 6379 redis-server --save '' --bind 0.0.0.0 --protected-mode no
answers redis-cli -h 127.0.0.1 -p $port ping
for_seconds redis-benchmark -h 127.0.0.1 -p $port -q -t set,get,incr,lrange_100,mset -n 500 -c 10 -P 4
same

record python 8000 python3 -m http.server --directory /usr/bin
answers curl -s "http://127.0.0.1:$port/"
for_seconds curl -s -m 60 -o got "http://127.0.0.1:$port/xz"
cmp -s got "$root/usr/bin/xz" || fail "python: the file came back changed"
same
