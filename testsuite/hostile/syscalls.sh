#!/bin/sh
# SPDX-License-Identifier: MIT
# The sandbox of a process that runs guests: it is in force, a guest's whole life makes no system
# call that it refuses, and what it is for cannot be had.
. "$SRCDIR/testsuite/lib.sh"
need strace curl
[ -x "$BUILD/guests/httpd" ] || skip "httpd is not built"
strace -f -o "$TMPDIR/probe" true 2>/dev/null || skip "strace may not trace here"
"$DENALI" run --help >/dev/null || fail "help"
if grep -q fsanitize "$BUILD/config.mk"; then skip "sanitizers run without the sandbox"; fi

# refused TRACE: what failed for want of rights after the filter was there; clone3 is meant to.
refused() {
    awk '/SECCOMP_SET_MODE_FILTER/ { on[$1] = seen = 1 }
         seen && / = -1 (EPERM|EACCES|ENOSYS)/ && !/clone3/ { print }' "$1"
}
traced() {
    name=$1; shift
    strace -f -o "$TMPDIR/$name" "$@" </dev/null >"$TMPDIR/$name.out" 2>&1
}

traced hello "$DENALI" run "$BUILD/guests/hello"
grep -q SECCOMP_SET_MODE_FILTER "$TMPDIR/hello" || skip "this kernel has no seccomp filters"
grep -q Hello "$TMPDIR/hello.out" || fail "$(cat "$TMPDIR/hello.out")"

port=$((20000 + $$ % 9000))
mkdir "$TMPDIR/site"
echo whole >"$TMPDIR/site/index.html"
strace -f -o "$TMPDIR/web" "$DENALI" run -p $port:80 --root "$TMPDIR/site" --timeout 20 "$BUILD/guests/httpd" \
    </dev/null >"$TMPDIR/web.out" 2>&1 &
server=$!
for _try in 1 2 3 4 5 6 7 8 9 10; do
    curl -s -m 5 http://127.0.0.1:$port/ >"$TMPDIR/got" && break
    sleep 0.5
done
pkill -TERM -P $server 2>/dev/null
wait $server
grep -q whole "$TMPDIR/got" || fail "no page: $(cat "$TMPDIR/web.out")"

head -c 65536 /dev/zero >"$TMPDIR/disk"
for run in "--stats --json $BUILD/guests/hello" "--engine interp $BUILD/guests/hello" \
    "--disk data=$TMPDIR/disk $BUILD/guests/disk" "--deterministic $BUILD/guests/hello" \
    "--record $TMPDIR/rec $BUILD/guests/hello" "--verify $BUILD/guests/selfmod" "$BUILD/guests/fault" "--timeout 1 $BUILD/guests/spin"; do
    traced run "$DENALI" run $run
    bad=$(refused "$TMPDIR/run")
    [ -z "$bad" ] || fail "run $run: $bad"
done
for name in hello web; do
    bad=$(refused "$TMPDIR/$name")
    [ -z "$bad" ] || fail "$name: $bad"
done
# Nothing may be opened, started or connected once the guest runs.
for name in hello web; do
    late=$(awk '/SECCOMP_SET_MODE_FILTER/ && !main { main = $1 }
                main && $1 == main && /(openat|execve|socket|connect|fork)\(/ { print }' "$TMPDIR/$name")
    [ -z "$late" ] || fail "$name asks for more after it gave up: $late"
done
