#!/bin/sh
# SPDX-License-Identifier: MIT
# Applets of busybox-static.
# timeout: 240
. "$SRCDIR/testsuite/debian/lib.sh"
text 20000 "$TMPDIR/text"
input=$TMPDIR/text
while read -r applet; do same busybox $applet; done <<'END'
sha256sum
md5sum
sha1sum
sha512sum
sha3sum
wc
tac
sort -r
sort -n -k10
uniq -f 1
sed s/fox/cat/g;s/\([a-z]*\)$/<\1>/
grep -c lazy
grep -n wizards.*[0-4]$
cut -d: -f1
head -5
tail -3
tr a-z A-Z
od -x
hexdump -C
base64
uuencode
fold -w 20
nl
gzip -9
xxd
crc32
awk {x+=NF}END{print(x)}
strings -n 8
expand
cat
END
input=
same busybox
same busybox sha256sum /usr/bin/python3.11 /usr/bin/sqlite3
same busybox tar -cf - -C /usr/lib/python3.11 json email
cp "$TMPDIR/out" "$TMPDIR/tar"
input=$TMPDIR/tar
same busybox tar -tvf -
same busybox tar -xf - -C /tmp
same busybox tar -xOf - json/decoder.py
input=
same busybox ls -l /etc
same busybox find /usr/share -name '*.txt'
same busybox du -s /usr/lib/python3.11/json
same busybox cal 11 2026
same busybox date -u -d @1700000000
same busybox seq 1 3 1000
same busybox factor 123456789
same busybox expr 6 \* 7
same busybox dc -e '2 3 + p 10 7 / p'
same busybox printf '%d %s %x\n' 1 two 255
same busybox stat -c '%s %a' /etc/passwd
same busybox cmp /etc/passwd /etc/group
same busybox diff /etc/passwd /etc/group
same busybox false
same busybox cat /no/such/file
same busybox ash -c 'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; echo $i; echo ${PATH#*:}; exit 7'
