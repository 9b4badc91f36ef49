#!/bin/sh
# SPDX-License-Identifier: MIT
# Damaged kernels, images, discs and CMOS files, and wrong options: clear words, no crash.
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
hello=$BUILD/pc/guests/hello
[ -f "$hello" ] || skip "no guests were built"
# bad STATUS WORDS OPTIONS...
bad() {
    want=$1 words=$2
    shift 2
    pc --timeout 20 "$@"
    expect "$want"
    expect_error "$words"
}
: >empty
head -c 3000 /dev/zero >zeroes
head -c 300 "$hello" >part
printf '\037\213\010\000garbage and more garbage' >bad.gz
bad 126 'is empty' --kernel empty
bad 126 'neither a Linux bzImage nor' --kernel zeroes
bad 126 'damaged' --kernel bad.gz
bad 125 'cannot read' --kernel nothing
bad 125 'is empty' --hda empty
bad 125 'cannot open' --hda nothing
bad 125 'is not a size' -m lots
bad 125 'at most 3G' -m 4G
bad 125 'there are' --cpu z80 --kernel "$hello"
bad 125 'there is no option' --wat
bad 125 'value is missing' --kernel
bad 126 'whole 64 KiB' --bios zeroes
bad 126 'not a VGA BIOS' --kernel "$hello" --vgabios zeroes
bad 125 'not CMOS memory' --kernel "$hello" --cmos zeroes
bad 125 'say stdio, pty' --kernel "$hello" --serial wat
bad 125 'is not an overlay' --kernel "$hello" --hda zeroes,cow=part
# A disc without a file system: told, and run all the same.
pc --kernel "$hello" --cdrom zeroes --exit-port --serial null --timeout 20
expect 1
expect_error 'no ISO 9660'
# Every kind of damage to a Multiboot ELF file and to a bzImage's head: an answer, never a signal.
i=0
for at in 4 5 18 24 28 42 44 52 56 64 68 72 4096 4100 4104; do
    for byte in 377 0 200; do
        i=$((i + 1))
        cp "$hello" d
        printf "\\$byte\\$byte\\$byte\\$byte" | dd of=d bs=1 seek=$at conv=notrunc 2>/dev/null
        pc --kernel d --exit-port --serial null --timeout 2
        case $status in 1 | 120 | 124 | 126 | 3 | 119) ;; *) fail "damage $byte at $at: status $status: $(cat err)" ;; esac
    done
done
# Overlays: what is written goes there, the base stays.
truncate -s 1M base
sum=$(cksum <base)
pc --kernel "$hello" --hda base,cow=over --exit-port --serial null --timeout 20
expect 1
[ -s over ] && [ "$(cksum <base)" = "$sum" ] || fail "the overlay or its base is wrong"
truncate -s 2M base
bad 125 'of another size' --kernel "$hello" --hda base,cow=over
exit 0
