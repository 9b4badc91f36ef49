#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's kernel on the smallest machine: a PIC, a PIT, a 16550.
# timeout: 200
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_media
"$DENALI" pc --machine isa -m 128M --kernel "$media/boot/vmlinuz-686" --initrd "$media/initrd-686" \
    --serial stdio --timeout 180 --append "console=ttyS0 quiet cryptomgr.notests do=cat_/proc/interrupts" \
    >out 2>err </dev/null &
i=0
while [ $i -lt 180 ] && ! grep -q 'MARKER end' out 2>/dev/null; do i=$((i + 1)); sleep 1; done
kill $! 2>/dev/null
wait
grep -q 'MARKER end 0' out || fail "no end: $(tail -20 out) $(cat err)"
grep -q 'XT-PIC .*timer' out || fail "no PIC: $(tail -30 out)"
grep -q 'XT-PIC .*ttyS0' out || fail "no UART: $(tail -30 out)"
exit 0
