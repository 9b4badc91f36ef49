/* SPDX-License-Identifier: MIT */
/*
 * The run loop of paged guests: find the block, go in, see why it came out.
 * Everything slow happens here, in C, on a complete state in struct cpu. What
 * the processor has to attend to (interrupts, traps, shadows, debug registers)
 * and every instruction that has no block is the interpreter's.
 */
#include "dbt/paged/paged.h"

#include "emu/base/host.h"
#include "emu/cpu/debug.h"
#include "emu/cpu/pc/event.h"
#include "emu/cpu/interp/interp_pc.h"
#include "emu/machine/ram.h"

#define FLAGS_ALWAYS 0x202u /* bit 1, and IF as a user program sees it */
#define HOST_MXCSR 0x1f80u

/* Code in a frame whose blocks were dropped so often is the interpreter's most of the time. */
#define HEAT_MAX 64u
#define HEAT_AFTER 48u

/* Flags */

static void put_flags(struct cpu *cpu)
{
    cpu->slot[PAGED_SLOT_FLAGS] = (cpu->eflags & PAGED_USER_FLAGS) | FLAGS_ALWAYS;
}

static void take_flags(struct cpu *cpu)
{
    cpu->eflags = ((uint32_t)cpu->slot[PAGED_SLOT_FLAGS] & PAGED_USER_FLAGS) |
                  (cpu->eflags & ~(uint32_t)PAGED_USER_FLAGS);
}

static bool is_stopped(const struct cpu *cpu)
{
    return __atomic_load_n(&cpu->stop_request, __ATOMIC_ACQUIRE);
}

static void set_target(struct paged *p, uint32_t host)
{
    *(volatile uint64_t *)&p->cpu->slot[PAGED_SLOT_TARGET] =
        (uint64_t)(uintptr_t)p->cache.rx + host;
}

/* Finding and making blocks */

/* Memory whose changes are told: RAM by its code marks, ROM by never changing. */
static bool mark_page(struct paged *p, const uint8_t *code, uint32_t linear)
{
    struct cpu *cpu = p->cpu;
    uint64_t gpa = (uint64_t)(code - ram_base(cpu->ram)) & ~(uint64_t)PAGE_MASK;
    struct bus_page page;
    gpa_t at;
    if (gpa < ram_size(cpu->ram)) {
        if (ram_is_code(cpu->ram, gpa))
            return true;
        if (ram_mark_code(cpu->ram, gpa, true))
            return false;
        mmu_flush_frame(cpu, gpa, PAGE_SIZE, true);
        return true;
    }
    if (!mmu_peek(cpu, linear, &at))
        return false;
    bus_find_page(cpu->pc.bus, at, &page);
    return !(page.rights & HOST_W);
}

static bool is_too_hot(struct paged *p, const uint8_t *code)
{
    uint64_t frame = (uint64_t)(code - ram_base(p->cpu->ram)) >> PAGE_BITS;
    if (frame >= p->frames || p->page_heat[frame] < HEAT_MAX)
        return false;
    uint8_t *heat = &p->page_heat[frame];
    *heat = (uint8_t)(*heat < UINT8_MAX ? *heat + 1u : HEAT_AFTER);
    return true;
}

/* The page after this one, for an instruction that goes on there. */
static const uint8_t *second_page(struct paged *p, uint32_t linear)
{
    struct mmu_place place;
    uint32_t next = (linear | PAGE_MASK) + 1;
    if (mmu_lookup(p->cpu, next, MMU_EXEC, p->cpu->cpl == 3, &place) || !place.host ||
        !mark_page(p, place.host, next))
        return NULL;
    return place.host;
}

static struct paged_block *find_or_make(struct paged *p, const uint8_t *code, uint32_t room,
                                        const uint8_t *second, const struct paged_mode *mode)
{
    bool full;
    struct paged_block *block = paged_find(p, code, second, p->cpu->eip, mode);
    if (block)
        return block;
    block = paged_translate(p, code, room, second, mode, &full);
    if (!full)
        return block;
    paged_drop_all(p);
    return paged_translate(p, code, room, second, mode, &full);
}

