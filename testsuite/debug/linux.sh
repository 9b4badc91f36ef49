#!/bin/sh
# SPDX-License-Identifier: MIT
# A Linux program under Ilwaco: both files' symbols, system calls, threads and their stacks, the way
# from the program into the kernel; and a position-independent program.
. "$SRCDIR/testsuite/debug/lib.sh"
[ -f "$BUILD/guests/httpd" ] && [ -f "$BUILD/linux/threads" ] || skip "no Linux programs are built"

debug 'break main
continue
backtrace
info files
info symbol trap_entry
catch syscall write
continue
backtrace
print $eax
stepi 30
info symbol $pc' "$BUILD/guests/httpd"
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
has 'main (argc=1, argv=0xN) at httpd.c' 'trap_entry in ilwaco' 'system call 4: write' ' in fprintf ()' \
    'in main (argc=1, argv=0xN) at httpd.c'
grep -q 'in ilwaco$' "$TMPDIR/out" || fail "thirty instructions after the trap are not in Ilwaco"

debug 'break threads.c:add
tbreak threads.c:26
continue
continue 300
info threads
thread 1000
backtrace
thread 1001
backtrace' "$BUILD/linux/threads"
[ $status = 0 ] || fail "status $status: $(cat "$TMPDIR/err")"
has '* 1001 threads          running' '  1000 threads          waiting' '  1008 threads' 'main () at threads.c' \
    'in add (p=' 'in start_thread ()'

# Where a position-independent program lies.
cat >"$TMPDIR/pie.c" <<'END'
static int twice(int n) { return 2 * n; }
int main(int argc, char **argv) { (void)argv; return twice(argc + 20); }
END
gcc -m32 -g -O0 -static-pie -fPIE -o "$TMPDIR/pie" "$TMPDIR/pie.c" 2>/dev/null || exit 0
debug 'break twice
continue
backtrace
finish' "$TMPDIR/pie"
has 'twice (n=21) at pie.c:1' 'main (argc=1' 'Value returned is $1 = 42'
