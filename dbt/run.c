/* SPDX-License-Identifier: MIT */
/*
 * run() goes round a small loop: into the cache; out of it for a
 * reason; do what the reason asks; in again. Everything slow happens here, in
 * C, on a complete state in struct cpu: translation, chaining, the
 * interpreter's turn, the guest's faults.
 */
#include "dbt/engine_state.h"

#include "dbt/translate.h"
#include "emu/cpu/debug.h"
#include "emu/cpu/interp/interp.h"
#include "emu/machine/ram.h"

#define USER_FLAGS (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O | ISA_F_D)
#define FLAGS_ALWAYS 0x202u /* bit 1, and IF as a user program sees it */
#define HOST_MXCSR 0x1f80u

/* Code in a page that is written again and again is the interpreter's: once it was dropped
 * PAGE_HEAT_MAX times, it is not translated for so many visits as are missing to 255, each until
 * control leaves the page, SLOW_STEPS instructions at most. */
#define PAGE_HEAT_MAX 48u
#define PAGE_HEAT_AFTER 32u
#define SLOW_STEPS 4000u

#define GO_ON ENGINE_EXITS /* not an exit: the loop continues */

/* Making and finding blocks. */

static void next_segment(struct image *image)
{
    member_halt_all(image);
    image_segment_next(image);
    member_resume_all(image);
}

static struct block *build(struct image *image, struct dbt_cpu *d, uint32_t eip, uint16_t exact)
{
    bool again;
    struct block *block = translate_block(image, d->cpu->ram, eip, exact, &again);
    if (!block && again) {
        next_segment(image);
        block = translate_block(image, d->cpu->ram, eip, exact, &again);
    }
    return block && image->verifier && !rejection_check(image, d, block) ? NULL : block;
}

static bool pages_are_new(const struct image *image, const struct block *block)
{
    for (unsigned i = 0; i < block->pages; i++)
        if (!image_page_has_blocks(image, block->page_number[i]))
            return true;
    return false;
}

static void chain_known_exits(struct image *image, struct block *block)
{
    for (unsigned i = 0; i < block->exits; i++) {
        struct block *target = image_find(image, block->exit[i].eip);
        if (target)
            image_chain(image, &block->exit[i], target);
    }
}

/* Pages are protected before they are read for good: what was read while one was still open is
 * read again. */
static struct block *build_protected(struct image *image, struct dbt_cpu *d, uint32_t eip,
                                     uint16_t exact)
{
    struct block *block = build(image, d, eip, exact);
    if (block && pages_are_new(image, block)) {
        if (!smc_protect(image, d, block))
            return NULL;
        block = build(image, d, eip, exact);
        if (block && !smc_protect(image, d, block))
            return NULL;
    }
    return block;
}

static bool page_too_hot(struct image *image, struct dbt_cpu *d, uint32_t eip)
{
    uint8_t *heat = &image->page_heat[eip >> PAGE_BITS];
    if (*heat < PAGE_HEAT_MAX)
        return false;
    *heat = (uint8_t)(*heat < UINT8_MAX ? *heat + 1u : PAGE_HEAT_AFTER);
    d->slow_steps = d->steps_left < SLOW_STEPS ? (uint32_t)d->steps_left : SLOW_STEPS;
    return true;
}

/* The block's basic blocks, and the jumps between them, which are always taken; where it ends. */
static uint32_t tell_block(struct engine_coverage *coverage, const struct block *block, bool tell)
{
    uint32_t start = block->eip, end = start;
    const struct side *last = NULL;
    for (const struct side *at = block->side; at < block->side + block->sides; at++) {
        if (!at->len || (last && at->eip == last->eip))
            continue; /* nothing of the guest's own, or the same once more */
        if (last && last->leads_on) {
            if (tell) {
                coverage->block(coverage, start, end - start);
                coverage->edge(coverage, end, at->eip);
            }
            start = at->eip;
        }
        end = at->eip + at->len;
        last = at;
    }
    if (tell)
        coverage->block(coverage, start, end - start);
    return end;
}

/* Inside the lock: the block at eip, made if need be, with this rank; NULL: this is for the
 * interpreter. */
static struct block *obtain(struct image *image, struct dbt_cpu *d, uint32_t eip, uint16_t exact,
                            uint8_t rank)
{
    struct block *block = exact ? image_find_exact(image, eip, exact) : image_find(image, eip);
    if (block || d->expelled || page_too_hot(image, d, eip))
        return block;
    if (d->cpu->debug)
        cpu_debug_disarm(d->cpu); /* code may lie where reading is watched */
    if (!smc_check(image, d)) {
        d->expelled = true;
        return NULL;
    }
    block = build_protected(image, d, eip, exact);
    if (!block)
        return NULL;
    block->rank = rank;
    image_block_publish(image, block);
    if (image->coverage)
        (void)tell_block(image->coverage, block, true);
    else if (!exact)
        chain_known_exits(image, block);
    return block;
}

