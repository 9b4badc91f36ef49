/* SPDX-License-Identifier: MIT */
/*
 * The interpreter's run loop on a PC. Faults and interrupts go into the guest
 * by themselves; each delivery counts as one instruction, so that a guest that
 * does nothing but fault comes to the end of its budget, too.
 *
 * Code runs in blocks while nothing is watched. TF, RF, debug registers and
 * the shadows of STI and MOV SS are rare: then each instruction is taken by
 * itself.
 */
#include "emu/cpu/interp/interp_pc.h"

#include "emu/cpu/debug.h"
#include "emu/cpu/pc/debugreg.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/pc/event.h"
#include "emu/cpu/pc/mmu.h"

#define VECTOR_NMI 2

/* Fetch */

MUST_CHECK static enum cpu_status fetch_piece(struct cpu *cpu, uint8_t *out, unsigned *have)
{
    const struct cpu_seg *cs = &cpu->seg[ISA_CS];
    uint32_t offset = cpu->eip + *have, linear = cs->base + offset;
    uint32_t len = ISA_MAX_LENGTH - *have, room = PAGE_SIZE - (linear & PAGE_MASK);
    struct mmu_place place;
    if (offset > cs->limit)
        return cpu_raise_error(cpu, CPU_GP, 0);
    enum cpu_status status = mmu_lookup(cpu, linear, MMU_EXEC, cpu->cpl == 3, &place);
    if (status)
        return status;
    len = len < room ? len : room;
    len = len - 1 < cs->limit - offset ? len : cs->limit - offset + 1;
    for (uint32_t i = 0; i < len; i++)
        out[*have + i] =
            place.host ? place.host[i] : (uint8_t)bus_read(cpu->pc.bus, place.gpa + i, 1);
    *have += len;
    return CPU_OK;
}

/* The next page is looked at only when the instruction does not end before it. */
enum cpu_status interp_pc_fetch(struct cpu *cpu, struct isa_insn *out)
{
    uint8_t bytes[ISA_MAX_LENGTH];
    unsigned have = 0;
    for (;;) {
        enum cpu_status status = fetch_piece(cpu, bytes, &have);
        if (status)
            return status;
        switch (isa_decode(bytes, have, cpu->code32, out)) {
        case ISA_OK:
            return cpu_model_knows(cpu, out) ? CPU_OK : cpu_raise(cpu, CPU_UD);
        case ISA_INVALID:
            return cpu_raise(cpu, CPU_UD);
        case ISA_TOO_LONG:
            return cpu_raise_error(cpu, CPU_GP, 0);
        case ISA_MORE:
            break;
        }
    }
}

const uint8_t *interp_pc_code(struct cpu *cpu, uint32_t *room)
{
    const struct cpu_seg *cs = &cpu->seg[ISA_CS];
    uint32_t linear = cs->base + cpu->eip, page = PAGE_SIZE - (linear & PAGE_MASK);
    struct mmu_place place;
    if (cpu->eip > cs->limit || mmu_lookup(cpu, linear, MMU_EXEC, cpu->cpl == 3, &place))
        return NULL;
    *room = cs->limit - cpu->eip < page ? cs->limit - cpu->eip + 1 : page;
    return place.host;
}

/* Instructions */

/* LLDT and LTR are undefined before they are privileged; CLI and STI ask IOPL. */
enum cpu_status interp_pc_check(struct cpu *cpu, const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_CLI:
    case ISA_SEM_STI:
    case ISA_SEM_LLDT:
    case ISA_SEM_LTR:
    case ISA_SEM_RDPMC:
    case ISA_SEM_RSM:
        return CPU_OK;
    default:
        return cpu->cpl ? cpu_raise_error(cpu, CPU_GP, 0) : CPU_OK;
    }
}

MUST_CHECK static enum cpu_status hit_code_breakpoint(struct cpu *cpu)
{
    bool held = (cpu->eflags & EFLAGS_RF) || (cpu->pc.shadow_now & CPU_SHADOW_SS);
    if (!cpu->pc.watching || held)
        return CPU_OK;
    uint32_t hits = debugreg_code_hits(cpu, cpu->seg[ISA_CS].base + cpu->eip);
    if (!hits)
        return CPU_OK;
    cpu->sys.dr[6] |= hits;
    return cpu_raise(cpu, CPU_DB);
}

#define VIF_AND_VIP ((uint32_t)(EFLAGS_VIF | EFLAGS_VIP))

