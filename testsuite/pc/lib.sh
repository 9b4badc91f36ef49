# SPDX-License-Identifier: MIT
# For the PC's test scripts: `. "$SRCDIR/testsuite/pc/lib.sh"`.
. "$SRCDIR/testsuite/lib.sh"

# $media is the folder of what they boot.
need_media() {
    media=$("$SRCDIR/testsuite/pc/fetch" "$BUILD/pc-media")
    case $? in
    0) ;;
    77) skip "${media#SKIP: }" ;;
    *) fail "fetch: $media" ;;
    esac
}
need_bios() { [ -f /usr/share/seabios/bios-256k.bin ] || skip "no SeaBIOS (package seabios)"; }

# pc OPTIONS...: its output is in out and err, its status in $status. $engine, if set, is the one.
pc() {
    "$DENALI" pc ${engine:+--engine $engine} "$@" >out 2>err </dev/null
    status=$?
}
# expect STATUS [TEXT]: of the last run; TEXT is a part of its output.
expect() {
    [ "$status" = "$1" ] || fail "status $status, not $1: $(tail -30 out) $(cat err)"
    [ $# -lt 2 ] || grep -q -e "$2" out || fail "output lacks \"$2\": $(tail -40 out)"
}
expect_error() { grep -q -e "$1" err || fail "stderr lacks \"$1\": $(cat err)"; }

# pc_engines: the engines that run a PC in this build.
pc_engines() {
    for engine in $engines; do
        "$DENALI" pc --engine $engine --kernel "$BUILD/pc/guests/hello" --exit-port --timeout 20 \
            >/dev/null 2>probe </dev/null
        grep -q 'does not run this processor' probe || printf '%s ' $engine
    done
    engine=''
}
# is_png FILE: a picture of at least some bytes.
is_png() { [ "$(head -c 4 "$1" | tail -c 3)" = PNG ] || fail "$1 is no PNG file"; }
