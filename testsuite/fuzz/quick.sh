#!/bin/sh
# SPDX-License-Identifier: MIT
# Every fuzz target: its regressions, its corpus, and a second of mutations of both that depends
# on the seed alone. SECONDS_EACH=n and SEED=n for others.
# timeout: 300
dir=$SRCDIR/testsuite/fuzz
found=0 targets=0
for target in "$BUILD"/fuzz/*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/}
    max_len=$(sed -n 's/^ \* fuzz:.*max_len=\([0-9]*\).*/\1/p' "$dir/target_$name.c")
    mkdir -p "inputs/$name"
    printf 'denali' >"inputs/$name/seed"
    tar=$dir/corpus/$name.tar.gz
    if [ -f "$tar" ]; then gzip -dc "$tar" | (cd "inputs/$name" && tar -xf -); fi
    for input in "$dir/regress/$name-"*; do
        [ -f "$input" ] && cp "$input" "inputs/$name/"
    done
    targets=$((targets + 1))
    "$target" --seconds "${SECONDS_EACH-1}" --seed "${SEED-1}" --max-len "${max_len:-4096}" \
        "inputs/$name" >"$name.out" 2>"$name.err" && tail -1 "$name.out" && continue
    found=$((found + 1))
    tail -5 "$name.out"
    tail -60 "$name.err"
    [ -f "crash-$name" ] && [ -n "${KEEP-}" ] && cp "crash-$name" "$KEEP/"
done
[ "$targets" -gt 0 ] || { echo "SKIP: no fuzz targets are built (no check library)"; exit 77; }
echo "$targets targets, $found with findings"
[ "$found" -eq 0 ]
