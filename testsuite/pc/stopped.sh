#!/bin/sh
# SPDX-License-Identifier: MIT
# A boot whose process is stopped again and again: no clock of the guest's runs on without the others, so it
# comes up as ever, and finds no interrupt missing.
# timeout: 280
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
need_media
"$DENALI" pc -m 128M --cpu pentium3 --kernel "$media/boot/vmlinuz-686" --initrd "$media/initrd-686" \
    --serial stdio --timeout 250 --append "console=ttyS0 quiet cryptomgr.notests do=echo_up" \
    >out 2>err </dev/null &
guest=$!
trap 'kill -CONT $guest; kill $guest' EXIT
for pause in 1.2 0.3 2 0.1 0.6 1; do
    sleep 0.15
    kill -STOP $guest 2>/dev/null || break
    sleep $pause
    kill -CONT $guest 2>/dev/null || break
done
wait $guest
status=$?
trap - EXIT
expect 0 '^MARKER end 0'
grep -q panic out && fail "$(tail -30 out)"
exit 0
