#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb and a Linux program's signals: gdb stands at the program's first instruction, hears
# of a signal before the program does, may keep it from the program, calls a function meanwhile;
# and of the one that the program dies of.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cat >"$TMPDIR/signals.c" <<'END'
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
int got[32];
int *volatile nowhere = (int *)8;
static void on_signal(int n)
{
    got[n]++;
}
int twice(int n)
{
    return 2 * n;
}
int main(void)
{
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR2);
    *nowhere = 1;
    abort();
}
END
gcc -m32 -g -O0 -static -o "$TMPDIR/signals" "$TMPDIR/signals.c" 2>/dev/null || skip "no 32-bit compiler"

for engine in ${DENALI_ENGINES:-dbt interp}; do
    serve --engine "$engine" --net none "$TMPDIR/signals"
    in_gdb <<'END'
print $pc == (long)_start
info auxv
handle SIGUSR2 nostop noprint pass
continue
backtrace
signal 0
print got[10] + 100
continue
print got[10] + 200
print got[12] + 300
print twice(21)
set var $eax = got + 5
signal 0
print got[5] + 400
backtrace
continue
END
    ended 119
    said '^\$1 = 1$' 'AT_ENTRY' 'received signal SIGUSR1' 'main () at .*signals.c:18' '^\$2 = 100$' \
        'received signal SIGSEGV, Segmentation fault' 'signals.c:21' '^\$3 = 201$' '^\$4 = 301$' '^\$5 = 42$' \
        '^\$6 = 401$' 'received signal SIGABRT' 'terminated with signal SIGABRT'
done

# Passed on, a fault is the program's own matter, also after a function was called.
serve --net none "$TMPDIR/signals"
in_gdb <<'END'
handle SIGUSR1 nostop noprint pass
handle SIGUSR2 nostop noprint pass
continue
print twice(4)
continue
END
ended 119
said 'received signal SIGSEGV' '^\$1 = 8$' 'terminated with signal SIGSEGV'
[ "$(grep -c 'received signal' "$TMPDIR/gdb")" = 1 ] || fail "more than one signal: $(cat "$TMPDIR/gdb")"
