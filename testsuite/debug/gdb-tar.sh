#!/bin/sh
# SPDX-License-Identifier: MIT
# A dynamically linked program in a tar file: gdb finds it and its libraries in the guest's own tree,
# stops in the C library, shows thread-local variables of the program and of the library per thread;
# the same of a recording of it.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
[ -f "$BUILD/guests/ilwaco" ] || skip "ilwaco is not built"
need tar
cat >"$TMPDIR/threads.c" <<'END2'
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static __thread int mine = 5;
__thread long other = 6;
static void *work(void *arg)
{
    mine = 100 + *(int *)arg;
    errno = 33;
    usleep(1000);
    return arg;
}
int main(void)
{
    pthread_t t;
    int one = 1;
    mine = 50;
    errno = 22;
    pthread_create(&t, NULL, work, &one);
    pthread_join(t, NULL);
    puts("done");
    return 3;
}
END2
mkdir -p "$TMPDIR/root/bin" "$TMPDIR/root/lib"
gcc -m32 -g -O0 -o "$TMPDIR/root/bin/threads" "$TMPDIR/threads.c" -pthread 2>/dev/null || skip "no 32-bit compiler"
linker=$(gcc -m32 -print-file-name=ld-linux.so.2)
[ -e "$linker" ] || linker=/lib/ld-linux.so.2
library=$(gcc -m32 -print-file-name=libc.so.6)
[ -e "$linker" ] && [ -e "$library" ] || skip "no 32-bit C library to share"
cp -L "$linker" "$TMPDIR/root/lib/ld-linux.so.2"
cp -L "$library" "$TMPDIR/root/lib/libc.so.6"
tar -C "$TMPDIR/root" -cf "$TMPDIR/root.tar" bin lib
rm -r "$TMPDIR/root"
XDG_CACHE_HOME=$TMPDIR/cache
export XDG_CACHE_HOME

script() {
    cat <<'END2'
tbreak main
continue
break puts
tbreak threads.c:11
continue
print mine + 1000
print other + 1000
print *(int *)&errno + 2000
thread apply 1 print mine + 3000
thread apply 1 print *(int *)&errno + 3000
continue
backtrace
info sharedlibrary
END2
}
heard() {
    said 'Temporary breakpoint 1, main () at .*threads.c:17' 'work (arg=.*) at .*threads.c:11' ' = 1101$' ' = 1006$' \
        ' = 2033$' ' = 3050$' ' = 3022$' 'Breakpoint 2, .* puts ()' '#1 .* main () at .*threads.c:22' \
        'Yes .*lib/ld-linux.so.2' 'Yes .*lib/libc.so.6'
}

for engine in ${DENALI_ENGINES:-dbt interp}; do
    serve --engine "$engine" --net none --root "$TMPDIR/root.tar" /bin/threads
    { script; echo detach; } >"$TMPDIR/commands"
    in_gdb <"$TMPDIR/commands"
    heard
    ended 3
done

"$DENALI" run --net none --root "$TMPDIR/root.tar" --record "$TMPDIR/recording" /bin/threads >/dev/null ||
    [ $? = 3 ] || fail "it cannot be recorded"
engine=replay
serve_verb replay "$TMPDIR/recording"
{ script; echo 'tbreak threads.c:11'; echo 'reverse-continue'; echo 'print mine + 4000'; echo kill; } >"$TMPDIR/commands"
in_gdb <"$TMPDIR/commands"
heard
said ' = 4101$'
