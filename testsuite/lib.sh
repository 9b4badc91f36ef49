# SPDX-License-Identifier: MIT
# For test scripts: `. "$SRCDIR/testsuite/lib.sh"`.

fail() { printf '%s\n' "$*"; exit 1; }
skip() { printf 'SKIP: %s\n' "$*"; exit 77; }
need() { for _c; do command -v "$_c" >/dev/null 2>&1 || skip "no $_c"; done; }

# The engines a test runs under; DENALI_ENGINES overrides.
engines=${DENALI_ENGINES:-interp dbt lockstep}

# guest NAME [ARGS...] of a guest of the build folder, with $options before it, under $engine.
# Its output is in $TMPDIR/out and err, its status in $status.
guest() {
    _guest=$BUILD/guests/$1
    shift
    [ -x "$DENALI" ] || skip "denali is not built"
    [ -f "$_guest" ] || skip "$_guest is not built"
    "$DENALI" run --engine "$engine" ${options-} "$_guest" "$@" >"$TMPDIR/out" 2>"$TMPDIR/err"
    status=$?
}

# expect STATUS [TEXT]: what the last guest did; TEXT is its whole output.
expect() {
    [ "$status" = "$1" ] || fail "$engine: status $status, not $1: $(cat "$TMPDIR/out" "$TMPDIR/err")"
    [ $# -lt 2 ] && return
    [ "$(cat "$TMPDIR/out")" = "$2" ] || fail "$engine: output differs: $(cat "$TMPDIR/out")"
}

# expect_error TEXT: stderr of the last guest contains it.
expect_error() {
    grep -q -e "$1" "$TMPDIR/err" || fail "$engine: stderr lacks '$1': $(cat "$TMPDIR/err")"
}
