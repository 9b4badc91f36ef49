#!/bin/sh
# SPDX-License-Identifier: MIT
# Lines of Ilwaco's TCP/IP that ran while it served, as denali's lcov has them, against gcov of the same source run
# natively: every call that the stack got in the machine is on a tape (tape.c), and replay.c makes the same calls.
# timeout: 240
. "$SRCDIR/testsuite/lib.sh"
need gcov
grep -q 'HAVE_LIBDW 1' "$BUILD/config.h" || skip "built without libdw"
[ -f "$BUILD/served/guests/ilwaco" ] || skip "ilwaco is not built"
[ -f "$BUILD/guests/httpd" ] || skip "httpd is not built"

# denali looks for Ilwaco beside itself.
mkdir guests site site/folder
cp "$DENALI" denali && cp "$BUILD/served/guests/ilwaco" guests/ || exit 1
printf '<h1>hi</h1>\n' >site/index.html
printf 'text\n' >site/folder/a.txt
head -c 200000 "$BUILD/guests/httpd" >site/large
{
    cat <<'END'
program = "HTTPD"
root = "site"
args = ["/"]
stop-when-done = true
max-output = "64M"
max-instructions = 4_000_000_000
expect.status = "any"
expect.stderr.golden = "tape"
# A port where nobody is, a datagram that nobody wants, a peer that resets, one that goes without a word.
[[peers]]
connect = 80
steps = [{ after = "serving" }, { send = "GET / HTTP/1.1\r\nHost: x\r\n\r\n" }, { expect = "hi" }, { wait = "100ms" },
    { send = "GET /folder/a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" }, { expect = "text" }]
[[peers]]
ip = "10.0.2.7"
connect = 80
steps = [{ after = "serving" }, { send = "GET /large HTTP/1.0\r\n\r\n" }, { expect = "200" }, { wait = "3s" }]
[[peers]]
ip = "10.0.2.8"
connect = 80
steps = [{ after = "serving" }, { send = "GE" }, { wait = "50ms" }, { close = true }]
END
    for line in 'HEAD /folder/a.txt HTTP/1.0' 'GET /folder/ HTTP/1.0' 'GET /none HTTP/1.0' 'NONSENSE'; do
        printf '[[peers]]\nconnect = 80\nsteps = [{ after = "serving" }, { send = "%s\\r\\n\\r\\n" }, { expect = "HTTP/1" }, { wait = "20ms" }]\n' "$line"
    done
} | sed "s,HTTPD,$BUILD/guests/httpd," >serve.toml
./denali test --no-record --bless --coverage lcov:cover.info serve.toml >out 2>&1
grep -q '^@call' tape || fail "no tape: $(tail -20 out)"

mkdir native
GCOV_PREFIX=$TMPDIR/native GCOV_PREFIX_STRIP=99 "$BUILD/served/replay" tape >replayed 2>err || fail "natively it goes another way: $(cat err)"
cd native || exit 1
for f in *.gcda; do cp "$BUILD/served/native/guests/ilwaco/net/${f%.gcda}.gcno" . || exit 1; done
gcov *.gcda >gcov.log 2>&1 || fail "gcov: $(tail -3 gcov.log)" # in one go: headers are of all together
cd ..

# "FILE LINE HIT" of either.
awk -F: '/^SF:/ { file = $2; net = sub(".*/guests/ilwaco/net/", "", file) }
    net && /^DA:/ { split($2, d, ","); print file, d[1], (d[2] > 0) }' cover.info | sort >machine
for f in native/*.c.gcov native/*.h.gcov; do
    [ -f "$f" ] && awk -F: -v file="$(basename "$f" .gcov)" '{ gsub(/[ *]/, "", $1); gsub(/ /, "", $2) }
        $1 != "-" && $2 > 0 { print file, $2, ($1 !~ /^[#=]/) }' "$f"
done | sort >yardstick
# What may differ, and why, is in compare.awk.
awk -v net="$SRCDIR/guests/ilwaco/net/" -f "$SRCDIR/testsuite/served/compare.awk" yardstick machine >figure || fail "the coverage is another one: $(cat figure)"
cat replayed figure
