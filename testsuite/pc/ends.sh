#!/bin/sh
# SPDX-License-Identifier: MIT
# The host's ends: serial lines by pty, socket (both ways round), pipe and file; a window that no
# screen shows (SDL's dummy driver); the text screen where there is no terminal.
# timeout: 120
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
echo=$BUILD/pc/guests/echo
[ -f "$echo" ] || skip "no guests were built"
need python3
# Talks to a line: pty PATH, connect PATH or listen PATH; waits for the greeting, says a few words.
cat >talk.py <<'END'
import os, socket, sys
kind, path = sys.argv[1:]
if kind == "pty":
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
elif kind == "connect":
    s = socket.socket(socket.AF_UNIX); s.connect(path); fd = s.fileno()
else:
    l = socket.socket(socket.AF_UNIX); l.bind(path); l.listen(1); print("listening", flush=True)
    s, _ = l.accept(); fd = s.fileno()
words = b"denali\x01x pc q"
if kind == "connect":  # what was said before somebody listened is gone
    os.write(fd, words)
got = b""
while not got.endswith(b"Q"):
    try:
        more = os.read(fd, 100)
    except OSError:  # a terminal whose other side is gone
        break
    if not more:
        break
    got += more
    if got.endswith(b"\n") and kind != "connect":
        os.write(fd, words)
print(got)
END
# until_there COMMAND...: waits for up to ten seconds.
until_there() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        "$@" 2>/dev/null && return
        sleep 0.5
    done
    fail "not there: $* $(cat err 2>/dev/null)"
}
start() {
    "$DENALI" pc --kernel "$echo" --exit-port --timeout 60 "$@" >out 2>err </dev/null &
    guest=$!
}
ended() {
    wait $guest
    status=$?
    expect 11
    grep -q 'DENALI' said || fail "the line said: $(cat said)"
}
start --serial pty
until_there grep -q 'serial line is' err
python3 talk.py pty "$(sed -n 's/.*serial line is //p' err)" >said 2>&1
ended
start --serial unix:sock
until_there test -S sock
python3 talk.py connect sock >said 2>&1
ended
[ -e sock ] && fail "the socket was left behind"
python3 talk.py listen sock2 >said 2>&1 &
until_there grep -q listening said
start --serial unix:sock2
ended
{ sleep 1; printf 'abc q'; } | "$DENALI" pc --kernel "$echo" --exit-port --timeout 30 --serial stdio >out 2>err
status=$?
expect 11 'ABC Q'
pc --kernel "$echo" --exit-port --timeout 2 --serial file:log
expect 124
grep -q hello log || fail "the file holds: $(cat log)"
start --serial file:log2 --serial unix:sock3
until_there test -S sock3
kill -TERM $guest
wait $guest
status=$?
expect 143
[ -e sock3 ] && fail "a socket was left behind"
# Displays.
g=$BUILD/pc/guests
cp "$g/game" game && truncate -s 1440K game
if [ -f /usr/share/seabios/bios-256k.bin ]; then
    SDL_VIDEODRIVER=dummy "$DENALI" pc --fda game --boot a --display sdl --at 2 --screenshot g.png \
        --timeout 20 >out 2>err </dev/null
    status=$?
    if ! grep -q 'SDL' err; then
        expect 124
        is_png g.png
    fi
    SDL_VIDEODRIVER=none pc --kernel "$echo" --display sdl --timeout 2
    expect 125
    expect_error .
    pc --kernel "$echo" --display text --serial null --timeout 2
    case $status in 124 | 125) ;; *) fail "--display text without a terminal: $status $(cat err)" ;; esac
fi
exit 0
