#!/bin/sh
# SPDX-License-Identifier: MIT
# A stopped worker, a killed NAT, a damaged snapshot, no descriptors, no disk space: what is
# refused says why, the others notice nothing, and all goes on afterwards.
. "$SRCDIR/testsuite/host/lib.sh"
host_start --workers 2
a=$(free_port) b=$(free_port 100)
make_httpd one "$a" --group one
make_httpd two "$b" --group two
"$DENALI" start one two >/dev/null || fail "start"
await 50 page "$a" || fail "one does not answer"
await 50 page "$b" || fail "two does not answer"

# SIGSTOP.
p=$(worker_pid two)
kill -STOP "$p"
page "$a" || fail "one does not answer while another's worker is stopped"
"$DENALI" ps >/dev/null || fail "ps while a worker is stopped"
is_stalled() { api GET /v1/host; grep -q '"state":"stalled"' "$TMPDIR/answer"; }
await 100 is_stalled || fail "the worker is not told to be stalled: $(cat "$TMPDIR/answer")"
api POST /v1/vms -d "{\"name\":\"third\",\"image\":\"$BUILD/guests/hello\",\"start\":true}"
[ "$code" = 200 ] || fail "create while a worker is stopped: $code $(cat "$TMPDIR/answer")"
api GET /v1/stats
[ "$code" = 200 ] || fail "stats while a worker is stopped"
kill -CONT "$p"
await 50 page "$b" || fail "two does not answer after that"
is_state two running || fail "two is $(state_of two)"
[ "$(worker_pid two)" = "$p" ] || fail "two is in another worker"
is_stalled && fail "still stalled"

# The NAT of a LAN. Its parent is the worker.
nat_of() { for s in /proc/[0-9]*/stat; do read -r n c _ pp _ <"$s" 2>/dev/null && [ "$c $pp" = "(denali-nat) $1" ] && echo "$n"; done; }
nat=$(nat_of "$p")
[ -n "$nat" ] || fail "no NAT"
kill -9 $nat
await 100 page "$b" || fail "two does not answer after its NAT was killed: $(cat "$TMPDIR/state/host.log")"
page "$a" || fail "one noticed"
is_state two running || fail "two"
told() { grep -q 'NAT process of group two died' "$TMPDIR/state/host.log"; }
await 30 told || fail "it is not told: $(cat "$TMPDIR/state/host.log")"

# Snapshots: cut short, changed, gone.
"$DENALI" snapshot one good >/dev/null || fail "snapshot"
for how in cut change empty; do
    "$DENALI" snapshot one $how >/dev/null || fail "snapshot $how"
    f=$TMPDIR/state/snapshots/$how.snap
    case $how in
    cut) truncate -s -4096 "$f" ;;
    change) printf 'x' | dd of="$f" bs=1 seek=9000 conv=notrunc 2>/dev/null ;;
    empty) : >"$f" ;;
    esac
    "$DENALI" clone $how >"$TMPDIR/out" 2>&1 && fail "clone of a snapshot: $how"
    grep -q -i -e snapshot -e short -e damaged "$TMPDIR/out" || fail "$how: $(cat "$TMPDIR/out")"
done
"$DENALI" clone --name fine good >/dev/null || fail "clone after damaged ones"
is_state fine running || fail "fine"
page "$a" || fail "one noticed the snapshots"

# A port that is taken.
make_httpd third-port "$a"
"$DENALI" start third-port >"$TMPDIR/out" 2>&1 && fail "a port was published twice"
grep -q "$a" "$TMPDIR/out" || fail "which port? $(cat "$TMPDIR/out")"
page "$a" || fail "one noticed that"
host_end
exit 0
