#!/bin/sh
# SPDX-License-Identifier: MIT
# Two VMs in one gdb: each a process, with its own program, registers and breakpoints.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
[ -f "$BUILD/guests/accounts" ] || skip "the guests are not built"

for engine in $engines; do
    serve --engine "$engine" --also "$BUILD/guests/hello" --also "$BUILD/guests/accounts" "$BUILD/guests/accounts"
    in_gdb <<'END'
info inferiors
inferior 3
print accounts[0].name
set var accounts[0].balance = 5
inferior 1
print accounts[0].balance
break audit
inferior 3
continue
print $_inferior + 2000
print accounts[0].balance + 20000
inferior 1
print accounts[0].balance + 10000
stepi
print $_inferior + 1000
inferior 2
continue
inferior 1
set schedule-multiple on
continue
print $_inferior + 1000
kill inferiors 1 3
END
    said ' = 1001$' ' = 2003$' 'Inferior 2 (process 2) exited normally' 'process 1 .*accounts' 'process 2 .*hello' 'process 3 .*accounts' '"rent"' ' = 0$' 'audit ()' \
        ' = 10000$' ' = 21405$'
    ended 137
done

# What makes no sense is told at once.
refused() {
    "$DENALI" run "$@" "$BUILD/guests/hello" >"$TMPDIR/out" 2>&1 && fail "$*: was taken"
    [ "$(wc -l <"$TMPDIR/out")" = 1 ] || fail "$*: $(cat "$TMPDIR/out")"
}
refused -S
refused --gdb x
refused --gdb 99999
refused --gdb 0 --record "$TMPDIR/r"
refused --gdb 0 --also /nonexistent
