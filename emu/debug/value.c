/* SPDX-License-Identifier: MIT */
/* Values: reading, writing. Showing them is in value_print.c. */
#include "emu/debug/value.h"

#include <errno.h>
#include <string.h>

struct value value_integer(int64_t n, unsigned size, bool is_signed)
{
    static const char *const names[2][9] = {
        {[1] = "u8", [2] = "u16", [4] = "unsigned int", [8] = "u64"},
        {[1] = "s8", [2] = "s16", [4] = "int", [8] = "s64"}};
    struct value v = {.place = VALUE_BYTES,
                      .type = {.kind = is_signed ? TYPE_SIGNED : TYPE_UNSIGNED,
                               .size = size,
                               .name = names[is_signed][size]}};
    memcpy(v.bytes, &n, sizeof(n));
    return v;
}

struct value value_in_memory(const struct type *type, uint32_t address)
{
    return (struct value){.type = *type, .place = VALUE_MEMORY, .address = address};
}

int value_read(struct target *target, const struct value *v, void *out, uint32_t len,
               struct why *why)
{
    switch (v->place) {
    case VALUE_LOST:
        return why_fail(why, -ENODATA, "the compiler did not keep it here (optimized out)");
    case VALUE_MEMORY:
        if (target->ops->read(target, TARGET_LINEAR, v->address, out, len))
            return why_fail(why, -EFAULT, "there is no memory at 0x%x", v->address);
        return 0;
    default:
        if (len > VALUE_ROOM)
            return why_fail(why, -EINVAL, "it is too large");
        memcpy(out, v->bytes, len);
        return 0;
    }
}

static int64_t extend(uint64_t raw, unsigned bits, bool is_signed)
{
    if (bits >= 64)
        return (int64_t)raw;
    raw &= ((uint64_t)1 << bits) - 1;
    if (is_signed && raw >> (bits - 1) & 1)
        raw |= ~(uint64_t)0 << bits;
    return (int64_t)raw;
}

int value_number(struct target *target, const struct value *v, int64_t *out, struct why *why)
{
    uint64_t raw = 0;
    uint32_t size = type_size(&v->type);
    /* A function or an array stands for its address. */
    if ((type_kind(&v->type) == TYPE_FUNCTION || type_kind(&v->type) == TYPE_ARRAY) &&
        v->place == VALUE_MEMORY) {
        *out = v->address;
        return 0;
    }
    if (type_kind(&v->type) == TYPE_FLOAT) {
        long double f;
        int err = value_float(target, v, &f, why);
        *out = !err && f > -9.2e18L && f < 9.2e18L ? (int64_t)f : 0;
        return err;
    }
    if (!type_is_scalar(&v->type) || !size)
        return why_fail(why, -EINVAL, "it is not a number");
    if (v->bits)
        size = (v->bit_offset + v->bits + 7u) / 8;
    int err = value_read(target, v, &raw, size > 8 ? 8 : size, why);
    if (err)
        return err;
    *out = v->bits ? extend(raw >> v->bit_offset, v->bits, type_is_signed(&v->type))
                   : extend(raw, size * 8, type_is_signed(&v->type));
    return 0;
}

int value_float(struct target *target, const struct value *v, long double *out, struct why *why)
{
    uint8_t raw[16] = {0};
    uint32_t size = type_size(&v->type);
    float single;
    double twice;
    int64_t n = 0;
    int err;
    if (type_kind(&v->type) != TYPE_FLOAT) {
        err = value_number(target, v, &n, why);
        *out = type_is_signed(&v->type) ? (long double)n : (long double)(uint64_t)n;
        return err;
    }
    err = value_read(target, v, raw, size > 12 ? 12 : size, why);
    if (err)
        return err;
    memcpy(&single, raw, 4);
    memcpy(&twice, raw, 8);
    *out = size == 4 ? single : twice;
    if (size >= 10 && sizeof(long double) == 16)
        memcpy(out, raw, 10);
    return 0;
}

static int assign_register(struct target *target, unsigned reg, uint32_t number, struct why *why)
{
    struct cpu *cpu = target_cpu(target);
    if (reg < 8)
        cpu->gpr[reg] = number;
    else if (reg == VALUE_EIP)
        cpu->eip = number;
    else if (reg == VALUE_EFLAGS)
        cpu->eflags = number | 2;
    else
        return why_fail(why, -EINVAL, "this register cannot be set");
    return 0;
}

static int assign_memory(struct target *target, const struct value *to, int64_t number,
                         struct why *why)
{
    uint64_t raw = (uint64_t)number;
    uint32_t size = type_size(&to->type);
    if (to->bits) {
        uint64_t mask = (to->bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << to->bits) - 1)
                        << to->bit_offset;
        uint64_t old = 0;
        size = (to->bit_offset + to->bits + 7u) / 8;
        int err = size > 8 ? -EINVAL : value_read(target, to, &old, size, why);
        if (err)
            return err;
        raw = (old & ~mask) | ((raw << to->bit_offset) & mask);
    }
    if (target->ops->write(target, TARGET_LINEAR, to->address, &raw, size))
        return why_fail(why, -EFAULT, "there is no memory at 0x%x", to->address);
    return 0;
}

int value_assign(struct target *target, const struct value *to, int64_t number, struct why *why)
{
    if (!type_is_scalar(&to->type))
        return why_fail(why, -EINVAL, "only a number or a pointer can be assigned to");
    if (to->place == VALUE_REGISTER)
        return assign_register(target, to->reg, (uint32_t)number, why);
    if (to->place == VALUE_MEMORY)
        return assign_memory(target, to, number, why);
    return why_fail(why, -EINVAL, "it has no place that could be written to");
}
