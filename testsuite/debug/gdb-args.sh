#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb runs a Linux program again with other arguments; steps with a signal into its handler;
# what a signal brings along ($_siginfo); going back ends where the program begins.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cat >"$TMPDIR/args.c" <<'END'
#include <signal.h>
#include <stdlib.h>
#include <string.h>
int caught;
static void handler(int signal)
{
    caught = signal;
}
int main(int argc, char **argv)
{
    char **last = argv + argc - 1;
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    if (!strcmp(*last, "crash"))
        *(volatile int *)0x10 = 1;
    return argc;
}
END
gcc -m32 -g -O0 -static -o "$TMPDIR/args" "$TMPDIR/args.c" 2>/dev/null || skip "no 32-bit compiler"

for engine in ${DENALI_ENGINES:-dbt interp}; do
    serve --engine "$engine" --net none "$TMPDIR/args" first
    connect="target extended-remote"
    in_gdb <<'END'
start
print argc + 100
start a "b c" "" 'd
print argv[2]
continue
print $_siginfo.si_signo + 200
print $_siginfo._sifields._kill.si_pid + 0
stepi
print $pc == (long)handler
finish
print caught + 300
delete
continue
set args crash
start
print argc + 500
reverse-continue
print $pc == (long)_start
handle SIGUSR1 nostop noprint pass
continue
print $_siginfo.si_signo + 600
print $_siginfo._sifields._sigfault.si_addr
disconnect
END
    said '^\$1 = 102$' '"b c"' 'received signal SIGUSR1' ' = 210$' ' = 1000$' '^handler (.*) at .*args.c' ' = 310$' \
        'exited with code 05' ' = 502$' 'received signal SIGSEGV' ' = 611$' ' = (void \*) 0x10$'
    [ "$(grep -c ' = 1$' "$TMPDIR/gdb")" = 2 ] || fail "$engine: $(cat "$TMPDIR/gdb")"
    kill $server
done
