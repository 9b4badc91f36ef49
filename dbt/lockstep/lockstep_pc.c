/* SPDX-License-Identifier: MIT */
/*
 * Lockstep on a PC. Devices are asked once (lockstep_devices.h), and that is not undone: so an
 * instruction that asks one is a stretch of its own. That an instruction does so is seen when it is
 * too late; then the stretch is run again, to end before it. The same with faults and interrupts,
 * which put undefined flags on a stack.
 *
 * Each of the two has a TLB of its own. They may come to hold different pages, and then accessed
 * and dirty bits that the guest cleared without a flush are set again by one only, which is no
 * fault of either: a stretch that differs in nothing else is run again with both empty
 * (lockstep.c).
 */
#include "dbt/lockstep/lockstep.h"

#include <errno.h>
#include <stdlib.h>

#include "dbt/lockstep/lockstep_devices.h"
#include "emu/cpu/pc/event.h"
#include "emu/cpu/interp/interp_pc.h"
#include "emu/cpu/pc/mmu.h"
#include "emu/cpu/pc/pc.h"

struct lockstep_pc {
    struct cpu *cpu;
    struct lockstep_devices devices;
    uint32_t first_tsc; /* of the stretch */
    bool again;         /* the stretch is run once more */
    struct mmu *reference_mmu, *subject_mmu;
    struct mmu_mark learnt;   /* by the reference's TLB before the stretch */
    uint64_t seen_generation; /* of the subject's TLB, when its last run ended */
};

/* The TLBs */

static void use_mmu(struct lockstep_pc *pc, struct mmu *mmu)
{
    pc->cpu->pc.mmu = mmu;
    mmu_select(pc->cpu);
}

static void flush(struct lockstep_pc *pc, struct mmu *mmu)
{
    struct mmu *now = pc->cpu->pc.mmu;
    use_mmu(pc, mmu);
    mmu_flush(pc->cpu, true);
    use_mmu(pc, now);
}

static void flush_both(struct lockstep_pc *pc)
{
    flush(pc, pc->reference_mmu);
    flush(pc, pc->subject_mmu);
}

int lockstep_pc_attach(struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_pc *pc = calloc(1, sizeof(*pc));
    if (!pc)
        return -ENOMEM;
    int err = lockstep_mirror_init(&lc->mirror, cpu->ram);
    if (!err)
        err = mmu_create(&pc->reference_mmu);
    if (err) {
        lockstep_mirror_fini(&lc->mirror);
        free(pc);
        return err;
    }
    pc->cpu = cpu;
    pc->subject_mmu = cpu->pc.mmu;
    lc->pc = pc;
    lockstep_devices_attach(&pc->devices, lc);
    return 0;
}

void lockstep_pc_detach(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    lockstep_devices_detach(&pc->devices);
    use_mmu(pc, pc->subject_mmu);
    mmu_destroy(pc->reference_mmu);
    lockstep_mirror_fini(&lc->mirror);
    free(pc);
    lc->pc = NULL;
}

void lockstep_pc_enter(struct lockstep_cpu *lc)
{
    lc->pc->devices.mode = TAP_SELF;
}

void lockstep_pc_leave(struct lockstep_cpu *lc)
{
    lc->pc->devices.mode = TAP_OUTSIDE;
}

void lockstep_pc_forget(struct lockstep_cpu *lc)
{
    lc->pc->devices.map_changed = true;
}

/* The interpreter's side */

/* What a stretch has come to. */
enum went { WENT_ON, WENT_FAR_ENOUGH, WENT_TOO_FAR };

static bool asks_port(const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_IN:
    case ISA_SEM_OUT:
    case ISA_SEM_INS:
    case ISA_SEM_OUTS:
        return true;
    default:
        return false;
    }
}

/* Only the first of a stretch may ask a device: then it is the only one. */
static enum tap_mode asked_mode(const struct lockstep_pc *pc, bool first)
{
    if (!first)
        return TAP_PROBE;
    return pc->again ? TAP_REPLAY : TAP_RECORD;
}

