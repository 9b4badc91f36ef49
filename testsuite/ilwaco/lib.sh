# SPDX-License-Identifier: MIT
# For programs that run natively and under Ilwaco: the same output and status.
. "$SRCDIR/testsuite/lib.sh"

[ -x "$DENALI" ] || skip "denali is not built"
[ -f "$BUILD/guests/ilwaco" ] || skip "ilwaco is not built"
case $(uname -m) in x86_64 | i?86) ;; *) skip "the native run needs an x86 host" ;; esac

# same_program NAME [ARGS...]: the program linux/NAME of the build folder, under every engine.
same_program() {
    program=$BUILD/linux/$1
    shift
    [ -x "$program" ] || skip "$program is not built"
    "$program" "$@" </dev/null >"$TMPDIR/native" 2>"$TMPDIR/native.err"
    native_status=$?
    for engine in $engines; do
        "$DENALI" run --engine "$engine" --net none ${options-} "$program" "$@" </dev/null \
            >"$TMPDIR/out" 2>"$TMPDIR/err"
        status=$?
        [ $status = $native_status ] ||
            fail "$engine: status $status, native $native_status: $(tail -n 3 "$TMPDIR/out"; tail -n 3 "$TMPDIR/err")"
        cmp -s "$TMPDIR/native" "$TMPDIR/out" ||
            fail "$engine: $(diff "$TMPDIR/native" "$TMPDIR/out" | head -20)"
    done
}
