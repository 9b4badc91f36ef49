#!/bin/sh
# SPDX-License-Identifier: MIT
# Lockstep of a PC: firmware, protected mode, paging, devices; both engines agree, and what comes out is what comes
# out of one. DENALI_LONG=1: Debian's kernel to its shell.
# timeout: 280
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
case " $(pc_engines)" in *' lockstep '*) ;; *) skip "no lockstep for PCs here" ;; esac
# The hammer: a device that it asks writes over the instruction that asked, and on.
for guest in hello mmio paged hammer; do
    [ -f "$BUILD/pc/guests/$guest" ] || continue
    engine=interp
    pc --kernel "$BUILD/pc/guests/$guest" --exit-port --debugcon stdio --deterministic --timeout 100
    want=$status
    cp out want
    engine=lockstep
    pc --kernel "$BUILD/pc/guests/$guest" --exit-port --debugcon stdio --deterministic --timeout 100
    expect "$want"
    cmp -s out want || fail "$guest prints otherwise: $(cat out err)"
done
if [ -f /usr/share/seabios/bios-256k.bin ]; then
    pc --wait 'No bootable device' --screen-text --timeout 250
    expect 0 'No bootable device'
fi
[ -n "${DENALI_LONG-}" ] || exit 0
need_media
pc -m 128M --cpu pentium3 --kernel "$media/boot/vmlinuz-686" --initrd "$media/initrd-686" \
    --serial stdio --deterministic --timeout 3000 \
    --append "console=ttyS0 quiet cryptomgr.notests do=md5sum_/bin/busybox"
expect 0 '^MARKER end 0'
exit 0
