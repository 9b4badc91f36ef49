#!/bin/sh
# SPDX-License-Identifier: MIT
# Captures of a real 80286: every instruction in real mode, each engine that runs a PC.
set -u
tar=$SRCDIR/../shared/vectors/80286-real-mode.tar.gz
[ -r "$tar" ] || { echo "SKIP: no captures in ../shared/vectors"; exit 77; }
tar -xzf "$tar" || exit 1
find . -name '*.MOO' >list
for engine in interp dbt; do
    xargs "$BUILD/pc/vectors" --engine "$engine" <list >"$engine.out" 2>&1
    status=$?
    cat "$engine.out"
    # an engine that does not run a PC yet says so
    grep -q '^SKIP' "$engine.out" && [ "$engine" != interp ] && continue
    [ $status -eq 0 ] || exit 1
done
