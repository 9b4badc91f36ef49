#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian installer's netboot image to its first screen: text and picture.
# timeout: 280
# alone
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
case $(pc_engines) in
*dbt*) ;;
*) [ -n "${DENALI_LONG-}" ] || skip "the interpreter takes minutes for it: set DENALI_LONG=1" ;;
esac
need_media
[ -f "$media/netboot/linux" ] || skip "no installer in the archive"
pc -m 512M --kernel "$media/netboot/linux" --initrd "$media/netboot/initrd.gz" --serial null \
    --append "quiet cryptomgr.notests nomodeset fb=false vga=normal" --wait 'Select a language' --screen-text \
    --screenshot screen.png --timeout 260
expect 0 'Select a language'
is_png screen.png
exit 0
