/* SPDX-License-Identifier: MIT */
/*
 * Types of the guest's program, by DWARF, and those of the expression language
 * itself (int, u8, ...), as small values that are copied freely. A type of a
 * program is good as long as its module.
 *
 * Chains of types in a hostile file may be endless: every walk is bounded.
 */
#ifndef DENALI_DEBUG_TYPE_H
#define DENALI_DEBUG_TYPE_H

#include "emu/debug/symbols/symbols.h"

enum type_kind {
    TYPE_VOID,
    TYPE_SIGNED,
    TYPE_UNSIGNED,
    TYPE_CHAR, /* of either sign */
    TYPE_BOOL,
    TYPE_FLOAT,
    TYPE_POINTER,
    TYPE_ARRAY,
    TYPE_STRUCT, /* or union */
    TYPE_ENUM,
    TYPE_FUNCTION,
    TYPE_OTHER, /* what this program does not know how to show */
};

struct type {
    uint8_t kind;                  /* enum type_kind of what lies under the stars */
    uint8_t is_signed;             /* TYPE_CHAR, TYPE_ENUM */
    uint8_t stars;                 /* pointers around it, that an expression made */
    uint8_t dimension;             /* TYPE_ARRAY: how many of its subscripts are taken */
    uint32_t repeat;               /* an array that an expression made (VALUE@COUNT); 0: none */
    uint32_t size;                 /* bytes of what lies under the stars; 0: not known */
    struct symbols_module *module; /* NULL: a type of the language itself */
    uint64_t die;                  /* where it is described in the module's .debug_info */
    const char *name;              /* of the language itself */
};

struct type_member {
    const char *name; /* "" for one without a name */
    struct type type;
    uint32_t offset;
    uint8_t bits, bit_offset; /* of a bit field: `bits` from that bit of the byte at offset on */
};

/* void, char, int, unsigned, u8 to u64, s8 to s64, uint8_t and so on, float, double, ... */
bool type_builtin(const char *name, struct type *out);
/* By name: "struct x", "union x", "enum x", or a typedef or base type's. */
bool type_find(const struct symbols *symbols, const char *name, struct type *out);

enum type_kind type_kind(const struct type *type);
uint32_t type_size(const struct type *type);
bool type_is_signed(const struct type *type);
/* Integers, characters, truth values, enumerations and pointers. */
bool type_is_scalar(const struct type *type);

/* So many of it, one behind the other. */
struct type type_repeated(const struct type *type, uint32_t count);
struct type type_pointer_to(const struct type *type);
/* What a pointer points to, or an array's element; void where that is not known. */
struct type type_target(const struct type *type);
/* Elements of an array; 0: not known. */
uint32_t type_elements(const struct type *type);
/* The n-th member of a structure, in order; false behind the last. */
bool type_member(const struct type *type, unsigned n, struct type_member *out);
/* The member of that name, also inside members without a name. */
bool type_find_member(const struct type *type, const char *name, struct type_member *out);
/* The name of an enumeration's value, or NULL. */
const char *type_enumerator(const struct type *type, int64_t value);
/* "unsigned char", "struct thread *", "int [4]". Returns `text`. */
#define TYPE_TEXT 128
const char *type_text(const struct type *type, char text[TYPE_TEXT]);

#endif
