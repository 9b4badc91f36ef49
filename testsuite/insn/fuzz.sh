#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 120
# A short run of the fuzzer on every runner; make fuzz-quick is the long one.
[ -x "$BUILD/insn/fuzz" ] || { echo "SKIP: insn/fuzz is not built"; exit 77; }
exec "$BUILD/insn/fuzz" --count 60000 --runners interp,dbt,slices,tight,lockstep,shared
