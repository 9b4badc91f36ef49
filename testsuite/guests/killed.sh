#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 200
# kill -9 at random moments: every write that was told as complete is there, none is torn. On a raw
# image, on a layer, and on a layer on a layer.
. "$SRCDIR/testsuite/lib.sh"
cd "$TMPDIR" || exit 1
trials=${KILL_TRIALS:-12}

for kind in raw layer layers; do
    truncate -s 1M image-$kind
    case $kind in
    raw) spec=image-raw ;;
    layer) spec=image-layer,cow=one ;;
    layers)
        "$DENALI" run --timeout 0.2 --disk data=image-layers,cow=low "$BUILD/guests/ledger" >told-$kind
        spec=image-layers,cow=low,cow=high
        ;;
    esac
    trial=0
    while [ $trial -lt "$trials" ]; do
        trial=$((trial + 1))
        "$DENALI" run --disk data="$spec" "$BUILD/guests/ledger" >told 2>err &
        vm=$!
        while ! [ -s told ] && kill -0 $vm 2>/dev/null; do sleep 0.01; done
        sleep "0.0$(awk "BEGIN { srand($$ + $trial); printf \"%d\", 3 + rand() * 6 }")$trial"
        kill -9 $vm 2>/dev/null || fail "$kind: it ended by itself: $(cat told err)"
        wait $vm 2>/dev/null
        # The last line may have been cut.
        awk 'NF == 2 { if (last != "") print last; last = $0 }' told >>told-$kind
        "$DENALI" run --disk data="$spec,ro" "$BUILD/guests/ledger" read >found 2>err ||
            fail "$kind, trial $trial: $(cat found err)"
        grep -q torn found && fail "$kind, trial $trial: torn: $(grep torn found)"
        awk 'NR == FNR { if ($2 + 0 > told[$1]) told[$1] = $2 + 0; next }
            $2 + 0 < told[$1] { print "block " $1 ": " $2 ", but " told[$1] " was complete"; bad = 1 }
            END { exit bad }' told-$kind found || fail "$kind, trial $trial: a write is lost"
    done
    [ "$(wc -l <told-$kind)" -gt 100 ] || fail "$kind: only $(wc -l <told-$kind) writes"
done
"$DENALI" disk check high >/dev/null || fail "the layer is damaged"
exit 0
