#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's 686-pae kernel: a shell on the serial line that runs what is typed, and power-off.
# timeout: 280
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_media
(
    i=0
    while [ $i -lt 240 ] && ! grep -q 'job control' out 2>/dev/null; do i=$((i + 1)); sleep 1; done
    sleep 2
    echo 'echo $((6 * 7)) answers; grep -c pae /proc/cpuinfo; uname -r'
    sleep 5
    echo 'poweroff -f'
    sleep 10
) | "$DENALI" pc -m 256M --kernel "$media/boot/vmlinuz-pae" --initrd "$media/initrd-pae" \
    --serial stdio --timeout 260 --append "console=ttyS0 quiet cryptomgr.notests" >out 2>err
status=$?
expect 0 '42 answers'
expect 0 '686-pae'
exit 0
