/* SPDX-License-Identifier: MIT */
/* Conditions, and which flags software may set from a popped or restored word. */
#include "emu/cpu/flags.h"

/* The even conditions of table B-1; an odd code is the negation of the one before it. */
static bool even_condition(uint32_t f, unsigned cc)
{
    bool sign_differs = !(f & ISA_F_S) != !(f & ISA_F_O);
    switch (cc) {
    case 0x0:
        return f & ISA_F_O;
    case 0x2:
        return f & ISA_F_C;
    case 0x4:
        return f & ISA_F_Z;
    case 0x6:
        return f & (ISA_F_C | ISA_F_Z);
    case 0x8:
        return f & ISA_F_S;
    case 0xa:
        return f & ISA_F_P;
    case 0xc:
        return sign_differs;
    default:
        return sign_differs || (f & ISA_F_Z);
    }
}

bool flags_condition(uint32_t eflags, unsigned cc)
{
    return even_condition(eflags, cc & 0xe) != (cc & 1);
}

void flags_load_user(struct cpu *cpu, uint32_t value, unsigned bytes)
{
    flags_set(cpu, FLAGS_USER & flags_mask(bytes), value);
}
