#!/bin/sh
# SPDX-License-Identifier: MIT
# Symbols and lines against the tools that everybody trusts: nm, addr2line; on our programs and, where
# there are any, on the distribution's.
. "$SRCDIR/testsuite/debug/lib.sh"
need nm addr2line awk

# check_nm FILE NM-OPTIONS: every 40th function's address is that symbol's, and so is the address by name.
check_nm() {
    nm $2 --defined-only "$1" 2>/dev/null | awk '$2 ~ /^[Tt]$/ { seen[$3]++; line[$3] = $1 }
        END { for (n in seen) if (seen[n] == 1 && n !~ /@/) print line[n], n }' | sort | awk 'NR % 40 == 1' >"$TMPDIR/nm"
    [ -s "$TMPDIR/nm" ] || return 0
    { echo "add-symbol-file $1"; awk '{ print "info address " $2 }' "$TMPDIR/nm"; } >"$TMPDIR/c"
    "$DENALI" debug --batch --commands "$TMPDIR/c" "$guest" >"$TMPDIR/out" 2>"$TMPDIR/err" || fail "$1: $(cat "$TMPDIR/err")"
    sed -n 's/^"\(.*\)" is at 0x\([0-9a-f]*\) in .*/\2 \1/p' "$TMPDIR/out" | sort -u >"$TMPDIR/got"
    awk '{ sub(/^0*/, "", $1); print $1, $2 }' "$TMPDIR/nm" | sort -u >"$TMPDIR/want"
    comm -23 "$TMPDIR/want" "$TMPDIR/got" >"$TMPDIR/missing"
    [ ! -s "$TMPDIR/missing" ] || fail "$1: nm has, denali has not: $(head -5 "$TMPDIR/missing")"
    checked=$((checked + $(wc -l <"$TMPDIR/want")))
}

# check_lines FILE: the line of every 61st byte of its code.
check_lines() {
    set -- "$1" $(readelf -W -S "$1" | awk '$2 == ".text" { print $4, $6 } $3 == ".text" { print $5, $7 }')
    awk -v at="$((0x$2))" -v len="$((0x$3))" 'BEGIN { for (i = 0; i < len && i < 40000; i += 61) printf "0x%x\n", at + i }' >"$TMPDIR/at"
    sed 's/^/info line */' "$TMPDIR/at" >"$TMPDIR/c0"
    addr2line -e "$1" <"$TMPDIR/at" | sed 's/ (discriminator.*//' | paste -d ' ' "$TMPDIR/at" - | grep -v '?' >"$TMPDIR/want"
    awk '{ print "info line *" $1 }' "$TMPDIR/want" >"$TMPDIR/c"
    "$DENALI" debug --batch --commands "$TMPDIR/c" "$1" >"$TMPDIR/out" 2>"$TMPDIR/err"
    sed -n 's/^Line \([0-9]*\) of "\(.*\)" is at.*/\2:\1/p' "$TMPDIR/out" >"$TMPDIR/got"
    cut -d ' ' -f 2 "$TMPDIR/want" >"$TMPDIR/lines"
    [ "$(wc -l <"$TMPDIR/got")" -gt 5 ] || fail "$1: no lines: $(head -3 "$TMPDIR/out" "$TMPDIR/err")"
    diff "$TMPDIR/lines" "$TMPDIR/got" >"$TMPDIR/diff" || fail "$1: addr2line and denali differ: $(head -6 "$TMPDIR/diff")"
    checked=$((checked + $(wc -l <"$TMPDIR/lines")))
}

checked=0
for file in "$guest" "$BUILD/guests/ilwaco" "$BUILD/guests/httpd"; do
    [ -f "$file" ] || continue
    check_nm "$file" ""
done
for file in "$BUILD"/debian/bin/busybox "$BUILD"/debian/bin/* "$BUILD"/debian/usr/lib/i386-linux-gnu/libz.so*; do
    [ -f "$file" ] && check_nm "$file" -D
    [ $checked -gt 600 ] && break
done
check_lines "$guest"
check_lines "$BUILD/guests/ilwaco"
[ $checked -gt 100 ] || fail "only $checked compared"
