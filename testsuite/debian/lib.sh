# SPDX-License-Identifier: MIT
# For the tests of Debian's programs: each runs natively in a chroot and in a VM, from one root
# folder, with the same arguments, environment and input; output and status must be the same.
. "$SRCDIR/testsuite/lib.sh"

[ -x "$DENALI" ] || skip "denali is not built"
[ -f "$BUILD/guests/ilwaco" ] || skip "ilwaco is not built"
case $(uname -m) in x86_64 | i?86) ;; *) skip "the native run needs an x86 host" ;; esac
root=$("$SRCDIR/testsuite/debian/fetch" "$BUILD/debian") || { printf '%s\n' "$root"; exit 77; }
engine=${DENALI_ENGINE:-dbt}

if [ "$(id -u)" = 0 ]; then in_root=; else in_root='unshare -r'; fi
PATH=$PATH:/usr/sbin:/sbin
chroot=$(command -v chroot) || skip "no chroot for the native run"
$in_root "$chroot" "$root" /bin/true 2>/dev/null || skip "no chroot for the native run"

native() { env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C TERM=vt100 PYTHONDONTWRITEBYTECODE=1 $in_root "$chroot" "$root" "$@"; }
denali() {
    "$DENALI" run --engine "$engine" --root "$root" --env PATH=/usr/bin:/bin --env HOME=/root \
        --env LC_ALL=C --env TERM=vt100 ${options-} "$@"
}

# same PROGRAM ARGS...: both, with the file $input (default: nothing) piped into them.
same() {
    what=$(printf '%s' "$*" | head -1 | cut -c1-60)
    cat "${input:-/dev/null}" | native "$@" >"$TMPDIR/native.out" 2>"$TMPDIR/native.err"
    native_status=$?
    rm -rf "${root:?}"/tmp/*
    case $native_status in 125 | 126 | 127) fail "$what: does not run natively: $(cat "$TMPDIR/native.err")" ;; esac
    cat "${input:-/dev/null}" | denali "$@" >"$TMPDIR/out" 2>"$TMPDIR/err"
    status=$?
    [ $status = $native_status ] ||
        fail "$what: status $status, native $native_status: $(head -20 "$TMPDIR/err")"
    cmp "$TMPDIR/native.out" "$TMPDIR/out" || { diff "$TMPDIR/native.out" "$TMPDIR/out" | head -5; false; } || fail "$what: the output differs: $(head -c 500 "$TMPDIR/err")"
    cmp "$TMPDIR/native.err" "$TMPDIR/err" || fail "$what: stderr differs: $(diff "$TMPDIR/native.err" "$TMPDIR/err" | head -10)"
}

# text N FILE: N lines that look like words and numbers, the same each time.
text() {
    awk -v n="$1" 'BEGIN {
        split("the quick brown fox jumps over a lazy dog while seven wizards brew potent coffee in Ilwaco", w, " ")
        for (i = s = 1; i <= n; i++) {
            line = i
            for (j = 0; j < 8; j++) { s = (s * 1103515245 + 12345) % 2147483648; line = line " " w[int(s / 65536) % 16 + 1] }
            print line, s
        }
    }' >"$2"
}
