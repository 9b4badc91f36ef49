#!/bin/sh
# SPDX-License-Identifier: MIT
# Snapshots of a VM that writes its disk all the time: the disk that is taken along is as the VM
# remembers it; clones, and a clone's clones, go on from there, each on a disk of its own.
. "$SRCDIR/testsuite/host/lib.sh"
host_start --workers 2
cd "$TMPDIR" || exit 1
truncate -s 1M image

"$DENALI" create --name one --disk data="$TMPDIR/image" "$BUILD/guests/ledger" >out || fail "create: $(cat out)"
"$DENALI" start one >/dev/null || fail "start"
has_written() { [ "$("$DENALI" logs "$1" | wc -l)" -gt "$2" ]; }
await 100 has_written one 200 || fail "one does not write"

# The highest entry of a disk; no block of it may be torn.
highest() {
    "$DENALI" run --disk data="$1,ro" "$BUILD/guests/ledger" read >found 2>err || fail "$1: $(cat found err)"
    grep -q torn found && fail "$1: torn: $(grep torn found)"
    awk '$2 + 0 > most { most = $2 + 0 } END { print most + 0 }' found
}

# first_of VM: the first entry that it told of.
first_of() { "$DENALI" logs "$1" | awk 'NF == 2 { print $2; exit }'; }

# goes_on VM FILE: its first entry is the one after the disk's last, or that one, if nobody was told.
goes_on() {
    await 100 has_written "$1" 50 || fail "$1 does not write: $("$DENALI" logs "$1")"
    last=$(highest "$2") first=$(first_of "$1")
    [ "$first" = "$last" ] || [ "$first" = $((last + 1)) ] ||
        fail "$1 begins with $first, the disk that it has ends with $last"
    [ "$last" -gt 100 ] || fail "$2 ends with $last"
}

for round in 1 2 3; do
    "$DENALI" snapshot one s$round >out 2>&1 || fail "snapshot $round: $(cat out)"
    "$DENALI" clone -n 2 --name c$round s$round >out 2>&1 || fail "clone $round: $(cat out)"
    for vm in $("$DENALI" ps | grep -o "c$round-[0-9]*"); do
        goes_on "$vm" "$TMPDIR/state/snapshots/s$round@0.disk"
    done
done
clone=$("$DENALI" ps | grep -o 'c1-[0-9]*' | head -1)
"$DENALI" snapshot "$clone" again >out 2>&1 || fail "snapshot of a clone: $(cat out)"
"$DENALI" clone --name third again >out 2>&1 || fail "clone of a clone: $(cat out)"
goes_on third "$TMPDIR/state/snapshots/again@0.disk"
# They do not share what they write, and a clone that starts again begins with its snapshot.
before=$(highest "$TMPDIR/state/snapshots/s1@0.disk")
"$DENALI" kill "$clone" >/dev/null && "$DENALI" start "$clone" >/dev/null || fail "$clone does not start again"
is_state "$clone" running || fail "$clone is $(state_of "$clone")"
[ "$(highest "$TMPDIR/state/snapshots/s1@0.disk")" = "$before" ] || fail "a snapshot's disk was written"

# The first one's own disk is whole, and goes on; nothing is left of snapshots that are removed.
newest() { "$DENALI" logs one | awk 'NF == 2 { entry = last; last = $2 } END { print entry + 0 }'; }
goes_on_from() { [ "$(newest)" -gt "$1" ]; }
await 100 goes_on_from $(($(newest) + 50)) || fail "one has stopped"
for vm in $("$DENALI" ps | grep -o 'c[0-9]-[0-9]*') third one; do
    "$DENALI" kill "$vm" >/dev/null || fail "kill $vm"
done
told=$("$DENALI" logs one | awk 'NF == 2 { if (last != "") print last; last = $2 }' | tail -1)
[ "$(highest "$TMPDIR/image")" -ge "$told" ] || fail "an entry of one is lost"
for vm in $("$DENALI" ps | grep -o 'c[0-9]-[0-9]*') third; do "$DENALI" rm "$vm" >/dev/null; done
for s in s1 s2 s3 again; do "$DENALI" rm --snapshot $s >out 2>&1 || fail "rm $s: $(cat out)"; done
[ -z "$(ls "$TMPDIR/state/snapshots")" ] || fail "left: $(ls "$TMPDIR/state/snapshots")"
host_end
exit 0
