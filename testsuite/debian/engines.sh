#!/bin/sh
# SPDX-License-Identifier: MIT
# The interpreter, and lockstep, run the distribution's programs, too: less of them, as they are slower.
# timeout: 200
. "$SRCDIR/testsuite/debian/lib.sh"
text 300 "$TMPDIR/text"
for engine in interp lockstep; do
    input=$TMPDIR/text
    same sha256sum
    same sort -k4,4 -k1,1nr
    same busybox gzip -9
    same xz -1
    same bzip2 -9
    same gawk '{ for (i = 2; i < NF; i++) c[$i]++; s += sin($NF) } END { for (w in c) n += c[w]; printf "%d %.15g\n", n, s }'
    same sed -e 's/\([a-z]*\) \([a-z]*\)/\2 \1/g'
    same openssl enc -aes-128-cbc -K 000102030405060708090a0b0c0d0e0f -iv 0f0e0d0c0b0a09080706050403020100
    same perl -ne '$h{$_}++ for split; END { print "$_ $h{$_}\n" for sort keys %h }'
    same jq -R -s 'split("\n") | length'
    input=
    same lua5.4 -e 'local s = 0 for i = 1, 20000 do s = s + math.sin(i) * (i % 7) end print(s, string.format("%a", s))'
    same sqlite3 :memory: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT sum(i * i % 7), avg(i / 3.0) FROM n'
    same python3 -c 'import json, hashlib; print(hashlib.md5(json.dumps([i / 7 for i in range(500)]).encode()).hexdigest(), 3 ** 500)'
    same zstd -q -c -3 /etc/passwd
done
