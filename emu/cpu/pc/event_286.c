/* SPDX-License-Identifier: MIT */
/*
 * What a real 80286 does differently when an operand leaves its segment in real mode, for the
 * model of that name, after captures of a Harris 80C286:
 *
 * - the vector is 13 for the stack's segment, too;
 * - a string instruction has moved its registers by then. The element that would have been stored
 *   was counted twice already; CMPS looks at its destination first.
 *
 * Later processors leave all as it was, so that the instruction can be restarted.
 */
#include "emu/cpu/pc/event.h"
#include "emu/cpu/interp/interp.h"

#define MOST_BYTES 15u

enum { SOURCE = 1, DESTINATION = 2, STORES = 4 };

static unsigned operands_of(const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_MOVS:
        return SOURCE | DESTINATION | STORES;
    case ISA_SEM_CMPS:
        return SOURCE | DESTINATION;
    case ISA_SEM_LODS:
    case ISA_SEM_OUTS:
        return SOURCE;
    case ISA_SEM_STOS:
    case ISA_SEM_INS:
        return DESTINATION | STORES;
    case ISA_SEM_SCAS:
        return DESTINATION;
    default:
        return 0;
    }
}

static bool leaves(const struct cpu *cpu, unsigned seg, uint32_t reg, unsigned bytes)
{
    return (cpu->gpr[reg] & 0xffff) + bytes - 1 > cpu->seg[seg].limit;
}

/* The registers of `operands` that have moved. */
static unsigned moved(const struct cpu *cpu, const struct isa_insn *insn, unsigned operands,
                      unsigned bytes)
{
    bool source = (operands & SOURCE) && leaves(cpu, interp_data_seg(insn), ISA_ESI, bytes);
    bool destination = (operands & DESTINATION) && leaves(cpu, ISA_ES, ISA_EDI, bytes);
    if (insn->row->sem == ISA_SEM_MOVS)
        return source ? SOURCE : operands;
    if (insn->row->sem == ISA_SEM_CMPS)
        return destination ? DESTINATION : operands;
    return source || destination ? operands : 0;
}

static void move(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned operands = operands_of(insn), bytes = interp_bytes(insn, 0);
    unsigned which = operands ? moved(cpu, insn, operands, bytes) : 0;
    if (which & SOURCE)
        interp_advance(cpu, insn, ISA_ESI, bytes);
    if (which & DESTINATION)
        interp_advance(cpu, insn, ISA_EDI, bytes);
    if (which && (insn->seen & (ISA_SEEN_F2 | ISA_SEEN_F3))) {
        uint32_t done = (which & DESTINATION) && (operands & STORES) ? 2 : 1;
        interp_set_reg(cpu, ISA_ECX, 2, cpu->gpr[ISA_ECX] - done);
    }
}

void event_as_286(struct cpu *cpu)
{
    uint8_t code[MOST_BYTES] = {0};
    struct isa_insn insn;
    if (cpu->fault.vector != CPU_GP && cpu->fault.vector != CPU_SS)
        return;
    struct cpu_fault fault = cpu->fault;
    fault.vector = CPU_GP;
    for (unsigned i = 0; i < MOST_BYTES; i++) {
        uint32_t byte = 0;
        uint32_t at = cpu->seg[ISA_CS].base + ((cpu->eip + i) & 0xffff);
        if (cpu_linear_read(cpu, at, false, &byte, 1) == CPU_OK)
            code[i] = (uint8_t)byte;
    }
    if (isa_decode(code, MOST_BYTES, false, &insn) == ISA_OK && insn.adsize == 2)
        move(cpu, &insn);
    cpu->fault = fault;
}