static void tell_covered(const struct paged *p, uint32_t eip, uint32_t len)
{
    struct engine_coverage *coverage = p->options.coverage;
    if (coverage)
        coverage->block(coverage, p->cpu->seg[ISA_CS].base + eip, len);
}

static struct paged_block *look_up(struct paged *p, const struct paged_mode *mode)
{
    struct cpu *cpu = p->cpu;
    uint32_t room, linear = cpu->seg[ISA_CS].base + cpu->eip;
    if (cpu->debug && cpu_debug_divides(cpu->debug, linear))
        return NULL; /* blocks end before it, so control comes to C there */
    const uint8_t *code = interp_pc_code(cpu, &room);
    if (!code || is_too_hot(p, code) || !mark_page(p, code, linear))
        return NULL;
    struct paged_block *block = find_or_make(p, code, room, NULL, mode);
    if (block || room >= ISA_MAX_LENGTH || !(mode->bits & PAGED_CS_FLAT))
        return block;
    const uint8_t *second = second_page(p, linear);
    return second ? find_or_make(p, code, room, second, mode) : NULL;
}

/* A block that has no place in the dispatch table. */
static struct paged_block *look_up_apart(struct paged *p, const struct paged_mode *mode)
{
    struct paged_block *block = look_up(p, mode);
    if (block)
        tell_covered(p, block->eip, block->guest_len);
    return block;
}

static struct paged_block *obtain(struct paged *p, const struct paged_mode *mode)
{
    uint32_t eip = p->cpu->eip;
    if (mode->bits & PAGED_DOWN)
        return look_up_apart(p, mode);
    struct paged_dispatch *d = paged_dispatch_now(p, mode);
    struct paged_block *block = d->block[paged_slot(eip)];
    if (block && block->eip == eip && !block->dead)
        return block;
    block = look_up(p, mode);
    if (!block)
        return NULL;
    paged_dispatch_set(p, paged_dispatch_now(p, mode), block);
    tell_covered(p, eip,
                 block->guest_len); /* it runs now, or the interpreter would be told of it */
    return block;
}

/* Called from the cache */

static bool may_go_on(struct paged *p, const struct paged_call *call, unsigned cpl)
{
    struct cpu *cpu = p->cpu;
    const struct paged_dispatch *d = &p->dispatch[cpl == 3];
    const struct mmu_code_changes *changes = mmu_code_changes(cpu->pc.mmu);
    if (!call->after || cpu->eip != call->eip + call->op.insn.len || call->block->dead ||
        cpu->cpl != cpl || interp_pc_needs_attention(cpu) || d->local_changes != changes->local ||
        d->all_changes != changes->all)
        return false;
    return paged_mode_kept(cpu, &call->block->mode, &call->op.insn, call->changes) &&
           !cpu->pc.align_mask;
}

/* What the block did before this instruction; then the instruction itself. */
static void count_call(const struct paged *p, const struct paged_call *call)
{
    struct cpu *cpu = p->cpu;
    uint32_t undone = call->block->insns - call->index;
    if (p->options.count)
        cpu->icount = p->count_end - cpu->slot[PAGED_SLOT_COUNT] - undone;
    cpu->icount++;
}

