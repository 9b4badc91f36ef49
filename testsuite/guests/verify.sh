#!/bin/sh
# SPDX-License-Identifier: MIT
# The small guests with every translation held to the verifier: none is refused.
. "$SRCDIR/testsuite/lib.sh"
engine=dbt
options=--verify
guest hello
grep -q 'needs the Zydis library' "$TMPDIR/err" && skip "no Zydis"
expect 0 'Hello from a Denali virtual machine.'
for name in ambiguous data fault fpu idle memory selfmod tls trap; do
    guest $name
    grep -q refused "$TMPDIR/err" && fail "$name: $(cat "$TMPDIR/err")"
    [ "$status" -lt 120 ] || fail "$name: status $status: $(cat "$TMPDIR/err")"
done
exit 0
