#!/bin/sh
# SPDX-License-Identifier: MIT
# Every process that a stranger's bytes reach is in a sandbox: system calls filtered, no new
# privileges, no core files; and none ever has memory that is writable and executable.
. "$SRCDIR/testsuite/lib.sh"
need curl
[ -x "$BUILD/denali-host" ] && [ -x "$BUILD/guests/httpd" ] || skip "the daemon or httpd is not built"
if grep -q fsanitize "$BUILD/config.mk"; then skip "sanitizers run without the sandbox"; fi
grep -q '^Seccomp:' /proc/self/status || skip "this kernel has no seccomp"

inside() { # PID NAME
    grep -q '^Seccomp:.*2' "/proc/$1/status" || fail "$2 ($1) has no filter"
    grep -q '^NoNewPrivs:.*1' "/proc/$1/status" || fail "$2 ($1) may get new privileges"
    grep -q 'Max core file size *0 *0' "/proc/$1/limits" || fail "$2 ($1) may write core files"
    if grep -E '^[0-9a-f-]+ .wx' "/proc/$1/maps" 2>/dev/null; then
        fail "$2 ($1) has memory that is writable and executable"
    fi
    grep -q 'Max locked memory *0 *0' "/proc/$1/limits" || [ "$2" = NAT ] || fail "$2 ($1) may lock memory"
    for _fd in /proc/"$1"/fd/*; do
        [ "$(readlink "$_fd")" != "$TMPDIR/secret" ] || fail "$2 ($1) holds a descriptor that it was started with"
    done
}
# What whoever starts us has open is none of theirs.
echo secret >"$TMPDIR/secret"
exec 7<"$TMPDIR/secret" 9<"$TMPDIR/secret"
# child NAME PARENT: its pid.
child() {
    for pid in $(cat "/proc/$2"/task/*/children 2>/dev/null); do
        grep -qs -- "$1" "/proc/$pid/cmdline" && echo "$pid" && return
    done
}

socket=$TMPDIR/s
export DENALI_HOST="$socket"
mkdir "$TMPDIR/site"
echo whole >"$TMPDIR/site/index.html"
"$DENALI" host --socket "$socket" --state "$TMPDIR/state" --workers 1 --orphan 1 >"$TMPDIR/log" 2>&1 &
daemon=$!
trap 'kill $daemon 2>/dev/null; wait $daemon' EXIT
for _try in 1 2 3 4 5 6 7 8 9 10; do [ -S "$socket" ] && break; sleep 0.5; done
port=$((20000 + $$ % 9000))
"$DENALI" create --name web -p $port:80 --root "$TMPDIR/site" "$BUILD/guests/httpd" >"$TMPDIR/out" 2>&1 ||
    fail "$(cat "$TMPDIR/out" "$TMPDIR/log")"
"$DENALI" start web >"$TMPDIR/out" 2>&1 || fail "$(cat "$TMPDIR/out" "$TMPDIR/log")"
for _try in 1 2 3 4 5 6 7 8 9 10; do
    curl -s -m 5 http://127.0.0.1:$port/ >"$TMPDIR/got" && break
    sleep 0.5
done
grep -q whole "$TMPDIR/got" || fail "no page: $(cat "$TMPDIR/log")"
"$DENALI" create --name boss --group g --supervisor --root "$TMPDIR/site" "$BUILD/guests/httpd" >"$TMPDIR/out" 2>&1 &&
    "$DENALI" start boss >"$TMPDIR/out" 2>&1 || fail "$(cat "$TMPDIR/out")"
worker=$(child --worker $daemon)
[ -n "$worker" ] || fail "no worker"
nat=$(child denali-nat "$worker")
[ -n "$nat" ] || fail "no NAT"
bridge=$(child --bridge "$worker")
inside $daemon daemon
inside "$worker" worker
inside "$nat" NAT
# Of the worker's files it has none.
for _fd in /proc/"$nat"/fd/*; do
    case $_fd:$(readlink "$_fd") in
    *:socket:* | *:/dev/null | *:pipe:* | *:anon_inode:* | */[012]:* | *:) ;;
    *) fail "the NAT holds $(readlink "$_fd")" ;;
    esac
done
[ -n "$bridge" ] || fail "no bridge"
inside "$bridge" bridge

# The others, while they run; and the debugger works inside.
"$DENALI" run --record "$TMPDIR/rec" "$BUILD/guests/hello" >/dev/null 2>&1 || fail "no recording"
"$DENALI" run --timeout 100 "$BUILD/guests/spin" >/dev/null 2>&1 &
run=$!
(sleep 8; echo quit) | "$DENALI" debug "$BUILD/guests/hello" >"$TMPDIR/debug" 2>&1 &
for _try in 1 2 3 4 5 6 7 8 9 10; do
    debugger=$(child debug $$)
    [ -n "$debugger" ] && grep -q '^Seccomp:.*2' "/proc/$debugger/status" && break
    sleep 0.3
done
inside $run run
[ -n "$debugger" ] || fail "no debugger"
inside "$debugger" debugger
kill $run
if [ -f /usr/share/seabios/bios-256k.bin ]; then
    SDL_VIDEODRIVER=dummy "$DENALI" pc --display sdl --timeout 100 >"$TMPDIR/pc" 2>&1 </dev/null &
    pc=$!
    for _try in 1 2 3 4 5 6 7 8 9 10; do
        grep -q '^Seccomp:.*2' "/proc/$pc/status" && break
        sleep 1
    done
    grep -q SDL "$TMPDIR/pc" || inside $pc "PC with a window"
    kill $pc
fi
printf 'break guest_main\ncontinue\ninfo registers\nquit\n' | "$DENALI" debug "$BUILD/guests/hello" >"$TMPDIR/debug" 2>&1
grep -qi eip "$TMPDIR/debug" || fail "the debugger inside: $(cat "$TMPDIR/debug")"
"$DENALI" replay -q "$TMPDIR/rec" >"$TMPDIR/out" 2>&1 || fail "$(cat "$TMPDIR/out")"

# What all of them ask of memory, from their first instruction to their last.
command -v strace >/dev/null && strace -f -o /dev/null true 2>/dev/null || exit 0
for what in "run $BUILD/guests/selfmod" "replay -q $TMPDIR/rec" "debug --commands /dev/null $BUILD/guests/hello"; do
    strace -f -e trace=mmap,mprotect,pkey_mprotect -o "$TMPDIR/trace" "$DENALI" $what </dev/null >/dev/null 2>&1
    if grep 'PROT_WRITE.*PROT_EXEC\|PROT_EXEC.*PROT_WRITE' "$TMPDIR/trace"; then fail "$what: both at once"; fi
    late=$(awk '/SECCOMP_SET_MODE/ { on = 1 } on && /mprotect/ && /PROT_EXEC/' "$TMPDIR/trace")
    [ -z "$late" ] || fail "$what: $late"
done
