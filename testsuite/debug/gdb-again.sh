#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb lets a program run again (target extended-remote), goes back over writes to what is
# watched, leaves and comes back; what it wrote into code under a breakpoint stays.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cat >"$TMPDIR/again.c" <<'END'
#include <stdio.h>
int sum;
int table[3] = {5, 6, 7};
int half(int n)
{
    return n / 2;
}
int main(void)
{
    for (int i = 0; i < 3; i++)
        sum += table[i];
    printf("%d\n", half(sum));
    return sum;
}
END
gcc -m32 -g -O0 -static -o "$TMPDIR/again" "$TMPDIR/again.c" 2>/dev/null || skip "no 32-bit compiler"

for engine in ${DENALI_ENGINES:-dbt interp}; do
    # Again: from the start, after an end, after a kill.
    serve --engine "$engine" --net none "$TMPDIR/again"
    connect="target extended-remote"
    in_gdb <<'END'
start
watch sum
continue
continue
print sum + 100
reverse-continue
print sum + 200
reverse-continue
print sum + 300
continue
print sum + 400
delete
continue
run
start
kill
starti
print $pc == (long)_start
tbreak half
continue
print n + 500
continue
disconnect
END
    ended 18
    said 'Temporary breakpoint 1, main () at .*again.c:10' '^\$1 = 111$' '^\$2 = 205$' '^\$3 = 300$' '^\$4 = 405$' \
        'exited with code 022' 'killed' '^\$5 = 1$' 'half (n=18)' '^\$6 = 518$'
    [ "$(grep -c '^9$' "$TMPDIR/guest")" = 3 ] || fail "the program said $(cat "$TMPDIR/guest")"

    connect="target remote"
    # Code that gdb writes counts, with a breakpoint on it and without; who leaves takes his
    # breakpoints along, and finds the guest stopped when he comes back.
    serve --engine "$engine" --net none "$TMPDIR/again"
    in_gdb <<END
break half
continue
set var *(char *)\$pc = 0xb8
set var *(int *)((char *)\$pc + 1) = 42
set var *(unsigned short *)((char *)\$pc + 5) = 0xc35d
x/3i \$pc
break *(long)\$pc + 5
continue
print \$eax + 600
disconnect
target remote 127.0.0.1:$port
detach
END
    ended 18
    said 'half (n=18)' 'mov .*\$0x2a,%eax' 'pop  *%ebp' '^\$1 = 642$'
    [ "$(cat "$TMPDIR/guest")" = 42 ] || fail "the program said $(cat "$TMPDIR/guest")"
done