/* Into the cache. */

/* The host's flags while the guest runs are the guest's user flags; the rest stays in memory. */
static uint32_t enter(struct dbt_cpu *d, uint32_t host)
{
    struct image *image = d->image;
    struct cpu *cpu = d->cpu;
    uint8_t *rx = image->cache.rx;
    stub_enter_fn fn = (stub_enter_fn)(uintptr_t)(rx + image->stubs.enter);
    uint32_t flags = cpu->eflags;

    /* In this order: a kick from here on finds its way in turned around. */
    *(volatile uint64_t *)&cpu->slot[STUB_SLOT_TARGET] = (uint64_t)(uintptr_t)(rx + host);
    if (__atomic_load_n(&cpu->stop_request, __ATOMIC_ACQUIRE))
        return STUB_KICK;
    if (cpu->debug && !cpu_debug_arm(cpu))
        return STUB_INTERP;
    cpu->eflags = (flags & USER_FLAGS) | FLAGS_ALWAYS;
    uint32_t reason = fn(ram_base(cpu->ram), image->table, cpu);
    cpu->eflags =
        ((uint32_t)cpu->slot[STUB_SLOT_FLAGS] & USER_FLAGS) | (flags & ~(uint32_t)USER_FLAGS);
    cpu->fpu.opcode = 0; /* where the host's unit was is nobody's business */
    cpu->fpu.ip = 0;
    cpu->fpu.cs = 0;
    cpu->fpu.dp = 0;
    cpu->fpu.ds = 0;
    return reason;
}

static uint32_t enter_table(struct dbt_cpu *d)
{
    if (!member_go_inside(d))
        return STUB_KICK;
    uint32_t host = image_entry(d->image, d->cpu->eip);
    uint32_t reason = host ? enter(d, host) : STUB_MISS;
    member_go_outside(d);
    return reason;
}

/* What each reason asks. */

static enum engine_exit interpret(struct dbt_cpu *d)
{
    d->interpreted++;
    if (d->cpu->debug)
        cpu_debug_disarm(d->cpu);
    return interp_single(d->cpu);
}

/* Code that has no block is told instruction by instruction; its length is not known. */
static enum engine_exit interpret_told(struct dbt_cpu *d)
{
    struct engine_coverage *coverage = d->dbt->options.coverage;
    if (coverage)
        coverage->block(coverage, d->cpu->eip, 1);
    return interpret(d);
}

static bool at_break(const struct cpu *cpu)
{
    return cpu->debug && cpu_debug_divides(cpu->debug, cpu->eip);
}

/* No translation to be had here: one instruction, or a visit to a page that is too hot to
 * translate; or the end, where the verifier refused. */
static enum engine_exit interpret_slowly(struct dbt_cpu *d)
{
    uint32_t page = d->cpu->eip >> PAGE_BITS;
    if (d->rejection.finding.what)
        return ENGINE_EXIT_REJECTED;
    enum engine_exit exit = interpret_told(d);
    while (exit == GO_ON && d->slow_steps > 1 && d->cpu->eip >> PAGE_BITS == page &&
           !at_break(d->cpu) && !__atomic_load_n(&d->cpu->stop_request, __ATOMIC_ACQUIRE)) {
        d->slow_steps--;
        exit = interpret_told(d);
    }
    d->slow_steps = 0;
    return exit;
}

static enum engine_exit on_miss(struct dbt_cpu *d)
{
    struct image *image = d->image;
    d->misses++;
    if (at_break(d->cpu))
        return GO_ON;
    host_lock_enter(&image->lock);
    bool found = obtain(image, d, d->cpu->eip, 0, 0) != NULL;
    host_lock_leave(&image->lock);
    return found || d->expelled ? GO_ON : interpret_slowly(d);
}

/* Inside the lock. No branch lies within a block, so the way leads from its end. */
static void tell_edge(struct image *image, const struct exit *exit)
{
    const struct block *from = image_block_at(image, exit->field);
    if (from)
        image->coverage->edge(image->coverage, tell_block(image->coverage, from, false), exit->eip);
}

/* So that most jumps lead to a higher rank. */
static uint8_t rank_after(const struct image *image, const struct exit *exit)
{
    const struct block *from = image_block_at(image, exit->field);
    return from ? (uint8_t)((from->rank + 1u) % BLOCK_RANKS) : 0;
}

