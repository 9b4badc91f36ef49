# SPDX-License-Identifier: MIT
# For tests of the monitor: `. "$SRCDIR/testsuite/debug/lib.sh"`.
. "$SRCDIR/testsuite/lib.sh"

[ -x "$DENALI" ] || skip "denali is not built"
guest=$BUILD/guests/accounts
[ -x "$guest" ] || skip "the guests are not built"
grep -q 'HAVE_LIBDW 1' "$BUILD/config.h" || skip "no libdw: nothing is known of lines and types"

# Addresses depend on the compiler: 0xN stands for each.
plain() { sed -e 's/0x[0-9a-f][0-9a-f]*/0xN/g' -e 's/<\([a-z_]*\)+0xN>/<\1+N>/g'; }

# debug COMMANDS [GUEST...]: its output is in $TMPDIR/out, errors in err, status in $status.
debug() {
    printf '%s\n' "$1" >"$TMPDIR/commands"
    shift
    [ $# -gt 0 ] || set -- "$guest"
    "$DENALI" debug ${options-} --batch --commands "$TMPDIR/commands" "$@" >"$TMPDIR/raw" 2>"$TMPDIR/err"
    status=$?
    plain <"$TMPDIR/raw" >"$TMPDIR/out"
}

# same TEXT: the whole output.
same() {
    printf '%s\n' "$1" >"$TMPDIR/want"
    diff -u "$TMPDIR/want" "$TMPDIR/out" || fail "the output differs; errors: $(cat "$TMPDIR/err")"
}

# has TEXT...: each is a part of a line.
has() {
    for _t; do
        grep -q -F -e "$_t" "$TMPDIR/out" || fail "the output lacks '$_t': $(cat "$TMPDIR/out" "$TMPDIR/err")"
    done
}
