/* SPDX-License-Identifier: MIT */
/*
 * Reads captures of single instructions on real processors (public collections): MOO files of
 * format versions 1.0 and 1.1, with 16- or 32-bit registers, and the same as JSON. Everything is
 * checked against the file's end: a damaged file is an error, not a crash.
 */
#ifndef DENALI_TEST_MOO_H
#define DENALI_TEST_MOO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum moo_reg {
    MOO_AX,
    MOO_BX,
    MOO_CX,
    MOO_DX,
    MOO_CS,
    MOO_SS,
    MOO_DS,
    MOO_ES,
    MOO_SP,
    MOO_BP,
    MOO_SI,
    MOO_DI,
    MOO_IP,
    MOO_FLAGS,
    MOO_FS, /* only with 32-bit registers */
    MOO_GS,
    MOO_REGS
};

struct moo_byte {
    uint32_t address;
    uint8_t value;
};

struct moo_state {
    uint32_t mask; /* which registers are told, by enum moo_reg */
    uint32_t reg[MOO_REGS];
    uint32_t count;
    struct moo_byte *byte;
};

struct moo_test {
    uint32_t index;
    char name[64];
    uint8_t code[32];
    uint32_t code_len;
    struct moo_state before, after;
    uint32_t defined[MOO_REGS]; /* bits that the capture defines */
    bool faults;
    uint8_t vector;
    uint32_t flags_at; /* of the pushed flags; a 286's has lost bit 0 */
};

struct moo {
    struct moo_test *test;
    uint32_t count;
    char cpu[5];                /* as the file says: "C286", "386E"; "" of JSON */
    bool wide;                  /* registers of 32 bits */
    uint32_t defined[MOO_REGS]; /* of all tests */
    uint8_t *bytes;             /* the file */
};

/* 0, or -1 with a message on stderr. A file that begins with "[" is JSON. */
int moo_open(const char *path, struct moo *out);
void moo_close(struct moo *moo);

/* The JSON form, from `len` bytes of text. False: damaged, or the build has no JSON. */
bool moo_read_json(const char *text, size_t len, struct moo *moo);

#endif
