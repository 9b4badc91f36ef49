#!/bin/sh
# SPDX-License-Identifier: MIT
# Breakpoints, watchpoints, catchpoints: conditions, counts, lists; and stepping by lines.
. "$SRCDIR/testsuite/debug/lib.sh"

for engine in $engines; do
options="--engine $engine"
debug 'break post if amount == 8
ignore 1 0
tbreak audit
commands 1
silent
print amount
print account->name
continue
end
info breakpoints
continue
info breakpoints
finish
delete
info breakpoints'
[ $status = 0 ] || fail "$engine: status $status: $(cat "$TMPDIR/err")"
same 'Breakpoint 1 at 0xN: file accounts.c, line 46.
Will ignore next 0 crossings of breakpoint 1.
Temporary breakpoint 2 at 0xN: file accounts.c, line 54.
Num     Type            Disp Enb What
1       breakpoint      keep y   0xN <post+N> at accounts.c:46
	stop only if amount == 8
        silent
        print amount
        print account->name
        continue
2       breakpoint      del  y   0xN <audit+N> at accounts.c:54
Continuing.
$1 = 8
$2 = 0xN "food"
Continuing.

Temporary breakpoint 2, audit () at accounts.c:54
54	    int sum = 0;
Num     Type            Disp Enb What
1       breakpoint      keep y   0xN <post+N> at accounts.c:46
	stop only if amount == 8
	breakpoint already hit 1 time
        silent
        print amount
        print account->name
        continue
Run till exit from #0  audit () at accounts.c:54
0xN in guest_main () at accounts.c:68
0xN	68	    int sum = audit();
Value returned is $3 = 26962
No breakpoints or watchpoints.'

# Counts, enabling, changing conditions.
debug 'break post
ignore 1 2
continue
print amount
condition 1 amount == 25
continue
print amount
condition 1
disable 1
tbreak accounts.c:69
continue
enable 1
info breakpoints'
[ $status = 0 ] || fail "$engine: status $status: $(cat "$TMPDIR/err")"
has '$1 = 30' '$2 = 25' 'Breakpoint 1 now unconditional.' 'Temporary breakpoint 2, guest_main () at accounts.c:69' \
    'breakpoint already hit 4 times'

# Watchpoints: changes, reads, conditions.
debug 'break guest_main
continue
watch accounts[1].balance if accounts[1].balance > 60
continue
delete
rwatch accounts[3].balance
continue
awatch accounts[3].balance
info breakpoints'
[ $status = 0 ] || fail "$engine: status $status: $(cat "$TMPDIR/err")"
has 'Watchpoint 2: accounts[1].balance' 'Old value = 57 (0xN)' 'New value = 65 (0xN)' \
    'Read watchpoint 3: accounts[3].balance' 'Value = 98 (0xN)' 'read at 0xN <remember+N>' 'acc watchpoint'

# The machine's events.
debug 'catch port
continue
catch hypercall terminate
delete 1
continue
info locals'
[ $status = 0 ] || [ $status = 125 ] || fail "$engine: status $status: $(cat "$TMPDIR/err")"
has 'Catchpoint 1 (out to port 0xN)' 'Catchpoint 2 (virtual instruction 1: terminate)' '_start () at start.S:17'

debug 'catch fault 14
continue' "$BUILD/guests/fault"
[ $status = 0 ] || fail "$engine: fault: $(cat "$TMPDIR/err")"
has 'Catchpoint 1' 'Fault: page fault (vector 14, error 0xN): read at 0xN' 'check_page_faults () at fault.c:58'
# One that nobody handles stops without being asked for; then the guest ends.
debug 'continue
backtrace
continue' "$BUILD/guests/fault" write
[ $status = 120 ] || fail "$engine: fault: status $status: $(cat "$TMPDIR/err")"
has 'Fault: page fault (vector 14, error 0xN): write at 0xN' '#2  0xN in _start () at start.S:16' 'ended: died of a fault'
debug 'catch selfmod
continue' "$BUILD/guests/selfmod"
[ $status = 0 ] || fail "$engine: selfmod: $(cat "$TMPDIR/err")"
has 'Catchpoint 1 (4 bytes of code at 0xN <guest_main+N> were written)'
done
options=

