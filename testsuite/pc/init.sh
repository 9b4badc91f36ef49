#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The first program of the test's guest: modules, then what the command line asks for
# (do=SCRIPT with _ for blanks and ; by ,), or a shell.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "MARKER $(uname -r) is up"
for m in crc32c_generic virtio_pci virtio_net virtio_blk virtio_console ata_piix sd_mod sr_mod ext4 isofs ne2k-pci; do
    modprobe $m 2>/dev/null
done
net() {
    ip link set lo up
    ip link set eth0 up
    ip addr add 10.0.2.15/24 dev eth0
    ip route add default via 10.0.2.2
}
for word in $(cat /proc/cmdline); do
    case $word in do=*) script=$(echo "${word#do=}" | tr '_,' ' ;') ;; esac
done
if [ -n "$script" ]; then
    eval "$script"
    echo "MARKER end $?"
    poweroff -f
fi
exec sh