/* An instruction of a block, not the first of the stretch unless `first`. */
static enum went reference_op(struct lockstep_cpu *lc, const struct interp_op *op, bool first)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_stretch *s = &lc->stretch;
    if (!first && ((op->flags.reads & s->undefined) || asks_port(&op->insn)))
        return WENT_FAR_ENOUGH;
    lc->pc->devices.mode = asked_mode(lc->pc, first);
    s->trace[s->traced++ % LOCKSTEP_TRACE] = cpu->seg[ISA_CS].base + cpu->eip;
    uint64_t before = cpu->icount++;
    enum cpu_status status = interp_run_op(cpu, op);
    bool special = lc->pc->devices.asked || status == CPU_FAULT;
    if (special && !first) {
        cpu->icount = before; /* a repetition that paused has not counted itself */
        return WENT_TOO_FAR;
    }
    if (status == CPU_FAULT)
        status = event_deliver_fault(cpu);
    if (status == CPU_EXIT)
        s->reference_exit = cpu->exit.reason;
    s->undefined = (s->undefined & ~(uint32_t)op->flags.kills) | op->flags.undef;
    return special || status ? WENT_FAR_ENOUGH : WENT_ON;
}

static enum went reference_block(struct lockstep_cpu *lc, const struct interp_op *op, uint64_t ops,
                                 uint64_t start)
{
    struct cpu *cpu = lc->cpu;
    enum went went = WENT_ON;
    interp_block_enter(cpu);
    for (uint64_t i = 0; i < ops && went == WENT_ON && !cpu->code_written; i++)
        went = reference_op(lc, op + i, cpu->icount == start);
    interp_block_leave(cpu);
    return went;
}

/* Which flags an instruction that is taken by itself leaves undefined; all, if it cannot be told.
 */
static uint32_t undefined_by_next(struct cpu *cpu)
{
    struct isa_insn insn;
    uint32_t room;
    const uint8_t *code = interp_pc_code(cpu, &room);
    if (!code || isa_decode(code, room, cpu->code32, &insn) != ISA_OK)
        return FLAGS_STATUS;
    return isa_flags(&insn).undef;
}

/* An event, or an instruction that needs care, or is in no block. */
static enum went reference_single(struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_stretch *s = &lc->stretch;
    lc->pc->devices.mode = TAP_PROBE;
    uint32_t undefined = undefined_by_next(cpu);
    lc->pc->devices.mode = asked_mode(lc->pc, true);
    s->trace[s->traced++ % LOCKSTEP_TRACE] = cpu->seg[ISA_CS].base + cpu->eip;
    enum cpu_status status = interp_pc_attend(cpu);
    s->undefined = undefined;
    if (status == CPU_EXIT)
        s->reference_exit = cpu->exit.reason;
    return WENT_FAR_ENOUGH;
}

static enum went reference_some(struct lockstep_cpu *lc, uint64_t start, uint64_t limit)
{
    struct cpu *cpu = lc->cpu;
    bool first = cpu->icount == start;
    if (interp_pc_needs_attention(cpu) || cpu->debug)
        return first ? reference_single(lc) : WENT_FAR_ENOUGH;
    const struct interp_block *block = interp_cache_find(lc->cache, cpu);
    if (!block->ops)
        return first ? reference_single(lc) : WENT_FAR_ENOUGH;
    uint64_t left = limit - (cpu->icount - start), ops = left < block->ops ? left : block->ops;
    return reference_block(lc, interp_cache_ops(lc->cache, block), ops, start);
}

/* What the reference's TLB has learned came with accessed bits that are not there any more. */
static void unlearn(struct lockstep_pc *pc)
{
    use_mmu(pc, pc->reference_mmu);
    if (!mmu_unlearn(pc->cpu, &pc->learnt))
        flush(pc, pc->subject_mmu);
}

static void begin_reference(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    use_mmu(pc, pc->reference_mmu);
    pc->learnt = mmu_mark(pc->reference_mmu);
    pc->devices.asked = false;
}

