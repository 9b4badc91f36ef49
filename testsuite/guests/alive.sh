#!/bin/sh
# SPDX-License-Identifier: MIT
# Clones of a web server, more than there are windows: each is woken, answers
# under its own name, and is parked again; some of them several times.
. "$SRCDIR/testsuite/lib.sh"
[ -z "${MEMORY_IS_THE_SANITIZERS-}" ] || skip "limits of memory count what the sanitizer takes for itself"
[ -f "$BUILD/guests/ilwaco" ] && [ -f "$BUILD/guests/httpd" ] || skip "ilwaco or httpd is not built"

alive() { timeout 60 "$DENALI" bench alive --json "$@" >"$TMPDIR/out" 2>"$TMPDIR/err" || fail "$* $(cat "$TMPDIR/err")"; }
has() { grep -q "$1" "$TMPDIR/out" || fail "no $1 in $(cat "$TMPDIR/out")"; }

alive --vms 1
has '"asked":1,"answered":1,'
alive --vms 300 --windows 40
has '"vms":300,"asked":300,"answered":300,"wrong":0,'
has '"ended":0,"frames_dropped":0,"frames_forged":0'

# Less memory than the process has by itself: that is said, each time and before any VM is made, and
# how much it takes. With little more than that all VMs are served, though few of them fit at once.
for i in 1 2 3 4 5; do
    timeout 60 "$DENALI" bench alive --vms 50 --memory 1M --workers 3 >"$TMPDIR/out" 2>"$TMPDIR/err" &&
        fail "50 VMs in 1 MiB: $(cat "$TMPDIR/out")"
    grep -q 'limited to 1 MiB, and used up; at least [0-9]* MiB' "$TMPDIR/err" || fail "$(cat "$TMPDIR/err")"
done
least=$(sed 's/.*at least \([0-9]*\) MiB.*/\1/' "$TMPDIR/err")
alive --vms 50 --memory $((least + 2))M --workers 3
has '"answered":50,'

# What an idle one costs: a page written needlessly is 4 KiB in each of them.
alive --vms 400
idle=$(sed 's/.*"kib_per_idle_vm":\([0-9]*\).*/\1/' "$TMPDIR/out")
beyond=$(sed 's/.*"kib_idle_beyond":\([0-9]*\).*/\1/' "$TMPDIR/out")
if ! grep -q fsanitize "$BUILD/config.mk"; then # sanitizers have memory of their own
    { [ "$idle" -ge 16 ] && [ "$idle" -lt 64 ]; } || fail "an idle VM costs $idle KiB: $(cat "$TMPDIR/out")"
    [ "$beyond" -lt 12 ] || fail "$beyond KiB beside its pages and page tables: $(cat "$TMPDIR/out")"
fi

alive --vms 2000 --sample 100 --windows 20
has '"vms":2000,"asked":100,"answered":100,'
"$DENALI" bench alive --vms 0 2>/dev/null && fail "no VMs at all are accepted"
exit 0
