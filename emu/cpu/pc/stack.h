/* SPDX-License-Identifier: MIT */
/*
 * A stack that is not (yet) SS:eSP: what transfers of control push to and pop
 * from before they commit. Nothing of the processor changes; memory below the
 * top may.
 */
#ifndef DENALI_STACK_H
#define DENALI_STACK_H

#include "emu/cpu/pc/desc.h"

struct stack {
    struct cpu_seg seg;
    uint32_t esp;
    bool user;      /* memory is accessed with ring 3's rights */
    uint32_t error; /* error code of its #SS */
};

/* The present one. */
struct stack stack_present(const struct cpu *cpu);
/* Makes it the present one: SS, and as much of eSP as the stack is wide. */
void stack_commit(struct cpu *cpu, const struct stack *stack);

MUST_CHECK enum cpu_status stack_push(struct cpu *cpu, struct stack *stack, uint32_t value,
                                      unsigned bytes);
/* A selector: only its 16 bits are written. */
MUST_CHECK enum cpu_status stack_pop(struct cpu *cpu, struct stack *stack, unsigned bytes,
                                     uint32_t *value);
void stack_drop(struct stack *stack, uint32_t bytes);

/*
 * The stack that the task state has for a more privileged level, checked:
 * SS:eSP's faults are CPU_TS, CPU_SS, with `ext` in the error code. Its SS
 * descriptor, to be marked accessed when nothing else can fail.
 */
MUST_CHECK enum cpu_status stack_of_level(struct cpu *cpu, unsigned level, uint32_t ext,
                                          struct stack *out, struct desc *ss);

#endif
