#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of a worker under load: its VMs alone stop, that is told, and policy starts them again,
# from their disk or their snapshot; the others do not lose a request.
. "$SRCDIR/testsuite/host/lib.sh"
host_start --workers 2
a=$(free_port) b=$(free_port 100)

# Two groups, hence two workers.
make_httpd stays "$a" --group one
make_httpd falls "$b" --group two --restart on-failure
"$DENALI" create --name never --group two "$BUILD/guests/httpd" >/dev/null || fail "create"
"$DENALI" start stays falls never >/dev/null || fail "start"
await 50 page "$a" || fail "stays does not answer"
await 50 page "$b" || fail "falls does not answer"
"$DENALI" snapshot falls snap >/dev/null || fail "snapshot"
"$DENALI" clone --name again --restart always -n 3 snap >/dev/null || fail "clone"
[ "$(worker_pid stays)" != "$(worker_pid falls)" ] || fail "two groups share a worker"

# Load on the one that stays.
(
    n=0 bad=0
    while [ ! -f "$TMPDIR/enough" ]; do
        n=$((n + 1))
        page "$a" || bad=$((bad + 1))
    done
    echo "$n $bad" >"$TMPDIR/load"
) &
load=$!
(while [ ! -f "$TMPDIR/enough" ]; do curl -s -m 1 "http://127.0.0.1:$b/index.html" >/dev/null; done) &
load2=$!

before=$(worker_pid stays)
kill -9 "$(worker_pid falls)"
is_restarted() { is_state "$1" running && [ "$(api GET "/v1/vms/$1"; field restarts)" -ge 1 ]; }
await 100 is_restarted falls || fail "falls was not started again: $(cat "$TMPDIR/answer")"
for i in 1 2 3; do await 100 is_restarted again-$i || fail "a clone was not started again"; done
await 100 page "$b" || fail "falls does not answer again"
api GET /v1/vms/never
grep -q '"state":"ended"' "$TMPDIR/answer" || fail "never: $(cat "$TMPDIR/answer")"
grep -q '"reason":"worker-died","status":125,"message":"worker died: worker . (pid [0-9]*) was killed by signal 9"' \
    "$TMPDIR/answer" || fail "it is not said how: $(cat "$TMPDIR/answer")"
grep -q 'was killed by signal 9' "$TMPDIR/state/host.log" || fail "the log does not tell"

touch "$TMPDIR/enough"
wait $load $load2
read -r n bad <"$TMPDIR/load"
[ "$n" -gt 5 ] && [ "$bad" -eq 0 ] || fail "of the other's $n requests $bad were lost"
[ "$(worker_pid stays)" = "$before" ] || fail "the other worker was changed"
"$DENALI" wait --timeout 1 never >/dev/null
[ $? -eq 125 ] || fail "wait's status of a VM whose worker died"
# What was stopped by a person stays so.
"$DENALI" kill falls >/dev/null || fail "kill"
sleep 0.5
is_state falls ended || fail "a VM that was killed has started again"
host_end
exit 0
