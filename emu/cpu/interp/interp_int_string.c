/* SPDX-License-Identifier: MIT */
/*
 * String instructions, alone and repeated. Registers move after each element,
 * so a fault midway shows what is done and the instruction can be restarted;
 * the flags of CMPS and SCAS are then those of before, as the manual has it.
 * A repeated instruction is one instruction.
 */
#include "emu/cpu/interp/interp.h"

/* Index and count registers are as wide as addresses. */
static uint32_t address_reg(const struct cpu *cpu, const struct isa_insn *insn, unsigned reg)
{
    return interp_reg(cpu, reg, insn->adsize);
}

void interp_advance(struct cpu *cpu, const struct isa_insn *insn, unsigned reg, unsigned bytes)
{
    uint32_t step = cpu->eflags & ISA_F_D ? 0u - bytes : bytes;
    interp_set_reg(cpu, reg, insn->adsize, cpu->gpr[reg] + step);
}

MUST_CHECK static enum cpu_status load_source(struct cpu *cpu, const struct isa_insn *insn,
                                              unsigned bytes, uint32_t *value)
{
    uint32_t offset = address_reg(cpu, insn, ISA_ESI);
    return cpu_read_int(cpu, interp_data_seg(insn), offset, bytes, value);
}

MUST_CHECK static enum cpu_status load_destination(struct cpu *cpu, const struct isa_insn *insn,
                                                   unsigned bytes, uint32_t *value)
{
    return cpu_read_int(cpu, ISA_ES, address_reg(cpu, insn, ISA_EDI), bytes, value);
}

MUST_CHECK static enum cpu_status store(struct cpu *cpu, const struct isa_insn *insn,
                                        unsigned bytes, uint32_t value)
{
    return cpu_write_int(cpu, ISA_ES, address_reg(cpu, insn, ISA_EDI), bytes, value);
}

/* One element of each instruction. */

static enum cpu_status movs_once(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    uint32_t value;
    enum cpu_status status = load_source(cpu, insn, bytes, &value);
    if (status == CPU_OK)
        status = store(cpu, insn, bytes, value);
    if (status)
        return status;
    interp_advance(cpu, insn, ISA_ESI, bytes);
    interp_advance(cpu, insn, ISA_EDI, bytes);
    return CPU_OK;
}

static enum cpu_status stos_once(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    enum cpu_status status = store(cpu, insn, bytes, cpu->gpr[ISA_EAX]);
    if (status == CPU_OK)
        interp_advance(cpu, insn, ISA_EDI, bytes);
    return status;
}

static enum cpu_status lods_once(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    uint32_t value;
    enum cpu_status status = load_source(cpu, insn, bytes, &value);
    if (status)
        return status;
    interp_set_reg(cpu, ISA_EAX, bytes, value);
    interp_advance(cpu, insn, ISA_ESI, bytes);
    return CPU_OK;
}

static enum cpu_status cmps_once(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    uint32_t source, destination, flags;
    enum cpu_status status =
        load_destination(cpu, insn, bytes, &destination); /* its faults first */
    if (status == CPU_OK)
        status = load_source(cpu, insn, bytes, &source);
    if (status)
        return status;
    flags_sub(source, destination, 0, bytes, &flags);
    flags_set(cpu, FLAGS_STATUS, flags);
    interp_advance(cpu, insn, ISA_ESI, bytes);
    interp_advance(cpu, insn, ISA_EDI, bytes);
    return CPU_OK;
}

static enum cpu_status scas_once(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    uint32_t destination, flags;
    enum cpu_status status = load_destination(cpu, insn, bytes, &destination);
    if (status)
        return status;
    flags_sub(interp_reg(cpu, ISA_EAX, bytes), destination, 0, bytes, &flags);
    flags_set(cpu, FLAGS_STATUS, flags);
    interp_advance(cpu, insn, ISA_EDI, bytes);
    return CPU_OK;
}

/*
 * Elements of a forward repetition that can be done in one go: those before
 * the end of either page, in pages that nobody watches. `count` at most.
 */
static uint32_t elements_in_page(uint32_t linear, unsigned bytes, uint32_t count)
{
    uint32_t room = (PAGE_SIZE - (linear & PAGE_MASK)) / bytes;
    return count < room ? count : room;
}

static bool goes_forward(const struct cpu *cpu, const struct isa_insn *insn)
{
    return insn->adsize == 4 && !(cpu->eflags & ISA_F_D);
}

