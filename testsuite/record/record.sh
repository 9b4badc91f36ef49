#!/bin/sh
# SPDX-License-Identifier: MIT
# Recordings: replayed by every engine to the same end with the same words; stopped recorders, cut
# and damaged files; a run that ends by a signal; a replay that goes on alive.
. "$SRCDIR/testsuite/lib.sh"
[ -f "$BUILD/guests/hello" ] || skip "no guests are built"
cd "$TMPDIR" || exit 1

same() { # same DIR [options]: replays, and must say so
    dir=$1
    shift
    "$DENALI" replay "$@" "$dir" >"$dir.out" 2>"$dir.err" || fail "replay $* $dir: $(cat "$dir.err")"
    grep -q 'are the same' "$dir.err" || fail "replay $* $dir: $(cat "$dir.err")"
}

# Deterministic or not, each engine replays what another recorded.
for mode in '' --deterministic '--engine interp' '--engine lockstep'; do
    for guest in hello time regs fault console; do
        rm -rf r
        "$DENALI" run $mode --record r "$BUILD/guests/$guest" >r.run 2>/dev/null </dev/null
        for engine in dbt interp lockstep; do
            same r --engine $engine
            cmp -s r.out r.run || fail "$guest: the replay by $engine shows something else"
        done
    done
done

# What is read from the console and from disks is part of it.
if [ -f "$BUILD/guests/echo" ]; then
    rm -rf r
    printf 'one\ntwo\n' | "$DENALI" run --record r "$BUILD/guests/echo" >r.run 2>&1
    same r
    cmp -s r.out r.run || fail "echo: the replay shows something else: $(cat r.out)"
fi
rm -rf r
head -c 20000 /dev/urandom >disk
cp disk fixed
if [ -f "$BUILD/guests/disk" ]; then
    "$DENALI" run --record r --disk data=disk --disk fixed=fixed,ro "$BUILD/guests/disk" >r.run 2>&1
    mv disk elsewhere # a replay needs no disk
    same r
    cmp -s r.out r.run || fail "disk: the replay shows something else: $(cat r.out)"
fi

# Ended by its time: what is there is replayed, and stops where it was stopped.
rm -rf r
"$DENALI" run --timeout 0.5 --record r "$BUILD/guests/spin" >/dev/null 2>&1
same r
grep -q 'to the end' r.err || fail "timeout: $(cat r.err)"

# Killed: a prefix.
rm -rf r
"$DENALI" run --record r "$BUILD/guests/spin" >/dev/null 2>&1 &
pid=$!
sleep 1
kill -9 $pid
wait $pid 2>/dev/null
same r
grep -q 'was killed' r.err || fail "killed: $(cat r.err)"

# One recording to a folder; what is none is refused.
rm -rf r
"$DENALI" run --record r "$BUILD/guests/hello" >/dev/null 2>&1 || fail "recording hello"
"$DENALI" run --record r "$BUILD/guests/hello" >/dev/null 2>r.err && fail "recorded over a recording"
grep -q 'give another folder' r.err || fail "second recording: $(cat r.err)"
"$DENALI" replay nowhere 2>r.err && fail "replayed nothing"
[ $? -eq 125 ] || fail "nothing: status $?"

# Damage: refused, or replayed to where it is whole; never believed.
cp r/tape tape.good
size=$(wc -c <tape.good)
for at in 3 40 5000 32770 32780 $((size - 3)); do
    cp tape.good r/tape
    printf '\377' | dd of=r/tape bs=1 seek=$at conv=notrunc 2>/dev/null
    cmp -s r/tape tape.good && continue
    "$DENALI" replay r >/dev/null 2>r.err
    [ $? -eq 125 ] || fail "damaged at $at: $(cat r.err)"
    grep -q 'cannot replay' r.err || fail "damaged at $at: $(cat r.err)"
done
for len in 0 100 32768 32790 $((size - 1)); do
    head -c $len tape.good >r/tape
    "$DENALI" replay r >/dev/null 2>r.err && fail "cut to $len: $(cat r.err)"
done
cp tape.good r/tape
same r

# Up to a place, from where it lives.
"$DENALI" replay -q --until 300 r 2>r.err || fail "until: $(cat r.err)"
grep -q 'stopped at instruction 300,' r.err || fail "until: $(cat r.err)"
out=$("$DENALI" replay -q --live-from 300 r 2>/dev/null) || fail "live: status $?"
[ "$out" = "$("$DENALI" run "$BUILD/guests/hello")" ] || fail "live: $out"
