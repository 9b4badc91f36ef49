#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 240
# A swap file on a disk that is full: nobody loses his memory, who is refused hears why, and when there
# is room it is used. Then the file is damaged: who lay in it ends with a report, alone.
if [ -z "${IN_NAMESPACE-}" ]; then
    unshare -Urm true 2>/dev/null || { echo "SKIP: no namespace of mounts without root"; exit 77; }
    IN_NAMESPACE=yes exec unshare -Urm "$0"
fi
. "$SRCDIR/testsuite/host/lib.sh"
[ -z "${MEMORY_IS_THE_SANITIZERS-}" ] || skip "limits of memory count what the sanitizer takes for itself"
disk=$TMPDIR/disk
mkdir "$disk" && mount -t tmpfs -o size=16M swap "$disk" || skip "no tmpfs may be mounted"
trap 'host_end >/dev/null 2>&1; for p in $(processes); do kill -9 "$p" 2>/dev/null; done; umount "$disk"' EXIT
filler() { head -c 20M /dev/zero >"$disk/filler" 2>/dev/null; }

# Each fills 4 MiB with noise of its own and looks at all of it three times a second, for ever.
canary() { "$DENALI" create --name "$1" --no-tty --start "$BUILD/guests/canary" 1024 0 300000 >"$TMPDIR/out" 2>&1; }
# What GET /v1/host tells of the worker, as of the last second.
worker() { api GET /v1/host; sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$TMPDIR/answer"; }
is() { expr "$(worker "$1")" "$2" "$3"; }
running() { "$DENALI" ps | grep -c ' running '; }
# One that has written all its memory, for then it idles: until then it could be let in beside too many.
filled() { api GET "/v1/vms/$1/stats"; grep -q -e '"parks":[1-9]' -e '"state":"idle"' "$TMPDIR/answer"; }
# Those that run, and how often each was parked.
parks() { api GET /v1/stats; sed 's/{"id"/\n&/g' "$TMPDIR/answer" | sed -n 's/.*"name":"\(c[0-9]*\)".*"parks":\([0-9]*\).*/\1 \2/p'; }
# Each of the $n has been away and back since $TMPDIR/before, and found what it had left.
all_went_round() { parks | awk -v n="$n" 'NR == FNR { before[$1] = $2; next } $2 > before[$1] + 1 { k++ } END { exit k != n }' "$TMPDIR/before" -; }

filler
host_start --workers 1 --memory 96M --swap "$disk/swap"
n=0
while [ $n -lt 60 ] && canary "c$n"; do
    await 600 filled "c$n" || fail "c$n does not fill its memory: $(cat "$TMPDIR/answer")"
    n=$((n + 1))
done
[ $n -gt 5 ] && [ $n -lt 60 ] || fail "$n VMs in 96 MiB: $(cat "$TMPDIR/out")"
grep -q -i -e 'memory for all VMs' -e 'no space' "$TMPDIR/out" || fail "refused, but: $(cat "$TMPDIR/out")"
await 200 is swap_errors '>' 0 || fail "nothing was told of a full disk: $(cat "$TMPDIR/answer")"
parks >"$TMPDIR/before"
await 600 all_went_round || fail "not all run: $(parks)"
[ "$(running)" -eq $n ] || fail "of $n with a full disk: $("$DENALI" ps)"

# Room again: it is used.
used=$(worker swap_used_bytes)
rm "$disk/filler"
await 600 is swap_used_bytes '>' $((used + 4000000)) || fail "the room is not used: $(cat "$TMPDIR/answer")"
parks >"$TMPDIR/before"
await 600 all_went_round || fail "not all run: $(parks)"
[ "$(running)" -eq $n ] || fail "of $n: $("$DENALI" ps)"

# Whoever lay in a file that was cut short cannot come back, and says so. The daemon and the others go on.
somebody_missed_it() { : >"$disk/swap.0" && [ "$(running)" -lt $n ]; }
await 600 somebody_missed_it || fail "nobody missed the file"
name=$("$DENALI" ps | sed -n 's/^[0-9]* *\(c[0-9]*\) .* host-error, .*/\1/p' | head -1)
[ -n "$name" ] || fail "nobody ended of it: $("$DENALI" ps)"
"$DENALI" inspect "$name" | grep -q -i -e 'swap' || fail "no word of it: $("$DENALI" inspect "$name")"

# All gone: so is what they took.
"$DENALI" rm -f $("$DENALI" ps | sed -n 's/^[0-9]* *\(c[0-9]*\) .*/\1/p') >"$TMPDIR/out" || fail "rm: $(cat "$TMPDIR/out")"
await 300 is parked_bytes = 0 || fail "memory of nobody: $(cat "$TMPDIR/answer")"
await 300 is swap_used_bytes = 0 || fail "swap of nobody: $(cat "$TMPDIR/answer")"
canary again || fail "no VM after that: $(cat "$TMPDIR/out")"
await 600 filled again || fail "it does not run: $(cat "$TMPDIR/answer")"
host_end
exit 0
