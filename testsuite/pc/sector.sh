#!/bin/sh
# SPDX-License-Identifier: MIT
# Boot sectors under SeaBIOS, from disk and floppy: BIOS calls, timer, protected mode; and a game
# with interrupts of its own, played.
# timeout: 240
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_bios
g=$BUILD/pc/guests
[ -f "$g/sector" ] || skip "no guests were built"
cp "$g/sector" disk && truncate -s 2M disk
cp "$g/sector" floppy && truncate -s 1440K floppy
cp "$g/game" game && truncate -s 1440K game
for engine in $(pc_engines); do
    [ $engine = lockstep ] && continue
    pc --hda disk --exit-port --debugcon log --screen-text --timeout 60
    expect 1 "sector is here"
    grep -q ABCDE log || fail "disk: $(tail -c 100 log)"
    pc --fda floppy --boot a --exit-port --debugcon log --timeout 60
    expect 1
    grep -q ABCDE log || fail "floppy: $(tail -c 100 log)"
    pc --fda game --boot a --at 10 --screenshot game.png --timeout 14
    expect 124
    is_png game.png
    [ "$(wc -c <game.png)" -gt 500 ] || fail "the game's picture is empty"
done
exit 0
