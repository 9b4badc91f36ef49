#!/bin/sh
# SPDX-License-Identifier: MIT
# More VMs that compute than threads, beside one that sleeps with a timer hours away (its lease):
# each gets its turns, and the sleeper answers.
. "$SRCDIR/testsuite/host/lib.sh"
host_start --workers 1 --threads 2
port=$(free_port)
make_httpd web "$port" --group web
"$DENALI" start web >/dev/null || fail "start"
await 100 page "$port" || fail "web does not answer"
sleep 1
for i in 1 2 3 4; do
    "$DENALI" create --name s$i "$BUILD/guests/spin" >/dev/null && "$DENALI" start s$i >/dev/null || fail "s$i"
done
ran() {
    api GET "/v1/vms/$1/stats"
    [ "$(field cpu_ns)" -gt 0 ]
}
for i in 1 2 3 4; do
    await 100 ran s$i || fail "s$i never ran: $(cat "$TMPDIR/answer")"
done
page "$port" || fail "web does not answer beside them"
host_end
exit 0
