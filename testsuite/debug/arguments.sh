#!/bin/sh
# SPDX-License-Identifier: MIT
# What the monitor's commands are given is checked: numbers that are out of range, ranges that lie the
# wrong way round, addresses that do not fit, the end of memory. Each line is told to be wrong, in one
# line, and a file of commands fails by it; what is right works.
. "$SRCDIR/testsuite/debug/lib.sh"
[ -f "$BUILD/guests/accounts" ] || skip "the guests are not built"

: >"$TMPDIR/empty"
while read -r line; do
    [ -n "$line" ] || continue
    printf '%s\n' "$line" >"$TMPDIR/commands"
    "$DENALI" debug --commands "$TMPDIR/commands" --batch "$BUILD/guests/accounts" >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null
    status=$?
    [ $status = 125 ] || fail "$line: status $status: $(cat "$TMPDIR/out" "$TMPDIR/err")"
    [ "$(wc -l <"$TMPDIR/err")" -le 2 ] || fail "$line: says too much: $(cat "$TMPDIR/err")"
    [ -s "$TMPDIR/err" ] || fail "$line: says nothing"
done <<'END'
disassemble 0xfffffff0,+100
disassemble 0x20000,0x10000
disassemble 0x20000,+0
disassemble 0x123456789
catch port 65536
catch port -1
catch fault 32
catch interrupt 0
catch interrupt 128
catch hypercall 65536
catch hypercall nosuch
catch syscall -1
break *0x1ffffffff
break 0xfffffffff
tbreak 0
until 0
advance 0x100000000
watch *(u32 *)0xfffffffe
x/4xw 0x100000000
x/4xw 0xfffffff8
x/2000000xb 0x20000
search 0x20000, 0x10000, 1
search 0x20000, 0x100000001, 1
search /b 0x20000, 0x20100, 256
write 0xffffffff 1 2 3
write 0x21000 256
write /h 0x21000, 65536
write /w 0x21000, 0x100000000
dump memory.bin 0xffffff00 0x200
dump memory.bin 0x20000 0
restore nosuch 0x20000
stepi -1
stepi 99999999999999999999
delete 99
frame -1
thread 99
vm 7
info page 0x100000000
info symbol 0x100000000
goto -1
goto 1
set listsize 0
print 1/0
list 0
list 99999
list 12,10
who wrote 0xffffffff, 2
who wrote 0x20000, 0
kill now
END

cat >"$TMPDIR/commands" <<'END'
disassemble 0x20000,+3
search 0x20000, 0x100000000, "rent"
write /h 0x22800, -1 65535
x/2xh 0x22800
catch port 65535
catch fault 0
catch interrupt 127
dump memory.bin 0x22800 4
write 0x22800, 0
restore memory.bin 0x22800
x/1xw 0x22800
tbreak post
continue
list 40,41
list ,41
list post,
break *-1
END
cd "$TMPDIR" || exit 1
"$DENALI" debug --commands "$TMPDIR/commands" --batch "$BUILD/guests/accounts" >"$TMPDIR/out" 2>&1 </dev/null ||
    fail "what is right fails: $(cat "$TMPDIR/out")"
for said in '1 found' '0xffff.*0xffff' 'Catchpoint 1 (port 65535)' '0xffffffff$' '^40.*while' 'Breakpoint 5 at 0xffffffff'; do
    grep -q -e "$said" "$TMPDIR/out" || fail "'$said' was not said: $(cat "$TMPDIR/out")"
done

# A PC has no such events: that is said.
printf 'catch port 0x60\n' >"$TMPDIR/commands"
if [ -f "$BUILD/pc/guests/hello" ]; then
    timeout 60 "$DENALI" pc --kernel "$BUILD/pc/guests/hello" --commands "$TMPDIR/commands" --batch >"$TMPDIR/out" 2>&1
    grep -q 'Denali VMs only' "$TMPDIR/out" || fail "a PC's port is said to be caught: $(cat "$TMPDIR/out")"
fi
