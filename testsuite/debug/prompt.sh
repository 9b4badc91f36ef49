#!/bin/sh
# SPDX-License-Identifier: MIT
# The prompt on a terminal: editing, history, completion, repeating, Ctrl-C at the prompt and while
# the guest runs; and the terminal is given back.
. "$SRCDIR/testsuite/debug/lib.sh"
grep -q 'HAVE_LIBEDIT 1' "$BUILD/config.h" || skip "no libedit"
[ -x "$BUILD/helpers/pty" ] || skip "helpers are not built"
HOME=$TMPDIR
export HOME
TERM=vt100
export TERM

# type KEYS COMMAND...: what the terminal showed is in $TMPDIR/screen.
type_keys() {
    printf '%s\n' "$1" >"$TMPDIR/keys"
    shift
    "$BUILD/helpers/pty" "$TMPDIR/keys" "$@" | tr -d '\r' >"$TMPDIR/screen"
}
shows() {
    for _t; do
        grep -q -F -e "$_t" "$TMPDIR/screen" || fail "the screen lacks '$_t': $(cat "$TMPDIR/screen")"
    done
}

# Completion of commands and functions, Enter that repeats, editing within the line, history.
type_keys 'bre\x09po\x09\n
cont\x09\n
n\n
\n
print 12\x023\n
\e[A\n
p $esp\x09 == $sp\n
delete 1\n
tbreak accounts.c:54\n
c\n
q\n' "$DENALI" debug "$guest"
shows 'Breakpoint 1 at 0x' 'Breakpoint 1, post (' 'accounts.c:46' '47	' '48	' '$1 = 132' '$2 = 132' 'audit () at accounts.c:54'
grep -q 'con' "$TMPDIR/.denali_history" || fail "the history was not kept"
# The history of the last session, by searching.
type_keys '\x12132\n
q\n' "$DENALI" debug "$guest"
[ -s "$TMPDIR/.denali_history" ] || fail "no history"

# Ctrl-C: a line is given up; a guest that computes stops and goes on; Ctrl-D ends.
type_keys 'print 1 +\x03
continue\n
\x03
info vms\n
stepi\n
continue\n
\x03
\x04' sh -c 'trap : INT; stty -g >before; "$1" debug "$2"; echo "status $?"; stty -g >after; cmp before after && echo same' sh "$DENALI" "$BUILD/guests/spin"
shows 'Interrupted.' 'guest_main () at spin.c' '* 1    spin' 'status 0' same

# A guest that reads the terminal gets the keys while it runs.
type_keys 'continue\n
xyz\n
\x04
q\n' "$DENALI" debug "$BUILD/guests/echo"
shows xyz 'exited'

# denali run --monitor: the guest runs at once, and Ctrl-C leads to the prompt.
type_keys '\x03
backtrace\n
kill\n
quit\n' sh -c 'trap : INT; "$1" run --monitor "$2"; echo "status $?"' sh "$DENALI" "$BUILD/guests/spin"
shows 'Interrupted.' '#0  guest_main () at spin.c' 'killed' 'status '
