/* SPDX-License-Identifier: MIT */
/*
 * What a signal means when it finds the thread in translated code: the
 * processor refused a guest instruction, or somebody wants the thread out. In
 * both cases the guest's state is put together as it is between two of its
 * instructions, and the thread goes on at the way out.
 *
 * A fault's state is that of before the instruction, by the rule of rewrite.h.
 * A kick waits for the next place where the state is exact, by single steps; a
 * kick on the way in turns that way around, because nothing has run yet. A jump
 * to host address 0 is one through an empty part of the dispatch table.
 */
#include "dbt/engine_state.h"

#include "emu/machine/ram.h"

#define LEAVING_FLAGS (HOST_RFLAGS_TF | ISA_F_D)

HOST_SIGNAL_PLAIN static struct dbt_cpu *of_scope(struct host_signal_scope *scope)
{
    return CONTAINER_OF(scope, struct dbt_cpu, scope);
}

static void leave(struct dbt_cpu *d, struct host_frame *frame, uint32_t reason)
{
    const struct image *image = d->image;
    frame->gpr[EMIT_R9] = reason;
    frame->gpr[EMIT_RSP] = d->cpu->slot[STUB_SLOT_HOST_RSP];
    frame->rip = (uint64_t)(uintptr_t)image->cache.rx + image->stubs.after_save;
    frame->rflags &= ~(uint64_t)LEAVING_FLAGS;
}

/* Guest instructions of the block before `side`; two entries in a row may be one instruction. */
static uint32_t count_before(const struct block *block, const struct side *side)
{
    uint32_t count = 0;
    for (const struct side *at = block->side; at < side; at++)
        count += at[1].eip != at->eip;
    return count;
}

static void save(struct dbt_cpu *d, const struct host_frame *frame, const struct side *side)
{
    struct cpu *cpu = d->cpu;
    for (unsigned reg = 0; reg < 8; reg++)
        cpu->gpr[reg] = (uint32_t)frame->gpr[reg];
    cpu->gpr[ISA_ESP] += (uint32_t)side->delta;
    cpu->eip = side->eip;
    cpu->slot[STUB_SLOT_FLAGS] = frame->rflags & ~(uint64_t)HOST_RFLAGS_TF;
}

static void leave_at(struct dbt_cpu *d, struct host_frame *frame, const struct block *block,
                     const struct side *side, uint32_t reason)
{
    save(d, frame, side);
    frame->gpr[EMIT_R12] -= side->uncounted;
    frame->gpr[EMIT_R11] = block->exact ? count_before(block, side) : 0;
    leave(d, frame, reason);
}

static void on_fault(struct dbt_cpu *d, struct host_frame *frame, const struct block *block,
                     uint32_t host)
{
    uint64_t window = (uint64_t)(uintptr_t)ram_base(d->cpu->ram);
    d->trap = (struct dbt_trap){.vector = frame->trap,
                                .error = frame->error,
                                .address = (uint32_t)(frame->address - window)};
    d->signals++;
    leave_at(d, frame, block, block_side_at(block, host), STUB_TRAP);
}

/* A counting block begins with a load that faults when the budget may not hold the block; so does
 * what lies behind it for branches that leave before the block asks. */
static bool is_budget_check(const struct host_frame *frame, const struct image *image,
                            const struct block *block, uint32_t host)
{
    const struct side *side = block_side_at(block, host);
    return image->counting && side->asks && side->host == host - block->host &&
           frame->trap == HOST_TRAP_PAGE;
}

/* An indirect jump to a page without blocks: r9 is the guest address, and the state is exact. */
static void on_miss(struct dbt_cpu *d, struct host_frame *frame)
{
    const struct side side = {.eip = (uint32_t)frame->gpr[EMIT_R9]};
    save(d, frame, &side);
    leave(d, frame, STUB_MISS);
}

/* Leaves if the state is exact here, else steps on. */
static void try_to_leave(struct dbt_cpu *d, struct host_frame *frame, const struct block *block,
                         uint32_t host)
{
    const struct side *side = block_side_at(block, host);
    if (side->host == host - block->host)
        leave_at(d, frame, block, side, STUB_KICK);
    else
        frame->rflags |= HOST_RFLAGS_TF;
}

HOST_SIGNAL_PLAIN bool fault_on_trap(struct host_signal_scope *scope, struct host_frame *frame)
{
    struct dbt_cpu *d = of_scope(scope);
    const struct image *image = d->image;
    bool asked = frame->trap == HOST_TRAP_KICK || frame->trap == HOST_TRAP_DEBUG;
    const struct block *block = NULL;
    uint32_t host = 0;

    if (image && cache_holds(&image->cache, frame->rip)) {
        host = (uint32_t)(frame->rip - (uint64_t)(uintptr_t)image->cache.rx);
        block = image_block_at(image, host);
    }
    if (!frame->rip && frame->trap == HOST_TRAP_PAGE && d->inside) {
        on_miss(d, frame);
        return true;
    }
    if (block && asked)
        try_to_leave(d, frame, block, host);
    else if (block && is_budget_check(frame, image, block, host))
        leave_at(d, frame, block, block_side_at(block, host), STUB_BUDGET);
    else if (block)
        on_fault(d, frame, block, host);
    else if (frame->trap == HOST_TRAP_DEBUG)
        frame->rflags &= ~(uint64_t)HOST_RFLAGS_TF; /* stepped into a way out */
    else if (frame->trap == HOST_TRAP_KICK && image)
        d->cpu->slot[STUB_SLOT_TARGET] = (uint64_t)(uintptr_t)image->cache.rx + image->stubs.stop;
    return block || asked;
}
