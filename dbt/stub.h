/* SPDX-License-Identifier: MIT */
/*
 * The few pieces of host code that every block relies on: the way in, the way
 * out, and what an unknown indirect target runs into. They lie at the start of
 * the code cache. Fixed registers of all translated code:
 *
 *   r15  window base
 *   r14  dispatch table
 *   r13  the processor, struct cpu: for what is here only, no block reads it
 *   gs   window base too    rsp  window base + guest esp
 *   r12  of counting blocks: instructions that may still be done
 *   r8-r11 free within one guest instruction; the rest are the guest's
 */
#ifndef DENALI_DBT_STUB_H
#define DENALI_DBT_STUB_H

#include "dbt/emit.h"
#include "emu/cpu/cpu.h"

struct image;

/* cpu->slot[]. */
enum stub_slot {
    STUB_SLOT_HOST_RSP,
    STUB_SLOT_TARGET,  /* where the way in leads */
    STUB_SLOT_FLAGS,   /* host flags at the way out */
    STUB_SLOT_PAYLOAD, /* r10 at the way out */
    STUB_SLOT_COUNT,   /* r11 at the way out: guest instructions done, of exact blocks */
    STUB_SLOT_MXCSR,   /* the host's */
    STUB_SLOT_BUDGET,  /* r12 at the way in and out, of counting blocks: instructions left, less
                          IMAGE_SLACK; signed */
    STUB_SLOT_SCRATCH = 16,
    STUB_SLOT_SCRATCH_END = 32,
};

/* Why translated code was left; in r9 at the way out. */
enum stub_reason {
    STUB_MISS,   /* no translation of eip yet */
    STUB_CHAIN,  /* a direct jump: payload is the exit's id, eip its target */
    STUB_INTERP, /* the interpreter is to do the instruction at eip */
    STUB_EXACT,  /* an exact block has ended */
    STUB_BUDGET, /* the counting block at eip may have more instructions than are left */
    STUB_ASKED,  /* the same within a block: its flags are lost, and the instruction at eip, which
                    needs none of them, is the interpreter's at once */
    STUB_HYPERCALL, /* payload: function, length; eip is after it */
    STUB_PORT,      /* payload: port number, size, direction, length; eip is after it */
    STUB_TRAP,      /* the processor found a fault; dbt_cpu.trap tells which */
    STUB_KICK,      /* somebody wants the thread's attention */
};

/* Payload: bits 0-15 function or port, 16-23 size and direction of a port, 24-31 length. */
#define STUB_PORT_DX 0xffffu /* the port's number is in DX */
#define STUB_PORT_SHIFT 16u
#define STUB_PORT_WRITE 0x80u
#define STUB_LENGTH_SHIFT 24u

/* Enters the cache at cpu->slot[STUB_SLOT_TARGET]; returns enum stub_reason. */
typedef uint32_t (*stub_enter_fn)(uint8_t *window, const uint64_t *table, struct cpu *cpu);

void stub_emit_all(struct image *image);

/* A place in struct cpu, and in cpu->slot. */
static inline struct emit_mem stub_context(size_t offset)
{
    return emit_at(EMIT_R13, (int32_t)offset);
}

static inline struct emit_mem stub_slot(unsigned slot)
{
    return stub_context(offsetof(struct cpu, slot) + slot * sizeof(uint64_t));
}

#endif
