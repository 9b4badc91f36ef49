/* SPDX-License-Identifier: MIT */
/*
 * A value of the guest's: its type, and where it is (memory, a register, or just
 * bytes). Reading and writing go through the target; showing it is bounded.
 */
#ifndef DENALI_DEBUG_VALUE_H
#define DENALI_DEBUG_VALUE_H

#include "emu/debug/target.h"
#include "emu/debug/symbols/type.h"

#include <stdio.h>

enum value_place {
    VALUE_BYTES,    /* a result: `bytes` */
    VALUE_MEMORY,   /* at `address` */
    VALUE_REGISTER, /* the processor's register `reg`, with its contents in `bytes` */
    VALUE_LOST,     /* the compiler did not keep it */
};

#define VALUE_ROOM 64u
/* Registers that are not general ones. */
enum value_register { VALUE_EIP = 8, VALUE_EFLAGS = 9, VALUE_SEGMENT = 16 /* to 21 */ };

struct value {
    struct type type;
    uint8_t place;            /* enum value_place */
    uint8_t reg;              /* enum isa_reg or enum value_register */
    uint8_t bits, bit_offset; /* of a bit field in memory */
    uint32_t address;
    uint8_t bytes[VALUE_ROOM];
};

/* An integer that is nowhere. `size` 1, 2, 4 or 8. */
struct value value_integer(int64_t n, unsigned size, bool is_signed);
struct value value_in_memory(const struct type *type, uint32_t address);

/* A scalar's number, extended to 64 bits. -EINVAL: it is no scalar; -EFAULT: its memory is not
 * there; -ENODATA: lost. */
MUST_CHECK int value_number(struct target *target, const struct value *value, int64_t *out,
                            struct why *why);
MUST_CHECK int value_float(struct target *target, const struct value *value, long double *out,
                           struct why *why);
/* Assigns a number. */
MUST_CHECK int value_assign(struct target *target, const struct value *to, int64_t number,
                            struct why *why);
/* `len` bytes of it, at most its size. */
MUST_CHECK int value_read(struct target *target, const struct value *value, void *out, uint32_t len,
                          struct why *why);

/* As gdb writes it: 42, 0x1234 <name>, 'a', "text", {x = 1, y = 2}. `format`: 0, or one of
 * x d u o t c a s f z. */
void value_print(struct target *target, const struct symbols *symbols, const struct value *value,
                 char format, FILE *out);

#endif
