/* SPDX-License-Identifier: MIT */
/*
 * Debugging of one processor: breakpoints and watchpoints that stop run().
 *
 * A processor without a debugger has cpu->debug == NULL and pays nothing. With
 * one, code that no breakpoint and no watchpoint touches still runs at full
 * speed. The guest cannot see any of it: no byte of its memory is changed.
 *
 *   breakpoint   run() ends with ENGINE_EXIT_BREAKPOINT before the instruction
 *                at that linear address, each time control comes there;
 *   watchpoint   run() ends with ENGINE_EXIT_WATCHPOINT after an instruction
 *                that touched the range; debug->now.hit tells how. Only what
 *                instructions do counts: not the host's devices, not the
 *                virtual registers that it writes. A write that does not change
 *                the value is a write. A repeated string instruction is one
 *                instruction: it stops after all its elements; the first touch
 *                is told.
 *
 * All calls: from the thread that runs the processor, outside run(). Changes
 * take effect at the next run(); setting and removing the same thing in between
 * costs nothing. Breakpoints and watchpoints are counted: as many removals as
 * insertions undo it, so that two front ends need not know of each other.
 *
 * Single step: run(cpu, 1). At a breakpoint, call cpu_debug_pass first.
 */
#ifndef DENALI_CPU_DEBUG_H
#define DENALI_CPU_DEBUG_H

#include "emu/cpu/cpu.h"
#include "emu/cpu/engine.h"

enum cpu_watch_access { CPU_WATCH_READ = 1, CPU_WATCH_WRITE = 2, CPU_WATCH_ACCESS = 3 };

#define CPU_WATCH_VALUE 16u     /* bytes of old and new value that a hit keeps */
#define CPU_WATCH_MAX_PAGES 256 /* one watchpoint covers at most */

/* What the last ENGINE_EXIT_WATCHPOINT was for. */
struct cpu_watch_hit {
    uint32_t eip;    /* of the instruction that did it; cpu->eip is already after it */
    uint32_t linear; /* first byte of the watched range that was touched */
    uint32_t len;    /* bytes of it, from there */
    uint8_t access;  /* CPU_WATCH_READ, CPU_WATCH_WRITE: what the instruction did there */
    uint32_t at;     /* the watchpoint: as it was set */
    uint32_t at_len;
    uint8_t at_access;
    uint8_t values;                  /* bytes kept: at_len, CPU_WATCH_VALUE at most; of a device's
                                      * memory none, and each access is told */
    uint8_t before[CPU_WATCH_VALUE]; /* the watched range's, before the instruction */
    uint8_t after[CPU_WATCH_VALUE];
};

struct cpu_break {
    uint32_t linear;
    uint32_t count; /* insertions; 0: gone, and the engine does not know yet */
    bool known;     /* to the engine */
};

struct cpu_watch {
    uint32_t linear, len;
    uint8_t access;
    uint32_t count;
};

/* What changes while the processor runs. */
struct cpu_debug_now {
    bool passes; /* see cpu_debug_pass */
    uint32_t pass_eip, pass_esp;
    bool touched; /* the instruction has touched a watched range: `hit` */
    bool trap;    /* a single-step trap was due at the last stop, and comes first thing now */
    bool faulted; /* so does `fault`: a string instruction's that stopped half-way */
    struct cpu_fault fault;
    uint32_t fault_eip;
    struct cpu_watch_hit hit;
    /* A PC's: how many interrupts it has taken, and where it was when the last one came. */
    uint32_t interrupts, interrupted_eip, interrupted_esp; /* eip linear */
};

struct cpu_debug {
    struct cpu *cpu;
    uint32_t users;
    struct cpu_break *breaks; /* sorted by address */
    uint32_t breaks_count, breaks_room;
    struct cpu_watch *watch;
    uint32_t watch_count, watch_room;
    uint32_t *watch_page; /* pages that hold watched bytes, each once, sorted */
    uint32_t watch_pages;
    uint32_t generation; /* changes whenever code has to be divided anew */
    bool dirty;          /* the engine does not know all breakpoints yet */
    bool armed;          /* the host refuses what is watched (cpu_debug_arm) */
    bool looked_for;     /* the engine's: translated code looks by itself, nothing is armed */

    struct cpu_debug_now now;
};

/* Gives the processor a debugger (an engine's attach was before), or takes it away again with all
 * that is set. -ENOMEM. Open on one that has a debugger is counted, too. */
MUST_CHECK int cpu_debug_open(struct cpu *cpu);
void cpu_debug_close(struct cpu *cpu);

/* -ENOMEM; -ENOENT when nothing like that is set. Addresses are linear. */
MUST_CHECK int cpu_debug_break(struct cpu *cpu, uint32_t linear);
int cpu_debug_unbreak(struct cpu *cpu, uint32_t linear);
bool cpu_debug_has_break(const struct cpu *cpu, uint32_t linear);

/* -EINVAL: no bytes, beyond 4 GiB, or too many pages. */
MUST_CHECK int cpu_debug_watch(struct cpu *cpu, uint32_t linear, uint32_t len,
                               enum cpu_watch_access access);
int cpu_debug_unwatch(struct cpu *cpu, uint32_t linear, uint32_t len, enum cpu_watch_access access);

/*
 * The breakpoint at the present eip does not stop the next arrival there with
 * the present esp: run() goes on from it. An interrupt that is delivered first
 * does not use this up. Forgotten when another breakpoint or watchpoint stops.
 */
void cpu_debug_pass(struct cpu *cpu);

/*
 * For engines.
 *
 * On entry to run(), when there is a debugger: true when run() is to return
 * *exit at once.
 */
bool cpu_debug_enter(struct cpu *cpu, enum engine_exit *exit);
/* Is the instruction at eip not to be run because of a breakpoint? Uses up cpu_debug_pass. */
bool cpu_debug_stops_here(struct cpu *cpu);
/* Is there a breakpoint at this linear address, passed or not? For dividing code. */
bool cpu_debug_divides(const struct cpu_debug *debug, uint32_t linear);
/* Before an instruction reads or writes [linear, linear+len). */
void cpu_debug_touch(struct cpu *cpu, uint32_t linear, uint32_t len, enum cpu_watch_access access);
/*
 * After the instruction at `eip` ended with `status`, for which run() would return
 * `exit` (ENGINE_EXITS: go on): what it returns, given what was touched. A fault after which
 * watched bytes differ (of a string instruction that got half-way) is a hit first; the fault comes
 * when it goes on, without the instruction being done again: it may have overwritten itself.
 */
enum engine_exit cpu_debug_after(struct cpu *cpu, uint32_t eip, enum cpu_status status,
                                 enum engine_exit exit);
/* CPU_WATCH_... bits of the page, as watchpoints have them. */
unsigned cpu_debug_page_watched(const struct cpu_debug *debug, uint32_t page);
/*
 * Arms or disarms the watched pages of a flat machine: on the way into code that
 * does not look at the marks, and before anything else touches memory. Cheap
 * when nothing changes. False: the host refuses, and that code must not run.
 */
MUST_CHECK bool cpu_debug_arm(struct cpu *cpu);
void cpu_debug_disarm(struct cpu *cpu);

#endif
