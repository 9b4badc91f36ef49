#!/bin/sh
# SPDX-License-Identifier: MIT
# A web server under load is recorded and replayed three times, and once by lockstep's way of looking
# at a part: the same sums of the state, the same frames out. RECORD_SECONDS sets how long (3).
# timeout: 600
. "$SRCDIR/testsuite/net/lib.sh"
tools curl ab
cd "$TMPDIR" || exit 1
site "$TMPDIR/site"
options="--record $TMPDIR/rec"
serve dbt "$TMPDIR/site"
ab -q -k -t "${RECORD_SECONDS:-3}" -n 1000000 -c 20 $url/k1 >ab 2>&1 || fail "ab: $(tail -3 ab)"
grep -Eq 'Failed requests: +0$' ab || fail "ab: $(cat ab)"
curl -m 20 -s $url/k300 | cmp -s - site/k300 || fail "a large file differs"
stop
for i in 1 2 3; do
    "$DENALI" replay -q rec 2>said || fail "replay $i: $(cat said)"
    grep -q 'to the end: output, frames and [0-9]* sums .* are the same' said || fail "replay $i: $(cat said)"
done
"$DENALI" replay -q --engine interp --until 20000000 rec 2>interp || fail "interp: $(cat interp)"
"$DENALI" replay -q --until 20000000 rec 2>dbt || fail "dbt: $(cat dbt)"
cmp -s interp dbt || fail "the engines differ: $(cat interp dbt)"
sed -n 's/^Requests per second: *\([0-9.]*\).*/recorded at \1 requests a second/p' ab
cat said
