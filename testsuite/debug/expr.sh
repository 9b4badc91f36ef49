#!/bin/sh
# SPDX-License-Identifier: MIT
# Expressions: C's operators, registers, types of the program, history, assignment, and what is refused.
. "$SRCDIR/testsuite/debug/lib.sh"

# Each line: an expression, its value.
table='1 + 2 * 3|7
(1 + 2) * 3|9
7 / 2|3
-7 / 2|-3
7 % 3|1
1 << 4 | 1|17
0xff & ~0xf|240
6 ^ 3|5
1 < 2 && 2 < 3|1
1 > 2 || 3 > 2|1
0 && 1 / 0|0
1 ? 2 : 1 / 0|2
!5|0
-1|-1
~0|-1
-1 < 0u|0
(u8)300|44
(s8)200|-56
(unsigned char)65|65 '"'A'"'
'"'a'"'|97 '"'a'"'
0x100000000|4294967296
2147483648|2147483648
1.5 + 2|3.5
(int)2.9|2
10 / 4.0|2.5
sizeof(int)|4
sizeof(struct account)|20
sizeof accounts|80
amount|700
amount * 2|1400
accounts[0].balance|0
accounts[0].bookings|0
account->balance + amount|700
*memo|109 '"'m'"'
memo[1]|97 '"'a'"'
*(memo + 2)|114 '"'r'"'
&accounts[1] - &accounts[0]|1
account == accounts|1
(u32)&accounts[2] - (u32)&accounts[1]|20
*(u32 *)&amount|700
*&amount|700
((struct account *)account)->name[0]|114 '"'r'"'
bookings[2].amount|30
$esp == $sp|1
$al == ($eax & 0xff)|1
$pc == $eip|1
$eflags & 0|0
$9999 == 1|there is no register'

printf '%s\n' "$table" >"$TMPDIR/table"
commands='break post
continue'
printf '%s\n' "$commands" >"$TMPDIR/c"
sed '/there is no/d; s/|[^|]*$//' "$TMPDIR/table" | sed 's/^/print /' >>"$TMPDIR/c"
sed '/there is no/d; s/^.*|\([^|]*\)$/\1/' "$TMPDIR/table" >"$TMPDIR/values"
debug "$(cat "$TMPDIR/c")"
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
sed -n 's/^\$[0-9]* = //p' "$TMPDIR/raw" >"$TMPDIR/got"
sed '/there is no/d; s/|[^|]*$//' "$TMPDIR/table" | paste -d '|' - "$TMPDIR/got" >"$TMPDIR/both"
sed '/there is no/d' "$TMPDIR/table" | diff -u - "$TMPDIR/both" || fail "values differ"

# History, variables of one's own, assignment to registers, variables, memory.
debug 'break post
continue
print 5
print $ + 1
print $$ * 10
print $1
set $mine = 7
print $mine + 1
set var amount = 123
print amount
set $eax = 0x1234
print $ax
print $eax = 3
set *(u16 *)account = 0xabcd
print *(u16 *)account
write account 1 2 3
x/3xb account
print accounts[1].memo
print/x 255
print/t 5
print/c 66
print/o 8
print/d (u8)255
whatis account
whatis accounts[0].memo
ptype account'
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
sed -n '/^\$1/,$p' "$TMPDIR/out" >"$TMPDIR/o" && mv "$TMPDIR/o" "$TMPDIR/out"
same '$1 = 5
$2 = 6
$3 = 50
$4 = 5
$5 = 8
$6 = 123
$7 = 4660
$8 = 3
$9 = 43981
3 bytes written at 0xN.
0xN <accounts>:	0xN	0xN	0xN
$10 = ""
$11 = 0xN
$12 = 101
$13 = 66 '"'B'"'
$14 = 010
$15 = -1
type = struct account *
type = char [8]
type = struct account * {
    /*    0 */ const char * name;
    /*    4 */ int balance;
    /*    8 */ unsigned int bookings;
    /*   12 */ char [8] memo;
} /* 20 bytes */'

# What makes no sense is refused with a reason.
while IFS='|' read -r expression reason; do
    debug "break post
continue
print $expression"
    [ $status = 125 ] || fail "print $expression: status $status"
    grep -q -F -e "$reason" "$TMPDIR/err" || fail "print $expression: $(cat "$TMPDIR/err")"
done <<'END'
1 +|the expression ends where a value should be
(1|where a ) should be
1 2|this is too much
nobody|nothing is called nobody here
$nobody|there is no register $nobody
1 / 0|division by zero
accounts[0].none|the structure has no member none
amount.x|no structure
*(u8 *)0xf0000000|there is no memory at 0xf0000000
&1|it has no address
&$eax|it is in a register
1 = 2|no place
99999999999999999999999|does not fit
((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1|nested too deep
'a|the closing quote
@|a value expected
END
