#!/bin/sh
# SPDX-License-Identifier: MIT
# Own Multiboot kernels: what the loader promises, modules, addresses in the header, triple faults,
# and ones that write to every port and to every window of memory with every size.
# timeout: 200
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
g=$BUILD/pc/guests
[ -x "$g/hello" ] || skip "no guests were built"
printf 'xyz' >one
printf 'ab' >two
truncate -s 1440K floppy
for engine in $(pc_engines); do
    pc -m 32M --kernel "$g/hello" --append 'a b=c' --initrd "one arg,two" --exit-port \
        --debugcon stdio --serial null --timeout 30
    expect 1 "^text .*hello a b=c$"
    expect 1 "^ram 01f9fc00$"
    expect 1 "^module one arg 00000003$"
    expect 1 "^module two 00000002$"
    expect 1 "^bad 00000000$"
    truncate -s 1M disk
    pc -m 32M --kernel "$g/hello" --hda disk --exit-port --debugcon stdio --serial null --timeout 30
    expect 1 "^device 80ffffff$"
    gzip -c "$g/hello" >hello.gz
    pc --machine isa --kernel hello.gz --exit-port --debugcon stdio --serial null --timeout 30
    expect 1 "^bad 00000000$"
    pc --kernel "$g/aout" --exit-port --debugcon stdio --serial null --timeout 30
    expect 1 F
    pc --kernel "$g/triple" --serial null --timeout 30
    expect 120
    expect_error 'triple fault'
    expect_error 'eip'
    # Every window of memory with every size, PCI's registers, VGA's: it comes to its end.
    for nic in virtio ne2k; do
        pc --kernel "$g/mmio" --exit-port --hda disk --virtio-disk floppy --virtio-console null \
            --net none --nic $nic --serial null --screenshot mmio.png --timeout 60
        expect 1
        is_png mmio.png
    done
    # A device that is asked writes over the very instruction that asked it, here: lockstep, whose
    # second engine comes when that is done, cannot follow (docs/QUIRKS.md).
    [ $engine = lockstep ] && continue
    # Devices may have written over it by then: any end is good, but not ours.
    pc --kernel "$g/hammer" --exit-port --hda disk --serial null --timeout 30
    case $status in 1 | 120 | 124) ;; *) fail "hammer: status $status: $(cat err)" ;; esac
done
exit 0
