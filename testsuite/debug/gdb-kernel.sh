#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb on a PC's kernel with a timer and paging: lines, steps that its interrupts do not lead
# astray, conditions, a second mapping of its code, a finish with a value; backwards in a recording.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
source=$SRCDIR/testsuite/pc/guests/ticks.c
gcc -m32 -g -O0 -march=i386 -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlib \
    -static -no-pie -Wl,--build-id=none -Wl,-N -T "$SRCDIR/testsuite/pc/guests/kernel.ld" -o "$TMPDIR/ticks" "$source" \
    2>/dev/null || skip "no 32-bit compiler"
work=$(grep -n 'u32 sum = 0' "$source" | cut -d: -f1)
loop=$(grep -n 'while (ticks' "$source" | cut -d: -f1)
rising=$(grep -n 'ticks++' "$source" | cut -d: -f1)

for engine in ${DENALI_ENGINES:-dbt interp}; do
    serve_pc --engine "$engine" --exit-port --kernel "$TMPDIR/ticks"
    in_gdb <<END
tbreak kernel_main
continue
set var last_tick = 0xffffffff
next
next
next
tbreak work
continue
info args
print /x directory[768] & 1
x/1xw 0xc0100000
print \$cr0 >> 31
set \$n = 0
while \$n < 60
stepi
set \$in = (\$pc >= (long)on_tick && \$pc < (long)on_tick + 30) || \$pc == (long)tick_entry
if \$in
print "astray"
end
set \$n = \$n + 1
end
finish
tbreak work
condition \$bpnum n == 100
continue
finish
next
tbreak on_tick
continue
backtrace 2
watch ticks
continue
print ticks > 0
delete
set var last_tick = 0
continue
END
    said 'Temporary breakpoint 1, kernel_main () at' 'work (n=10) at .*:'$work '^n = 10$' ' = 0x1$' '0xc0100000:.*0x1badb002' \
        ' = 1$' 'work (n=100) at' 'Value returned is .* = ' '^'$loop'.*while' 'on_tick () at' '#1 .*tick_entry' \
        'Hardware watchpoint' 'Old value = ' 'exited with code'
    if grep -q astray "$TMPDIR/gdb"; then fail "$engine: a step led into an interrupt: $(cat "$TMPDIR/gdb")"; fi
done

"$DENALI" pc --exit-port --kernel "$TMPDIR/ticks" --record "$TMPDIR/recording" >/dev/null 2>&1
engine=replay
serve_verb replay "$TMPDIR/recording"
in_gdb <<END
tbreak work if ticks == 7
continue
watch ticks
reverse-continue
print ticks + 100
reverse-continue
print ticks + 200
delete
reverse-finish
tbreak start_paging
reverse-continue
next
reverse-next
info program
stepi 5
reverse-stepi 5
reverse-continue
kill
END
said 'work (n=100)' 'Old value = 7' 'New value = 6' '^'$rising'\|.*'$rising'.*ticks++' ' = 106$' ' = 205$' 'start_paging () at' \
    'No more reverse-execution history'
