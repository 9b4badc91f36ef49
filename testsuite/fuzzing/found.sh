#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 200
# A planted overflow is found, told with its line, made small, and becomes a test that fails.
. "$SRCDIR/testsuite/lib.sh"
need afl-fuzz
message=$BUILD/linux/message
[ -f "$message" ] || skip "no Linux programs are built"

printf 'M1:abc=1;d=22;' >seed
"$DENALI" fuzz --seeds seed --output out --seconds 120 --until-crash "$message" >found 2>err
status=$?
[ $status = 1 ] || fail "status $status: $(cat found err)"
# A return address of any four bytes may lead to memory that is there: then nobody knows from where it was jumped to.
known=yes
grep -q ' in parse_record (message.c:[0-9]*)\| in copy_name (message.c:[0-9]*)' found || known=no
[ $known = yes ] || grep -q 'out/found/at-[0-9a-f]*: .*, a jump from before 0x' found || fail "$(cat found)"
input=
for file in out/found/parse_record-* out/found/copy_name-* out/found/at-*; do
    case $file in *.toml) continue ;; esac
    [ -f "$file" ] && input=$file
done
[ -f "$input" ] || fail "there is no input: $(ls out/found)"
# Where the four bytes of the address are what makes the place, they and what fills up to them must stay.
most=24
case $input in out/found/at-*) most=64 ;; esac
[ "$(wc -c <"$input")" -le $most ] || fail "$input is not small: $(od -c "$input")"
"$DENALI" fuzz --try "$input" "$message" >out.try && fail "it does not crash: $(cat out.try)"
"$DENALI" test "$input.toml" >out.test 2>&1
[ $? = 1 ] || fail "the test does not fail: $(cat out.test)"
grep -q 'but: SIG' out.test || fail "$(cat out.test)"
[ $known = no ] || grep -q 'message.c:' out.test || fail "$(cat out.test)"
"$DENALI" fuzz --minimise out/main/crashes "$message" >out.min || fail "$(cat out.min)"
grep -q 'runs (' err || fail "no progress was shown: $(cat err)"
