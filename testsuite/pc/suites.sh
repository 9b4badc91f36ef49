#!/bin/sh
# SPDX-License-Identifier: MIT
# What public suites for a PC's processor take for granted: printers with and without a strobe, the
# test device beside the exit port, exit values as large as theirs, the other ways to end, and what
# is said of wrong command lines.
# timeout: 120
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
suite=$BUILD/pc/guests/suite
[ -x "$suite" ] || skip "no guests were built"
printers() {
    [ "$(cat raw)" = "not strobed" ] || fail "printed without a strobe: $(cat raw)"
    [ "$(cat polled)" = "polled" ] || fail "printed with one: $(cat polled)"
    rm raw polled
}
for engine in $(pc_engines); do
    # 155 is what 77, "skipped", becomes.
    pc --kernel "$suite" --append exit --exit-port --parallel 3bc:raw --parallel polled --serial null --timeout 60
    expect 155
    printers
    pc --kernel "$suite" --append spell --parallel polled --parallel 3BC:file:raw --serial null --timeout 60
    expect 0
    printers
    pc --kernel "$suite" --append halt --parallel polled --parallel 3bc:raw --exit-halt --serial null --timeout 60
    expect 0
    expect_error 'halted for ever.*POST code FF'
    printers
done
engine=
pc --kernel "$suite" --machine isa --append exit --exit-port --parallel stdio --serial null --timeout 60
expect 155 polled
pc --kernel "$suite" --parallel 300:x
expect 125
expect_error '378, 278 and 3bc'
pc --kernel "$suite" --parallel 378:null --parallel 378:null
expect 125
pc --kernel "$suite" --parallel null --parallel null --parallel null --parallel null
expect 125
expect_error 'three parallel ports'
# Firmware that knows no PCI finds the card's ROM where an ISA card has it.
{ printf '\125\252\001'; head -c 509 /dev/zero; } >card
printf 'x/3xb 0xc0000\nquit\n' >look
pc --bios "$BUILD/pc/guests/machine.rom" --vgabios card --commands look --batch --serial null --timeout 60
expect 0 '0x55.*0xaa.*0x01'
# The smallest machine: what it cannot show is an error, what it goes without is told.
pc --kernel "$suite" --machine isa --screenshot x
expect 125
expect_error 'neither screen nor keyboard'
pc --kernel "$suite" --machine isa --append halt --exit-halt --hda card --serial null --timeout 60
expect 0
expect_error 'no disks'
[ ! -e x ] || fail "a file was made for a port that does not exist"
exit 0
