#!/bin/sh
# SPDX-License-Identifier: MIT
# Coreutils and their like over real input.
# timeout: 300
. "$SRCDIR/testsuite/debian/lib.sh"
text 30000 "$TMPDIR/text"
input=$TMPDIR/text
same sort -k4,4 -k1,1nr
same sort -n -r -k10
same sort -u -k2,3
for sum in cksum md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum "sum -s"; do same $sum; done
same wc
same tac
same tr a-z A-Z
same cut -d ' ' -f 2,4-6
same uniq -c -f 1
same od -A x -t x1z -N 5000
same od -t f8 -N 800
same base64 -w 50
same base32
same head -n -29990
same tail -c 1000
same nl -b a
same fold -w 30 -s
same fmt -w 60
same expand
same paste - - -
same split -l 10000 - /tmp/part
same shuf -n 20 --random-source=/usr/bin/gawk
same csplit -s - 100 200 -f /tmp/cs
same sed -e 's/\([a-z]*\) \([a-z]*\)/\2 \1/g' -e '/wizards/d' -e '$!N;P;D'
same sed -n '100,200{y/abc/xyz/;p}'
same grep -c 'lazy.*fox'
same grep -n -o -E '[0-9]+ (the|a) [a-z]+' -m 500
same grep -P '\bfox\b(?=.*dog)' -c
same grep -q nothing
same diff - /etc/passwd
input=
same seq -f %.3f 1 0.37 2000
same factor 1000000007 123456789012345678 18446744073709551557 600851475143
same numfmt --to=iec 123456789 1e12
same expr 17 \* 23 % 7
same printf '%5d|%-8s|%x|%.10g|%q\n' 42 abc 255 3.14159265358979 'a b'
same date -u -d @1700000000 +%FT%T.%N
same date -u -d '2024-02-29 + 1 year'
same basename /a/b/c.txt .txt
same realpath /usr/../bin/awk
same readlink -f /bin/sh
same ls /usr/lib
same ls -lR --time-style=+%s /etc
same stat -c '%n %s %a %F %h' /usr/bin/xz /etc /bin
same du -s --apparent-size /usr/share/perl5
same find /usr/lib/python3.11 -name '*.py' -size +40k
same file /usr/bin/xz /etc/passwd /usr/lib/python3.11/os.py /bin/sh
same cmp /usr/bin/xz /usr/bin/lua5.4
same comm /etc/passwd /etc/group
same test -d /usr
same test -f /usr
same id -u
same pwd
same cat /no/such/file