/* `removals`: of before the way in. Where blocks went since, the exit may be gone too. */
static enum engine_exit on_chain(struct dbt_cpu *d, uint32_t id, uint64_t removals)
{
    struct image *image = d->image;
    if (at_break(d->cpu))
        return GO_ON;
    host_lock_enter(&image->lock);
    if (image->coverage && removals == image->removals)
        tell_edge(image, image_exit_of(image, id));
    bool stands = removals == image->removals;
    struct block *target =
        obtain(image, d, d->cpu->eip, 0, stands ? rank_after(image, image_exit_of(image, id)) : 0);
    if (target && removals == image->removals)
        image_chain(image, image_exit_of(image, id), target);
    host_lock_leave(&image->lock);
    return target || d->expelled ? GO_ON : interpret_slowly(d);
}

/* Pending floating-point exceptions are as the host says; the interpreter has the last word on all
 * others, and so completes what only looked like a fault: writes to code, wrapped addresses. */
static enum engine_exit on_trap(struct dbt_cpu *d)
{
    if (d->cpu->debug && d->trap.vector == CPU_PF &&
        cpu_debug_page_watched(d->cpu->debug, d->trap.address >> PAGE_BITS))
        debug_count_fault(d);
    if (d->trap.vector != CPU_MF && d->trap.vector != CPU_XM)
        return interpret(d);
    d->cpu->fault = (struct cpu_fault){.vector = (uint8_t)d->trap.vector};
    return ENGINE_EXIT_FAULT;
}

static enum engine_exit on_hypercall(struct cpu *cpu)
{
    uint32_t payload = (uint32_t)cpu->slot[STUB_SLOT_PAYLOAD];
    cpu->exit.reason = ENGINE_EXIT_HYPERCALL;
    cpu->exit.hypercall = payload & 0xffff;
    cpu->exit.length = (uint8_t)(payload >> STUB_LENGTH_SHIFT);
    return ENGINE_EXIT_HYPERCALL;
}

static enum engine_exit on_port(struct cpu *cpu)
{
    uint32_t payload = (uint32_t)cpu->slot[STUB_SLOT_PAYLOAD];
    uint32_t how = payload >> STUB_PORT_SHIFT & 0xff;
    bool in_dx = (payload & 0xffff) == STUB_PORT_DX;
    cpu->exit.reason = ENGINE_EXIT_PORT;
    cpu->exit.port = (uint16_t)(in_dx ? cpu->gpr[ISA_EDX] : payload);
    cpu->exit.port_size = (uint8_t)(how & ~STUB_PORT_WRITE);
    cpu->exit.port_write = (how & STUB_PORT_WRITE) != 0;
    cpu->exit.length = (uint8_t)(payload >> STUB_LENGTH_SHIFT);
    return ENGINE_EXIT_PORT;
}

static enum engine_exit handle(struct dbt_cpu *d, uint32_t reason, uint64_t removals)
{
    switch (reason) {
    case STUB_MISS:
        return on_miss(d);
    case STUB_CHAIN:
        return on_chain(d, (uint32_t)d->cpu->slot[STUB_SLOT_PAYLOAD], removals);
    case STUB_INTERP:
    case STUB_ASKED:
        return d->rejection.finding.what ? ENGINE_EXIT_REJECTED : interpret(d);
    case STUB_TRAP:
        return on_trap(d);
    case STUB_HYPERCALL:
        return on_hypercall(d->cpu);
    case STUB_PORT:
        return on_port(d->cpu);
    default:
        return GO_ON;
    }
}

/* The loops. */

static bool take_stop(struct cpu *cpu)
{
    if (!__atomic_load_n(&cpu->stop_request, __ATOMIC_ACQUIRE))
        return false;
    __atomic_store_n(&cpu->stop_request, 0, __ATOMIC_RELAXED);
    return true;
}

/*
 * What cannot be translated by its nature, before each way in: a breakpoint, an
 * instruction that a breakpoint is passed at, one with TF set. True: *exit tells.
 */
static bool take_special(struct dbt_cpu *d, enum engine_exit *exit)
{
    struct cpu *cpu = d->cpu;
    bool breaks = at_break(cpu);
    if (breaks && cpu_debug_stops_here(cpu))
        *exit = ENGINE_EXIT_BREAKPOINT;
    else if (breaks || interp_traps(cpu))
        *exit = interpret(d);
    else
        return false;
    return true;
}

/* This memory no longer holds the image's code: find one that it does, or begin one. */
static bool rejoin(struct dbt_cpu *d)
{
    member_leave(d);
    return !member_join(d, d->key);
}