/* Virtual interrupts are on and one waits: the monitor is told (SDM volume 3, 21.3.2 and 21.4). */
MUST_CHECK static enum cpu_status tell_virtual_interrupt(struct cpu *cpu)
{
    bool lent = pc_v86(cpu) ? cpu->sys.cr4 & CR4_VME : cpu->sys.cr4 & CR4_PVI;
    bool due = (cpu->eflags & VIF_AND_VIP) == VIF_AND_VIP;
    if (!due || !lent || cpu->cpl != 3 || pc_iopl(cpu) == 3)
        return CPU_OK;
    return cpu_raise_error(cpu, CPU_GP, 0);
}

MUST_CHECK static enum cpu_status step_carefully(struct cpu *cpu)
{
    struct isa_insn insn;
    bool resumed = cpu->eflags & EFLAGS_RF;
    cpu->pc.shadow_now = cpu->pc.shadow;
    cpu->pc.shadow = 0;
    cpu->pc.single_step = (cpu->eflags & ISA_F_T) != 0;
    cpu->pc.loaded_flags = 0;
    enum cpu_status status = hit_code_breakpoint(cpu);
    if (status == CPU_OK)
        status = tell_virtual_interrupt(cpu);
    if (status == CPU_OK)
        status = interp_pc_fetch(cpu, &insn);
    if (status == CPU_OK)
        status = interp_execute(cpu, &insn);
    cpu->pc.shadow_now = 0;
    if (status == CPU_FAULT) {
        if (!cpu->pc.committed)
            cpu->pc.pending_debug = 0;
        return status;
    }
    if (resumed && !cpu->pc.loaded_flags)
        cpu->eflags &= ~(uint32_t)EFLAGS_RF; /* it was in force for this instruction */
    if (cpu->pc.single_step)
        cpu->pc.pending_debug |= DR6_BS;
    return status;
}

/* Events */

static bool trap_is_due(const struct cpu *cpu)
{
    return cpu->pc.pending_debug && !(cpu->pc.shadow & CPU_SHADOW_SS);
}

static bool nmi_is_due(const struct cpu *cpu)
{
    return cpu->pc.pin->nmi && !cpu->pc.nmi_blocked && !(cpu->pc.shadow & CPU_SHADOW_SS);
}

static bool interrupt_is_due(const struct cpu *cpu)
{
    return cpu->pc.pin->intr && (cpu->eflags & ISA_F_I) && !cpu->pc.shadow;
}

static bool wants_care(const struct cpu *cpu)
{
    return (cpu->eflags & (ISA_F_T | EFLAGS_RF)) || cpu->pc.shadow || cpu->pc.watching ||
           (cpu->eflags & VIF_AND_VIP) == VIF_AND_VIP || cpu->pc.pending_debug;
}

bool interp_pc_needs_attention(const struct cpu *cpu)
{
    return wants_care(cpu) || cpu->pc.halted || cpu->pc.shutdown || nmi_is_due(cpu) ||
           interrupt_is_due(cpu);
}

bool interp_pc_event_is_due(const struct cpu *cpu)
{
    return cpu->pc.halted || cpu->pc.shutdown || trap_is_due(cpu) || nmi_is_due(cpu) ||
           interrupt_is_due(cpu);
}

MUST_CHECK static enum cpu_status deliver_trap(struct cpu *cpu)
{
    struct event event = {.kind = EVENT_TRAP, .vector = CPU_DB};
    cpu->sys.dr[6] |= cpu->pc.pending_debug;
    cpu->sys.dr[7] &= ~(uint32_t)DR7_GD;
    cpu->pc.pending_debug = 0;
    return event_deliver(cpu, &event);
}

static void note_interrupt(struct cpu *cpu)
{
    if (!cpu->debug)
        return;
    struct cpu_debug_now *now = &cpu->debug->now;
    now->interrupts++;
    now->interrupted_eip = cpu->seg[ISA_CS].base + cpu->eip;
    now->interrupted_esp = cpu->gpr[ISA_ESP];
}

MUST_CHECK static enum cpu_status deliver_nmi(struct cpu *cpu)
{
    struct event event = {.kind = EVENT_INTERRUPT, .vector = VECTOR_NMI};
    cpu->pc.pin->nmi = false;
    cpu->pc.nmi_blocked = 1;
    note_interrupt(cpu);
    return event_deliver(cpu, &event);
}

