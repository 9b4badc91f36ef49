/* SPDX-License-Identifier: MIT */
/*
 * Reads MOO files: captures of single instructions on real processors (public
 * collections, format version 1). Everything is checked against the file's end:
 * a damaged file is an error, not a crash.
 */
#ifndef DENALI_TEST_MOO_H
#define DENALI_TEST_MOO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the files' order. */
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
    MOO_REGS
};

struct moo_byte {
    uint32_t address;
    uint8_t value;
};

struct moo_state {
    uint16_t mask; /* which registers are told */
    uint16_t reg[MOO_REGS];
    uint32_t count;
    struct moo_byte *byte;
};

struct moo_test {
    uint32_t index;
    char name[64];
    uint8_t code[32];
    uint32_t code_len;
    struct moo_state before, after;
    bool faults;
    uint8_t vector;
    uint32_t flags_at; /* of the pushed flags, bit 0 lost */
};

struct moo {
    struct moo_test *test;
    uint32_t count;
    uint8_t *bytes; /* the file */
};

/* 0, or -1 with a message on stderr. */
int moo_open(const char *path, struct moo *out);
void moo_close(struct moo *moo);

#endif
