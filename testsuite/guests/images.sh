#!/bin/sh
# SPDX-License-Identifier: MIT
# Damaged and hostile images: one line that says what is wrong, status 126, never a crash.
. "$SRCDIR/testsuite/lib.sh"
engine=interp
good=$BUILD/guests/hello
[ -x "$DENALI" ] && [ -f "$good" ] || skip "hello is not built"

# refused WHAT FILE: exactly one line, status 126.
refused() {
    "$DENALI" run "$2" >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null
    status=$?
    [ $status = 126 ] || fail "$1: status $status: $(cat "$TMPDIR/err")"
    [ ! -s "$TMPDIR/out" ] || fail "$1: output: $(cat "$TMPDIR/out")"
    [ "$(wc -l <"$TMPDIR/err")" = 1 ] || fail "$1: not one line: $(cat "$TMPDIR/err")"
}
# survived WHAT FILE: it may run or be refused; denali itself must not fail or die.
survived() {
    "$DENALI" run --timeout 5 "$2" >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null
    status=$?
    if [ $status = 125 ] || [ $status -gt 126 ]; then fail "$1: status $status: $(cat "$TMPDIR/err")"; fi
}
# poke OFFSET OCTAL-BYTES: the good image, changed.
poke() {
    cp "$good" "$TMPDIR/image"
    # shellcheck disable=SC2059
    printf "$2" | dd of="$TMPDIR/image" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

refused "no file" "$TMPDIR/missing"
refused "a folder" "$TMPDIR"
: >"$TMPDIR/empty"
refused "an empty file" "$TMPDIR/empty"
echo "not an image" >"$TMPDIR/text"
refused "a text" "$TMPDIR/text"
for n in 1 4 16 40 51 52 60 100 180 4096 8000 8192; do
    head -c $n "$good" >"$TMPDIR/image"
    refused "$n bytes of an image" "$TMPDIR/image"
done
poke 4 '\002'
refused "64-bit class" "$TMPDIR/image"
poke 18 '\050'
refused "another machine" "$TMPDIR/image"
poke 16 '\001'
refused "an object file" "$TMPDIR/image"
poke 28 '\377\377\377\377'
refused "program headers beyond the end" "$TMPDIR/image"
poke 44 '\377\377'
refused "65535 program headers" "$TMPDIR/image"
poke 42 '\001\000'
refused "program headers of one byte" "$TMPDIR/image"
# The second program header (the first LOAD) begins at 52 + 32.
poke 88 '\377\377\377\177'
refused "a segment beyond the file" "$TMPDIR/image"
poke 92 '\000\000\000\000'
refused "a segment over the registers" "$TMPDIR/image"
poke 92 '\000\360\377\377'
refused "a segment beyond RAM" "$TMPDIR/image"
poke 104 '\377\377\377\377'
refused "a segment that wraps around" "$TMPDIR/image"
poke 24 '\000\000\000\000'
survived "an entry in the registers" "$TMPDIR/image"
poke 24 '\377\377\377\377'
survived "an entry beyond RAM" "$TMPDIR/image"
# Any byte of the headers and of the note, any value: refused, or run to some end.
for at in $(seq 0 2 180) $(seq 8192 8247); do
    for byte in '\000' '\377' '\200'; do
        poke "$at" $byte
        survived "byte $at = $byte" "$TMPDIR/image"
    done
done
exit 0
