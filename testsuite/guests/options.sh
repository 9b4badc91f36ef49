#!/bin/sh
# SPDX-License-Identifier: MIT
# Options that cannot be met: one line that says what and what to do, status 125, nothing left.
. "$SRCDIR/testsuite/lib.sh"
[ -x "$DENALI" ] && [ -f "$BUILD/guests/disk" ] || skip "the guests are not built"

# refused STATUS TEXT OPTIONS...: one line with TEXT, that status.
refused() {
    want=$1 text=$2
    shift 2
    timeout 20 "$DENALI" run "$@" >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null
    status=$?
    [ $status = "$want" ] || fail "$*: status $status, not $want: $(cat "$TMPDIR/err")"
    [ "$(wc -l <"$TMPDIR/err")" = 1 ] || fail "$*: not one line: $(cat "$TMPDIR/err")"
    grep -q -i -e "$text" "$TMPDIR/err" || fail "$*: does not say '$text': $(cat "$TMPDIR/err")"
}
hello=$BUILD/guests/hello
refused 125 image
refused 125 bogus --bogus "$hello"
refused 125 engine --engine warp "$hello"
refused 125 memory -m 0 "$hello"
refused 125 memory -m 5G "$hello"
refused 125 memory -m lots "$hello"
refused 125 memory -m -5M "$hello"
refused 125 timeout --timeout soon "$hello"
refused 125 "root" --root "$TMPDIR/nowhere" /bin/true
refused 125 net --net elsewhere "$BUILD/guests/net"
refused 125 publish -p 70000:80 "$BUILD/guests/net"
refused 125 "$TMPDIR/nodisk" --disk data="$TMPDIR/nodisk" --disk fixed="$TMPDIR/nodisk" "$BUILD/guests/disk"
dd if=/dev/zero of="$TMPDIR/disk" bs=4096 count=2 2>/dev/null
refused 126 fixed --disk data="$TMPDIR/disk" "$BUILD/guests/disk"
mkdir "$TMPDIR/folder"
refused 125 "$TMPDIR/folder" --disk data="$TMPDIR/folder" --disk fixed="$TMPDIR/disk" "$BUILD/guests/disk"
refused 125 "" --disk data "$BUILD/guests/disk"
refused 125 "" --disk
refused 125 "" --pcap "$TMPDIR/none/x.pcap" "$BUILD/guests/net"
[ "$(ls "$TMPDIR" | sort | tr '\n' ' ')" = "disk err folder out " ] || fail "left behind: $(ls "$TMPDIR")"
exit 0
