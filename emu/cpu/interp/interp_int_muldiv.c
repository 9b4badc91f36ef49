/* SPDX-License-Identifier: MIT */
/*
 * Multiplication, division and decimal adjustment. Quotients that do not fit
 * are CPU_DE before any register changes; no host division can trap, whatever
 * the guest divides.
 */
#include "emu/cpu/interp/interp.h"

/* Double-width accumulator: AX, DX:AX, EDX:EAX. */
static uint64_t wide_accumulator(const struct cpu *cpu, unsigned bytes)
{
    if (bytes == 1)
        return cpu->gpr[ISA_EAX] & 0xffff;
    return (uint64_t)interp_reg(cpu, ISA_EDX, bytes) << (bytes * 8) |
           interp_reg(cpu, ISA_EAX, bytes);
}

/* Sets the halves of the double-width accumulator. */
static void set_halves(struct cpu *cpu, unsigned bytes, uint32_t low, uint32_t high)
{
    if (bytes == 1) {
        interp_set_reg(cpu, ISA_EAX, 2, (low & 0xff) | (high & 0xff) << 8);
        return;
    }
    interp_set_reg(cpu, ISA_EAX, bytes, low);
    interp_set_reg(cpu, ISA_EDX, bytes, high);
}

/* CF = OF = the product does not fit its low half. SF, ZF, PF, AF are undefined: as the low half.
 */
static void set_product_flags(struct cpu *cpu, uint32_t low, unsigned bytes, bool overflow)
{
    uint32_t flags = flags_szp(low, bytes);
    flags_set(cpu, FLAGS_STATUS, overflow ? flags | ISA_F_C | ISA_F_O : flags);
}

enum cpu_status interp_mul(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t factor;
    unsigned bytes = interp_bytes(insn, 0);
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &factor);
    if (status)
        return status;
    uint64_t product = (uint64_t)interp_reg(cpu, ISA_EAX, bytes) * factor;
    uint32_t high = (uint32_t)(product >> (bytes * 8));
    set_halves(cpu, bytes, (uint32_t)product, high);
    set_product_flags(cpu, (uint32_t)product, bytes, high != 0);
    return CPU_OK;
}

static bool signed_overflow(int64_t product, unsigned bytes)
{
    return product != flags_sign_extend((uint32_t)product, bytes);
}

MUST_CHECK static enum cpu_status imul_accumulator(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t factor;
    unsigned bytes = interp_bytes(insn, 0);
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &factor);
    if (status)
        return status;
    int64_t product = (int64_t)flags_sign_extend(interp_reg(cpu, ISA_EAX, bytes), bytes) *
                      flags_sign_extend(factor, bytes);
    set_halves(cpu, bytes, (uint32_t)product, (uint32_t)((uint64_t)product >> (bytes * 8)));
    set_product_flags(cpu, (uint32_t)product, bytes, signed_overflow(product, bytes));
    return CPU_OK;
}

/* One operand: the accumulator; two: G *= E; three: G = E * imm. */
enum cpu_status interp_imul(struct cpu *cpu, const struct isa_insn *insn)
{
    if (insn->row->op[1].method == ISA_M_NONE)
        return imul_accumulator(cpu, insn);
    bool three = insn->row->op[2].method != ISA_M_NONE;
    unsigned bytes = interp_bytes(insn, 0);
    uint32_t a, b;
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &a);
    if (status == CPU_OK)
        status = interp_read_operand(cpu, insn, three ? 2 : 0, &b);
    if (status)
        return status;
    int64_t product = (int64_t)flags_sign_extend(a, bytes) * flags_sign_extend(b, bytes);
    interp_set_reg(cpu, insn->reg, bytes, (uint32_t)product);
    set_product_flags(cpu, (uint32_t)product, bytes, signed_overflow(product, bytes));
    return CPU_OK;
}

/* Flags are undefined after a division: they stay. */
enum cpu_status interp_div(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t divisor;
    unsigned bytes = interp_bytes(insn, 0);
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &divisor);
    if (status)
        return status;
    if (!divisor)
        return cpu_raise(cpu, CPU_DE);
    uint64_t dividend = wide_accumulator(cpu, bytes);
    uint64_t quotient = dividend / divisor;
    if (quotient > flags_mask(bytes))
        return cpu_raise(cpu, CPU_DE);
    set_halves(cpu, bytes, (uint32_t)quotient, (uint32_t)(dividend % divisor));
    return CPU_OK;
}

