/* SPDX-License-Identifier: MIT */
/* The tables of the interpreter: from a semantic to the function that executes it. */
#include "emu/cpu/interp/interp.h"

#define IMPL(sem, name) [ISA_SEM_##sem] = interp_##name,
const interp_fn interp_table[ISA_SEMS] = {
#include "emu/cpu/interp/interp_flat.def"
#include "emu/cpu/interp/interp_int.def"
#include "emu/cpu/interp/interp_mmx.def"
#include "emu/cpu/interp/interp_sse.def"
#include "emu/cpu/interp/interp_x87.def"
};
const interp_fn interp_table_pc[ISA_SEMS] = {
#include "emu/cpu/interp/interp_int.def"
#include "emu/cpu/interp/interp_mmx.def"
#include "emu/cpu/interp/interp_pc.def"
#include "emu/cpu/interp/interp_sse.def"
#include "emu/cpu/interp/interp_x87.def"
};
#undef IMPL
