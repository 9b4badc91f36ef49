#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's kernel with busybox: a shell on the serial line that takes commands, an ext2 disk, ping and
# fetch over the NAT, power-off.
# timeout: 280
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_media
PATH=$PATH:/sbin:/usr/sbin
need mkfs.ext2 python3
truncate -s 16M disk && mkfs.ext2 -q -F disk || fail "mkfs.ext2"
mkdir web && echo "a page of the host" >web/page
(cd web && exec python3 -u -m http.server 0 --bind 127.0.0.1) >port 2>&1 &
server=$!
trap 'kill $server' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do grep -q port port && break; sleep 0.3; done
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' port)
script="mount_/dev/sda_/mnt_&&_echo_written_>/mnt/file_&&_cat_/mnt/file_&&_umount_/mnt"
script="$script,net,ping_-c_1_10.0.2.2,wget_-q_-O-_http://10.0.2.2:$port/page"
pc -m 256M --cpu pentium3 --kernel "$media/boot/vmlinuz-686" --initrd "$media/initrd-686" \
    --hda disk --net user --serial stdio --timeout 250 \
    --append "console=ttyS0 quiet cryptomgr.notests do=$script"
expect 0 '^MARKER .* is up'
expect 0 '^written'
expect 0 '0% packet loss'
expect 0 'a page of the host'
expect 0 '^MARKER end 0'
# What the guest wrote is on the disk.
debugfs -R 'cat file' disk 2>/dev/null | grep -q written || fail "the disk lacks the file"
exit 0
