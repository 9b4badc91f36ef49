/* SPDX-License-Identifier: MIT */
/*
 * Lockstep on a PC. Each of the two has a TLB of its own, with its own history.
 * What happens beside registers and RAM (devices, the interrupt controller's
 * answer) happens once, while the interpreter runs, and is played to the subject,
 * which must ask the same. It is not undone: so an instruction that asks
 * a device is a stretch of its own. That an instruction does so is seen when it is too late;
 * then the stretch is run again, to end before it. The same with faults and
 * interrupts, which put undefined flags on a stack.
 */
#include "dbt/lockstep.h"

#include <errno.h>
#include <stdlib.h>

#include "emu/cpu/pc/event.h"
#include "emu/cpu/interp/interp_pc.h"
#include "emu/cpu/pc/mmu.h"
#include "emu/cpu/pc/pc.h"

enum tap_mode {
    TAP_OFF,    /* whoever asks now is no engine */
    TAP_RECORD, /* the interpreter, and it is meant */
    TAP_PROBE,  /* the interpreter, where it must not: it gets zeroes, and is run again */
    TAP_REPLAY, /* the subject */
};

/* The interrupt controller's answer, among the accesses. */
#define ACCESS_ACK BUS_ACCESS_KINDS

struct lockstep_pc {
    struct cpu *cpu;
    enum tap_mode mode;
    unsigned depth; /* of devices that ask each other */
    struct bus_access *access;
    uint32_t count, room, next;
    uint32_t first_tsc; /* of the stretch */
    bool asked;         /* something was, since the stretch began */
    bool lost;          /* no memory for an access */
    bool differs;       /* the subject asked otherwise */
    bool map_changed;   /* the subject's TLB is stale */
    bool kicked;
    struct irq_pin pin, pin_before, *real_pin;
    struct cpu_hooks hooks;
    const struct cpu_hooks *real_hooks;
    struct mmu *reference_mmu, *subject_mmu;
    uint64_t seen_generation; /* of the subject's TLB, when its last run ended */
};

/* Accesses */

static void keep(struct lockstep_pc *pc, const struct bus_access *access)
{
    if (pc->count == pc->room) {
        uint32_t room = pc->room ? 2 * pc->room : 64;
        struct bus_access *more = realloc(pc->access, room * sizeof(*more));
        if (!more) {
            pc->lost = true;
            return;
        }
        pc->access = more;
        pc->room = room;
    }
    pc->access[pc->count++] = *access;
}

static void play(struct lockstep_pc *pc, struct bus_access *access)
{
    const struct bus_access *kept = pc->next < pc->count ? &pc->access[pc->next++] : NULL;
    bool writes = access->kind == BUS_WRITE || access->kind == BUS_OUT;
    if (!kept || kept->kind != access->kind || kept->address != access->address ||
        kept->size != access->size || (writes && kept->value != access->value))
        pc->differs = true;
    else
        access->value = kept->value;
}

static bool on_asked(void *opaque, struct bus_access *access)
{
    struct lockstep_pc *pc = opaque;
    if (pc->depth)
        pc->depth++;
    if (pc->mode == TAP_OFF || pc->depth)
        return false;
    pc->asked = true;
    if (pc->mode == TAP_REPLAY)
        play(pc, access);
    pc->depth = pc->mode == TAP_RECORD;
    return !pc->depth;
}

/* A kick that came with it is taken at once: nothing is to pause for it. */
static void on_answered(void *opaque, const struct bus_access *access)
{
    struct lockstep_pc *pc = opaque;
    if (!pc->depth || --pc->depth)
        return;
    pc->kicked |= __atomic_exchange_n(&pc->cpu->stop_request, 0, __ATOMIC_ACQUIRE);
    keep(pc, access);
}

static const struct bus_tap tap = {on_asked, on_answered};

static uint8_t on_ack(void *opaque)
{
    struct lockstep_pc *pc = opaque;
    struct bus_access access = {.kind = ACCESS_ACK};
    pc->asked = true;
    if (pc->mode == TAP_REPLAY) {
        play(pc, &access);
    } else if (pc->mode == TAP_RECORD) {
        access.value = pc->real_pin->ack(pc->real_pin->opaque);
        keep(pc, &access);
    }
    return (uint8_t)access.value;
}

static bool is_real(const struct lockstep_pc *pc)
{
    return pc->mode == TAP_RECORD || pc->mode == TAP_OFF;
}

static void on_fpu_error(void *opaque, bool raised)
{
    struct lockstep_pc *pc = opaque;
    pc->asked = true;
    if (is_real(pc) && pc->real_hooks && pc->real_hooks->fpu_error)
        pc->real_hooks->fpu_error(pc->real_hooks->opaque, raised);
}

static void on_apic_base(void *opaque, uint64_t value)
{
    struct lockstep_pc *pc = opaque;
    pc->asked = true;
    if (is_real(pc) && pc->real_hooks && pc->real_hooks->apic_base)
        pc->real_hooks->apic_base(pc->real_hooks->opaque, value);
}

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

