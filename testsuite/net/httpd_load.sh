#!/bin/sh
# SPDX-License-Identifier: MIT
# httpd in a VM under load, through the NAT: wrk and ab without an error, a large file whole, slow
# readers, dropped connections, 1,000 idle ones. REQUESTS sets the number of keep-alive requests.
# timeout: 240
. "$SRCDIR/testsuite/net/lib.sh"
tools curl ab wrk cmp
requests=${REQUESTS:-30000}

site "$TMPDIR/site"
head -c ${LARGE:-100000000} /dev/urandom >"$TMPDIR/site/large"
serve dbt "$TMPDIR/site"
alive() {
    [ "$(curl -m 20 -s $url/)" = '<h1>hello</h1>' ] || fail "$1: it does not answer: $(cat "$TMPDIR/server")"
}
alive start

ab -q -k -n $requests -c 20 $url/k1 >"$TMPDIR/ab" 2>&1 || fail "ab: $(tail -3 "$TMPDIR/ab")"
grep -Eq "Complete requests: +$requests\$" "$TMPDIR/ab" && grep -Eq 'Failed requests: +0$' "$TMPDIR/ab" ||
    fail "ab: $(cat "$TMPDIR/ab")"
grep -q 'Non-2xx' "$TMPDIR/ab" && fail "ab: $(cat "$TMPDIR/ab")"
sed -n 's/^Requests per second: *\([0-9.]*\).*/ab, keep-alive: \1 requests a second/p' "$TMPDIR/ab"

ab -q -n 2000 -c 10 $url/k1 >"$TMPDIR/ab" 2>&1 || fail "ab without keep-alive: $(tail -3 "$TMPDIR/ab")"
grep -Eq 'Failed requests: +0$' "$TMPDIR/ab" || fail "ab without keep-alive: $(cat "$TMPDIR/ab")"

wrk -t1 -c50 -d3 $url/k1 >"$TMPDIR/wrk" 2>&1 || fail "wrk: $(cat "$TMPDIR/wrk")"
grep -Eq 'Socket errors|Non-2xx' "$TMPDIR/wrk" && fail "wrk: $(cat "$TMPDIR/wrk")"
sed -n 's,^Requests/sec: *,wrk: requests a second ,p' "$TMPDIR/wrk"

curl -m 100 -s -o "$TMPDIR/got" $url/large || fail "the large file: curl $?"
cmp "$TMPDIR/got" "$TMPDIR/site/large" || fail "the large file differs"

# A slow reader, and one that goes away, while others are served.
curl -m 60 -s --limit-rate 300K -o "$TMPDIR/slow" $url/k300 &
slow=$!
timeout 1 curl -s --limit-rate 100K -o /dev/null $url/large
alive "dropped connection"
wait $slow || fail "the slow reader"
cmp "$TMPDIR/slow" "$TMPDIR/site/k300" || fail "the slow reader's file differs"

# Idle connections, each after one request, held open by wrk's sibling: a shell cannot hold 1,000.
if [ -x "$BUILD/helpers/idlers" ]; then
    "$BUILD/helpers/idlers" 127.0.0.1 $port 1000 >"$TMPDIR/idlers" 2>&1 &
    idlers=$!
    started="$started $idlers"
    for _ in $(seq 100); do grep -q idle "$TMPDIR/idlers" && break; sleep 0.1; done
    grep -q '1000 idle' "$TMPDIR/idlers" || fail "idlers: $(cat "$TMPDIR/idlers")"
    alive "1,000 idle connections"
    ab -q -k -n 2000 -c 10 $url/k1 >"$TMPDIR/ab" 2>&1 && grep -Eq 'Failed requests: +0$' "$TMPDIR/ab" ||
        fail "ab beside idle connections: $(cat "$TMPDIR/ab")"
    kill -USR1 $idlers
    wait $idlers || fail "idle connections were lost: $(cat "$TMPDIR/idlers")"
fi
alive end
stop
