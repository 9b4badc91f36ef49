#!/bin/sh
# SPDX-License-Identifier: MIT
# What gdb knows of a process under Linux, of a program under Ilwaco: its arguments, directory and
# mappings; and a core file of it, with all threads, that gdb opens afterwards.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cat >"$TMPDIR/core.c" <<'END'
#include <pthread.h>
#include <unistd.h>
enum colour { RED, GREEN = 5 } colour = GREEN;
static int answer = 42;
static void *doze(void *arg)
{
    for (;;)
        sleep(1000);
    return arg;
}
int settle(int n)
{
    return n + answer;
}
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, doze, NULL);
    usleep(1000);
    return settle(1) != 43;
}
END
gcc -m32 -g -O0 -static -pthread -o "$TMPDIR/core-maker" "$TMPDIR/core.c" 2>/dev/null || skip "no 32-bit compiler"

serve --net none "$TMPDIR/core-maker" one "two words"
in_gdb <<END
break settle
continue
info proc
info proc mappings
info proc status
generate-core-file $TMPDIR/core
monitor print colour == GREEN && (enum colour)0 == RED
kill
END
ended 137
said "cmdline = .*core-maker' 'one' 'two words'\|cmdline = .*core-maker one two words" "cwd = '/'" "exe = '/core-maker'" \
    'r-xp .*/core-maker' '\[stack\]' '\[heap\]' 'Threads:.*2' 'Saved corefile' '^\$1 = 1$'
timeout 60 gdb -nx -batch -ex backtrace -ex 'print n * 100 + answer' -ex 'thread 2' -ex backtrace "$TMPDIR/core-maker" \
    "$TMPDIR/core" >"$TMPDIR/gdb" 2>&1
said 'settle (n=1) at' 'main () at .*core.c:20' '^\$1 = 142$' 'doze (arg=0x0)'

# A machine that is no Linux is one range.
if [ -f "$BUILD/guests/accounts" ]; then
    serve "$BUILD/guests/accounts"
    printf 'info proc mappings\nkill\n' | in_gdb
    said 'rwxp'
    ended 137
fi
