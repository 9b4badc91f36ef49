#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux, saved in the middle of its boot: restored in a new process it comes to its shell, uses its
# disk, and powers off; by counted time in the same state as a boot that went straight through.
# timeout: 280
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_media
PATH=$PATH:/sbin:/usr/sbin
need mkfs.ext2
truncate -s 4M base && mkfs.ext2 -q -F base || fail "mkfs.ext2"
hash() { sed -n 's/^denali: state \([0-9a-f]*\) after .*/\1/p' err; }
linux() {
    pc -m 128M --cpu pentium3 --kernel "$media/boot/vmlinuz-686" --initrd "$media/initrd-686" \
        --hda disk --serial stdio --state-hash "$@" --append \
        "console=ttyS0 quiet cryptomgr.notests do=mount_/dev/sda_/mnt_&&_md5sum_/bin/busybox_>/mnt/sum_&&_md5sum_-c_/mnt/sum_&&_umount_/mnt"
}
booted() { expect 0 '^MARKER end 0' && grep -q '/bin/busybox: OK' out || fail "$(tail -20 out)"; }
cp base disk
linux --snapshot-save snap --at 0.5
expect 0
linux --restore snap
booted
# Counted time is slower: for who wants to wait.
[ -n "${DENALI_LONG-}" ] || exit 0
cp base disk
linux --deterministic
booted
want=$(hash)
cp base disk
linux --deterministic --snapshot-save snap --at 0.7
expect 0
grep -q MARKER out && fail "it was up too early"
linux --deterministic --restore snap
booted
[ "$(hash)" = "$want" ] || fail "restored, it ends in state $(hash), not $want"
exit 0
