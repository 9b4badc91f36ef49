#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/DEBUGGING.md is true: its session, run again, says what stands there; its reference is the
# table's; and the same session gives the same under every engine.
. "$SRCDIR/testsuite/debug/lib.sh"
doc=$SRCDIR/docs/DEBUGGING.md

# What stands indented between the first command and the end of the section; addresses and counts
# of instructions depend on the compiler.
session() { awk '/^## / { on = /^## Finding/ } on' "$doc" | sed -n '/^    (denali)/,$p'; }
counts() { sed -e 's/instruction [0-9]*/instruction N/'; }
session | sed -n 's/^    (denali) //p' >"$TMPDIR/commands"
[ -s "$TMPDIR/commands" ] || fail "the document has no session"
session | grep -v '^    (denali)' | sed -n 's/^    //p' | grep . | plain | counts >"$TMPDIR/want"

for engine in $engines; do
    "$DENALI" debug --engine "$engine" "$guest" <"$TMPDIR/commands" >"$TMPDIR/raw" 2>"$TMPDIR/err"
    [ -s "$TMPDIR/err" ] && [ "$engine" = dbt ] && fail "$engine: $(cat "$TMPDIR/err")"
    grep . "$TMPDIR/raw" | plain | counts >"$TMPDIR/out"
    diff -u "$TMPDIR/want" "$TMPDIR/out" || fail "$engine: the document is not true"
done

"$DENALI" help debug --markdown >"$TMPDIR/reference" || fail "no reference"
sed -n '/^### Running/,$p' "$doc" >"$TMPDIR/documented"
sed '1{/^$/d;}' "$TMPDIR/reference" | diff -u "$TMPDIR/documented" - || fail "the reference is not the table's: denali help debug --markdown"
