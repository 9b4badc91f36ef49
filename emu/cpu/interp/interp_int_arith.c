/* SPDX-License-Identifier: MIT */
/*
 * Integer addition, subtraction and logic: everything whose flags follow from
 * one sum, one difference or one bitwise result. Operands are read (and their
 * right to be written is checked) before anything changes.
 */
#include "emu/cpu/interp/interp.h"

struct pair {
    uint32_t dst, src;
    unsigned bytes;
};

MUST_CHECK static enum cpu_status read_pair(struct cpu *cpu, const struct isa_insn *insn,
                                            struct pair *pair)
{
    pair->bytes = interp_bytes(insn, 0);
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &pair->dst);
    return status ? status : interp_read_operand(cpu, insn, 1, &pair->src);
}

/* Stores a result in operand 0; only then the flags change. */
MUST_CHECK static enum cpu_status finish(struct cpu *cpu, const struct isa_insn *insn,
                                         uint32_t result, uint32_t mask, uint32_t flags)
{
    enum cpu_status status = interp_write_operand(cpu, insn, 0, result);
    if (status == CPU_OK)
        flags_set(cpu, mask, flags);
    return status;
}

static unsigned carry(const struct cpu *cpu)
{
    return cpu->eflags & ISA_F_C;
}

MUST_CHECK static enum cpu_status add(struct cpu *cpu, const struct isa_insn *insn,
                                      unsigned carry_in)
{
    struct pair p;
    uint32_t flags;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    uint32_t sum = flags_add(p.dst, p.src, carry_in, p.bytes, &flags);
    return finish(cpu, insn, sum, FLAGS_STATUS, flags);
}

enum cpu_status interp_add(struct cpu *cpu, const struct isa_insn *insn)
{
    return add(cpu, insn, 0);
}

enum cpu_status interp_adc(struct cpu *cpu, const struct isa_insn *insn)
{
    return add(cpu, insn, carry(cpu));
}

MUST_CHECK static enum cpu_status sub(struct cpu *cpu, const struct isa_insn *insn, unsigned borrow)
{
    struct pair p;
    uint32_t flags;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    uint32_t difference = flags_sub(p.dst, p.src, borrow, p.bytes, &flags);
    return finish(cpu, insn, difference, FLAGS_STATUS, flags);
}

enum cpu_status interp_sub(struct cpu *cpu, const struct isa_insn *insn)
{
    return sub(cpu, insn, 0);
}

enum cpu_status interp_sbb(struct cpu *cpu, const struct isa_insn *insn)
{
    return sub(cpu, insn, carry(cpu));
}

enum cpu_status interp_cmp(struct cpu *cpu, const struct isa_insn *insn)
{
    struct pair p;
    uint32_t flags;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    flags_sub(p.dst, p.src, 0, p.bytes, &flags);
    flags_set(cpu, FLAGS_STATUS, flags);
    return CPU_OK;
}

enum cpu_status interp_and(struct cpu *cpu, const struct isa_insn *insn)
{
    struct pair p;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    uint32_t result = p.dst & p.src;
    return finish(cpu, insn, result, FLAGS_STATUS, flags_szp(result, p.bytes));
}

enum cpu_status interp_or(struct cpu *cpu, const struct isa_insn *insn)
{
    struct pair p;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    uint32_t result = p.dst | p.src;
    return finish(cpu, insn, result, FLAGS_STATUS, flags_szp(result, p.bytes));
}

enum cpu_status interp_xor(struct cpu *cpu, const struct isa_insn *insn)
{
    struct pair p;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    uint32_t result = p.dst ^ p.src;
    return finish(cpu, insn, result, FLAGS_STATUS, flags_szp(result, p.bytes));
}

enum cpu_status interp_test(struct cpu *cpu, const struct isa_insn *insn)
{
    struct pair p;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status == CPU_OK)
        flags_logic(cpu, p.dst & p.src, p.bytes);
    return status;
}

enum cpu_status interp_not(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &value);
    return status ? status : interp_write_operand(cpu, insn, 0, ~value);
}

enum cpu_status interp_neg(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value, flags;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &value);
    if (status)
        return status;
    uint32_t result = flags_sub(0, value, 0, interp_bytes(insn, 0), &flags);
    return finish(cpu, insn, result, FLAGS_STATUS, flags);
}

/* INC and DEC leave CF alone. */
enum cpu_status interp_inc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value, flags;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &value);
    if (status)
        return status;
    uint32_t result = flags_add(value, 1, 0, interp_bytes(insn, 0), &flags);
    return finish(cpu, insn, result, FLAGS_STATUS & ~ISA_F_C, flags);
}

enum cpu_status interp_dec(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value, flags;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &value);
    if (status)
        return status;
    uint32_t result = flags_sub(value, 1, 0, interp_bytes(insn, 0), &flags);
    return finish(cpu, insn, result, FLAGS_STATUS & ~ISA_F_C, flags);
}

/* The register takes the old value before the sum is stored: XADD EAX, EAX keeps the sum. */
enum cpu_status interp_xadd(struct cpu *cpu, const struct isa_insn *insn)
{
    struct pair p;
    uint32_t flags;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    uint32_t sum = flags_add(p.dst, p.src, 0, p.bytes, &flags);
    if (!interp_is_mem(insn, 0))
        interp_set_reg(cpu, insn->reg, p.bytes, p.dst);
    status = finish(cpu, insn, sum, FLAGS_STATUS, flags);
    if (status == CPU_OK && interp_is_mem(insn, 0))
        interp_set_reg(cpu, insn->reg, p.bytes, p.dst);
    return status;
}

/* The destination is written in both cases, so the right to write it is needed in both. */
enum cpu_status interp_cmpxchg(struct cpu *cpu, const struct isa_insn *insn)
{
    struct pair p;
    uint32_t flags;
    enum cpu_status status = read_pair(cpu, insn, &p);
    if (status)
        return status;
    bool equal = !flags_sub(interp_reg(cpu, ISA_EAX, p.bytes), p.dst, 0, p.bytes, &flags);
    status = finish(cpu, insn, equal ? p.src : p.dst, FLAGS_STATUS, flags);
    if (status == CPU_OK && !equal)
        interp_set_reg(cpu, ISA_EAX, p.bytes, p.dst);
    return status;
}

enum cpu_status interp_cmpxchg8b(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t old[2];
    uint32_t want[2] = {cpu->gpr[ISA_EAX], cpu->gpr[ISA_EDX]};
    uint32_t next[2] = {cpu->gpr[ISA_EBX], cpu->gpr[ISA_ECX]};
    enum cpu_status status = interp_check_wide(cpu, insn, 0, sizeof(old), true);
    if (status == CPU_OK)
        status = interp_read_wide(cpu, insn, 0, old, sizeof(old));
    if (status)
        return status;
    bool equal = old[0] == want[0] && old[1] == want[1];
    status = interp_write_wide(cpu, insn, 0, equal ? next : old, sizeof(old));
    if (status)
        return status;
    cpu->gpr[ISA_EAX] = old[0];
    cpu->gpr[ISA_EDX] = old[1];
    flags_set(cpu, ISA_F_Z, equal ? ISA_F_Z : 0);
    return CPU_OK;
}
