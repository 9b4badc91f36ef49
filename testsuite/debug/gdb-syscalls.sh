#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb on Linux programs: system calls at their entry and return, with the program's own
# stack, and a function called meanwhile; a shared program's libraries, read out of the guest's tree
# and found by its auxiliary vector.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cat >"$TMPDIR/calls.c" <<'END'
#include <unistd.h>
int main(void)
{
    if (write(1, "one\n", 4) != 4 || write(1, "two\n", 4) != 4)
        return 1;
    return 3;
}
END
gcc -m32 -g -O0 -static -o "$TMPDIR/calls" "$TMPDIR/calls.c" 2>/dev/null || skip "no 32-bit compiler"

for engine in ${DENALI_ENGINES:-dbt interp}; do
    serve --engine "$engine" --net none "$TMPDIR/calls"
    in_gdb <<END
break main
continue
catch syscall write
continue
backtrace
print \$orig_eax
call (int)getpid()
x/i \$pc - 2
continue
continue
print \$eax
stepi
continue
END
    ended 3
    said 'call to syscall write' 'returned from syscall write' 'in main () at .*calls.c:4' '^\$1 = 4$' \
        '^\$2 = 1000$' 'int  *\$0x80' '^\$3 = 4$' 'exited with code 03'
    [ "$(grep -c 'call to syscall write' "$TMPDIR/gdb")" = 2 ] || fail "not two calls: $(cat "$TMPDIR/gdb")"
    printf 'one\ntwo\n' | cmp -s - "$TMPDIR/guest" || fail "the program said $(cat "$TMPDIR/guest")"
done

root=$TMPDIR/root
mkdir -p "$root/lib/i386-linux-gnu" "$root/lib"
gcc -m32 -g -O0 -o "$root/shared" -x c - 2>/dev/null <<'END' || skip "shared programs cannot be built"
#include <unistd.h>
int main(void)
{
    for (;;)
        sleep(1000);
}
END
for file in $(ldd "$root/shared" | sed -n 's/.* \(\/[^ ]*\) (.*/\1/p;s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'); do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
done
[ -e "$root/lib/ld-linux.so.2" ] || skip "no 32-bit libraries here"
"$DENALI" run --net none --gdb 0 --root "$root" /shared >"$TMPDIR/guest" 2>"$TMPDIR/guest.err" </dev/null &
server=$!
started="$started $server"
sleep 3
port=$(sed -n 's/.*target remote .*:\([0-9]*\)$/\1/p' "$TMPDIR/guest.err")
in_gdb <<END
info auxv
info sharedlibrary
info symbol sleep
info line main
END
said 'AT_ENTRY' 'ld-linux.so.2' 'libc.so.6' '^sleep in section .text of .*libc.so.6' 'Line 3 of '
