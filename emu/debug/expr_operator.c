/* SPDX-License-Identifier: MIT */
/*
 * What the operators do to values. Integers follow C's rules for a machine with
 * 32-bit int; a value that does not fit is 64 bits wide.
 */
#include "emu/debug/expr_private.h"

#include <errno.h>
#include <string.h>

static bool is_float(const struct value *v)
{
    return type_kind(&v->type) == TYPE_FLOAT;
}

/* Pointers, and what becomes one: arrays and functions. */
static bool is_address(const struct value *v)
{
    enum type_kind kind = type_kind(&v->type);
    return kind == TYPE_POINTER || kind == TYPE_ARRAY;
}

static struct value of_float(long double f)
{
    double d = (double)f;
    struct value v = {.place = VALUE_BYTES,
                      .type = {.kind = TYPE_FLOAT, .size = 8, .name = "double"}};
    memcpy(v.bytes, &d, sizeof(d));
    return v;
}

static struct value truth(bool yes)
{
    return value_integer(yes, 4, true);
}

static int compare_result(enum expr_operator op, int order)
{
    switch (op) {
    case EXPR_EQ:
        return order == 0;
    case EXPR_NE:
        return order != 0;
    case EXPR_LT:
        return order < 0;
    case EXPR_GT:
        return order > 0;
    case EXPR_LE:
        return order <= 0;
    default:
        return order >= 0;
    }
}

static bool is_comparison(enum expr_operator op)
{
    return op >= EXPR_EQ && op <= EXPR_GE;
}

static int binary_float(struct target *t, enum expr_operator op, const struct value *a,
                        const struct value *b, struct value *out, struct why *why)
{
    long double x, y;
    int err = value_float(t, a, &x, why);
    if (!err)
        err = value_float(t, b, &y, why);
    if (err)
        return err;
    if (is_comparison(op))
        *out = truth(compare_result(op, x < y ? -1 : x > y));
    else if (op == EXPR_ADD)
        *out = of_float(x + y);
    else if (op == EXPR_SUB)
        *out = of_float(x - y);
    else if (op == EXPR_MUL)
        *out = of_float(x * y);
    else if (op == EXPR_DIV)
        *out = of_float(x / y);
    else
        return why_fail(why, -EINVAL, "this operator does not take floating-point numbers");
    return 0;
}

static int divide(enum expr_operator op, int64_t x, int64_t y, bool is_signed, uint64_t *out,
                  struct why *why)
{
    if (!y)
        return why_fail(why, -EINVAL, "division by zero");
    if (!is_signed)
        *out = op == EXPR_DIV ? (uint64_t)x / (uint64_t)y : (uint64_t)x % (uint64_t)y;
    else if (y == -1)
        *out = op == EXPR_DIV ? 0 - (uint64_t)x : 0;
    else
        *out = (uint64_t)(op == EXPR_DIV ? x / y : x % y);
    return 0;
}

static uint64_t shift(enum expr_operator op, int64_t x, int64_t by, unsigned bits, bool is_signed)
{
    if (by < 0 || by >= (int64_t)bits)
        return op == EXPR_SHR && is_signed && x < 0 ? UINT64_MAX : 0;
    if (op == EXPR_SHL)
        return (uint64_t)x << by;
    return is_signed ? (uint64_t)(x >> by) : (uint64_t)x >> by;
}

static int order(int64_t x, int64_t y, bool is_signed)
{
    if (x == y)
        return 0;
    return (is_signed ? x < y : (uint64_t)x < (uint64_t)y) ? -1 : 1;
}

static int integers(enum expr_operator op, int64_t x, int64_t y, unsigned size, bool is_signed,
                    uint64_t *out, struct why *why)
{
    switch (op) {
    case EXPR_BIT_OR:
        *out = (uint64_t)(x | y);
        return 0;
    case EXPR_BIT_XOR:
        *out = (uint64_t)(x ^ y);
        return 0;
    case EXPR_BIT_AND:
        *out = (uint64_t)(x & y);
        return 0;
    case EXPR_ADD:
        *out = (uint64_t)x + (uint64_t)y;
        return 0;
    case EXPR_SUB:
        *out = (uint64_t)x - (uint64_t)y;
        return 0;
    case EXPR_MUL:
        *out = (uint64_t)x * (uint64_t)y;
        return 0;
    case EXPR_DIV:
    case EXPR_MOD:
        return divide(op, x, y, is_signed, out, why);
    default:
        *out = shift(op, x, y, size * 8, is_signed);
        return 0;
    }
}

