#!/bin/sh
# SPDX-License-Identifier: MIT
# wget of busybox from a server on the host: the file arrives whole.
# timeout: 120
. "$SRCDIR/testsuite/debian/lib.sh"
# The server is the same busybox, native.
mkdir -p "$TMPDIR/site"
dd if=/dev/urandom of="$TMPDIR/site/large" bs=100000 count=50 2>/dev/null
echo "a page" >"$TMPDIR/site/index.html"
port=$(($$ % 12000 + 20000))
"$root/bin/busybox" httpd -f -p 127.0.0.1:$port -h "$TMPDIR/site" &
server=$!
trap 'kill $server 2>/dev/null' EXIT
sleep 0.5
kill -0 $server 2>/dev/null || skip "no server on port $port"
# The host is 10.0.2.2 in the guest's network.
for name in index.html large; do
    denali busybox wget -q -O - http://10.0.2.2:$port/$name >"$TMPDIR/got" 2>"$TMPDIR/err" ||
        fail "$name: $(cat "$TMPDIR/err")"
    cmp "$TMPDIR/site/$name" "$TMPDIR/got" || fail "$name differs"
done
denali busybox wget -q -O - http://10.0.2.2:$port/missing >"$TMPDIR/got" 2>"$TMPDIR/err" && fail "a missing page was fetched"
grep -q 404 "$TMPDIR/err" || fail "no 404: $(cat "$TMPDIR/err")"
exit 0
