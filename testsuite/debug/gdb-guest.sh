#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb on a Denali image under every engine: source lines, locals, conditions, watchpoints
# with values and places, steps, registers, back to a write, Ctrl-C, detach, kill.
# timeout: 240
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
[ -f "$BUILD/guests/accounts" ] || skip "the guests are not built"

line=$(grep -n 'sum += ' "$SRCDIR/guests/accounts.c" | cut -d: -f1)
for engine in $engines; do
    serve --engine "$engine" "$BUILD/guests/accounts"
    in_gdb <<END
break post
tbreak guest_main
continue
info locals
continue
backtrace
info args
finish
delete 1
watch accounts[0].balance
continue
backtrace 1
delete
break accounts.c:$line if i == 2
rwatch accounts[3].balance
continue
print i
continue
print i + 100
stepi
info registers eip eflags
set var \$st0 = 2.5
print \$st0
set var \$xmm3.v4_int32[1] = 77
print \$xmm3.v4_int32
print/x \$vr_magic
set var accounts[1].name[0] = 70
print accounts[1].name
x/2i \$pc
info threads
compare-sections .text
delete
continue
END
    said 'Breakpoint 1 at .*accounts.c, line 4[0-9]' 'Temporary breakpoint 2, guest_main' 'expected = ' \
        'Breakpoint 1, post (account=.*, amount=700, memo=.*"march")' '#1 .* guest_main () at .*accounts.c' \
        'amount = 700' 'Value returned is .* 700' ' = 2$' 'Hardware watchpoint .*: accounts\[0\].balance' \
        'Old value = 700' 'New value = 1400' '#0 .*post (account=.*amount=700, memo=.*"april")' \
        'Hardware read watchpoint' 'Value = 25442' ' = 103$' ' = 2.5$' '{0, 77, 0, 0}' '0x696c6e44' '"Food"' \
        'matched' 'exited with code 01'
    ended 1
    grep -q 'booked 1610' "$TMPDIR/guest" || fail "$engine: the guest said $(cat "$TMPDIR/guest")"

    # What reaches beyond its place; found backwards.
    serve --engine "$engine" "$BUILD/guests/accounts"
    in_gdb <<'END'
break audit
continue
print accounts[3].name
watch accounts[3].name
reverse-continue
backtrace 2
info source
reverse-stepi
kill
END
    said 'Old value = ' 'New value = ' 'remember (account=.*memo=' 'post (account=.*memo=.*"dictionary abc"'
    ended 137

    serve --engine "$engine" --no-history "$BUILD/guests/spin"
    in_gdb <<'END'
shell (sleep 1; kill -INT $PPID) &
continue
print $pc
shell (sleep 1; kill -INT $PPID) &
continue
kill
END
    [ "$(grep -c 'Program received signal SIGINT' "$TMPDIR/gdb")" = 2 ] || fail "$engine: $(cat "$TMPDIR/gdb")"
    ended 137

    serve --engine "$engine" "$BUILD/guests/accounts"
    in_gdb <<'END'
break audit
continue
detach
END
    said 'detached'
    ended 1
done

# A fault that would end the guest is seen first.
engine=dbt
serve "$BUILD/guests/accounts"
in_gdb <<'END'
tbreak post
continue
set var account = (struct account *)0x700000
continue
backtrace 2
continue
END
said 'Program received signal SIGSEGV' 'post (account=0x700000' 'terminated with signal SIGSEGV'
ended 120
