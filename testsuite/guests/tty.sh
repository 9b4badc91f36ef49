#!/bin/sh
# SPDX-License-Identifier: MIT
# A person's terminal: modes, signals, and that it is given back as it was found on every way out.
# timeout: 120
. "$SRCDIR/testsuite/lib.sh"
need stty
[ -x "$DENALI" ] && [ -x "$BUILD/guests/tty" ] && [ -x "$BUILD/helpers/pty" ] || skip "tty is not built"

# on_tty KEYS COMMANDS: types the lines of KEYS; what the terminal showed is in $TMPDIR/screen.
on_tty() {
    printf '%s\n' "$1" >"$TMPDIR/keys"
    cat >"$TMPDIR/script" <<END
tty() { "$DENALI" run --engine $engine "\$@"; echo "status \$?"; }
before=\$(stty -g)
trap : INT QUIT
$2
[ "\$before" = "\$(stty -g)" ] && echo same || echo "the terminal differs"
END
    "$BUILD/helpers/pty" "$TMPDIR/keys" sh "$TMPDIR/script" | tr -d '\r' >"$TMPDIR/screen"
}
shows() {
    for _t; do
        grep -q -e "$_t" "$TMPDIR/screen" || fail "$engine: the screen lacks '$_t': $(cat "$TMPDIR/screen")"
    done
}

guest=$BUILD/guests/tty
for engine in $engines; do
    # Lines: the host echoes and edits; Ctrl-C and Ctrl-\ are signals that the guest hears; Ctrl-D ends.
    on_tty 'ab\x7f\n
\x03
\x1c
\x04' "tty $guest"
    shows 'ready 80x24' '^ab' '<61>' '<0a>' 'signals 1' 'signals 2' 'status 5' same
    grep -q '<62>' "$TMPDIR/screen" && fail "$engine: the erased byte came"
    # Raw: bytes as they are typed, and nothing is echoed.
    on_tty '\x03a\x7f\x04\n
q' "tty $guest raw"
    shows '<03>' '<61>' '<7f>' '<04>' '<0d>' 'status 3' same
    # A fault, the time, and a kill in raw mode leave the terminal as it was.
    on_tty f "tty $guest raw"
    shows 'page fault' 'status 120' same
    on_tty x "tty --timeout 1 $guest raw"
    shows 'status 124' same
    on_tty x "(sleep 1; kill -TERM \$(cat $TMPDIR/pid)) &
sh -c 'echo \$\$ >$TMPDIR/pid; exec \"$DENALI\" run --engine $engine $guest raw deaf'; echo status \$?"
    shows 'status 143' same
    # Even a kill that nobody hears.
    on_tty x "(sleep 1; kill -KILL \$(cat $TMPDIR/pid)) &
sh -c 'echo \$\$ >$TMPDIR/pid; exec \"$DENALI\" run --engine $engine $guest raw'; echo status \$?; sleep 0.2"
    shows 'status 137' same
    # A guest without an upcall dies of Ctrl-C as any program, also while it computes.
    on_tty '\x03' "tty $guest deaf"
    shows 'status 130' same
    on_tty 's\n
\x03' "tty $guest deaf"
    shows 'status 130' same
    # One that computes hears it in time.
    on_tty 's\n
\x03
\x03
\x1c' "tty --timeout 4 $guest"
    shows 'signals 1' 'signals 2' 'status 124' same
done
