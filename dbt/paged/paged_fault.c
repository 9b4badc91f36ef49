/* SPDX-License-Identifier: MIT */
/*
 * What stops a paged guest's code from outside: a miss in the TLB, which most
 * often is filled here and now; anything else the processor refuses, which is
 * the interpreter's to find out; kicks. At the start of a guest instruction the
 * state is exact; a kick elsewhere is single-stepped there.
 */
#include "dbt/paged/paged.h"

#include "emu/cpu/mem.h"

#define LEAVING_FLAGS (HOST_RFLAGS_TF | ISA_F_D)
#define ERROR_WRITE 2u

HOST_SIGNAL_PLAIN static struct paged *of_scope(struct host_signal_scope *scope)
{
    return CONTAINER_OF(scope, struct paged, scope);
}

HOST_SIGNAL_PLAIN static uint64_t host_of(const struct paged *p, uint32_t offset)
{
    return (uint64_t)(uintptr_t)p->cache.rx + offset;
}

/* `undone`: instructions that the block has taken off the budget and not done. */
static void leave_at(struct paged *p, struct host_frame *frame, uint32_t eip, uint32_t undone,
                     enum paged_reason reason)
{
    struct cpu *cpu = p->cpu;
    for (unsigned reg = 0; reg < 8; reg++)
        cpu->gpr[reg] = (uint32_t)frame->gpr[reg];
    cpu->eip = eip;
    cpu->slot[PAGED_SLOT_FLAGS] = frame->rflags;
    cpu->slot[PAGED_SLOT_COUNT] = (uint32_t)frame->gpr[EMIT_R12] + undone;
    frame->gpr[EMIT_RSP] = cpu->slot[PAGED_SLOT_HOST_RSP];
    frame->gpr[EMIT_R9] = reason;
    frame->rip = host_of(p, p->stubs.after_save);
    frame->rflags &= ~(uint64_t)LEAVING_FLAGS;
}

static uint32_t undone_at(const struct paged *p, const struct paged_block *block,
                          const struct paged_side *side)
{
    return block->insns - (uint32_t)(side - &p->side[block->sides_at]);
}

enum filling { FILLED, NOT_FILLED, NO_MEMORY };

/* What is read is often written next, and the other way round: that is one signal. */
static enum filling fill(struct paged *p, uint32_t linear, bool write)
{
    struct cpu *cpu = p->cpu;
    struct mmu_place place;
    enum mmu_kind kind = write ? MMU_WRITE : MMU_READ;
    if (mmu_lookup(cpu, linear, kind, cpu->cpl == 3, &place))
        return NOT_FILLED;
    if (!place.host)
        return NO_MEMORY;
    if (!cpu->pc.tlb[kind][linear >> PAGE_BITS])
        return NOT_FILLED;
    mmu_refill(cpu, linear, write ? MMU_READ : MMU_WRITE, cpu->cpl == 3);
    return FILLED;
}

/* Beyond the ramp's end: an access, or the stretch that several share, goes on in another page. */
static bool is_over_end(const struct host_frame *frame)
{
    uint64_t end = frame->gpr[EMIT_R14] + PAGED_RAMP + PAGED_RAMP_BYTES;
    return frame->trap == HOST_TRAP_PAGE && frame->address - end < PAGE_SIZE;
}

/* Once for each place: after that it is asked for itself. */
static void on_apart(struct paged *p, struct host_frame *frame, struct paged_block *block,
                     const struct paged_side *side)
{
    p->counters.signals++;
    p->apart = block;
    leave_at(p, frame, block->eip + paged_side_guest(side), undone_at(p, block, side), PAGED_APART);
    paged_keep_refuse(p, block, side);
}

/* Twice in a row at one place: what was filled is not what the processor asks for, or the guest
 * walks through pages; the interpreter does one instruction, so there is no end without progress.
 */
static void on_fault(struct paged *p, struct host_frame *frame, struct paged_block *block,
                     const struct paged_side *side)
{
    uint64_t linear = frame->address - p->cpu->pc.tlb_bias;
    uint32_t guest = paged_side_guest(side);
    bool again = p->filled_for == frame->rip;
    enum filling filling = NOT_FILLED;
    p->counters.signals++;
    p->filled_for = 0;
    if (!again && frame->trap == HOST_TRAP_PAGE && linear <= UINT32_MAX)
        filling = fill(p, (uint32_t)linear, frame->error & ERROR_WRITE);
    if (filling == FILLED) {
        p->filled_for = frame->rip;
        frame->rip = host_of(p, block->host + side->host);
        return;
    }
    bool calls = filling == NO_MEMORY && paged_device_faulted(p, block->code + guest);
    p->apart = block;
    leave_at(p, frame, block->eip + guest, undone_at(p, block, side),
             calls ? PAGED_APART : PAGED_TRAP);
}

static void try_to_leave(struct paged *p, struct host_frame *frame, const struct paged_block *block,
                         const struct paged_side *side, uint32_t host)
{
    if (host == block->host)
        leave_at(p, frame, (uint32_t)frame->gpr[EMIT_R9], 0, PAGED_KICK);
    else if (side && block->host + side->host == host && !(side->guest & PAGED_SIDE_SHADOW))
        leave_at(p, frame, block->eip + side->guest, undone_at(p, block, side), PAGED_KICK);
    else
        frame->rflags |= HOST_RFLAGS_TF;
}

/* Not in a block: on a way in or out, which a kick turns around, or in C. */
HOST_SIGNAL_PLAIN static void on_asked_outside(struct paged *p, struct host_frame *frame,
                                               bool in_load_fpu)
{
    if (in_load_fpu) {
        frame->rflags |= HOST_RFLAGS_TF;
        return;
    }
    frame->rflags &= ~(uint64_t)HOST_RFLAGS_TF;
    p->cpu->slot[PAGED_SLOT_TARGET] = host_of(p, p->stubs.stop);
}

HOST_SIGNAL_PLAIN bool paged_on_trap(struct host_signal_scope *scope, struct host_frame *frame)
{
    struct paged *p = of_scope(scope);
    bool asked = frame->trap == HOST_TRAP_KICK || frame->trap == HOST_TRAP_DEBUG;
    bool in_cache = cache_holds(&p->cache, frame->rip);
    uint32_t host = in_cache ? (uint32_t)(frame->rip - host_of(p, 0)) : 0;
    struct paged_block *block = in_cache ? paged_block_at(p, host) : NULL;
    const struct paged_side *side = block ? paged_side_at(p, block, host) : NULL;
    bool out_of_budget = block && !side && host >= block->body && frame->trap == HOST_TRAP_PAGE;
    if (block && asked)
        try_to_leave(p, frame, block, side, host);
    else if (side && block->keeps && is_over_end(frame))
        on_apart(p, frame, block, side);
    else if (side)
        on_fault(p, frame, block, side);
    else if (out_of_budget)
        leave_at(p, frame, block->eip, 0, PAGED_BUDGET);
    else if (asked)
        on_asked_outside(p, frame, in_cache && host >= p->stubs.load_fpu && host < p->stubs.set_gs);
    return side || asked || out_of_budget;
}