int lockstep_pc_attach(struct lockstep_cpu *lc)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_pc *pc = calloc(1, sizeof(*pc));
    if (!pc)
        return -ENOMEM;
    int err = mmu_create(&pc->reference_mmu);
    if (err) {
        free(pc);
        return err;
    }
    pc->cpu = cpu;
    pc->subject_mmu = cpu->pc.mmu;
    pc->real_pin = cpu->pc.pin;
    pc->pin = (struct irq_pin){.ack = on_ack, .opaque = pc};
    cpu->pc.pin = &pc->pin;
    pc->real_hooks = cpu->pc.hooks;
    pc->hooks = (struct cpu_hooks){pc, on_fpu_error, on_apic_base};
    cpu->pc.hooks = &pc->hooks;
    bus_set_tap(cpu->pc.bus, &tap, pc);
    lc->pc = pc;
    return 0;
}

void lockstep_pc_detach(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    struct cpu *cpu = lc->cpu;
    bus_set_tap(cpu->pc.bus, NULL, NULL);
    use_mmu(pc, pc->subject_mmu);
    cpu->pc.pin = pc->real_pin;
    cpu->pc.hooks = pc->real_hooks;
    mmu_destroy(pc->reference_mmu);
    free(pc->access);
    free(pc);
    lc->pc = NULL;
}

void lockstep_pc_forget(struct lockstep_cpu *lc)
{
    lc->pc->map_changed = true;
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

/* An instruction of a block, not the first of the stretch unless `first`. */
static enum went reference_op(struct lockstep_cpu *lc, const struct interp_op *op, bool first)
{
    struct cpu *cpu = lc->cpu;
    struct lockstep_stretch *s = &lc->stretch;
    if (!first && ((op->flags.reads & s->undefined) || asks_port(&op->insn)))
        return WENT_FAR_ENOUGH;
    lc->pc->mode = first ? TAP_RECORD : TAP_PROBE;
    s->trace[s->traced++ % LOCKSTEP_TRACE] = cpu->seg[ISA_CS].base + cpu->eip;
    cpu->icount++;
    enum cpu_status status = interp_run_op(cpu, op);
    bool special = lc->pc->asked || status == CPU_FAULT;
    if (special && !first)
        return WENT_TOO_FAR;
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
    lc->pc->mode = TAP_PROBE;
    uint32_t undefined = undefined_by_next(cpu);
    lc->pc->mode = TAP_RECORD;
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

static void go_back(struct lockstep_cpu *lc)
{
    lockstep_log_restore(&lc->log);
    lockstep_log_begin(&lc->log);
    state_copy(&cpu_state_list, lc->cpu, &lc->stretch.before);
    lockstep_pc_restore(lc);
    lc->stretch.traced = lc->stretch.undefined = 0;
    lc->stretch.reference_exit = ENGINE_EXIT_BUDGET;
    lc->tsc.next = lc->pc->first_tsc;
    lc->pc->asked = false;
    lc->pc->pin = lc->pc->pin_before;
    flush(lc->pc, lc->pc->reference_mmu); /* it has seen pages accessed that are not any more */
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
    return went == WENT_TOO_FAR ? s->count - 1 : 0;
}

void lockstep_pc_reference(struct lockstep_cpu *lc, uint64_t limit)
{
    struct lockstep_pc *pc = lc->pc;
    struct cpu *cpu = lc->cpu;
    bool a20 = bus_a20(cpu->pc.bus);
    pc->asked = pc->differs = pc->map_changed = pc->kicked = pc->lost = false;
    pc->count = pc->next = 0;
    pc->first_tsc = lc->tsc.next;
    lc->stopped |= __atomic_exchange_n(&cpu->stop_request, 0, __ATOMIC_ACQUIRE);
    pc->pin.intr = pc->real_pin->intr;
    pc->pin.nmi = pc->real_pin->nmi;
    pc->pin_before = pc->pin;
    if (mmu_generation(pc->subject_mmu) != pc->seen_generation)
        flush(pc, pc->reference_mmu);
    use_mmu(pc, pc->reference_mmu);
    cpu->write_log = &lc->log.log;
    uint64_t again = run_reference(lc, limit);
    if (again) {
        go_back(lc);
        use_mmu(pc, pc->reference_mmu);
        run_reference(lc, again);
    }
    cpu->write_log = NULL;
    pc->mode = TAP_OFF;
    pc->depth = 0;
    if (!pc->pin.nmi)
        pc->real_pin->nmi = false;
    pc->map_changed |= a20 != bus_a20(cpu->pc.bus);
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
    if (watched_otherwise) {
        flush(lc->pc, lc->pc->reference_mmu);
        flush(lc->pc, lc->pc->subject_mmu);
    }
}

bool lockstep_pc_can_repeat(struct lockstep_cpu *lc)
{
    flush(lc->pc, lc->pc->reference_mmu);
    flush(lc->pc, lc->pc->subject_mmu);
    return !lc->pc->asked;
}

void lockstep_pc_before_subject(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    if (pc->map_changed)
        flush(pc, pc->subject_mmu);
    pc->pin = pc->pin_before;
    pc->mode = TAP_REPLAY;
}

const char *lockstep_pc_after_subject(struct lockstep_cpu *lc)
{
    struct lockstep_pc *pc = lc->pc;
    pc->mode = TAP_OFF;
    pc->seen_generation = mmu_generation(pc->subject_mmu);
    lc->stopped |= pc->kicked;
    if (pc->lost)
        return NULL;
    return pc->differs || pc->next != pc->count ? "what it asked of devices" : NULL;
}
