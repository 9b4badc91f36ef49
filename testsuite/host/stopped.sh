#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 240
# A worker that is stopped for a minute (STOP_SECONDS) while its VM writes to its disk and is asked
# over TCP: others notice nothing, the VM goes on where it stood, and nothing that it was told of is lost.
. "$SRCDIR/testsuite/host/lib.sh"
seconds=${STOP_SECONDS:-60}
host_start --workers 2
cd "$TMPDIR" || exit 1
truncate -s 1M image
a=$(free_port) b=$(free_port 100)
make_httpd other "$a" --group other
make_httpd web "$b" --group web
"$DENALI" create --name writer --disk data="$TMPDIR/image" "$BUILD/guests/ledger" >/dev/null || fail "create"
"$DENALI" start other web writer >/dev/null || fail "start"
await 100 page "$a" && await 100 page "$b" || fail "they do not answer"
# The newest entry that was told whole. (Lines are no measure: a log shows its last part only.)
newest() { "$DENALI" logs writer | awk 'NF == 2 { entry = last; last = $2 } END { print entry + 0 }'; }
has_written() { [ "$(newest)" -gt "$1" ]; }
await 100 has_written 100 || fail "writer does not write"

p=$(worker_pid web) q=$(worker_pid writer) o=$(worker_pid other)
[ "$p" != "$o" ] || fail "web and other are in one worker"
kill -STOP "$p"
[ "$q" = "$p" ] || [ "$q" = "$o" ] || fail "where is writer?"
# Who asks now waits, and is answered when it goes on.
curl -s -m $((seconds + 60)) "http://127.0.0.1:$b/" >late 2>&1 &
client=$!
end=$(($(date +%s) + seconds))
asked=0
while [ "$(date +%s)" -lt "$end" ]; do
    page "$a" || fail "other does not answer while a worker is stopped"
    asked=$((asked + 1))
    sleep 0.5
done
[ $asked -gt 3 ] || fail "other was asked $asked times only"
kill -CONT "$p"
await 100 page "$b" || fail "web does not answer after $seconds s"
wait $client || fail "who asked meanwhile was not answered"
grep -q "a page" late || fail "who asked meanwhile got $(cat late)"
for vm in other web writer; do is_state $vm running || fail "$vm is $(state_of $vm)"; done
[ "$(worker_pid web)" = "$p" ] || fail "web is in another worker"
await 100 has_written $(($(newest) + 50)) || fail "writer has stopped"

"$DENALI" kill writer >/dev/null || fail "kill"
"$DENALI" logs writer | awk 'NF == 2 { if (at != "") print at, entry; at = $1; entry = $2 }' >told
"$DENALI" run --disk data="$TMPDIR/image,ro" "$BUILD/guests/ledger" read >found 2>err || fail "$(cat found err)"
grep -q torn found && fail "torn: $(grep torn found)"
awk 'NR == FNR { if ($2 + 0 > told[$1]) told[$1] = $2 + 0; next }
    $2 + 0 < told[$1] { print "block " $1 ": " $2 ", but " told[$1] " was complete"; bad = 1 }
    END { exit bad }' told found || fail "a write is lost"
host_end
exit 0
