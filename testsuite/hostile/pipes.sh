#!/bin/sh
# SPDX-License-Identifier: MIT
# Where a file is wanted there is a pipe that nobody writes to, as an archive of a stranger's may
# have it: nothing waits for it, and the error says what is wrong.
. "$SRCDIR/testsuite/lib.sh"
[ -x "$BUILD/guests/hello" ] || skip "no guests"
cd "$TMPDIR" || exit 1
mkfifo pipe

refuses() { # ARGUMENTS...: of the program, with a pipe among them
    timeout -s KILL 100 "$DENALI" "$@" >out 2>&1 </dev/null
    rc=$?
    case $rc in
    137) fail "waits for ever: $*" ;;
    125 | 126) ;;
    *) fail "status $rc: $*: $(cat out)" ;;
    esac
    [ -s out ] || fail "says nothing: $*"
}

"$DENALI" run --record rec "$BUILD/guests/hello" >/dev/null 2>&1 || fail "no recording"
for part in rec/*; do
    mkdir stranger
    cp rec/* stranger
    rm "stranger/${part#rec/}"
    mkfifo "stranger/${part#rec/}"
    refuses replay stranger
    rm -r stranger
done
refuses run pipe
refuses debug --commands /dev/null pipe
refuses run --root pipe "$BUILD/guests/hello"
refuses run --disk data=pipe "$BUILD/guests/hello"
head -c 8192 /dev/zero >base
refuses run --disk data=base,cow=pipe "$BUILD/guests/hello"
refuses disk info pipe
refuses disk create layer --base pipe
refuses pc --restore pipe
refuses pc --kernel pipe
refuses pc --bios pipe
refuses pc --cdrom pipe