uint32_t paged_do_call(struct cpu *cpu, uint32_t number)
{
    struct paged *p = cpu->engine_state;
    struct paged_call *call = &p->call[number];
    unsigned cpl = cpu->cpl;
    take_flags(cpu);
    cpu->eip = call->eip;
    count_call(p, call);
    p->counters.interpreted++;
    uint32_t outside = cpu->pc.outside;
    enum cpu_status status = interp_run_op(cpu, &call->op);
    if (status == CPU_FAULT)
        status = event_deliver_fault(cpu);
    p->exit = status == CPU_EXIT ? (enum engine_exit)cpu->exit.reason : ENGINE_EXITS;
    if (cpu->debug) /* what it touched may be watched */
        p->exit = cpu_debug_after(cpu, call->eip, status, p->exit);
    if (call->device && paged_device_called(p, call, cpu->pc.outside != outside)) {
        paged_drop_block(p, call->block);
        return false;
    }
    if (status != CPU_OK || p->exit != ENGINE_EXITS || !may_go_on(p, call, cpl))
        return false;
    put_flags(cpu);
    p->undone = call->block->insns - call->index - 1;
    set_target(p, call->after);
    return !is_stopped(cpu);
}

/* The loop */

/* A piece of the budget for r12. */
static void put_count(struct paged *p, uint64_t end)
{
    struct cpu *cpu = p->cpu;
    uint64_t left = end - cpu->icount;
    cpu->slot[PAGED_SLOT_COUNT] = left < PAGED_COUNT_MAX ? left : PAGED_COUNT_MAX;
    p->count_end = cpu->icount + cpu->slot[PAGED_SLOT_COUNT];
}

static void take_count(const struct paged *p)
{
    if (p->options.count)
        p->cpu->icount = p->count_end - p->cpu->slot[PAGED_SLOT_COUNT];
}

static uint32_t enter(struct paged *p, uint32_t host)
{
    struct cpu *cpu = p->cpu;
    paged_enter_fn fn = (paged_enter_fn)(uintptr_t)(p->cache.rx + p->stubs.enter);
    p->undone = 0;
    set_target(p, host); /* before the question: a kick from here on turns it around */
    put_flags(cpu);
    if (is_stopped(cpu))
        return PAGED_KICK;
    uint32_t reason = fn(cpu);
    if (reason != PAGED_CALLED) {
        take_flags(cpu);
        take_count(p);
    }
    if (reason == PAGED_TURNED && p->options.count)
        cpu->icount -= p->undone;
    return reason;
}

/* One instruction, or one event. ENGINE_EXITS: go on. */
static enum engine_exit attend(struct paged *p)
{
    p->counters.interpreted++;
    if (!interp_pc_event_is_due(p->cpu))
        tell_covered(p, p->cpu->eip, 1);
    if (p->cpu->debug)
        return interp_pc_debug_step(p->cpu);
    enum cpu_status status = interp_pc_attend(p->cpu);
    return status == CPU_EXIT ? (enum engine_exit)p->cpu->exit.reason : ENGINE_EXITS;
}

/* Looking for the target's code sets accessed bits, so it must be what runs next. */
static void chain(struct paged *p, uint32_t exit, uint64_t evictions, uint64_t end)
{
    if (p->cpu->icount >= end || interp_pc_needs_attention(p->cpu))
        return;
    struct paged_mode mode = paged_mode_now(p->cpu);
    const struct paged_exit *from = &p->exit_at[exit];
    struct engine_coverage *coverage = p->options.coverage;
    if (coverage)
        coverage->edge(coverage, from->from, p->cpu->seg[ISA_CS].base + p->cpu->eip);
    if (from->out) {
        emit_patch32(p->cache.rw, from->field, from->out);
        return;
    }
    const struct paged_block *target = obtain(p, &mode);
    if (target && !target->second && evictions == p->counters.evictions)
        emit_patch32(p->cache.rw, p->exit_at[exit].field, target->body);
}

/* The end of a budget, translated: it has no place in the dispatch table. */
static const struct paged_block *exact_block(struct paged *p, const struct paged_mode *mode,
                                             uint64_t left)
{
    struct paged_mode exact = *mode;
    exact.bits |= PAGED_EXACT(left);
    return look_up_apart(p, &exact);
}

/* It may have touched a watched page. */
static void note_touch(struct paged *p)
{
    struct cpu *cpu = p->cpu;
    uint32_t room;
    if (!cpu->debug || !cpu->debug->watch_count)
        return;
    const uint8_t *code = interp_pc_code(cpu, &room);
    if (code)
        paged_watch_note(p, code, cpu->seg[ISA_CS].base + cpu->eip);
}

