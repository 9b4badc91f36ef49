/* SPDX-License-Identifier: MIT */
/*
 * Shifts and rotates. Counts are taken modulo 32, whatever the width. A count
 * of zero changes no flag. OF is defined for a count of one only; for others
 * it is what the first step would give: so the host's processor has it, too, and
 * a program that looks at it runs alike whether it is translated or not.
 */
#include "emu/cpu/interp/interp.h"

struct shift {
    uint32_t value;
    unsigned count; /* 0..31 */
    unsigned bytes, bits;
};

/* Operand 0 is what is shifted; operand `count_at` the count. */
MUST_CHECK static enum cpu_status read_shift(struct cpu *cpu, const struct isa_insn *insn,
                                             unsigned count_at, struct shift *s)
{
    uint32_t count;
    s->bytes = interp_bytes(insn, 0);
    s->bits = s->bytes * 8;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &s->value);
    if (status == CPU_OK)
        status = interp_read_operand(cpu, insn, count_at, &count);
    s->count = status ? 0 : count & 31;
    return status;
}

static bool msb(const struct shift *s, uint32_t value)
{
    return value & flags_sign_bit(s->bytes);
}

/* Whether a step to the left changes the sign. */
static bool tops_differ(const struct shift *s)
{
    return msb(s, s->value) != msb(s, s->value << 1);
}

/* Stores the result, then changes the flags of `mask`. Writes back also for a zero count. */
MUST_CHECK static enum cpu_status finish(struct cpu *cpu, const struct isa_insn *insn,
                                         uint32_t result, uint32_t mask, uint32_t flags)
{
    enum cpu_status status = interp_write_operand(cpu, insn, 0, result);
    if (status == CPU_OK)
        flags_set(cpu, mask, flags);
    return status;
}

MUST_CHECK static enum cpu_status finish_rotate(struct cpu *cpu, const struct isa_insn *insn,
                                                const struct shift *s, uint32_t result, bool carry,
                                                bool overflow)
{
    uint32_t flags = (carry ? ISA_F_C : 0) | (overflow ? ISA_F_O : 0);
    return finish(cpu, insn, result, s->count ? ISA_F_C | ISA_F_O : 0, flags);
}

MUST_CHECK static enum cpu_status finish_shift(struct cpu *cpu, const struct isa_insn *insn,
                                               const struct shift *s, uint32_t result, bool carry,
                                               bool overflow)
{
    uint32_t flags = flags_szp(result, s->bytes);
    flags |= (carry ? ISA_F_C : 0) | (overflow ? ISA_F_O : 0);
    return finish(cpu, insn, result, s->count ? FLAGS_STATUS : 0, flags);
}

enum cpu_status interp_rol(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    enum cpu_status status = read_shift(cpu, insn, 1, &s);
    if (status)
        return status;
    unsigned by = s.count % s.bits;
    uint64_t value = s.value;
    uint32_t result = (uint32_t)(value << by | value >> (s.bits - by)) & flags_mask(s.bytes);
    bool carry = result & 1;
    return finish_rotate(cpu, insn, &s, result, carry, tops_differ(&s));
}

enum cpu_status interp_ror(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    enum cpu_status status = read_shift(cpu, insn, 1, &s);
    if (status)
        return status;
    unsigned by = s.count % s.bits;
    uint64_t value = s.value;
    uint32_t result = (uint32_t)(value >> by | value << (s.bits - by)) & flags_mask(s.bytes);
    bool carry = msb(&s, result);
    return finish_rotate(cpu, insn, &s, result, carry, (s.value & 1) != msb(&s, s.value));
}

/* Through carry: a rotate of width + 1 bits, CF on top. */
enum cpu_status interp_rcl(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    enum cpu_status status = read_shift(cpu, insn, 1, &s);
    if (status)
        return status;
    unsigned by = s.count % (s.bits + 1);
    uint64_t ring = (uint64_t)(cpu->eflags & ISA_F_C) << s.bits | s.value;
    ring = ring << by | ring >> (s.bits + 1 - by);
    uint32_t result = (uint32_t)ring & flags_mask(s.bytes);
    bool carry = (ring >> s.bits) & 1;
    return finish_rotate(cpu, insn, &s, result, carry, tops_differ(&s));
}

