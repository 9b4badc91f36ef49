/* SPDX-License-Identifier: MIT */
/*
 * The debugger's expressions: C's operators over numbers, registers ($eax, $pc,
 * $st0), symbols, and variables of the program with their types.
 *
 *     $esp + 4     *(u32 *)0x2000     conn->state == TCP_OPEN     &table[3]     sizeof(struct vm)
 */
#ifndef DENALI_DEBUG_EXPR_H
#define DENALI_DEBUG_EXPR_H

#include "emu/debug/symbols/frame.h"

struct expr_context {
    struct frame_source source;
    struct frame frame; /* whose variables and registers count */
    bool may_write;     /* assignments are allowed */
    /* $name that is no register; false: there is no such thing. May be NULL. */
    bool (*variable)(void *opaque, const char *name, struct value *out);
    bool (*set_variable)(void *opaque, const char *name, const struct value *value);
    void *opaque;
};

/*
 * Evaluates the expression at the beginning of `text`. `*end` is set to what follows it; with end
 * NULL nothing may follow. -EINVAL, -EFAULT, ... and `why`.
 */
MUST_CHECK int expr_evaluate(struct expr_context *context, const char *text, const char **end,
                             struct value *out, struct why *why);
/* The same for a number. */
MUST_CHECK int expr_number(struct expr_context *context, const char *text, const char **end,
                           int64_t *out, struct why *why);

/* A register by its name without the $: of the frame. false: there is no such register. */
bool expr_register(const struct expr_context *context, const char *name, struct value *out);
/* Names of registers in turn, NULL at the end. */
const char *expr_register_name(unsigned n);

#endif
