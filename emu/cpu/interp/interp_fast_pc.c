/* SPDX-License-Identifier: MIT */
/* The PC machine's functions for common forms. */
#define FORMS_PC 1
#include "emu/cpu/interp/interp_forms.h"

interp_op_fn interp_choose_pc(const struct isa_insn *insn)
{
    return function_of(insn);
}
