/* SPDX-License-Identifier: MIT */
/* Capstone as the oracle of the decoder's tests, and where it is not to be trusted. */
#ifndef TEST_ISA_ORACLE_H
#define TEST_ISA_ORACLE_H

#include "emu/isa/isa.h"

struct oracle;

/* NULL if Capstone cannot be opened. */
struct oracle *oracle_create(void);
void oracle_destroy(struct oracle *oracle);

/* Length Capstone gives to the instruction at `buf`, 0 if it knows none. */
unsigned oracle_length(struct oracle *oracle, const uint8_t *buf, size_t len, bool code32);

/* Whether Capstone takes `buf` for an instruction that came after SSE2. */
bool oracle_knows_as_later(struct oracle *oracle, const uint8_t *buf, size_t len, bool code32);

/*
 * Holds a decoded instruction against Capstone: length, mnemonic, operands.
 * NULL if they agree, else what differs, as text valid until the next call.
 */
const char *oracle_compare(struct oracle *oracle, const struct isa_insn *insn, bool code32);

#endif
