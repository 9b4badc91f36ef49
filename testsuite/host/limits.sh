#!/bin/sh
# SPDX-License-Identifier: MIT
# No descriptors, no memory, no disk space: what cannot be done is refused and told, what runs goes
# on, and when there is room again all works.
. "$SRCDIR/testsuite/host/lib.sh"
[ -z "${MEMORY_IS_THE_SANITIZERS-}" ] || skip "limits of memory count what the sanitizer takes for itself"
base=$(free_port 200)

# until_refused WHAT: makes servers until one is refused; $n run. The refusal says WHAT.
until_refused() {
    n=0
    while [ $n -lt 40 ]; do
        "$DENALI" create --name "w$n" -p "$((base + n)):80" --root "$TMPDIR/site" --start \
            "$BUILD/guests/httpd" / >"$TMPDIR/out" 2>&1 || break
        n=$((n + 1))
    done
    [ $n -gt 0 ] && [ $n -lt 40 ] || fail "$1: $n VMs run: $(cat "$TMPDIR/out")"
    grep -q -i -e "$1" "$TMPDIR/out" || fail "no '$1' in: $(cat "$TMPDIR/out")"
}
go_on() {
    await 50 page "$base" || fail "$1: w0 does not answer"
    await 50 page "$((base + n - 1))" || fail "$1: the last one does not answer"
    "$DENALI" ps >/dev/null || fail "$1: ps"
    "$DENALI" rm -f w1 >/dev/null || fail "$1: rm"
    "$DENALI" start "w$n" >"$TMPDIR/out" 2>&1 || fail "$1: there is room, but: $(cat "$TMPDIR/out")"
    await 50 page "$((base + n))" || fail "$1: the one that was refused does not answer"
}

# Descriptors: of the daemon and its worker.
(ulimit -n 60 && host_start --workers 1 && echo "$daemon_pid" >"$TMPDIR/pid") || fail "$(cat "$TMPDIR/start")"
daemon_pid=$(cat "$TMPDIR/pid")
until_refused "too many open files"
go_on descriptors
# More clients than it has descriptors for.
for i in 1 2 3 4 5 6 7 8; do
    for k in 1 2 3 4 5 6 7 8; do
        curl -s -m 3 --unix-socket "$DENALI_HOST" "http://x/v1/vms/w0/wait?timeout_s=2" >/dev/null 2>&1 &
        pids="${pids-} $!"
    done
done
wait $pids
"$DENALI" ps >/dev/null || fail "ps after many clients"
host_end
rm -rf "$TMPDIR/state"

# Address space: a VM's window is 4 GiB of it.
(ulimit -v 160000000 && host_start --workers 1 && echo "$daemon_pid" >"$TMPDIR/pid") || fail "$(cat "$TMPDIR/start")"
daemon_pid=$(cat "$TMPDIR/pid")
until_refused "memory"
go_on memory
host_end
rm -rf "$TMPDIR/state"

# Disk space: no file may be larger than 8 KiB. What was acknowledged is there afterwards.
(ulimit -f 16 && host_start --workers 1 && echo "$daemon_pid" >"$TMPDIR/pid") || fail "$(cat "$TMPDIR/start")"
daemon_pid=$(cat "$TMPDIR/pid")
n=0
while [ $n -lt 100 ] && "$DENALI" create --name "d$n" "$BUILD/guests/hello" >"$TMPDIR/out" 2>&1; do n=$((n + 1)); done
[ $n -gt 5 ] && [ $n -lt 100 ] || fail "a full disk: $n VMs: $(cat "$TMPDIR/out")"
grep -q "journal cannot be written" "$TMPDIR/out" || fail "a full disk: $(cat "$TMPDIR/out")"
"$DENALI" ps >/dev/null || fail "ps with a full disk"
"$DENALI" inspect "d$n" >/dev/null 2>&1 && fail "a VM that was refused exists"
kill -9 "$daemon_pid"
await 120 no_process_left || fail "orphans"
host_start --workers 1
[ "$("$DENALI" ps | grep -c ' d[0-9]')" -eq $n ] || fail "of $n VMs: $("$DENALI" ps)"
"$DENALI" start d0 >/dev/null || fail "start after that"
host_end
exit 0
