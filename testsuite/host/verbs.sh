#!/bin/sh
# SPDX-License-Identifier: MIT
# Every verb, as a script uses it: what it prints, and its exit status.
. "$SRCDIR/testsuite/host/lib.sh"

# verb STATUS WORDS...: runs denali WORDS; output in $TMPDIR/out, err.
verb() {
    _want=$1
    shift
    "$DENALI" "$@" >"$TMPDIR/out" 2>"$TMPDIR/err"
    status=$?
    [ $status -eq "$_want" ] || fail "denali $*: status $status, not $_want: $(cat "$TMPDIR/out" "$TMPDIR/err")"
}
says() { grep -q -e "$1" "$TMPDIR/out" "$TMPDIR/err" || fail "no '$1' in: $(cat "$TMPDIR/out" "$TMPDIR/err")"; }

# Without a daemon.
verb 125 ps
says "start one: denali host"

host_start --workers 2
port=$(free_port)

for v in host create start stop kill rm ps inspect stats console logs snapshot clone wait; do
    verb 0 help $v
    says "usage: denali $v"
    says "Exit status"
done

# create: names, refusals.
verb 0 create --name hello "$BUILD/guests/hello"
says '^hello$'
verb 1 create --name hello "$BUILD/guests/hello"
says "already"
verb 1 create --name 12 "$BUILD/guests/hello"
verb 1 create --name lost "$TMPDIR/nothing-here"
says "no file"
verb 1 create --memory 3 "$BUILD/guests/hello"
verb 125 create --nonsense "$BUILD/guests/hello"
verb 125 create
verb 0 create "$BUILD/guests/hello"
says '^vm-[0-9]*$'
verb 1 start nobody
says "there is no VM nobody"

# A VM that ends by itself: its output, its status.
verb 0 start hello
verb 0 wait hello
says "exit, status 0"
verb 0 logs hello
says "Hello from a Denali virtual machine"
verb 0 console --log hello
says "Hello from a Denali virtual machine"
verb 0 ps
says "hello .*ended"
verb 0 create --name faulty "$BUILD/guests/fault" read
verb 0 start faulty
verb 120 wait --timeout 20 faulty

# A server.
make_httpd web "$port"
verb 0 start web
await 50 page "$port" || fail "web does not answer"
verb 0 start web
verb 124 wait --timeout 1 web
verb 0 stats web
says "web"
verb 0 stats --json
says '"cpu_ns"'
verb 0 inspect web
says '"state": "running"'
verb 0 inspect --json
says '"workers":\['
verb 1 rm web
says "stop it first"

# Snapshot and clones.
verb 0 snapshot web s1
verb 1 snapshot web s1
verb 0 clone -n 20 --name c s1
[ "$(wc -l <"$TMPDIR/out")" -eq 20 ] || fail "not 20 clones"
says '^c-20 10\.'
verb 0 clone --name single --group other s1 --json
says '"started":1'
verb 1 clone --name c-3 s1
verb 1 clone -n 2 nothing
verb 1 rm --snapshot s1
says "clones"
verb 0 ps --group other
says single

# The end.
verb 0 stop web
verb 0 ps
says "web .*ended"
page "$port" && fail "web answers, though it was stopped"
verb 0 start web
await 50 page "$port" || fail "web does not answer after its second start"
verb 0 kill web
verb 137 wait web
verb 0 rm web hello
verb 1 inspect web
verb 0 rm -f single
for i in 1 2 3; do verb 0 rm -f c-$i; done

host_end
verb 125 ps
exit 0