/* The number cut to what C would compare and compute with. */
static int64_t convert(int64_t n, unsigned size, bool is_signed)
{
    if (size == 8)
        return n;
    return is_signed ? (int32_t)n : (int64_t)(uint32_t)n;
}

static int binary_integer(enum expr_operator op, const struct value *a, const struct value *b,
                          int64_t x, int64_t y, struct value *out, struct why *why)
{
    uint32_t sa = type_size(&a->type), sb = type_size(&b->type);
    unsigned size = sa > 4 || sb > 4 ? 8 : 4;
    bool is_signed =
        (type_is_signed(&a->type) || sa < size) && (type_is_signed(&b->type) || sb < size);
    uint64_t result = 0;
    if (is_address(a) || is_address(b)) {
        size = 4;
        is_signed = false;
    }
    x = convert(x, size, is_signed);
    y = convert(y, size, is_signed);
    if (is_comparison(op)) {
        *out = truth(compare_result(op, order(x, y, is_signed)));
        return 0;
    }
    int err = integers(op, x, y, size, is_signed, &result, why);
    if (!err)
        *out = value_integer((int64_t)result, size, is_signed);
    return err;
}

/* Pointers count in elements. */
static int pointer_arithmetic(enum expr_operator op, const struct value *a, const struct value *b,
                              int64_t x, int64_t y, struct value *out, struct why *why)
{
    const struct value *p = is_address(a) ? a : b;
    struct type to = type_target(&p->type);
    uint32_t size = type_size(&to);
    size = size ? size : 1;
    if (op == EXPR_SUB && is_address(a) && is_address(b)) {
        *out = value_integer((int32_t)((uint32_t)x - (uint32_t)y) / (int32_t)size, 4, true);
        return 0;
    }
    if (op == EXPR_SUB && is_address(b))
        return why_fail(why, -EINVAL, "a pointer cannot be taken from a number");
    if (is_address(a))
        y *= size;
    else
        x *= size;
    *out = value_integer(op == EXPR_ADD ? x + y : x - y, 4, false);
    out->type = type_pointer_to(&to);
    return 0;
}

#define REPEAT_MAX_BYTES 0x100000

/* VALUE@COUNT: an array from there on. */
static int repeat(struct target *t, const struct value *v, const struct value *count,
                  struct value *out, struct why *why)
{
    int64_t n;
    uint32_t size = type_size(&v->type);
    int err = value_number(t, count, &n, why);
    if (err)
        return err;
    if (v->place != VALUE_MEMORY || v->bits || !size)
        return why_fail(why, -EINVAL, "only what lies in memory can be taken several times by @");
    if (n < 1 || n > REPEAT_MAX_BYTES / size)
        return why_fail(why, -EINVAL, "@ takes a count of 1 to %u here", REPEAT_MAX_BYTES / size);
    *out = *v;
    out->type = type_repeated(&v->type, (uint32_t)n);
    return 0;
}

int expr_binary(struct target *t, enum expr_operator op, const struct value *a,
                const struct value *b, struct value *out, struct why *why)
{
    int64_t x, y;
    if (op == EXPR_REPEAT)
        return repeat(t, a, b, out, why);
    if (is_float(a) || is_float(b))
        return binary_float(t, op, a, b, out, why);
    int err = value_number(t, a, &x, why);
    if (!err)
        err = value_number(t, b, &y, why);
    if (err)
        return err;
    if ((op == EXPR_ADD || op == EXPR_SUB) && (is_address(a) || is_address(b)))
        return pointer_arithmetic(op, a, b, x, y, out, why);
    return binary_integer(op, a, b, x, y, out, why);
}

int expr_unary(struct target *t, char op, const struct value *v, struct value *out, struct why *why)
{
    int64_t n;
    if (op == '-' && is_float(v)) {
        struct value zero = of_float(0);
        return binary_float(t, EXPR_SUB, &zero, v, out, why);
    }
    int err = value_number(t, v, &n, why);
    if (err)
        return err;
    if (op == '!')
        *out = truth(!n);
    else
        *out = value_integer(op == '-' ? (int64_t)(0 - (uint64_t)n) : ~n,
                             type_size(&v->type) > 4 ? 8 : 4,
                             type_is_signed(&v->type) || type_size(&v->type) < 4);
    return 0;
}

