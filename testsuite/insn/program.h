/* SPDX-License-Identifier: MIT */
/*
 * Random programs for the fuzzer. A program is a list of units: an instruction
 * with what must be set up for it, or a branch. Any unit can be taken out and
 * the rest is still a program that ends, which is how a failing one is made
 * small.
 */
#ifndef DENALI_INSN_PROGRAM_H
#define DENALI_INSN_PROGRAM_H

#include "emu/isa/isa.h"
#include "testsuite/insn/case.h"
#include "testsuite/insn/rng.h"

enum program_class {
    CLASS_INTEGER,
    CLASS_SHIFT,
    CLASS_MULDIV,
    CLASS_STRING,
    CLASS_STACK,
    CLASS_CONTROL,
    CLASS_X87,
    CLASS_MMX,
    CLASS_XMM_INTEGER,
    CLASS_XMM_FLOAT,
    CLASSES
};

extern const char *const program_class_names[CLASSES];

enum program_class program_class_of(const struct isa_row *row);

/* What a unit's address field holds: a branch target, or the code that a store modifies. */
enum unit_fix { FIX_NONE, FIX_RELATIVE, FIX_ABSOLUTE, FIX_OWN, FIX_OTHER };

#define UNIT_BYTES 112u
#define UNITS_MAX 160u /* and one that stands for the end */

struct unit {
    uint8_t bytes[UNIT_BYTES];
    uint8_t len; /* 0: taken out */
    uint8_t fix; /* enum unit_fix: of the 32-bit field at fix_at */
    uint8_t fix_at;
    uint8_t is_target;     /* somebody branches here */
    uint8_t pointers;      /* stores x87 pointers and then erases them */
    uint16_t target;       /* a unit; of OWN the byte of this unit that it modifies */
    uint16_t at;           /* offset in the code page, from program_lay_out */
    uint16_t reads;        /* flags the unit needs defined */
    uint16_t kills, undef; /* flags it defines, and leaves undefined */
    uint16_t undef_in;     /* undefined when it begins, from program_lay_out */
};

struct program {
    struct insn_state state;
    uint32_t data_seed, code_at;
    bool hostile; /* some operands lie where there is no memory */
    unsigned count;
    struct unit units[UNITS_MAX + 1];
};

/* Makes a program whose rows are of the classes in the mask (a bit each). */
void program_make(struct program *p, struct rng *r, unsigned classes);

/* Writes it as a case. */
void program_lay_out(struct program *p, struct insn_case *out);

/* Whether `eip` may lie between a store of x87 pointers and their erasure. */
bool program_pointers_at(const struct program *p, uint32_t eip);

/* Flags that are undefined at `eip` of the laid-out program. */
uint32_t program_undef_at(const struct program *p, uint32_t eip);

#endif
