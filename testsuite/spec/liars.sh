#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests that lie about themselves are never reported as passed, in any format.
# timeout: 200
. "$SRCDIR/testsuite/lib.sh"
[ -f "$BUILD/spec/liar" ] || skip "the lying guest is not built"
suite=$SRCDIR/testsuite/spec/liars

status_of() {
    want=$1
    shift
    "$DENALI" test "$@" >out 2>err
    rc=$?
    [ $rc = "$want" ] || fail "denali test $*: status $rc, not $want: $(cat out err)"
}

status_of 1 --format json --format tap:tap --format junit:xml --output kept "$suite"
[ "$(grep -c '"event":"test"' out)" = "$(grep -c '^\[\[test' "$suite/liars.toml")" ] || fail "not all were told: $(cat out)"
grep '"verdict":"passed"' out && fail "a liar passed"
grep '"verdict":"skipped"' out && fail "a liar was skipped"
grep -q '^ok' tap && fail "a liar is ok: $(cat tap)"
grep -q '"end":"hang"' out || fail "nobody waits for ever"
grep -q '"end":"max-instructions"' out || fail "nobody ran out of instructions"
grep -q '"end":"max-output"' out || fail "nobody floods"
grep -q '"end":"signal"' out || fail "nobody died"
if command -v xmllint >/dev/null; then xmllint --noout xml || fail "no XML"; fi

# Whatever a guest prints, and whatever a test is called, every format stays what it is.
mkdir odd && cat >'odd/a & "b".toml' <<'END'
program = "${build}/spec/liar"
[[test]]
name = "ünï <&\"'> # x"
args = ["bytes"]
expect.stdout = "good\n"
[[test]]
name = "good"
args = ["true"]
END
status_of 1 --no-record --format tap:tap3 --format junit:xml3 --format json odd
grep -q 'name":"a & \\"b\\"/ünï <&' out || fail "JSON has another name: $(cat out)"
grep -q '^not ok 2 - a & "b"/ünï <&"'"'"'> \\# x$' tap3 || fail "TAP has another name: $(cat tap3)"
grep -q 'ünï' xml3 || fail "JUnit has another name: $(cat xml3)"
if command -v iconv >/dev/null; then
    for f in out tap3 xml3; do iconv -f UTF-8 -t UTF-8 $f >converted 2>&1 || fail "$f is no UTF-8"; done
fi
if command -v xmllint >/dev/null; then xmllint --noout xml3 || fail "no XML: $(cat xml3)"; fi
if command -v prove >/dev/null; then
    printf 'cat "%s/tap3"\n' "$PWD" >all.t
    prove -e sh all.t >proved 2>&1
    grep -q 'Failed test: *2$' proved && ! grep -q 'Parse errors' proved || fail "prove takes no such TAP: $(cat proved)"
fi

# The place of the fault is told, with its line.
line=$(grep -n 'nowhere = 1' "$SRCDIR/testsuite/spec/liar.c" | cut -d: -f1)
story=$(cat "kept/liars/prints_success,_then_faults/story")
echo "$story" | grep -q "fault .*liar.c:$line" || fail "no line in the story: $story"

# Twice the same, to the byte.
status_of 1 --format tap:tap2 --output kept "$suite"
cmp tap tap2 || fail "another answer"

# Real time is no excuse.
status_of 1 --real-time --no-record -k "prints success, then faults" -k assertion "$suite"

# Nothing leaks from test to test, whatever the order.
status_of 0 --repeat 3 "$SRCDIR/testsuite/spec/fork"
grep LEAK out && fail "it leaks"
rm -rf kept

# What is wrong before any guest runs.
mkdir wrong empty skipped
# refused TEXT: the specification on stdin; what is said of it has TEXT.
refused() {
    cat >wrong/a.toml
    status_of 2 wrong
    grep -q -e "$1" out || fail "'$1' is not in: $(cat out err)"
    grep -q 'a.toml:[0-9]*:[0-9]*: ' out || fail "no place: $(cat out err)"
}
refused 'nothing would be done' <<'END'
program = "x"
stop-when-done = true
END
refused 'is at most 255' <<'END'
program = "x"
expect.status = 256
END
refused 'no signal "SIGFOO"' <<'END'
program = "x"
expect.signal = "SIGFOO"
END
refused 'timeout is 0' <<'END'
program = "x"
timeout = 0
END
refused 'is there twice' <<'END'
program = "x"
disks = [{ name = "d", size = "1M" }, { name = "d", size = "2M" }]
END
refused 'too large' <<'END'
program = "x"
disks = [{ name = "d", size = "99999G" }]
END
refused 'must be a string, not a number' <<'END'
program = 5
END
refused 'terminal is for' <<'END'
pc = {}
terminal = true
END
printf 'program = "x"\nexpcet.status = 1\n' >wrong/a.toml
status_of 2 wrong
grep -q 'a.toml:2:1: a test has no key "expcet"; is "expect" meant?' out || fail "no suggestion: $(cat out err)"
status_of 2 --format tap wrong
grep -q '^Bail out!' out || fail "no bail-out"
status_of 3 empty
printf 'program = "/bin/true"\nneeds = ["/no/such/file"]\n' >skipped/a.toml
status_of 3 skipped
status_of 2 --shard 3/2 empty
status_of 2
status_of 2 no-such-folder
status_of 3 --filter no-such-test "$suite"
