#!/bin/sh
# SPDX-License-Identifier: MIT
# Compressors, on megabytes through pipes and on files of the root.
# timeout: 240
. "$SRCDIR/testsuite/debian/lib.sh"
text 30000 "$TMPDIR/text"
input=$TMPDIR/text

# packs PACK... -- UNPACK...: both ways are the native bytes, and the way back is the input.
packs() {
    pack=$1 unpack=$2
    input=$TMPDIR/text
    same $pack
    cp "$TMPDIR/out" "$TMPDIR/packed"
    input=$TMPDIR/packed
    same $unpack
    cmp "$TMPDIR/text" "$TMPDIR/out" || fail "$unpack: not the input"
}
packs "xz -6" "xz -d"
packs "xz --format=lzma -2" "xz --format=lzma -d"
packs "bzip2 -9" "bzip2 -d"
packs "gzip -9n" "gzip -d"
packs "zstd -3 -q" "zstd -d -q"
packs "zstd -15 -q --single-thread" "zstd -d -q"
packs "zstd -3 -q -T2" "zstd -d -q"
packs "lz4 -9 -q" "lz4 -d -q"
packs "brotli -q 6" "brotli -d"
packs "busybox gzip" "busybox gunzip"
packs "xz -1" "busybox unxz"
packs "bzip2 -1" "busybox bunzip2"
input=
same xz -9 -k -c /usr/bin/gawk
same bzip2 -k -c /usr/bin/sqlite3
same zstd -19 -q -k -c /usr/bin/lua5.4
input=$TMPDIR/text
same xz -d # not what it expects: the same complaint
