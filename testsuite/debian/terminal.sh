#!/bin/sh
# SPDX-License-Identifier: MIT
# Full-screen programs on a terminal: what it shows is what it shows natively, byte for byte.
# timeout: 200
. "$SRCDIR/testsuite/debian/lib.sh"
[ -x "$BUILD/helpers/pty" ] || skip "the pty helper is not built"

# screens PROGRAM ARGS...: types $TMPDIR/keys into both.
screens() {
    "$BUILD/helpers/pty" $silent "$TMPDIR/keys" env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C TERM=vt100 \
        $in_root "$chroot" "$root" "$@" >"$TMPDIR/native.out"
    native_status=$?
    rm -rf "${root:?}"/tmp/*
    "$BUILD/helpers/pty" $silent "$TMPDIR/keys" "$DENALI" run --engine "$engine" --root "$root" \
        --env PATH=/usr/bin:/bin --env HOME=/root --env LC_ALL=C --env TERM=vt100 "$@" >"$TMPDIR/out"
    status=$?
    case $native_status in
    77) skip "no terminals here" ;;
    9[89]) fail "$*: native status $native_status" ;;
    esac
    # What a guest's status cannot say, over 119, denali says as 119 and on stderr.
    if [ $native_status -gt 119 ]; then
        native_status=119
        head -c "$(wc -c <"$TMPDIR/native.out")" "$TMPDIR/out" >"$TMPDIR/start"
        mv "$TMPDIR/start" "$TMPDIR/out"
    fi
    [ $status = $native_status ] || fail "$*: status $status, native $native_status"
    cmp "$TMPDIR/native.out" "$TMPDIR/out" || fail "$*: the screens differ"
}

silent=
cat >"$TMPDIR/keys" <<'END'
ihello, world\nsecond line\nthird line\e
ggdd
yyp
:%s/line/LINE/g\n
/third\n
xxu
G
:set number\n
A and more\x08\x08\x08\x08END\e
:w /tmp/out\n
:r /etc/hostname\n
:r /etc/debian_version\n
1G
dw
P
j
k
l
:q!\n
END
screens busybox vi /tmp/new
cat >"$TMPDIR/keys" <<'END'
\x06
\x06
/import\n
n
G
:q!\n
END
screens busybox vi /usr/lib/python3.11/os.py
cat >"$TMPDIR/keys" <<'END'
 
 
/return\n
n
G
g
q
END
screens busybox less /usr/lib/python3.11/os.py
screens less /usr/lib/python3.11/os.py
cat >"$TMPDIR/keys" <<'END'
print(6 * 7)\n
import sys; sys.stdout.isatty()\n
def f(x):\n
    return x + 1\n
\n
f(41)\n
1/0\n
exit(5)\n
END
screens python3 -q
cat >"$TMPDIR/keys" <<'END'
select 6 * 7;\n
create table t(a); insert into t values(1),(2);\n
select sum(a) from t;\n
.quit\n
END
screens sqlite3
silent=-s
cat >"$TMPDIR/keys" <<'END'
hello\n
line two\x7f\x7f\n
\x04
END
screens cat
# Ctrl-C ends what does not mind it.
cat >"$TMPDIR/keys" <<'END'
x\n
\x03
END
screens cat
