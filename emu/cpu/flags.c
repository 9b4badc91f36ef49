/* SPDX-License-Identifier: MIT */
/* Which flags software may set from a popped or restored word. */
#include "emu/cpu/flags.h"

void flags_load_user(struct cpu *cpu, uint32_t value, unsigned bytes)
{
    flags_set(cpu, FLAGS_USER & flags_mask(bytes), value);
    if (cpu->eflags & CPU_EFLAGS_TF)
        cpu->code_written = 1; /* the interpreter's block ends: the next instruction traps */
}
