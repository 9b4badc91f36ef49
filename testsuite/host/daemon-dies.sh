#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of the daemon: VMs go on, the next daemon finds them, and nothing that was acknowledged is
# forgotten. Without a next daemon the workers end by themselves. A daemon that is ended properly
# and started again starts what policy wants.
. "$SRCDIR/testsuite/host/lib.sh"
host_start --workers 2
a=$(free_port)
make_httpd web "$a" --group one --restart on-failure
"$DENALI" start web >/dev/null || fail "start"
await 50 page "$a" || fail "web does not answer"
"$DENALI" snapshot web snap >/dev/null || fail "snapshot"
"$DENALI" clone -n 10 --restart no --name c snap >/dev/null || fail "clone"
"$DENALI" create --name rests "$BUILD/guests/hello" >/dev/null || fail "create"
pid=$(worker_pid web)

kill -9 "$daemon_pid"
page "$a" || fail "web does not answer while there is no daemon"
"$DENALI" ps >/dev/null 2>&1 && fail "who answers?"
host_start --workers 2
[ "$(worker_pid web)" = "$pid" ] || fail "web is not in its old worker: $(cat "$TMPDIR/state/host.log")"
grep "says that it is" "$TMPDIR/state/host.log" && fail "the kernel knows another worker"
for i in 1 2 3 4 5 6 7 8 9 10; do is_state c-$i running || fail "c-$i was lost"; done
is_state rests created || fail "rests was forgotten"
page "$a" || fail "web does not answer after that"
"$DENALI" kill c-1 >/dev/null || fail "kill of an adopted VM"
"$DENALI" start rests >/dev/null || fail "start after that"
"$DENALI" wait --timeout 10 rests >/dev/null || fail "wait"

# A VM that ends while there is no daemon.
"$DENALI" create --name brief --group one "$BUILD/guests/httpd" -x >/dev/null || fail "create"
kill -9 "$daemon_pid"
sleep 0.2
host_start --workers 2
is_state web running || fail "web after a second crash"

# The end of a daemon ends all; on-failure starts again what it interrupted, other than c-1.
host_end
page "$a" && fail "web answers though the host has ended"
host_start --workers 1
await 100 page "$a" || fail "web was not started again: $("$DENALI" ps)"
is_state c-2 ended || fail "c-2 has no policy, and runs"
is_state rests ended || fail "rests"

# Nobody comes after it.
kill -9 "$daemon_pid"
await 120 no_process_left || fail "orphans: $(processes)"
page "$a" && fail "web answers without a worker"
daemon_pid=
exit 0
