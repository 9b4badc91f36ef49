#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb on a PC from its first instruction: 16-bit code as such, breakpoints by linear address,
# firmware's tick counter watched, writes, the end.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
[ -f /usr/share/seabios/bios.bin ] || [ -f /usr/share/seabios/bios-256k.bin ] || skip "no seabios"

engine=interp
serve_pc -m 16M
in_gdb <<'END'
show architecture
print/x $pc
x/i $pc
stepi
print/x $pc
print/x $cs_base
break *0xfe062
continue
print/x $pc
delete
watch *(int *)0x46c
continue
print *(int *)0x46c > 0
set var *(int *)0x7c00 = 0x12345678
print/x *(int *)0x7c00
set architecture i386
x/i $pc
print/x $cr0 & 1
kill
END
said 'currently "i8086"' '= 0xfffffff0$' 'ljmp ' '= 0xfe05b$' '= 0xf0000$' '= 0xfe062$' 'Old value = 0' \
    ' = 1$' '= 0x12345678$' '= 0x1$'
ended 137
