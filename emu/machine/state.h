/* SPDX-License-Identifier: MIT */
/*
 * State that survives is declared: a list of fields, from which snapshot,
 * clone, swap, lockstep comparison and the monitor's dumps are all made.
 */
#ifndef DENALI_STATE_H
#define DENALI_STATE_H

#include "emu/base/base.h"

enum state_kind { STATE_UINT, STATE_BYTES };

struct state_field {
    const char *name;
    uint32_t offset; /* in the struct */
    uint16_t size;   /* of one element, bytes */
    uint16_t count;  /* elements */
    uint8_t kind;    /* enum state_kind */
    uint8_t loose;   /* saved, but engines may differ in it: state_compare skips it */
};

struct state_list {
    const char *name;
    uint16_t version;
    uint16_t fields;
    const struct state_field *field;
};

#define STATE_U(type, member)                                                                      \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)0)->member), 1, STATE_UINT, 0             \
    }
#define STATE_U_ARRAY(type, member)                                                                \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)0)->member[0]),                           \
            ARRAY_LEN(((type *)0)->member), STATE_UINT, 0                                          \
    }
#define STATE_RAW(type, member)                                                                    \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)0)->member), 1, STATE_BYTES, 0            \
    }

#define STATE_LOOSE(type, member)                                                                  \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)0)->member), 1, STATE_UINT, 1             \
    }

/* Bytes that state_save writes for one object of this list. Integers are saved little-endian. */
size_t state_size(const struct state_list *list);
void state_save(const struct state_list *list, const void *object, uint8_t *out);
void state_load(const struct state_list *list, void *object, const uint8_t *in);
/* Copies the declared fields from one object to another. */
void state_copy(const struct state_list *list, void *dst, const void *src);
/* The first field that differs, or NULL. */
const struct state_field *state_compare(const struct state_list *list, const void *a,
                                        const void *b);

#endif
