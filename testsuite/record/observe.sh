#!/bin/sh
# SPDX-License-Identifier: MIT
# Traces of every kind, in text and JSON, live and of a replay; their filters; coverage as drcov and
# lcov, held against a program whose lines and branches are known.
. "$SRCDIR/testsuite/lib.sh"
[ -f "$BUILD/guests/trap" ] || skip "no guests are built"
cd "$TMPDIR" || exit 1

trace() { # trace KIND[,FILTERS] GUEST: into ./KIND
    "$DENALI" run --trace "${1%%,*}:${1%%,*}${1#"${1%%,*}"}" "$BUILD/guests/$2" >out 2>err </dev/null || fail "$1: $(cat err)"
}

# The trace of a deterministic run holds exactly its instructions.
"$DENALI" run --deterministic --trace instruction:insns --trace block:blocks --trace call:calls \
    --trace port:ports --stats "$BUILD/guests/hello" >out 2>err || fail "$(cat err)"
[ "$(tail -1 insns | cut -d' ' -f1)" = "$(($(wc -l <insns) - 1))" ] || fail "lines are missing: $(tail -1 insns)"
awk '{ if ($1 != NR - 1) exit 1 }' insns || fail "counts are not in a row"
[ "$(head -1 blocks | cut -d' ' -f2)" = "$(head -1 insns | cut -d' ' -f2)" ] || fail "the first block"
calls=$(grep -c ' call ' calls) && [ "$calls" -ge 1 ] || fail "no calls"
[ "$(grep -c ' call ' insns)" -eq "$calls" ] || fail "calls differ from instructions"
grep -q ' out port 0x100 ' ports || fail "no port: $(cat ports)"

# Filters: a window of counts, a range, a function.
trace instruction,first=10,last=19 hello
[ "$(wc -l <instruction)" -eq 10 ] || fail "window: $(wc -l <instruction)"
trace instruction,in=guest_main hello
at=$(head -1 instruction | cut -d' ' -f2)
[ -n "$at" ] && [ "$(wc -l <instruction)" -lt "$(wc -l <insns)" ] || fail "in=guest_main"
trace block,json trap
head -1 block | grep -Eq '^\{"icount":[0-9]+,"eip":[0-9]+\}$' || fail "JSON: $(head -1 block)"
trace interrupt fault
grep -q 'fault page fault' interrupt || fail "faults: $(cat interrupt)"
for bad in nothing:f instruction: instruction:f,x=1 instruction:f,in=no_such_function; do
    "$DENALI" run --trace "$bad" "$BUILD/guests/hello" >/dev/null 2>err
    [ $? -eq 125 ] || fail "$bad: $(cat err)"
done

# A replay is traced like the run.
"$DENALI" run --record r --engine interp --trace instruction:live "$BUILD/guests/regs" >out 2>err || fail "$(cat err)"
"$DENALI" replay -q --trace instruction:again r 2>err || fail "$(cat err)"
cmp -s live again || fail "the replay's trace differs: $(diff live again | head -3)"

# Nothing is believed that was not written.
if [ -w /dev/full ]; then
    "$DENALI" run --trace instruction:/dev/full "$BUILD/guests/hello" >out 2>err
    grep -q 'not whole' err || fail "a full disk is not told: $(cat err)"
fi

# Linux programs: system calls by name; lines.
[ -f "$BUILD/guests/ilwaco" ] || exit 0
command -v gcc >/dev/null 2>&1 || exit 0
cat >p.c <<'END'
#include <unistd.h>
static int twice(int x)
{
    if (x > 100)
        return 0;
    return 2 * x;
}
static int never(void)
{
    return 7;
}
int main(int argc, char **argv)
{
    int sum = 0;
    for (int i = 0; i < 5; i++)
        sum += twice(i);
    if (argc > 5)
        sum = never();
    write(1, "done\n", 5);
    return sum == 20 ? 0 : 1;
}
END
gcc -m32 -static -g -O0 -o p p.c 2>/dev/null || exit 0
"$DENALI" run --trace syscall:calls p >out 2>err || fail "p: $(cat err)"
grep -q 'write(0x1, ' calls && grep -q 'write = 5 ' calls || fail "syscalls: $(cat calls)"
"$DENALI" run --coverage drcov:p.drcov --coverage lcov:p.info p >out 2>err || {
    grep -q libdw err && exit 0
    fail "coverage: $(cat err)"
}
head -1 p.drcov | grep -q 'DRCOV VERSION: 2' || fail "drcov: $(head -1 p.drcov)"
grep -aq "/p\$" p.drcov || fail "drcov does not name the program"
bbs=$(grep -a '^BB Table: ' p.drcov | cut -d' ' -f3)
head=$(grep -aob '^BB Table: [0-9]* bbs' p.drcov | cut -d: -f1)
line=$(grep -a '^BB Table' p.drcov | head -1 | wc -c)
[ $((head + $(printf 'BB Table: %s bbs\n' "$bbs" | wc -c) + 8 * bbs)) -eq "$(wc -c <p.drcov)" ] ||
    fail "drcov: $bbs blocks, $line, $(wc -c <p.drcov) bytes"
sed -n '/p\.c$/,/end_of_record/p' p.info >own
for want in FNDA:1,twice FNDA:0,never FNDA:1,main DA:4,1 DA:5,0 DA:6,1 DA:10,0 DA:16,1 DA:18,0 DA:20,1; do
    grep -q "^$want\$" own || fail "lcov lacks $want: $(cat own)"
done
[ "$(grep '^BRDA:4,' own | sed 's/.*,//' | sort | tr '\n' ' ')" = '0 1 ' ] || fail "branches of line 4: $(grep BRDA own)"
[ "$(grep '^BRDA:15,' own | sed 's/.*,//' | sort | tr '\n' ' ')" = '1 1 ' ] || fail "branches of line 15: $(grep BRDA own)"