MUST_CHECK static enum cpu_status deliver_interrupt(struct cpu *cpu)
{
    struct event event = {.kind = EVENT_INTERRUPT, .vector = cpu->pc.pin->ack(cpu->pc.pin->opaque)};
    note_interrupt(cpu);
    return event_deliver(cpu, &event);
}

static enum cpu_status leave(struct cpu *cpu, enum engine_exit reason)
{
    cpu->exit.reason = (uint8_t)reason;
    return CPU_EXIT;
}

enum cpu_status interp_pc_attend(struct cpu *cpu)
{
    if (cpu->pc.shutdown)
        return leave(cpu, ENGINE_EXIT_SHUTDOWN);
    bool due = trap_is_due(cpu) || nmi_is_due(cpu) || interrupt_is_due(cpu);
    if (!due && cpu->pc.halted)
        return leave(cpu, ENGINE_EXIT_HALT);
    cpu->icount++;
    if (trap_is_due(cpu))
        return deliver_trap(cpu);
    if (nmi_is_due(cpu))
        return deliver_nmi(cpu);
    if (interrupt_is_due(cpu))
        return deliver_interrupt(cpu);
    enum cpu_status status = step_carefully(cpu);
    return status == CPU_FAULT ? event_deliver_fault(cpu) : status;
}

/* A block, or one instruction that is in none. Stops after the first fault, delivered. */
MUST_CHECK static enum cpu_status run_some(struct interp_cache *cache, struct cpu *cpu,
                                           uint64_t limit)
{
    const struct interp_block *block = interp_cache_find(cache, cpu);
    enum cpu_status status = CPU_OK;
    if (!block->ops) {
        cpu->icount++;
        status = step_carefully(cpu);
        return status == CPU_FAULT ? event_deliver_fault(cpu) : status;
    }
    const struct interp_op *op = interp_cache_ops(cache, block);
    uint32_t ops = limit < block->ops ? (uint32_t)limit : block->ops;
    interp_block_enter(cpu);
    for (uint32_t i = 0; i < ops && status == CPU_OK && !cpu->code_written; i++) {
        cpu->icount++;
        status = interp_run_op(cpu, op + i);
    }
    interp_block_leave(cpu);
    return status == CPU_FAULT ? event_deliver_fault(cpu) : status;
}

enum engine_exit interp_pc_debug_step(struct cpu *cpu)
{
    uint32_t eip = cpu->eip;
    if (cpu_debug_stops_here(cpu))
        return ENGINE_EXIT_BREAKPOINT;
    enum cpu_status status = interp_pc_attend(cpu);
    enum engine_exit exit = status == CPU_EXIT ? cpu->exit.reason : ENGINE_EXITS;
    return cpu_debug_after(cpu, eip, status, exit);
}

static enum engine_exit debug_run(struct cpu *cpu, uint64_t end)
{
    enum engine_exit exit = ENGINE_EXITS;
    mmu_flush(cpu, true); /* what is watched may have changed */
    if (cpu_debug_enter(cpu, &exit))
        return exit;
    while (exit == ENGINE_EXITS && cpu->icount < end && !cpu->stop_request)
        exit = interp_pc_debug_step(cpu);
    if (exit != ENGINE_EXITS)
        return exit;
    return __atomic_exchange_n(&cpu->stop_request, 0, __ATOMIC_ACQUIRE) ? ENGINE_EXIT_STOP
                                                                        : ENGINE_EXIT_BUDGET;
}

enum engine_exit interp_pc_run(struct interp_cache *cache, struct cpu *cpu, uint64_t budget)
{
    uint64_t end = cpu->icount + budget < budget ? UINT64_MAX : cpu->icount + budget;
    if (cpu->debug)
        return debug_run(cpu, end);
    while (cpu->icount < end) {
        if (__atomic_load_n(&cpu->stop_request, __ATOMIC_ACQUIRE)) {
            __atomic_store_n(&cpu->stop_request, 0, __ATOMIC_RELAXED);
            return ENGINE_EXIT_STOP;
        }
        enum cpu_status status = interp_pc_needs_attention(cpu)
                                     ? interp_pc_attend(cpu)
                                     : run_some(cache, cpu, end - cpu->icount);
        if (status == CPU_EXIT)
            return cpu->exit.reason;
    }
    return ENGINE_EXIT_BUDGET;
}
