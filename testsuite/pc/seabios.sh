#!/bin/sh
# SPDX-License-Identifier: MIT
# SeaBIOS: to its boot menu and out of it by a key; without anything to boot it says so.
# timeout: 120
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_bios
pc --boot-menu --wait 'Press ESC for boot menu' --type "$(printf '\033')" --wait 'Select boot device' \
    --screen-text --screenshot menu.png --timeout 90
expect 0 'Select boot device'
expect 0 'DVD/CD'
is_png menu.png
pc --wait 'No bootable device' --screen-text --timeout 90
expect 0 'No bootable device'
# CMOS memory is kept.
pc --cmos cmos --at 1 --screen-text --timeout 2
[ "$(wc -c <cmos)" = 256 ] || fail "no CMOS file"
exit 0
