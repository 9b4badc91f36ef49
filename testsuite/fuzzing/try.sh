#!/bin/sh
# SPDX-License-Identifier: MIT
# Inputs by every way, tried without AFL++: what comes of each, the same each time, under every engine
# that counts instructions.
. "$SRCDIR/testsuite/lib.sh"
message=$BUILD/linux/message
[ -f "$message" ] || skip "no Linux programs are built"

# tried STATUS TEXT OPTIONS...: what denali fuzz says.
tried() {
    _want=$1 _text=$2
    shift 2
    "$DENALI" fuzz "$@" >out 2>err
    status=$?
    [ $status = "$_want" ] || fail "$*: status $status, not $_want: $(cat out err)"
    grep -q -e "$_text" out || fail "$*: no '$_text': $(cat out err)"
}

mkdir in
printf 'M1:abc=1;d=22;' >in/good
printf 'nothing' >in/other
printf 'M1:aaaaaaaaaaaaaaaa=1;' >in/long

for engine in dbt interp; do
    tried 0 'done, status 0' --engine $engine --try in/good "$message"
    tried 0 'done, status 1' --engine $engine --try in/other "$message"
    tried 1 '3 inputs, 1 crashes, 0 hangs' --engine $engine --try in "$message"
    tried 1 'crash, status 139: page fault at 0x61616161.* in parse_record (message.c:' --engine $engine \
        --try in/long "$message"
    cp out out.$engine
    tried 0 '^in/good' --engine $engine --try in/good "$message"
    cp out good.$engine
done
cmp -s out.dbt out.interp || fail "the engines differ: $(cat out.dbt out.interp)"
cmp -s good.dbt good.interp || fail "the engines differ: $(cat good.dbt good.interp)"
tried 1 '2 crashes' --try in/long --try in/good --try in/long "$message"
[ "$(grep -c '7 instructions\|[0-9] instructions' out)" = 3 ] || fail "$(cat out)"
[ "$(grep 'in/long' out | sort -u | wc -l)" = 1 ] || fail "the same input, another run: $(cat out)"

# Memory: a function's arguments, at its entry.
printf 'M1:abc=1;d=22;' >text
tried 0 'done, ' --try text --input memory:arg1,len=arg2,max=512 --start parse_message "$message"
tried 1 'in parse_record' --try in/long --input memory:arg1,len=arg2,max=512 --start parse_message "$message"
tried 0 'done, ' --try in/long --input memory:arg1,len=arg2,max=9 --start parse_message "$message"

# An image with its own kernel, and no network.
if [ -f "$BUILD/guests/echo" ]; then
    printf 'abc\n' >typed
    tried 0 'done, ' --try typed "$BUILD/guests/echo"
fi

# A run of too many instructions.
tried 1 ': hang' --try in/good --max-insns 100 "$message"

# A server, through its port: the answer is of this request.
if [ -f "$BUILD/guests/httpd" ]; then
    printf 'GET /nowhere HTTP/1.0\r\n\r\n' >request
    printf 'BREW / HTCPCP/1.0\r\n\r\n' >brew
    tried 0 'done, ' --try request --try brew --input packet:tcp:80 "$BUILD/guests/httpd"
    [ "$(sed -n 's/.*done, \([0-9]*\) .*/\1/p' out | sort -u | wc -l)" = 2 ] ||
        fail "two requests, one run: $(cat out)"
    "$DENALI" fuzz --try request --input packet:tcp:81 "$BUILD/guests/httpd" 2>err
    [ $? = 125 ] || fail "port 81 is open"
    grep -q 'does not accept a connection to port 81' err || fail "$(cat err)"
fi
exit 0
