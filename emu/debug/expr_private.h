/* SPDX-License-Identifier: MIT */
/* The parser and the operators. */
#ifndef DENALI_DEBUG_EXPR_PRIVATE_H
#define DENALI_DEBUG_EXPR_PRIVATE_H

#include "emu/debug/expr.h"

enum expr_operator {
    EXPR_OR,
    EXPR_AND,
    EXPR_BIT_OR,
    EXPR_BIT_XOR,
    EXPR_BIT_AND,
    EXPR_EQ,
    EXPR_NE,
    EXPR_LT,
    EXPR_GT,
    EXPR_LE,
    EXPR_GE,
    EXPR_SHL,
    EXPR_SHR,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_MOD,
    EXPR_REPEAT,
    EXPR_OPERATORS
};

/* expr_operator.c: `*out` may be one of the operands. Negative errno and `why`. */
MUST_CHECK int expr_binary(struct target *target, enum expr_operator op, const struct value *a,
                           const struct value *b, struct value *out, struct why *why);
/* '-', '~', '!' */
MUST_CHECK int expr_unary(struct target *target, char op, const struct value *v, struct value *out,
                          struct why *why);
MUST_CHECK int expr_deref(struct target *target, const struct value *v, struct value *out,
                          struct why *why);
MUST_CHECK int expr_index(struct target *target, const struct value *v, const struct value *index,
                          struct value *out, struct why *why);
MUST_CHECK int expr_address_of(const struct value *v, struct value *out, struct why *why);
MUST_CHECK int expr_member(struct target *target, const struct value *v, const char *name,
                           struct value *out, struct why *why);
MUST_CHECK int expr_cast(struct target *target, const struct type *to, const struct value *v,
                         struct value *out, struct why *why);

#endif
