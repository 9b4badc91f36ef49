#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest with a planted bug: the report leads to the line, and the command that it prints leads into
# the recording, backwards as well.
. "$SRCDIR/testsuite/lib.sh"
[ -f "$BUILD/guests/accounts" ] || skip "the guests are not built"
grep -q 'HAVE_LIBDW 1' "$BUILD/config.h" || skip "built without libdw"
"$DENALI" test --output kept "$SRCDIR/testsuite/spec/bug" >out 2>err && fail "it passed"
guilty=$(grep -n '\*to++ = \*memo++' "$SRCDIR/guests/accounts.c" | cut -d: -f1)
grep -q "accounts.c:$guilty" out || fail "no line $guilty in the report: $(cat out)"
grep -q 'in remember (account=' out || fail "no arguments in the backtrace"
printer=$(grep -n 'guest_print("booked' "$SRCDIR/guests/accounts.c" | cut -d: -f1)
grep -q "in guest_main () at accounts.c:$printer" out || fail "the line that printed the wrong sum is not shown"
grep -q '^ *eip ' out || fail "no registers"
grep -q 'last blocks' out || fail "no blocks"
command=$(grep 'denali replay --monitor' out | head -1 | sed "s,^ *denali ,,")
[ -n "$command" ] || fail "no command: $(cat out)"
printf 'continue\nreverse-stepi\nwho wrote accounts[3].balance\nbacktrace 1\n' | "$DENALI" $command >again 2>&1
grep -q "remember.*accounts.c:$guilty" again || fail "the command does not lead there: $(cat again)"

# Of a PC: how it stood at its end, by source lines, and the command that leads there.
[ -f "$BUILD/pc/guests/triple" ] || exit 0
printf 'pc.kernel = "%s"\nexpect.fault = "page fault"\n' "$BUILD/pc/guests/triple" >pc.toml
"$DENALI" test --output kept pc.toml >out 2>err && fail "it passed"
guilty=$(grep -n 'div %ecx' "$SRCDIR/testsuite/pc/guests/triple.S" | cut -d: -f1)
grep -q "_start () at triple.S:$guilty" out || fail "no line $guilty in the report: $(cat out)"
command=$(grep 'denali pc .*--restore' out | head -1 | sed "s,^ *denali ,,")
[ -n "$command" ] || fail "no command: $(cat out)"
printf 'info registers\nquit\n' >commands
"$DENALI" $command --batch --commands commands >again 2>&1
grep -q '^eip .*_start' again || fail "the command does not lead there: $(cat again)"