enum cpu_status interp_rcr(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    enum cpu_status status = read_shift(cpu, insn, 1, &s);
    if (status)
        return status;
    unsigned by = s.count % (s.bits + 1);
    uint64_t ring = (uint64_t)(cpu->eflags & ISA_F_C) << s.bits | s.value;
    ring = ring >> by | ring << (s.bits + 1 - by);
    uint32_t result = (uint32_t)ring & flags_mask(s.bytes);
    bool carry = (ring >> s.bits) & 1;
    return finish_rotate(cpu, insn, &s, result, carry, msb(&s, s.value) != (cpu->eflags & ISA_F_C));
}

enum cpu_status interp_shl(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    enum cpu_status status = read_shift(cpu, insn, 1, &s);
    if (status)
        return status;
    uint64_t wide = (uint64_t)s.value << s.count;
    uint32_t result = (uint32_t)wide & flags_mask(s.bytes);
    bool carry = (wide >> s.bits) & 1;
    return finish_shift(cpu, insn, &s, result, carry, tops_differ(&s));
}

enum cpu_status interp_shr(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    enum cpu_status status = read_shift(cpu, insn, 1, &s);
    if (status)
        return status;
    uint32_t result = s.value >> s.count;
    bool carry = s.count && (s.value >> (s.count - 1)) & 1;
    return finish_shift(cpu, insn, &s, result, carry, msb(&s, s.value));
}

enum cpu_status interp_sar(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    enum cpu_status status = read_shift(cpu, insn, 1, &s);
    if (status)
        return status;
    int64_t value = flags_sign_extend(s.value, s.bytes);
    uint32_t result = (uint32_t)(value >> s.count) & flags_mask(s.bytes);
    bool carry = s.count && (value >> (s.count - 1)) & 1;
    return finish_shift(cpu, insn, &s, result, carry, false);
}

/*
 * Double shifts. A 16-bit operand with a count over 16 is undefined: the bits
 * come from destination:source:destination, as processors do.
 */
enum cpu_status interp_shld(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    uint32_t fill;
    enum cpu_status status = read_shift(cpu, insn, 2, &s);
    if (status == CPU_OK)
        status = interp_read_operand(cpu, insn, 1, &fill);
    if (status || !s.count)
        return status ? status : interp_write_operand(cpu, insn, 0, s.value);
    uint64_t pair = (uint64_t)s.value << s.bits | fill;
    if (s.bits == 16)
        pair = pair << 16 | s.value;
    unsigned top = s.bits == 16 ? 48 : 64;
    uint32_t result = (uint32_t)(pair >> (top - s.bits - s.count)) & flags_mask(s.bytes);
    bool carry = (pair >> (top - s.count)) & 1;
    return finish_shift(cpu, insn, &s, result, carry, msb(&s, result) != msb(&s, s.value));
}

enum cpu_status interp_shrd(struct cpu *cpu, const struct isa_insn *insn)
{
    struct shift s;
    uint32_t fill;
    enum cpu_status status = read_shift(cpu, insn, 2, &s);
    if (status == CPU_OK)
        status = interp_read_operand(cpu, insn, 1, &fill);
    if (status || !s.count)
        return status ? status : interp_write_operand(cpu, insn, 0, s.value);
    uint64_t pair = (uint64_t)fill << s.bits | s.value;
    if (s.bits == 16)
        pair |= (uint64_t)s.value << 32;
    uint32_t result = (uint32_t)(pair >> s.count) & flags_mask(s.bytes);
    bool carry = (pair >> (s.count - 1)) & 1;
    return finish_shift(cpu, insn, &s, result, carry, msb(&s, result) != msb(&s, s.value));
}
