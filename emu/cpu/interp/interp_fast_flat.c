/* SPDX-License-Identifier: MIT */
/* The flat machine's functions for common forms. */
#define FORMS_PC 0
#include "emu/cpu/interp/interp_forms.h"

interp_op_fn interp_choose_flat(const struct isa_insn *insn)
{
    return function_of(insn);
}
