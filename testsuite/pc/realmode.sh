#!/bin/sh
# SPDX-License-Identifier: MIT
# Kernels that begin in real mode, after firmware: all that their boot protocol promises, a reset,
# damage to their heads; and where the host has them, other projects' (iPXE, memdisk, Linux by a
# firmware that was named).
# timeout: 300
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_bios
g=$BUILD/pc/guests
[ -f "$g/setup" ] || skip "no guests were built"
printf 'the initrd\n' >initrd
said() { tr '\000\n' '|~' <log | sed 's/.*@//'; }
for engine in $(pc_engines); do
    [ $engine = lockstep ] && continue
    for kernel in setup oldsetup; do
        pc -m 16M --kernel "$g/$kernel" --append 'a b=c ' --initrd initrd --exit-port --debugcon log --serial null --timeout 100
        expect 1
        [ "$(said)" = "a b=c |code~the initrd~" ] || fail "$kernel: $(said)"
    done
    pc --kernel "$g/setup" --exit-port --debugcon log --serial null --timeout 100
    expect 1
    [ "$(said)" = "|code~" ] || fail "nothing said: $(said)"
done
engine=
# The bytes in the program are those of the source.
if command -v gcc >/dev/null 2>&1 && gcc -m32 -nostdlib -static -Wl,--build-id=none -Wl,-Ttext=0 \
    -Wl,--oformat=binary -o start.rom "$SRCDIR/roms/start.S" 2>/dev/null; then
    sed -n '/{$/,/}/p' "$SRCDIR/devices/pc/kernel_rom.h" | grep -o '0x[0-9a-f]*' | sed 's/0x//' >listed
    od -An -v -tx1 -N "$(wc -l <listed)" start.rom | tr -s ' ' '\n' | sed '/^$/d' >built
    [ -s listed ] && cmp -s listed built || fail "devices/pc/kernel_rom.h is not what roms/start.S makes"
fi
bad() {
    want=$1 words=$2
    shift 2
    pc --exit-port --serial null --timeout 20 "$@"
    expect "$want"
    expect_error "$words"
}
# What is damaged, and what there is no room for.
head -c 1000 "$g/setup" >part
bad 126 'cut off' --kernel part
head -c 520 "$g/setup" >part
bad 126 'cut off' --kernel part
truncate -s 9M large
bad 126 'need more memory' --kernel "$g/setup" --initrd large -m 64M
bad 126 'more than 24575 bytes' --kernel "$g/setup" --append "$(head -c 30000 /dev/zero | tr '\000' x)"
for at in 497 517 518 529 556; do
    for byte in 377 0 200; do
        cp "$g/setup" d
        printf "\\$byte\\$byte" | dd of=d bs=1 seek=$at conv=notrunc 2>/dev/null
        pc --kernel d --initrd initrd --exit-port --serial null --timeout 2
        case $status in 1 | 3 | 120 | 124 | 126) ;; *) fail "damage $byte at $at: status $status: $(cat err)" ;; esac
    done
done
# Others'.
if [ -f /boot/ipxe.lkrn ]; then
    pc --kernel /boot/ipxe.lkrn --wait 'Open Source Network Boot Firmware' --screen-text --serial null --timeout 100
    expect 0
fi
if [ -f /usr/lib/syslinux/memdisk ]; then
    cp "$g/sector" floppy && truncate -s 1440K floppy
    pc --kernel /usr/lib/syslinux/memdisk --initrd floppy --exit-port --debugcon log --serial null --timeout 100
    expect 1
    grep -q ABCDE log || fail "memdisk: $(tail -c 100 log)"
fi
exit 0