int expr_deref(struct target *t, const struct value *v, struct value *out, struct why *why)
{
    int64_t n;
    struct type to = type_target(&v->type);
    int err = value_number(t, v, &n, why);
    if (err)
        return err;
    /* A number is taken for the address of a word, as is a pointer to nothing in particular. */
    if (!is_address(v) || type_kind(&to) == TYPE_VOID)
        type_builtin("unsigned int", &to);
    *out = value_in_memory(&to, (uint32_t)n);
    return 0;
}

int expr_index(struct target *t, const struct value *v, const struct value *index,
               struct value *out, struct why *why)
{
    struct value sum;
    int64_t n;
    /* An array that lies in registers. */
    if (type_kind(&v->type) == TYPE_ARRAY && v->place == VALUE_BYTES) {
        struct type element = type_target(&v->type);
        uint32_t size = type_size(&element);
        int err = value_number(t, index, &n, why);
        if (err)
            return err;
        if (n < 0 || (uint64_t)n >= type_elements(&v->type) || (n + 1) * size > VALUE_ROOM)
            return why_fail(why, -EINVAL, "there is no element %lld", (long long)n);
        *out = (struct value){.type = element, .place = VALUE_BYTES};
        memcpy(out->bytes, v->bytes + n * size, size);
        return 0;
    }
    if (!is_address(v))
        return why_fail(why, -EINVAL, "only arrays and pointers have elements");
    int err = expr_binary(t, EXPR_ADD, v, index, &sum, why);
    return err ? err : expr_deref(t, &sum, out, why);
}

int expr_address_of(const struct value *v, struct value *out, struct why *why)
{
    struct type type = type_pointer_to(&v->type);
    if (v->place == VALUE_REGISTER)
        return why_fail(why, -EINVAL, "it is in a register and has no address");
    if (v->place != VALUE_MEMORY || v->bits)
        return why_fail(why, -EINVAL, "it has no address");
    *out = value_integer(v->address, 4, false);
    out->type = type;
    return 0;
}

int expr_member(struct target *t, const struct value *v, const char *name, struct value *out,
                struct why *why)
{
    struct value whole = *v;
    struct type_member m;
    int err = type_kind(&v->type) == TYPE_POINTER ? expr_deref(t, v, &whole, why) : 0;
    if (err)
        return err;
    if (type_kind(&whole.type) != TYPE_STRUCT)
        return why_fail(why, -EINVAL, "what stands before .%s is no structure", name);
    if (!type_find_member(&whole.type, name, &m))
        return why_fail(why, -ENOENT, "the structure has no member %s; \"ptype\" lists them", name);
    *out = whole;
    out->type = m.type;
    out->bits = m.bits;
    out->bit_offset = m.bit_offset;
    out->address += m.offset;
    if (whole.place == VALUE_BYTES || whole.place == VALUE_REGISTER) {
        if (m.offset + type_size(&m.type) > VALUE_ROOM)
            return why_fail(why, -EINVAL, "the member is out of reach");
        out->place = VALUE_BYTES;
        memset(out->bytes, 0, VALUE_ROOM);
        memcpy(out->bytes, whole.bytes + m.offset, VALUE_ROOM - m.offset);
    }
    return 0;
}

int expr_cast(struct target *t, const struct type *to, const struct value *v, struct value *out,
              struct why *why)
{
    int64_t n;
    long double f;
    if (type_kind(to) == TYPE_FLOAT) {
        int err = value_float(t, v, &f, why);
        if (!err)
            *out = of_float(type_size(to) == 4 ? (float)f : f);
        return err;
    }
    if (!type_is_scalar(to)) {
        if (v->place != VALUE_MEMORY)
            return why_fail(why, -EINVAL, "it cannot be taken for that");
        *out = value_in_memory(to, v->address);
        return 0;
    }
    int err = value_number(t, v, &n, why);
    if (err)
        return err;
    if (type_kind(to) == TYPE_BOOL)
        n = n != 0;
    *out = (struct value){.type = *to, .place = VALUE_BYTES};
    memcpy(out->bytes, &n, sizeof(n));
    return 0;
}
