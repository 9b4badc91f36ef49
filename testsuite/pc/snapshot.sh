#!/bin/sh
# SPDX-License-Identifier: MIT
# A machine that is saved in the middle of firmware, of a boot sector, of a game, and restored in a new
# process ends in the same state; damaged files and other machines are refused, and nothing of them runs.
# timeout: 120
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_bios
g=$BUILD/pc/guests
[ -f "$g/sector" ] || skip "no guests were built"
cp "$g/sector" floppy && truncate -s 1440K floppy
cp "$g/game" game && truncate -s 1440K game
hash() { sed -n 's/^denali: state \([0-9a-f]*\) after .*/\1/p' err; }
for engine in $(pc_engines); do
    [ $engine = lockstep ] && continue
    # straight OPTIONS...: where the whole run ends; then through snapshots at several times.
    straight() {
        pc -m 32M --boot a --deterministic --state-hash "$@"
        want=$(hash) last=$status
        [ -n "$want" ] || fail "no hash: $(cat err)"
    }
    through() {
        at=$1
        shift
        pc -m 32M --boot a --deterministic --state-hash --snapshot-save snap --at $at "$@"
        middle=$(hash)
        [ "$middle" != "$want" ] || fail "$engine: it ended before $at seconds"
        printf 'quit\n' >commands
        pc -m 32M --boot a --deterministic --state-hash --restore snap --batch --commands commands "$@"
        [ "$(hash)" = "$middle" ] || fail "$engine: restored at $at, it is another state"
    }
    straight --fda floppy --exit-port
    for at in 0.003 0.01 0.05 0.1; do
        through $at --fda floppy --exit-port
        pc -m 32M --boot a --deterministic --state-hash --restore snap --fda floppy --exit-port
        [ $status = $last ] && [ "$(hash)" = "$want" ] || fail "$engine: from $at: $(hash), not $want"
    done
    straight --fda game --at 3 --snapshot-save end
    through 2 --fda game
    pc -m 32M --boot a --deterministic --state-hash --restore snap --fda game --at 3 --snapshot-save end2
    [ "$(hash)" = "$want" ] || fail "$engine: the game: $(hash), not $want"
done
engine=
# refused WORDS OPTIONS...
refused() {
    words=$1
    shift
    pc --boot a --fda floppy --timeout 20 "$@"
    expect 126
    expect_error "$words"
}
o="-m 32M --deterministic"
refused 'with --memory 32M' -m 64M --deterministic --restore snap
refused 'with --cpu max' $o --cpu 486 --restore snap
refused 'with --deterministic' -m 32M --restore snap
refused 'other devices' $o --net none --restore snap
refused 'damaged' $o --restore floppy
: >empty
refused 'damaged' $o --restore empty
size=$(wc -c <snap)
for part in 10 1000 $((size / 2)) $((size - 1)); do
    head -c $part snap >piece
    refused 'damaged' $o --restore piece
done
for at in 11 500 $((size / 2)) $((size - 5)); do
    cp snap bad
    printf '\125\252\125' | dd of=bad bs=1 seek=$at conv=notrunc 2>/dev/null
    refused 'damaged' $o --restore bad
done
gzip -c floppy >other.gz
refused 'no snapshot' $o --restore other.gz
pc $o --fda floppy --restore nothing
expect 125
expect_error 'cannot read nothing'
pc $o --fda floppy --boot a --snapshot-save nowhere/snap --at 0.01 --timeout 20
expect 125
expect_error 'cannot write'
exit 0