static void go_back(struct lockstep_cpu *lc)
{
    lc->pc->devices.mode = TAP_SELF;
    lockstep_log_restore(&lc->log);
    lockstep_log_begin(&lc->log);
    state_copy(&cpu_state_list, lc->cpu, &lc->stretch.before);
    lockstep_pc_restore(lc);
    lc->stretch.traced = lc->stretch.undefined = 0;
    lc->stretch.reference_exit = ENGINE_EXIT_BUDGET;
    lc->tsc.next = lc->pc->first_tsc;
    lc->pc->devices.pin = lc->pc->devices.pin_before;
    unlearn(lc->pc);
    begin_reference(lc);
}

/* A pause of a repetition is no instruction: then it goes on. */
static uint64_t run_reference(struct lockstep_cpu *lc, uint64_t limit)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_stretch *s = &lc->stretch;
    uint64_t start = cpu->icount;
    enum went went = WENT_ON;
    while (went == WENT_ON && cpu->icount - start < limit) {
        went = reference_some(lc, start, limit);
        if (went == WENT_FAR_ENOUGH && cpu->icount == start &&
            s->reference_exit == ENGINE_EXIT_BUDGET)
            went = WENT_ON;
    }
    s->count = cpu->icount - start;
    return went == WENT_TOO_FAR ? s->count : 0;
}

static void begin_stretch(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    if (pc->again)
        lockstep_devices_again(&pc->devices);
    else
        lockstep_devices_begin(&pc->devices);
    lockstep_mirror_begin(&lc->mirror);
    pc->first_tsc = lc->tsc.next;
    lc->stopped |= __atomic_exchange_n(&pc->cpu->stop_request, 0, __ATOMIC_ACQUIRE);
    if (mmu_generation(pc->subject_mmu) != pc->seen_generation)
        flush(pc, pc->reference_mmu);
    begin_reference(lc);
}

static void stay_with_reference(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    flush_both(pc);
    use_mmu(pc, pc->subject_mmu);
    pc->seen_generation = mmu_generation(pc->subject_mmu);
    lc->stopped |= pc->devices.kicked;
}

bool lockstep_pc_reference(struct lockstep_cpu *lc, uint64_t limit)
{
    struct lockstep_pc *pc = lc->pc;
    struct cpu *cpu = lc->cpu;
    bool a20 = bus_a20(cpu->pc.bus);
    begin_stretch(lc);
    cpu->write_log = &lc->log.log;
    uint64_t again = run_reference(lc, limit);
    if (again) {
        go_back(lc);
        run_reference(lc, again);
    }
    cpu->write_log = NULL;
    pc->again = false;
    pc->devices.mode = TAP_SELF;
    pc->devices.depth = 0;
    if (!pc->devices.pin.nmi)
        pc->devices.real_pin->nmi = false;
    if (!pc->devices.map_changed && a20 == bus_a20(cpu->pc.bus) && !pc->devices.lost)
        return true;
    stay_with_reference(lc);
    return false;
}

void lockstep_pc_restore(struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    const struct cpu_pc *before = &lc->stretch.before.pc;
    bool watched_otherwise = cpu->pc.watching != before->watching;
    state_copy(&cpu_pc_state_list, cpu, &lc->stretch.before);
    cpu->pc.align_mask = before->align_mask;
    cpu->pc.watching = before->watching;
    cpu->pc.shadow_now = cpu->pc.single_step = 0;
    cpu->pc.loaded_flags = cpu->pc.committed = 0;
    use_mmu(lc->pc, lc->pc->subject_mmu);
    if (watched_otherwise)
        flush_both(lc->pc);
}

void lockstep_pc_repeat(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    flush_both(pc);
    pc->seen_generation = mmu_generation(pc->subject_mmu);
    pc->again = pc->devices.asked || pc->devices.pin_before.nmi;
}

void lockstep_pc_before_subject(struct lockstep_cpu *lc)
{
    lockstep_devices_again(&lc->pc->devices);
}

const char *lockstep_pc_after_subject(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    const struct lockstep_devices *d = &pc->devices;
    pc->devices.mode = TAP_SELF;
    pc->seen_generation = mmu_generation(pc->subject_mmu);
    lc->stopped |= d->kicked;
    return d->differs || d->next != d->count ? "what it asked of devices" : NULL;
}