/* Returns how many elements it moved; 0: one must be moved the slow way. */
static uint32_t movs_many(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes,
                          uint32_t count)
{
    unsigned seg = interp_data_seg(insn);
    uint32_t from = cpu_seg_base(cpu, seg) + cpu->gpr[ISA_ESI];
    uint32_t to = cpu_seg_base(cpu, ISA_ES) + cpu->gpr[ISA_EDI];
    count = elements_in_page(to, bytes, elements_in_page(from, bytes, count));
    uint32_t len = count * bytes;
    bool overlap = to - from < len; /* a store reaches a later load: element by element */
    if (!goes_forward(cpu, insn) || !count || overlap)
        return 0;
    const uint8_t *src = cpu_read_ptr(cpu, seg, cpu->gpr[ISA_ESI], len);
    uint8_t *dst = src ? cpu_write_ptr(cpu, ISA_ES, cpu->gpr[ISA_EDI], len) : NULL;
    bool meets = (uintptr_t)dst - (uintptr_t)src < len; /* two pages of one frame */
    if (!dst || meets)
        return 0;
    memmove(dst, src, len);
    cpu->gpr[ISA_ESI] += len;
    cpu->gpr[ISA_EDI] += len;
    return count;
}

static uint32_t stos_many(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes,
                          uint32_t count)
{
    uint32_t to = cpu_seg_base(cpu, ISA_ES) + cpu->gpr[ISA_EDI];
    count = elements_in_page(to, bytes, count);
    if (!goes_forward(cpu, insn) || !count)
        return 0;
    uint8_t *dst = cpu_write_ptr(cpu, ISA_ES, cpu->gpr[ISA_EDI], count * bytes);
    if (!dst)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        cpu_store(dst + i * bytes, bytes, cpu->gpr[ISA_EAX]);
    cpu->gpr[ISA_EDI] += count * bytes;
    return count;
}

/* Should REPE or REPNE go on after a comparison? Others always do. */
static bool goes_on(const struct cpu *cpu, const struct isa_insn *insn)
{
    if (!(insn->row->attr & ISA_T_REPCC))
        return true;
    bool equal = cpu->eflags & ISA_F_Z;
    return equal == !(insn->seen & ISA_SEEN_F2);
}

/* With TF or debug registers each element is an instruction of its own. */
static bool goes_singly(const struct cpu *cpu)
{
    return cpu->flat ? interp_traps(cpu) : cpu->pc.single_step || cpu->pc.watching;
}

/*
 * Between two elements: a trap is due, or on a PC an interrupt, or the caller of
 * run() wants it back. What is left begins anew afterwards.
 */
static bool must_pause(const struct cpu *cpu)
{
    if (cpu->flat)
        return interp_traps(cpu);
    bool interrupt = cpu->pc.pin->intr && (cpu->eflags & ISA_F_I);
    return cpu->pc.single_step || cpu->pc.pending_debug || interrupt ||
           __atomic_load_n(&cpu->stop_request, __ATOMIC_RELAXED);
}

enum cpu_status interp_repeat(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes,
                              interp_string_fn once, interp_many_fn many)
{
    if (!(insn->seen & (ISA_SEEN_F2 | ISA_SEEN_F3)))
        return once(cpu, insn, bytes);
    uint32_t eflags = cpu->eflags;
    uint32_t count = address_reg(cpu, insn, ISA_ECX);
    bool singly = goes_singly(cpu);
    while (count) {
        uint32_t done = many && !singly ? many(cpu, insn, bytes, count) : 0;
        if (done) {
            count -= done;
            cpu->gpr[ISA_ECX] = count;
            continue;
        }
        enum cpu_status status = once(cpu, insn, bytes);
        if (status) {
            cpu->eflags = eflags;
            return status;
        }
        interp_set_reg(cpu, ISA_ECX, insn->adsize, --count);
        if (!goes_on(cpu, insn))
            break;
        if (count && must_pause(cpu)) {
            cpu->eip -= insn->len;
            if (!cpu->flat)
                cpu->icount--; /* when it is done, it counts: so stops from outside do not */
            break;
        }
    }
    return CPU_OK;
}

enum cpu_status interp_movs(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_repeat(cpu, insn, interp_bytes(insn, 0), movs_once, movs_many);
}

enum cpu_status interp_stos(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_repeat(cpu, insn, interp_bytes(insn, 0), stos_once, stos_many);
}

enum cpu_status interp_lods(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_repeat(cpu, insn, interp_bytes(insn, 0), lods_once, NULL);
}

enum cpu_status interp_cmps(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_repeat(cpu, insn, interp_bytes(insn, 0), cmps_once, NULL);
}

enum cpu_status interp_scas(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_repeat(cpu, insn, interp_bytes(insn, 0), scas_once, NULL);
}
