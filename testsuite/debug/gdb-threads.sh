#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb on threads of a Linux program: their list, names, registers and stacks, steps in one
# of them, registers that may be written and those that may not; Ctrl-C while all of them sleep.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cat >"$TMPDIR/threads.c" <<'END'
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
static int turns[3];
static int add(int who)
{
    turns[who]++;
    return turns[who] * 10;
}
static void *work(void *arg)
{
    int who = (int)(long)arg;
    prctl(PR_SET_NAME, who == 1 ? "first" : "second");
    for (int i = 0; i < 3; i++)
        add(who);
    if (who == 1) {
        sleep(1);
        puts("asleep");
        fflush(stdout);
    }
    for (;;)
        sleep(1000);
}
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, work, (void *)1);
    pthread_create(&thread, NULL, work, (void *)2);
    sleep(1000);
    return 0;
}
END
gcc -m32 -g -O0 -static -pthread -o "$TMPDIR/threads" "$TMPDIR/threads.c" 2>/dev/null || skip "no 32-bit compiler"

for engine in ${DENALI_ENGINES:-dbt interp}; do
    serve --engine "$engine" --net none "$TMPDIR/threads"
    # Ctrl-C comes when the guest says that it sleeps, which it does only after the last "continue".
    (while kill -0 $server 2>/dev/null; do
        if grep -q asleep "$TMPDIR/guest"; then
            sleep 1
            kill -INT "$(cat "$TMPDIR/pid")"
            break
        fi
        sleep 0.1
    done) 2>/dev/null &
    in_gdb <<END
python open("$TMPDIR/pid", "w").write(str(__import__("os").getpid()))
break add if turns[1] == 2
continue
info threads
thread apply all backtrace
print who + 100
delete
finish
next
print who + 200
continue
info threads
thread find second
thread 2
backtrace
python
try:
    gdb.execute("print add(2)")
except gdb.error as e:
    print(e)
end
detach
END
    said 'Thread 1.1001' 'Thread 2 "first" hit Breakpoint 1, add (who=1)' 'Thread 1.1000 "threads"' \
        '^\$1 = 101$' 'Value returned is .* = 30' '^\$3 = 201$' 'main () at .*threads.c:30' \
        'received signal SIGINT' 'Thread 1.1002 "second" (waiting)' "Thread 3 has target name 'second'" \
        'work (arg=0x1) at .*threads.c:23' 'Could not write register'
    kill $server
    wait $server || :
done