static enum engine_exit run_unlimited(struct dbt_cpu *d)
{
    d->steps_left = UINT64_MAX;
    enum engine_exit exit = GO_ON;
    while (exit == GO_ON) {
        if (take_stop(d->cpu))
            return ENGINE_EXIT_STOP;
        if (take_special(d, &exit))
            continue;
        if (d->expelled && !rejoin(d)) {
            exit = interpret(d);
            continue;
        }
        uint64_t removals = d->image->removals;
        exit = handle(d, enter_table(d), removals);
    }
    return exit;
}

/* An exact block; 0 instructions done and STUB_KICK if it went away meanwhile. */
static uint32_t enter_exact(struct dbt_cpu *d, uint16_t limit)
{
    struct image *image = d->image;
    host_lock_enter(&image->lock);
    const struct block *block = obtain(image, d, d->cpu->eip, limit, 0);
    uint32_t host = block ? block->host : 0;
    uint64_t removals = image->removals;
    host_lock_leave(&image->lock);

    d->cpu->slot[STUB_SLOT_COUNT] = 0;
    if (!host)
        return STUB_INTERP;
    if (!member_go_inside(d))
        return STUB_KICK;
    uint32_t reason = removals == image->removals ? enter(d, host) : STUB_KICK;
    member_go_outside(d);
    return reason;
}

static enum engine_exit step_exact(struct dbt_cpu *d, uint64_t budget)
{
    uint16_t limit = (uint16_t)(budget < BLOCK_MAX_INSNS ? budget : BLOCK_MAX_INSNS);
    uint32_t reason = enter_exact(d, limit);
    uint32_t done = (uint32_t)d->cpu->slot[STUB_SLOT_COUNT];
    d->cpu->icount += done;
    return handle(d, reason, 0);
}

/* Counting blocks for as long as there is budget for whole ones, exact blocks for the rest. */
#define COUNT_CHUNK IMAGE_BUDGET_MAX
static enum engine_exit step_counting(struct dbt_cpu *d, uint64_t budget)
{
    struct cpu *cpu = d->cpu;
    uint32_t chunk = budget < COUNT_CHUNK ? (uint32_t)budget : COUNT_CHUNK;
    uint64_t removals = d->image->removals;
    if (budget < IMAGE_BUDGET_MIN)
        return step_exact(d, budget);
    cpu->slot[STUB_SLOT_BUDGET] = chunk - IMAGE_SLACK;
    uint32_t reason = enter_table(d);
    uint32_t done = chunk - IMAGE_SLACK - (uint32_t)cpu->slot[STUB_SLOT_BUDGET];
    cpu->icount += done;
    bool is_done = reason == STUB_HYPERCALL || reason == STUB_PORT;
    if (reason == STUB_BUDGET && chunk == budget)
        return step_exact(d, budget - done);
    if (done == budget && !is_done)
        return GO_ON; /* what the reason asks for belongs to the next run */
    d->steps_left = budget - done;
    return handle(d, reason, removals);
}

static enum engine_exit run_exact(struct dbt_cpu *d, uint64_t budget)
{
    uint64_t end = d->cpu->icount + budget;
    if (end < budget)
        end = UINT64_MAX;
    while (d->cpu->icount < end) {
        enum engine_exit exit = GO_ON;
        if (take_stop(d->cpu))
            return ENGINE_EXIT_STOP;
        if (take_special(d, &exit))
            ;
        else if (d->expelled && !rejoin(d))
            exit = interpret(d);
        else if (d->image->counting)
            exit = step_counting(d, end - d->cpu->icount);
        else
            exit = step_exact(d, end - d->cpu->icount);
        if (exit != GO_ON)
            return exit;
    }
    return ENGINE_EXIT_BUDGET;
}

enum engine_exit run_cpu(struct dbt_cpu *d, uint64_t budget)
{
    struct cpu *cpu = d->cpu;
    bool exact = budget != ENGINE_UNLIMITED || d->dbt->options.count;
    if (host_signal_prepare())
        return ENGINE_EXIT_STOP; /* attach did it for its thread; another thread failed */
    if (!host_has_wrgsbase())
        host_set_gs_base((uint64_t)(uintptr_t)ram_base(cpu->ram));
    cpu->fpu.mxcsr &= 0xffff; /* FXRSTOR refuses the rest */
    cpu->slot[STUB_SLOT_MXCSR] = HOST_MXCSR;
    d->exits++;
    enum engine_exit exit;
    if (cpu->debug && cpu_debug_enter(cpu, &exit))
        return exit;
    if (cpu->debug)
        debug_enter(d);
    host_signal_enter(&d->scope);
    exit = exact ? run_exact(d, budget) : run_unlimited(d);
    host_signal_leave(&d->scope);
    if (cpu->debug)
        cpu_debug_disarm(cpu);
    return exit;
}
