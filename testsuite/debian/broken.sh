#!/bin/sh
# SPDX-License-Identifier: MIT
# Output that nobody reads, or that finds no room: programs end as they do natively.
. "$SRCDIR/testsuite/debian/lib.sh"

# native_ends, guest_ends PROGRAM...: its status when its reader leaves after one line.
ends() {
    { "$@" 2>"$TMPDIR/err"; echo $? >"$TMPDIR/status"; } | head -1 >"$TMPDIR/line"
    cat "$TMPDIR/status"
}
[ "$(ends native yes)" = 141 ] || skip "yes does not end by SIGPIPE here"
[ "$(ends denali yes)" = 119 ] || fail "yes: status $(cat "$TMPDIR/status"): $(cat "$TMPDIR/err")"
[ "$(cat "$TMPDIR/line")" = y ] || fail "yes: $(cat "$TMPDIR/line")"
grep -q 'signal 13' "$TMPDIR/err" || fail "yes: not SIGPIPE: $(cat "$TMPDIR/err")"
ends denali python3 -c 'for i in range(10**6): print(i)' >/dev/null
grep -q BrokenPipeError "$TMPDIR/err" || fail "python3: $(cat "$TMPDIR/err")"
[ -c /dev/full ] || exit 0
denali cat /etc/passwd >/dev/full 2>"$TMPDIR/err" && fail "cat to a full device succeeded"
grep -q 'No space left' "$TMPDIR/err" || fail "cat to a full device: $(cat "$TMPDIR/err")"
exit 0
