#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 120
# Instructions in segments with limits, held against the host's CPU, by each engine that runs a PC.
for engine in interp dbt; do
    "$BUILD/insn/segments" --runners "$engine" --count 25 || exit
done
