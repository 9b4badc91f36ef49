#!/bin/sh
# SPDX-License-Identifier: MIT
# Lines of httpd that ran, as denali's lcov has them of a machine, against gcov of the same source run
# natively under the same requests.
# timeout: 240
. "$SRCDIR/testsuite/lib.sh"
need gcov curl gcc
grep -q 'HAVE_LIBDW 1' "$BUILD/config.h" || skip "built without libdw"
[ -f "$BUILD/guests/ilwaco" ] || skip "ilwaco is not built"
cd "$TMPDIR" || exit 1
cat >end.c <<'END'
#include <signal.h>
#include <stdlib.h>
static void on_term(int number) { (void)number; exit(0); }
__attribute__((constructor)) static void begin(void) { signal(SIGTERM, on_term); }
END
sources=$(echo "$SRCDIR"/guests/httpd/*.c)
gcc -m32 -O0 -g -static -I"$SRCDIR" -o httpd $sources end.c 2>err || skip "gcc -m32 has no static C library"
mkdir native site && cd native || exit 1
gcc -m32 -O0 -g -static --coverage -I"$SRCDIR" -o httpd $sources ../end.c 2>err || skip "gcc -m32 has no gcov"
cd ..
printf '<h1>hi</h1>\n' >site/index.html
mkdir site/folder && printf 'text\n' >site/folder/a.txt

requests='GET / HTTP/1.0
GET /index.html HTTP/1.1|Host: x|Connection: close
HEAD /folder/a.txt HTTP/1.0
GET /folder/ HTTP/1.0
GET /folder HTTP/1.0
GET /none HTTP/1.0
GET /../x HTTP/1.0
GET /folder/a.txt HTTP/1.0|Range: bytes=1-2
POST / HTTP/1.0
NONSENSE'
{
    printf 'program = "httpd"\nroot = "site"\nargs = ["-p", "8080", "/"]\nstop-when-done = true\nexpect.status = "any"\n'
    echo "$requests" | while IFS= read -r line; do
        printf '[[peers]]\nconnect = 8080\nsteps = [{ after = "serving" }, { send = "%s\\r\\n\\r\\n" }, { expect = "HTTP/1" }, { wait = "20ms" }]\n' \
            "$(echo "$line" | sed 's/|/\\r\\n/g')"
    done
} >serve.toml
"$DENALI" test --no-record --coverage lcov:cover.info serve.toml >out 2>&1 || fail "$(cat out)"

: >native.log
port=$((20000 + $$ % 20000))
./native/httpd -p $port -a 127.0.0.1 site >native.log 2>&1 &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do grep -q serving native.log && break; sleep 0.3; done
kill -0 $server 2>/dev/null || skip "httpd cannot listen here: $(cat native.log)"
echo "$requests" | while IFS= read -r line; do
    printf '%s\r\n\r\n' "$(echo "$line" | sed 's/|/\r\n/g')" | curl -s -m 5 "telnet://127.0.0.1:$port" >>answers
done
kill $server
wait $server
(cd native && for f in *.gcda; do gcov "$f" >/dev/null 2>&1; done)

# "FILE LINE HIT" of either.
awk -F: '/^SF:/ { n = split($2, p, "/"); file = p[n] }
    /^DA:/ { split($2, d, ","); print file, d[1], (d[2] > 0) }' cover.info | grep -v '^end.c' | sort >machine
for f in native/*.c.gcov; do
    awk -F: -v file="$(basename "$f" .gcov)" '{ gsub(/[ *]/, "", $1); gsub(/ /, "", $2) }
        $1 != "-" && $2 > 0 { print file, $2, ($1 !~ /^[#=]/) }' "$f"
done | sort >yardstick
awk 'NR == FNR { hit[$1 " " $2] = $3; next }
    ($1 " " $2) in hit { both++; same += hit[$1 " " $2] == $3; run += $3
        if (hit[$1 " " $2] != $3) print "differs: " $1 ":" $2 " native " hit[$1 " " $2] ", machine " $3 }
    END { printf "%d lines known to both, %d ran, %d the same: %.1f %%\n", both, run, same, both ? 100 * same / both : 0
          exit !(both > 300 && run > 150 && same >= 0.97 * both) }' \
    yardstick machine >figure || fail "the coverage is another one: $(cat figure)"
tail -1 figure
grep -q 'SF:.*guests/ilwaco/sched.c' cover.info || fail "no lines of Ilwaco"
if command -v genhtml >/dev/null; then
    genhtml -q --branch-coverage -o html cover.info >genhtml.log 2>&1 || fail "genhtml: $(tail -3 genhtml.log)"
    grep -q 'httpd.c' html/*/index.html html/index.html 2>/dev/null || fail "genhtml shows no httpd.c"
fi
