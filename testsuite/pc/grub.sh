#!/bin/sh
# SPDX-License-Identifier: MIT
# A GRUB rescue disc to its prompt, which answers.
# timeout: 200
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_bios
need grub-mkrescue xorriso mformat
[ -d /usr/lib/grub/i386-pc ] || skip "no GRUB for BIOS (grub-pc-bin)"
mkdir -p iso/boot/grub
grub-mkrescue -o rescue.iso iso >log 2>&1 || fail "grub-mkrescue: $(tail -3 log)"
pc --cdrom rescue.iso --boot d --wait 'grub>' --type 'echo a$prefix
' --wait 'a(' --screen-text --timeout 150
expect 0 'GNU GRUB'
expect 0 'a('
exit 0
