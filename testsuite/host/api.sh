#!/bin/sh
# SPDX-License-Identifier: MIT
# The API by curl: every path and method, what each refuses, and clients that mean harm.
. "$SRCDIR/testsuite/host/lib.sh"
need python3
host_start --workers 1
port=$(free_port)

# want CODE [TEXT]: of the last answer, which is JSON.
want() {
    [ "$code" = "$1" ] || fail "$_method $_path: $code, not $1: $(cat "$TMPDIR/answer")"
    python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$TMPDIR/answer" || fail "no JSON: $(cat "$TMPDIR/answer")"
    [ $# -lt 2 ] || grep -q -e "$2" "$TMPDIR/answer" || fail "$_method $_path: no '$2': $(cat "$TMPDIR/answer")"
}

[ "$(stat -c %a "$DENALI_HOST")" = 600 ] || fail "others can use the socket"
[ "$(stat -c %a "$(dirname "$DENALI_HOST")")" = 700 ] || fail "the socket's folder is open"

api GET /v1/host; want 200 '"api":1'
api GET /v1/vms; want 200 '{"vms":\[\]}'
api POST /v1/vms -d "{\"name\":\"web\",\"image\":\"$BUILD/guests/httpd\",\"args\":[\"/\"],\"root\":\"$TMPDIR/site\",
    \"publish\":[\"$port:80\"],\"memory\":\"256M\",\"env\":[\"A=b\"],\"group\":\"g\"}"
want 201 '"state":"created"'
api POST /v1/vms/web/start; want 200 '"state":"running"'
api GET /v1/vms/1; want 200 '"name":"web"'
await 50 page "$port" || fail "web does not answer"
api GET /v1/vms/web/stats; want 200 '"cpu_ns":[1-9]'
api GET /v1/stats; want 200 '"vms":\[{"id":1'
api GET '/v1/vms?group=g'; want 200 web
api GET '/v1/vms?group=h'; want 200 '{"vms":\[\]}'
api GET '/v1/vms/web/wait?timeout_s=0'; want 200 '"state":"running"'
api GET '/v1/vms/web/logs'
grep -q "httpd" "$TMPDIR/answer" || fail "logs: $(cat "$TMPDIR/answer")"
api POST /v1/vms/web/snapshot -d '{"name":"s"}'; want 201 '"bytes":[1-9]'
api GET /v1/snapshots; want 200 '"name":"s"'
api GET /v1/snapshots/s; want 200 '"spec"'
api POST /v1/snapshots/s/clone -d '{"count":3,"name":"c"}'; want 201 '"started":3'
api DELETE /v1/snapshots/s; want 409 in_use
api POST /v1/vms/c-1/kill; want 200 killed
api DELETE /v1/vms/c-1; want 200
api DELETE /v1/vms/c-2; want 409 wrong_state
api DELETE '/v1/vms/c-2?force=true'; want 200
api DELETE '/v1/vms/c-3?force=true'; want 200
api DELETE /v1/snapshots/s; want 200
api GET /v1/snapshots/s; want 404 not_found
api GET /v1/vms/c-1; want 404 not_found

# A console's input and its answer.
api POST /v1/vms -d "{\"name\":\"tty\",\"image\":\"$BUILD/guests/tty\",\"start\":true}"; want 200
api POST /v1/vms/tty/input --data-binary 'hello
'
want 200 '"taken":6'
api POST /v1/vms/tty/console; want 426 no_upgrade
api DELETE '/v1/vms/tty?force=true'; want 200

# What is wrong is refused, and told.
api GET /; want 404
api GET /v1; want 404
api GET /v1/vms/web/nonsense; want 404
api GET /v1/vms/web/stats/more; want 404
api GET /v2/vms; want 404
api PUT /v1/vms; want 405
api GET /v1/vms/web/start; want 405 POST
api PATCH /v1/vms/web; want 405
api POST /v1/vms -d 'nonsense'; want 400 bad_json
api POST /v1/vms -d '[]'; want 400 bad_json
api POST /v1/vms -d '{"image":"/x","image":"/y"}'; want 400 bad_json
api POST /v1/vms -d '{}'; want 400 image
api POST /v1/vms -d '{"image":7}'; want 400 'must be a string'
api POST /v1/vms -d '{"image":"relative"}'; want 400 absolute
api POST /v1/vms -d '{"image":"/bin/true","colour":"red"}'; want 400 colour
api POST /v1/vms -d '{"image":"/nowhere"}'; want 422 'no file'
api POST /v1/vms -d '{"image":"/etc/passwd"}'; want 422
api POST /v1/vms -d '{"name":"a b","image":"/bin/true"}'; want 400 name
api POST /v1/vms -d '{"name":"web","image":"/bin/true"}'; want 409 name_taken
api POST /v1/vms -d "{\"image\":\"$BUILD/guests/hello\",\"memory\":\"1\"}"; want 422 little
api POST /v1/vms -d "{\"image\":\"$BUILD/guests/hello\",\"publish\":[\"x\"]}"; want 422
api POST /v1/vms -d "{\"image\":\"$BUILD/guests/hello\",\"group\":\"g\",\"ip\":\"192.168.1.1\"}"; want 400 bad_address
api POST /v1/vms -d "{\"image\":\"$BUILD/guests/hello\",\"disks\":[{\"name\":\"d\",\"file\":\"x\"}]}"; want 400 disks
api POST /v1/vms -d "{\"image\":\"$BUILD/guests/hello\",\"quota\":{\"speed\":1}}"; want 400 quota
api POST /v1/vms -d "{\"image\":\"$BUILD/guests/hello\",\"quota\":{\"cap\":50,\"weight\":\"200\",\"console\":100000}}"; want 201
api POST /v1/vms -d "{\"image\":\"/bin/true\",\"args\":[\"\\u0000\"]}"; want 400 bad_json
api POST /v1/vms/web/stop -d '{"grace_s":-1}'; want 400 grace_s
api GET '/v1/vms/web/wait?timeout_s=x'; want 400
api POST /v1/snapshots/none/clone -d '{}'; want 404
api GET /v1/snapshots/..%2f..%2fetc; want 404
api POST /v1/vms/web/snapshot -d '{"name":"../../x"}'; want 400

# Too much.
head -c 3000000 /dev/zero | tr '\0' x >"$TMPDIR/big"
api POST /v1/vms --data-binary "@$TMPDIR/big"; want 413 too_large
api POST /v1/vms -H 'Transfer-Encoding: chunked' --data-binary "@$TMPDIR/big"; want 413 too_large
python3 -c 'print("["*300000)' >"$TMPDIR/deep"
api POST /v1/vms --data-binary "@$TMPDIR/deep"; want 400 bad_json
python3 -c 'print("{\"image\":\"" + "/x"*300000 + "\"}")' >"$TMPDIR/long"
api POST /v1/vms --data-binary "@$TMPDIR/long"; want 400 image

# Those who speak no HTTP, hold connections open, or leave in the middle.
python3 - "$DENALI_HOST" <<'END' || fail "the connections"
import os, random, socket, sys
path = sys.argv[1]
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(path); return s
random.seed(1)
held = []
for i in range(60):
    s = connect()
    s.send([b"", b"GET /v1/vms HT", b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
            b"GET /v1/vms/web/wait HTTP/1.1\r\nHost: x\r\n\r\n"][i % 4])
    held.append(s)
for i in range(60):
    s = connect()
    try:
        s.send(random.randbytes(random.randint(1, 3000)))
        s.shutdown(socket.SHUT_WR)
        while s.recv(4096): pass
    except OSError: pass
    s.close()
for n in (b"-1", b"99999999999999999999", b"abc"):
    s = connect(); s.send(b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: " + n + b"\r\n\r\n{}"); s.close()
s = connect()
s.send(b"GET /v1/host HTTP/1.1\r\nHost: x\r\n\r\n")
assert b"200 OK" in s.recv(4096), "no answer beside the slow ones"
END
api GET /v1/vms/web; want 200 running
page "$port" || fail "web noticed"
host_end
exit 0
