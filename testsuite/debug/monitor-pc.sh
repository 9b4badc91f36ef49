#!/bin/sh
# SPDX-License-Identifier: MIT
# The monitor on a PC: firmware in 16-bit code, a kernel with lines and paging, devices, a socket, and
# real gdb with source lines and watchpoints beside it.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cd "$TMPDIR" || exit 1
paged=$BUILD/pc/guests/paged
[ -f "$paged" ] || skip "no guests were built"
grep -q 'HAVE_LIBDW 1' "$BUILD/config.h" || skip "no libdw: nothing is known of lines and types"
has() {
    for _t; do grep -q -F -e "$_t" out || fail "the output lacks '$_t': $(cat out err)"; done
}
# monitor STATUS COMMANDS OPTIONS...
monitor() {
    want=$1
    printf '%s\n' "$2" >commands
    shift 2
    "$DENALI" pc --engine ${pc_engine:-interp} --batch --commands commands --timeout 60 "$@" >out 2>err </dev/null
    status=$?
    [ $status = $want ] || fail "status $status, not $want: $(cat out err)"
}
monitor 7 'tbreak work
continue
info tlb
info page 0xd0000000
info page 0x00800000
break *(u32)&bump + 0xc0000000
continue
info registers control
delete 2
watch count if count == 10
continue
delete
print count
stepi
info devices pic
info interrupts
info counters
continue
info registers x87
info registers debug' -m 16M --kernel "$paged" --exit-port
has 'work () at paged.c' '0xc0000000-0xc0400000 -> 0x00000000  sw-' '0xd0000000-0xd0001000 -> ' '  sr-' \
    'not present' 'cr0        0xe0000011' 'New value = 10 (0xa)' '$1 = 10' 'pic (pic)' 'st0        3.14159' \
    'dr3        0x00' 'enabled    no' 'time '
monitor 125 'snapshot save start
break work
continue
snapshot save here
watch count
continue
continue
snapshot diff here
snapshot restore here
continue
snapshot list
snapshot delete here
snapshot restore start
continue
reverse-stepi' -m 16M --kernel "$paged" --exit-port
has '<count>: 0x00000000 -> 0x00000003' 'pages differ' 'here                 at instruction'
[ "$(grep -c 'New value = 1 ' out)" = 2 ] || fail "a restored machine does not do the same: $(cat out)"
[ "$(grep -c 'Breakpoint 1, work' out)" = 2 ] || fail "the breakpoint is lost: $(cat out)"
grep -q 'no past is kept but its snapshots' err || fail "$(cat err)"
# Translations, guest and host code, if the engine keeps any.
look='break *(u32)&bump + 0xc0000000
continue
info block work
info block 0x00400000
quit'
monitor 0 "$look" -m 16M --kernel "$paged"
has 'the interp engine keeps no translations to show'
if grep -q bmi2 /proc/cpuinfo; then # else no PC is translated
    pc_engine=dbt
    monitor 0 "$look" -m 16M --kernel "$paged"
    has 'no translation of 00400000'
    grep -q '^0010[0-9a-f]*  push' out && grep -q '^ .*mov' out || fail "no code: $(cat out)"
fi
pc_engine=interp
# Where nothing runs any more, errors say so; commands come by standard input, too.
printf 'info registers eip\nquit\n' | "$DENALI" pc --monitor -S -m 16M --kernel "$paged" >out 2>err ||
    fail "status $?: $(cat err)"
has 'eip        0x'
monitor 125 'info devices nothing' -m 16M --kernel "$paged"
grep -q 'there is no device' err || fail "$(cat err)"
if [ -f /usr/share/seabios/bios-256k.bin ]; then
    cp "$BUILD/pc/guests/sector" floppy && truncate -s 1440K floppy
    monitor 0 'x/i $pc
tbreak *0x7c00
continue
x/2i $pc
watch *(u32 *)0x46c
continue
quit' --fda floppy --boot a
    has 'ljmp 0xf000:0xe05b' 'ljmp 0:0x7c05' 'xor ax, ax' 'Watchpoint 2'
    # A screen is no memory: what it held is not known, and each write is told.
    for pc_engine in interp $(grep -q bmi2 /proc/cpuinfo && echo dbt); do
        monitor 0 'watch *(char *)0xb8002
continue
continue
quit' --fda floppy --boot a
        [ "$(grep -c '^written at 0x' out)" = 2 ] || fail "$pc_engine: $(cat out)"
    done
    pc_engine=interp
fi
engine=interp
serve_pc -m 16M --kernel "$paged" --exit-port
in_gdb <<'END'
break work
continue
info source
watch count
continue
continue
backtrace
monitor info page 0xd0000000
monitor info devices pit
print/x $cr0
print count
set var count = 4
set var count = count - 1
delete
continue
END
said 'work () at .*paged.c' 'New value = 1$' 'New value = 3$' 'read-only system' 'pit (pit)' ' = 0xe0000011$' \
    ' = 3$' 'exited with code 07'
exit 0