# Steps: into, over, out, until, advance; a line that calls.
debug 'tbreak accounts.c:66
continue
step
next
next
step
step
up
down
finish
next
stepi
nexti
until accounts.c:49
advance audit
until'
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
same 'Temporary breakpoint 1 at 0xN: file accounts.c, line 66.
Continuing.

Temporary breakpoint 1, guest_main () at accounts.c:66
66	        post(&accounts[b->account], b->amount, b->memo);
post (account=0xN <accounts>, amount=700, memo=0xN "march") at accounts.c:46
46	    account->balance += amount;
47	    account->bookings++;
48	    remember(account, memo);
remember (account=0xN <accounts>, memo=0xN "march") at accounts.c:39
39	    char *to = account->memo;
40	    while ((*to++ = *memo++))
#1  0xN in post (account=0xN <accounts>, amount=700, memo=0xN "march") at accounts.c:48
48	    remember(account, memo);
#0  remember (account=0xN <accounts>, memo=0xN "march") at accounts.c:40
40	    while ((*to++ = *memo++))
Run till exit from #0  remember (account=0xN <accounts>, memo=0xN "march") at accounts.c:40
post (account=0xN <accounts>, amount=700, memo=0xN "march") at accounts.c:49
49	    return account->balance;
50	}
0xN	50	}
0xN	50	}
guest_main () at accounts.c:63
63	    for (unsigned i = 0; i < BOOKINGS; i++) {
audit () at accounts.c:54
54	    int sum = 0;
55	    for (unsigned i = 0; i < ACCOUNTS; i++)'

# Silly input.
while IFS='|' read -r command reason; do
    [ -n "$command" ] || continue
    debug "break post
continue
$command"
    [ $status = 125 ] || fail "$command: status $status: $(cat "$TMPDIR/out")"
    grep -q -F -e "$reason" "$TMPDIR/err" || fail "$command: $(cat "$TMPDIR/err")"
done <<'END'
frobnicate|there is no command
break nowhere|there is no function
break accounts.c:9999|there is no code for line
break *|the expression ends
break post if|a condition should follow
break post if 1 +|the condition makes no sense
watch|watch what
watch 1 + 1|not in memory
watch $eax|not in memory
condition 99 1|there is no breakpoint 99
condition|the number of a breakpoint
ignore 1 -1|is negative
delete 7|there is no breakpoint 7
disable x|the number of a breakpoint
catch|is no command
catch fault x|neither a number nor a name
info|is no command
info nonsense|is no command
x/99999999xb 0|units at most
x/q 0|is no format
x 0xffff0000|there is no memory
frame 99|there is no frame 99
down|this is the innermost frame
vm 9|there is no VM
thread 9|there is no thread
list nowhere|there is no function
set|set what
set listsize 0|from 1 to 100000
search 0|the expression ends
dump|FILE ADDRESS LENGTH
dump /nonexistent/x $esp 4|cannot write
source|which file
source /nonexistent|cannot read the commands
add-symbol-file /nonexistent|cannot open
add-symbol-file /dev/null|no file of a reasonable size
help frobnicate|there is no command

END

# Snapshots: what they keep and what differs; the writer of a place; backwards by instructions and lines.
debug 'break post if amount == 45
continue
snapshot save a
next
set var account->bookings = 77
snapshot list
snapshot diff a
snapshot restore a
print account->bookings
print account->balance
who wrote accounts[0].balance
snapshot delete a
snapshot list'
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
has 'a                    at instruction' '<accounts+N>: 0xN -> 0xN' 'pages differ.' '$1 = 0' '$2 = 0' \
    'was last written at instruction' 'accounts.c:46' 'There are no snapshots'
debug 'break audit
continue
print $icount
reverse-stepi 5
print $icount
reverse-step
reverse-next
reverse-finish
goto 10
print $icount
reverse-continue
info history'
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
has 'can be gone to' '= 10'
a=$(sed -n 's/^\$1 = //p' "$TMPDIR/out") b=$(sed -n 's/^\$2 = //p' "$TMPDIR/out")
[ $((a - b)) = 5 ] || fail "five instructions back from $a is not $b"