static int64_t signed_accumulator(const struct cpu *cpu, unsigned bytes)
{
    uint64_t value = wide_accumulator(cpu, bytes);
    return bytes == 1 ? (int16_t)value : bytes == 2 ? (int32_t)value : (int64_t)value;
}

enum cpu_status interp_idiv(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t raw;
    unsigned bytes = interp_bytes(insn, 0);
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &raw);
    if (status)
        return status;
    int64_t divisor = flags_sign_extend(raw, bytes);
    int64_t dividend = signed_accumulator(cpu, bytes);
    if (!divisor || (divisor == -1 && dividend == INT64_MIN))
        return cpu_raise(cpu, CPU_DE);
    int64_t quotient = dividend / divisor;
    if (quotient != flags_sign_extend((uint32_t)quotient, bytes))
        return cpu_raise(cpu, CPU_DE);
    set_halves(cpu, bytes, (uint32_t)quotient, (uint32_t)(dividend % divisor));
    return CPU_OK;
}

static uint32_t al(const struct cpu *cpu)
{
    return cpu->gpr[ISA_EAX] & 0xff;
}

static bool low_digit_adjusts(const struct cpu *cpu)
{
    return (al(cpu) & 15) > 9 || (cpu->eflags & ISA_F_A);
}

/* AAA and AAS: `delta` is added to AX, then the high half of AL is dropped. */
static enum cpu_status ascii_adjust(struct cpu *cpu, uint32_t delta)
{
    bool adjust = low_digit_adjusts(cpu);
    uint32_t ax = interp_reg(cpu, ISA_EAX, 2) + (adjust ? delta : 0);
    interp_set_reg(cpu, ISA_EAX, 2, ax & 0xff0f);
    uint32_t flags = flags_szp(ax & 0x0f, 1) & ~ISA_F_S;
    flags_set(cpu, FLAGS_STATUS, adjust ? flags | ISA_F_A | ISA_F_C : flags);
    return CPU_OK;
}

enum cpu_status interp_aaa(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return ascii_adjust(cpu, 0x106);
}

enum cpu_status interp_aas(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return ascii_adjust(cpu, 0u - 0x106);
}

enum cpu_status interp_aam(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t base = insn->imm & 0xff;
    if (!base)
        return cpu_raise(cpu, CPU_DE);
    uint32_t value = al(cpu);
    interp_set_reg(cpu, ISA_EAX, 2, (value / base) << 8 | value % base);
    flags_logic(cpu, value % base, 1);
    return CPU_OK;
}

enum cpu_status interp_aad(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t high = (cpu->gpr[ISA_EAX] >> 8) & 0xff;
    uint32_t value = (al(cpu) + high * (insn->imm & 0xff)) & 0xff;
    interp_set_reg(cpu, ISA_EAX, 2, value);
    flags_logic(cpu, value, 1);
    return CPU_OK;
}

/* DAA and DAS: `sign` is 1 or -1. Both digits are judged by the value before. */
static enum cpu_status decimal_adjust(struct cpu *cpu, int sign)
{
    uint32_t old = al(cpu), value = old, flags = 0;
    if (low_digit_adjusts(cpu)) {
        value += (uint32_t)(6 * sign);
        flags |= ISA_F_A;
        if (value > 0xff) /* carry out of, or borrow into, the byte */
            flags |= ISA_F_C;
    }
    if (old > 0x99 || (cpu->eflags & ISA_F_C)) {
        value += (uint32_t)(0x60 * sign);
        flags |= ISA_F_C;
    } else if (sign > 0) {
        flags &= ~(uint32_t)ISA_F_C;
    }
    value &= 0xff;
    interp_set_reg(cpu, ISA_EAX, 1, value);
    flags_set(cpu, FLAGS_STATUS, flags | flags_szp(value, 1));
    return CPU_OK;
}

enum cpu_status interp_daa(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return decimal_adjust(cpu, 1);
}

enum cpu_status interp_das(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return decimal_adjust(cpu, -1);
}
