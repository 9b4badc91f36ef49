#!/bin/sh
# SPDX-License-Identifier: MIT
# A client that comes before the guest has booted is served when it has, not seconds later; where
# nobody listens, it is told so when the first seconds are over.
. "$SRCDIR/testsuite/lib.sh"
for f in denali denali-nat guests/httpd guests/ilwaco helpers/fetch; do
    [ -f "$BUILD/$f" ] || skip "$f is not built"
done
mkdir "$TMPDIR/site" && echo page >"$TMPDIR/site/index.html"
vm=
trap '[ -n "$vm" ] && kill $vm 2>/dev/null' EXIT
port=$(($$ % 12000 + 20000))
start() {
    port=$((port + 1))
    "$DENALI" run -p $port:$1 --root "$TMPDIR/site" "$BUILD/guests/httpd" >"$TMPDIR/vm" 2>&1 </dev/null &
    vm=$!
}
end() { kill $vm; wait $vm 2>/dev/null; vm=; }

for try in 1 2 3 4 5; do
    start 80
    if ! "$BUILD/helpers/fetch" $port / 10 >"$TMPDIR/out"; then
        grep -q 'in use' "$TMPDIR/vm" || fail "no answer: $(cat "$TMPDIR/vm")"
        continue # somebody else has that port
    fi
    end
    ms=$(sed -n 's/^\([0-9]*\)\.[0-9]* ms from.*/\1/p' "$TMPDIR/out")
    [ "$ms" -lt 5000 ] || fail "the first client waited $ms ms"
done
start 81
sleep 0.5
if timeout 20 "$BUILD/helpers/fetch" $port / 1 >"$TMPDIR/out" 2>&1; then fail "somebody answered on port 81"; fi
end
exit 0
