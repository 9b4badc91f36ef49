#!/bin/sh
# SPDX-License-Identifier: MIT
# httpd: what it answers, natively and in a VM: files, ranges, conditions, listings, errors,
# pipelining. The same binary everywhere.
# timeout: 120
. "$SRCDIR/testsuite/net/lib.sh"
tools curl socat cmp

# code EXPECTED CURL-ARGUMENTS...
code() {
    want=$1
    shift
    got=$(curl -m 20 -s -o "$TMPDIR/body" -D "$TMPDIR/head" -w '%{http_code}' "$@") || fail "$mode: curl $*: $?"
    [ "$got" = "$want" ] || fail "$mode: $(echo "$*" | cut -c1-200): $got, not $want"
}
header() { grep -qi "^$1" "$TMPDIR/head" || fail "$mode: no header $1: $(cat "$TMPDIR/head")"; }
# raw EXPECTED BYTES: the status line of a request as it is.
raw() {
    got=$(printf "$2" | timeout 10 socat -t 5 - TCP:127.0.0.1:$port | head -1 | cut -c1-12)
    [ "$got" = "HTTP/1.1 $1" ] || fail "$mode: $2: '$got', not $1"
}

checks() {
    code 200 $url/ && cmp "$TMPDIR/body" "$TMPDIR/site/index.html" || fail "$mode: index"
    header 'Content-Type: text/html'
    code 200 $url/k300 && cmp "$TMPDIR/body" "$TMPDIR/site/k300" || fail "$mode: k300"
    code 200 $url/nothing
    [ ! -s "$TMPDIR/body" ] || fail "$mode: an empty file has a body"
    code 200 -I $url/k300
    header 'Content-Length: 300000'
    code 301 $url/sub
    header 'Location: /sub/'
    code 200 $url/list/
    grep -q 'a%20b%3Cc%3E.txt">a b&lt;c&gt;.txt' "$TMPDIR/body" || fail "$mode: listing: $(cat "$TMPDIR/body")"
    code 200 "$url/list/a%20b%3cc%3e.txt"
    code 404 $url/missing
    code 404 $url/index.html/
    code 403 --path-as-is $url/../etc/passwd
    code 403 --path-as-is $url/sub/%2e%2e/%2E%2e/etc/passwd
    code 200 --path-as-is $url/sub/../k1
    code 400 $url/%00
    code 400 $url/%zz
    code 405 -X DELETE $url/k1
    header 'Allow: GET, HEAD'
    code 501 -X BREW $url/k1
    code 501 -H 'Transfer-Encoding: chunked' -d x $url/
    code 413 -H 'Content-Length: 9999999' -d x $url/
    code 414 $url/$(head -c 5000 /dev/zero | tr '\0' a)
    code 431 -H "X: $(head -c 9000 /dev/zero | tr '\0' a)" $url/
    code 206 -r 100-199 $url/k1
    header 'Content-Range: bytes 100-199/1000'
    head -c 200 "$TMPDIR/site/k1" | tail -c 100 | cmp - "$TMPDIR/body" || fail "$mode: range"
    code 206 -r -5 $url/k1
    tail -c 5 "$TMPDIR/site/k1" | cmp - "$TMPDIR/body" || fail "$mode: the last bytes"
    code 206 -r 999- $url/k1
    code 416 -r 1000- $url/k1
    header 'Content-Range: bytes \*/1000'
    code 200 -r 0-1,5-6 $url/k1
    code 304 -z "$(date -uR)" $url/k1
    code 200 -z 'Thu, 01 Jan 1998 00:00:00 GMT' $url/k1
    code 304 -H "If-None-Match: $(curl -sI $url/k1 | sed -n 's/^ETag: //p' | tr -d '\r')" $url/k1
    code 200 --http1.0 $url/k1
    raw 505 'GET / HTTP/2.0\r\nHost: x\r\n\r\n'
    raw 400 'GET /\r\n\r\n'
    raw 400 'GET / HTTP/1.1\r\n\r\n'
    raw 400 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'
    raw 400 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'
    raw 200 '\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'
    # Three at once: whole responses, in order.
    request='GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n'
    { printf "$request" k1 ''; printf "$request" k300 ''; printf "$request" nothing 'Connection: close\r\n'; } |
        timeout 10 socat -t 5 - TCP:127.0.0.1:$port >"$TMPDIR/three"
    [ "$(grep -a -c '^HTTP/1.1 200' "$TMPDIR/three")" -ge 1 ] || fail "$mode: pipelining"
    size=$(wc -c <"$TMPDIR/three")
    [ "$size" -gt 301000 ] && [ "$size" -lt 302500 ] || fail "$mode: pipelining: $size bytes"
}

site "$TMPDIR/site"
for mode in native $engines; do
    serve $mode "$TMPDIR/site"
    checks
    stop
done
