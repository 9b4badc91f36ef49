#!/bin/sh
# SPDX-License-Identifier: MIT
# A client of gdb's protocol that wants to do harm (helpers/hostile_gdb): the other side lives on, and
# the real gdb is served afterwards.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
[ -x "$BUILD/helpers/hostile_gdb" ] || skip "helpers are not built"
[ -f "$BUILD/guests/spin" ] || skip "the guests are not built"
cat >"$TMPDIR/sleeper.c" <<'END'
#include <unistd.h>
int main(void)
{
    for (;;)
        usleep(100);
}
END
gcc -m32 -g -static -o "$TMPDIR/sleeper" "$TMPDIR/sleeper.c" 2>/dev/null || rm -f "$TMPDIR/sleeper"

for guest in "$BUILD/guests/spin" "$TMPDIR/sleeper"; do
    [ -f "$guest" ] || continue
    net=
    [ "$guest" = "$TMPDIR/sleeper" ] && net="--net none"
    serve $net "$guest"
    "$BUILD/helpers/hostile_gdb" "$port" ${HOSTILE_SEED:-1} ${HOSTILE_PACKETS:-3000} >"$TMPDIR/hostile" 2>&1 ||
        fail "$guest: $(cat "$TMPDIR/hostile" "$TMPDIR/guest.err")"
    grep -q '^[0-9]* packets$' "$TMPDIR/hostile" || fail "nothing was sent"
    printf 'info registers eip\nkill\n' | in_gdb
    said '^eip '
    ended 137
done
