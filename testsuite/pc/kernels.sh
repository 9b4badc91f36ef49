#!/bin/sh
# SPDX-License-Identifier: MIT
# Multiboot kernels of others: gnumach to its banner, grub-invaders drawn; memtest86+ by the Linux
# protocol, testing without an error.
# timeout: 240
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_media
pc --kernel "$media/boot/gnumach.gz" --serial null --wait 'No bootstrap code loaded' --screen-text \
    --timeout 60
expect 0 'vm_page: DIRECTMAP'
pc --kernel "$media/boot/invaders" --serial null --wait '-*-' --screen-text --screenshot i.png --timeout 60
expect 0 '\*'
is_png i.png
pc -m 8M --kernel "$media/boot/memtest" --serial null --wait '#5' --screen-text --timeout 200
expect 0 'Errors: 0$'
exit 0
