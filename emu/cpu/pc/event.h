/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts on their way into a handler (SDM volume 3, chapter
 * 6), and the task switch that a gate may ask for (chapter 7).
 */
#ifndef DENALI_EVENT_H
#define DENALI_EVENT_H

#include "emu/cpu/pc/desc.h"

enum event_kind {
    EVENT_FAULT,     /* an exception whose instruction has not been executed */
    EVENT_TRAP,      /* one that follows an instruction; INT1 */
    EVENT_INTERRUPT, /* from outside */
    EVENT_SOFTWARE,  /* INT n, INT3, INTO */
};

struct event {
    enum event_kind kind;
    uint8_t vector;
    bool has_error;
    uint32_t error;
};

/*
 * Goes through the interrupt table; cpu->eip is what the handler returns to. On
 * CPU_FAULT nothing has changed, unless pc.committed says that the fault belongs
 * to a new task.
 */
MUST_CHECK enum cpu_status event_enter(struct cpu *cpu, const struct event *event);

/*
 * The same, and what follows when that faults: the next exception, a double
 * fault, or shutdown (CPU_EXIT with ENGINE_EXIT_SHUTDOWN). Never CPU_FAULT.
 */
MUST_CHECK enum cpu_status event_deliver(struct cpu *cpu, const struct event *event);
/* Delivers cpu->fault. */
MUST_CHECK enum cpu_status event_deliver_fault(struct cpu *cpu);

enum task_cause { TASK_JUMP, TASK_CALL, TASK_EVENT, TASK_RETURN };

struct task_error {
    bool present;
    uint32_t code;
};

/*
 * Switches to the task whose descriptor has been checked by the caller (type,
 * privilege, presence). CPU_FAULT before the new task is there leaves the old
 * one as it was; after that pc.committed is set. `eflags` is the image that the
 * old task gets.
 */
MUST_CHECK enum cpu_status task_switch(struct cpu *cpu, uint32_t selector, struct desc *tss,
                                       enum task_cause cause, uint32_t eflags,
                                       const struct task_error *error);

/* Reads the TSS descriptor of a far transfer or task gate: CPU_GP unless it is an available one,
 * CPU_NP. `ext` is added to error codes. */
MUST_CHECK enum cpu_status task_find(struct cpu *cpu, uint32_t selector, uint32_t ext,
                                     struct desc *out);

/* event_286.c, for that model in real mode: what cpu->fault is there, and what it leaves behind. */
void event_as_286(struct cpu *cpu);

#endif
