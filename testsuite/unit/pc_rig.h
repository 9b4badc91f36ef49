/* SPDX-License-Identifier: MIT */
/*
 * A PC's processor with nothing but RAM around it, for tests that look at one
 * instruction, one gate, one fault. Made anew for each test, in protected mode:
 * flat segments of both rings, a task, and for every vector a gate to a HLT of
 * its own, so that where it stops tells what happened. "int 0x80" ends a test
 * in any ring; its gate is open to all.
 */
#ifndef DENALI_PC_RIG_H
#define DENALI_PC_RIG_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/cpu/engine.h"
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/model.h"
#include "emu/cpu/pc/sysregs.h"

#define RAM_BYTES (4 * MIB)
#define GDT 0x1000u
#define IDT 0x2000u
#define TSS 0x3000u
#define TSS2 0x4000u
#define LDT 0x5000u
#define HANDLERS 0x8000u
#define CODE 0x10000u
#define DATA 0x20000u
#define STACK0 0x30000u
#define STACK3 0x38000u
#define PAGE_DIRECTORY 0x40000u
#define PAGE_TABLE 0x41000u

/* Selectors of the rig's descriptors. */
enum {
    CODE0 = 0x08,
    DATA0 = 0x10,
    CODE3 = 0x18 | 3,
    DATA3 = 0x20 | 3,
    TSS_SEL = 0x28,
    TSS2_SEL = 0x30,
    LDT_SEL = 0x38,
    FREE = 0x40, /* and everything above */
};
#define VEC_OK 0x80u

struct pc_rig {
    struct ram *ram;
    struct bus *bus;
    struct irq_pin pin;
    struct cpu *cpu;
    struct engine *engine;
    uint32_t code_at; /* where the next put() goes */
    bool translates;
};

/* The rig of the running test. */
extern struct pc_rig pc_rig;
extern struct cpu *pc_cpu;

/* Memory, physical; an address is good as linear one while paging is off or
 * maps it so. */
void pc_poke(uint32_t at, const void *bytes, size_t len);
void pc_poke16(uint32_t at, uint16_t value);
void pc_poke32(uint32_t at, uint32_t value);
uint32_t pc_peek16(uint32_t at);
uint32_t pc_peek32(uint32_t at);

/* A segment descriptor; `attr` as in struct cpu_seg, the limit in its units. */
void pc_set_descriptor(uint32_t table, uint32_t selector, uint32_t base, uint32_t limit,
                       unsigned attr);
/* A gate: system type with P and DPL in `attr`. */
void pc_set_gate(uint32_t at, unsigned attr, uint32_t selector, uint32_t offset, unsigned params);
uint32_t pc_gate_at(unsigned vector);

/* Common attributes. */
enum {
    A_CODE32 = 0xc09a,
    A_DATA32 = 0xc092,
    A_CODE16 = 0x009a,
    A_DATA16 = 0x0092,
    A_RING3 = 0x60,
    A_GATE = 0x80, /* present */
};

/* Begins anew with another model, before anything else is done. */
void pc_use_model(const char *model);

/* Segment registers as if they had been loaded from the table. */
void pc_use_segment(unsigned seg, uint32_t selector);
void pc_enter_ring3(void);
void pc_enter_real(void);
/* CS:IP at CODE, flat segments of 64 KiB at DATA's and STACK0's paragraphs,
 * IOPL as given. */
void pc_enter_v86(unsigned iopl);

/* Identity-maps all RAM in 4 KiB pages for everybody, writable, and switches
 * paging on. */
void pc_enable_paging(void);
uint32_t pc_pte_at(uint32_t linear);

/* Code, from a string of bytes, after what has been put before. */
#define PUT(text) pc_put((text), sizeof(text) - 1)
void pc_put(const void *bytes, size_t len);

/* Runs to the next HLT; the vector whose handler it is. */
unsigned pc_run(void);
/* Runs `n` instructions, none of which halts. */
void pc_run_steps(unsigned n);

/* Runs and wants this vector, with or without an error code, raised by the
 * instruction at `eip`. */
void pc_want(unsigned vector, uint32_t eip);
void pc_want_error(unsigned vector, uint32_t error, uint32_t eip);
/* Runs to int 0x80. */
void pc_want_ok(void);

/* Words of the handler's stack, the top one being 0. */
uint32_t pc_frame(unsigned i);

/* A test that is run for _i from 0 to count - 1. */
struct pc_rig_loop {
    const TTest *const *test;
    int count;
};

/* All tests by the interpreter, then by the translator, where the host has one
 * for a PC. */
int pc_rig_main(const char *name, const TTest *const *const *tests, size_t count,
                const struct pc_rig_loop *loops, size_t loop_count);

#endif
