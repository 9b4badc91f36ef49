#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs with every translation held to the verifier: none is refused, and nothing changes.
# timeout: 180
. "$SRCDIR/testsuite/debian/lib.sh"
options=--verify
engine=dbt
"$DENALI" run --verify "$BUILD/guests/hello" >"$TMPDIR/out" 2>"$TMPDIR/err" || {
    grep -q 'needs the Zydis library' "$TMPDIR/err" && skip "no Zydis"
    fail "hello: $(cat "$TMPDIR/err")"
}
text 3000 "$TMPDIR/text"
input=$TMPDIR/text
same xz -c
same bzip2 -c
same zstd -c
same openssl sha512
same openssl enc -aes-128-cbc -K 00112233445566778899aabbccddeeff -iv 00112233445566778899aabbccddeeff
same gawk '{ n += length($0) / 3; s += sin(NR) } END { printf "%.15g %.15g\n", n, s }'
same perl -ne '$n += length; $w{$_}++ for split; END { print "$n ", scalar(keys %w), "\n" }'
same sqlite3 :memory: 'with recursive t(x) as (select 1 union all select x + 1 from t where x < 3000)
    select sum(x), avg(x * 1.5), group_concat(x % 7, "") from t'
same lua5.4 -e 'local s = 0 for i = 1, 20000 do s = s + math.sin(i) / i end print(string.format("%.17g", s))'
same python3 -c 'import json, re, decimal, hashlib, sys
data = sys.stdin.read()
print(len(re.findall("[a-z]+", data)), hashlib.sha256(data.encode()).hexdigest())
print(decimal.Decimal(2).sqrt(), json.dumps({"a": [1, 2.5, None]}))'