static enum engine_exit step(struct paged *p, uint64_t end)
{
    struct cpu *cpu = p->cpu;
    struct paged_mode mode = paged_mode_now(cpu);
    const struct paged_block *block = cpu->pc.align_mask ? NULL : obtain(p, &mode);
    if (!block)
        return attend(p);
    if (block->insns > end - cpu->icount && !p->options.exact)
        return interp_pc_run(p->interp, cpu, end - cpu->icount);
    if (block->insns > end - cpu->icount)
        block = exact_block(p, &mode, end - cpu->icount);
    if (!block)
        return attend(p);
    put_count(p, end);
    uint64_t evictions = p->counters.evictions;
    switch (enter(p, block->body)) {
    case PAGED_CHAIN:
        chain(p, (uint32_t)cpu->slot[PAGED_SLOT_PAYLOAD], evictions, end);
        return ENGINE_EXITS;
    case PAGED_APART:
        paged_drop_block(p, p->apart);
        return ENGINE_EXITS;
    case PAGED_TRAP:
        note_touch(p);
        return attend(p);
    case PAGED_CALLED:
        return p->exit;
    case PAGED_MISS:
        p->counters.misses++;
        return ENGINE_EXITS;
    default:
        return ENGINE_EXITS;
    }
}

static enum engine_exit loop(struct paged *p, uint64_t end)
{
    struct cpu *cpu = p->cpu;
    enum engine_exit exit = ENGINE_EXITS;
    while (exit == ENGINE_EXITS && cpu->icount < end) {
        if (is_stopped(cpu)) {
            __atomic_store_n(&cpu->stop_request, 0, __ATOMIC_RELAXED);
            return ENGINE_EXIT_STOP;
        }
        exit = interp_pc_needs_attention(cpu) ? attend(p) : step(p, end);
    }
    return exit == ENGINE_EXITS ? ENGINE_EXIT_BUDGET : exit;
}

static void set_gs(struct paged *p)
{
    uint64_t base = p->cpu->pc.tlb_bias;
    void (*fn)(uint64_t) = (void (*)(uint64_t))(uintptr_t)(p->cache.rx + p->stubs.set_gs);
    if (host_has_wrgsbase())
        fn(base);
    else
        host_set_gs_base(base);
}

/* Pages that are watched are not in the TLB: each touch comes to the interpreter. */
static bool enter_debug(struct paged *p, enum engine_exit *exit)
{
    bool watched = p->cpu->debug->watch_count;
    if (watched || p->was_watched)
        mmu_flush(p->cpu, true);
    if (p->was_watched && !watched)
        paged_watch_end(p);
    p->was_watched = watched;
    return cpu_debug_enter(p->cpu, exit);
}

enum engine_exit paged_run(struct paged *p, uint64_t budget)
{
    struct cpu *cpu = p->cpu;
    p->counters.exits++;
    bool exact = budget != ENGINE_UNLIMITED;
    enum engine_exit exit;
    if ((exact && !p->options.count) || cpu->write_log)
        return interp_pc_run(p->interp, cpu, budget);
    if (cpu->debug && enter_debug(p, &exit))
        return exit;
    if (host_signal_prepare())
        return ENGINE_EXIT_STOP; /* attach did it for its thread; another thread failed */
    set_gs(p);
    cpu->fpu.mxcsr &= 0xffff; /* FXRSTOR refuses the rest */
    cpu->slot[PAGED_SLOT_MXCSR] = HOST_MXCSR;
    cpu->slot[PAGED_SLOT_FPU] = 0;
    host_signal_enter(&p->scope);
    p->running = true;
    exit = loop(p, exact ? cpu->icount + budget : UINT64_MAX);
    p->running = false;
    host_signal_leave(&p->scope);
    return exit;
}
