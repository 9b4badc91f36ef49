#!/bin/sh
# SPDX-License-Identifier: MIT
# Each system call that a filter lets through has its reason in calls.why, and each reason a filter:
# none is allowed that nobody needs. What is in force beside that, hostile/syscalls and
# hostile/sandboxes try.
. "$SRCDIR/testsuite/lib.sh"
cd "$SRCDIR" || fail "no sources"

# filter FILE ARRAY: the calls of an array, a line each.
filter() {
    awk -v name="$2\\\\[\\\\]" '$0 ~ name { on = 1 } on { print } on && /};/ { exit }' "$1" |
        grep -o 'CALL[A-Z_]*([a-z0-9_]*\|SYS_[a-z0-9_]*' | sed 's/.*(//; s/SYS_//'
}
sandbox=emu/cli/run/run_sandbox.c
{
    { filter $sandbox ' calls'; filter $sandbox to_self; } | sed 's/^/base /'
    filter $sandbox file_calls | sed 's/^/files /'
    { filter $sandbox worker_calls; grep -q 'tgkill_any = CALL(tgkill)' $sandbox && echo tgkill; } | sed 's/^/worker /'
    filter $sandbox window_calls | sed 's/^/window /'
    filter $sandbox bridge_calls | sed 's/^/bridge /'
    filter devices/nat/sandbox.c ' calls' | sed 's/^/nat /'
} | sort -u >"$TMPDIR/allowed"
awk 'NF && !/^#/ { if (NF < 3) bad = bad " " $2; print $1, $2 } END { if (bad) print "no-reason:" bad }' \
    testsuite/hostile/calls.why | sort -u >"$TMPDIR/explained"
[ "$(wc -l <"$TMPDIR/allowed")" -gt 150 ] || fail "the filters cannot be read"
comm -23 "$TMPDIR/allowed" "$TMPDIR/explained" >"$TMPDIR/more"
comm -13 "$TMPDIR/allowed" "$TMPDIR/explained" >"$TMPDIR/less"
[ ! -s "$TMPDIR/more" ] || fail "allowed, and calls.why does not say why: $(tr '\n' ';' <"$TMPDIR/more")"
[ ! -s "$TMPDIR/less" ] || fail "in calls.why, and no filter allows it: $(tr '\n' ';' <"$TMPDIR/less")"
# The document counts the bridge's.
grep -q "nothing: $(grep -c '^bridge ' "$TMPDIR/allowed") calls" docs/SECURITY.md || fail "docs/SECURITY.md counts the bridge's calls otherwise"
