#!/bin/sh
# SPDX-License-Identifier: MIT
# What recording costs a web server: httpd under the load of ab, plain and recorded in turns. For
# each round the processor time of denali for one request, and the requests in a second of the
# clock; medians of the rounds' ratios. Environment: BUILD, SRCDIR; ROUNDS (3), SECONDS_EACH (4).
TMPDIR=$(mktemp -d) || exit 1
DENALI=$BUILD/denali
. "$SRCDIR/testsuite/net/lib.sh"
trap 'for p in $started; do kill $p 2>/dev/null; done; rm -rf "$TMPDIR"' EXIT
command -v ab >/dev/null || { echo "web server: no ab here"; exit 0; }
site "$TMPDIR/site"

ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

# measure OPTIONS: "ticks requests requests-a-second".
measure() {
    options=$1
    serve dbt "$TMPDIR/site"
    ab -q -k -n 500 -c 20 $url/k1 >/dev/null 2>&1
    before=$(ticks)
    ab -q -k -t "${SECONDS_EACH:-4}" -n 1000000 -c 20 $url/k1 >"$TMPDIR/ab" 2>&1 || fail "$(cat "$TMPDIR/ab")"
    after=$(ticks)
    stop
    awk -v ticks=$((after - before)) '/^Complete requests/ { n = $3 } /^Requests per second/ { r = $4 }
        END { print ticks, n, r }' "$TMPDIR/ab"
}

for round in $(seq "${ROUNDS:-3}"); do
    echo "$(measure "") $(measure "--record $TMPDIR/rec$round")"
    rm -rf "$TMPDIR/rec$round"
done >"$TMPDIR/rounds"
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
cost=$(awk '{ print ($4 / $5) / ($1 / $2) }' "$TMPDIR/rounds" | median)
rate=$(awk '{ print $3 / $6 }' "$TMPDIR/rounds" | median)
awk -v c="$cost" -v r="$rate" 'BEGIN {
    print "web server"
    printf "  recorded, processor time of a request  %5.2f%s\n", c, (c > 1.5 ? "  over the limit" : "")
    printf "  recorded, requests in a second         %5.2f%s\n", r, (r > 1.5 ? "  over the limit" : "") }'
awk '{ printf "  plain %.0f a second, recorded %.0f\n", $3, $6 }' "$TMPDIR/rounds"
