#!/bin/sh
# SPDX-License-Identifier: MIT
# What cannot be done is said in one line, with status 125 or 126.
. "$SRCDIR/testsuite/lib.sh"
message=$BUILD/linux/message
[ -f "$message" ] || skip "no Linux programs are built"
: >empty

# wrong STATUS TEXT OPTIONS...
wrong() {
    _want=$1 _text=$2
    shift 2
    "$DENALI" fuzz "$@" >out 2>err </dev/null
    status=$?
    [ $status = "$_want" ] || fail "$*: status $status, not $_want: $(cat out err)"
    [ "$(wc -l <err)" = 1 ] || fail "$*: not one line: $(cat err)"
    grep -q -e "$_text" err || fail "$*: '$_text' is not in: $(cat err)"
}

wrong 125 'which image'
wrong 125 '\-\-output DIR' "$message"
wrong 126 'there is no file' --try empty nowhere
wrong 126 '' --try empty empty
mkdir nothing
wrong 125 'No such file' --seeds nowhere --output out --seconds 1 "$message"
wrong 125 'no file is in there' --seeds nothing --output out --seconds 1 "$message"
wrong 125 '.' --seeds empty --output /proc/nowhere --seconds 1 "$message"
grep -q installed err && fail "a folder that cannot be made, and it is afl-fuzz that is missing: $(cat err)"
wrong 125 'no option --frobnicate' --frobnicate "$message"
wrong 125 'value is missing' --seeds
wrong 125 'No such file' --try nowhere "$message"
wrong 125 'is afl-fuzz\|afl-fuzz has not started' --serve "$message"
wrong 125 'there are console' --try empty --input telepathy "$message"
wrong 125 'say where to start' --try empty --input memory:arg1 "$message"
wrong 125 'no symbol frob' --try empty --start frob "$message"
wrong 125 'no symbol frob' --try empty --input memory:frob --start main "$message"
wrong 125 'what is "size"' --try empty --input memory:arg1,size --start main "$message"
wrong 125 'that is no port' --try empty --input packet:udp:0 "$message"
wrong 125 'of which function' --try empty --end return "$message"
wrong 125 'one of them at a time' --try empty --speed 1 "$message"
wrong 125 'a number from 1' --try empty --max-insns none "$message"
wrong 125 'for denali run' --try empty --record dir "$message"
wrong 125 'no network but' --try empty --net user "$message"
wrong 125 'did not get to its start' --try empty --boot-insns 10 "$message"
wrong 125 'did not get to its start\|before it got to its start' --try empty --start is_good "$message"
wrong 125 'writable bytes' --try empty --input memory:0x1000 --start main "$message"
wrong 125 'at most' --try /dev/zero "$message"
wrong 125 'crashes the guest' --minimise empty "$message"
