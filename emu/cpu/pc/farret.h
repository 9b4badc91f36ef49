/* SPDX-License-Identifier: MIT */
/* What RETF and IRET share in protected mode. */
#ifndef DENALI_FARRET_H
#define DENALI_FARRET_H

#include "emu/cpu/pc/stack.h"

/* A return on its way: what was popped, and where it leads. */
struct farret {
    uint32_t eip, cs;
    unsigned bytes; /* of a popped word */
    uint32_t drop;  /* bytes of parameters, on both stacks */
    struct desc code;
    struct stack stack; /* after the pops */
};

/*
 * From popped CS:EIP to a return to the same or an outer level, committed when
 * it succeeds; an outer one pops SS:eSP after `drop` bytes.
 */
MUST_CHECK enum cpu_status farret_go(struct cpu *cpu, struct farret *ret);

#endif
