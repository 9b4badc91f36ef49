/* SPDX-License-Identifier: MIT */
/* Text of machine code, for reports and dumps. */
#ifndef DENALI_DBT_TEXT_H
#define DENALI_DBT_TEXT_H

#include <stdio.h>

#include "emu/base/base.h"

/* The first instruction of `code` at address `at`, `bits` 16, 32 or 64, as "mov eax, 1". Its
 * length; 0 where it is none, or this program was built without a disassembler. */
size_t text_instruction(unsigned bits, const uint8_t *code, size_t len, uint64_t at, char *text,
                        size_t room);

/* A line for each of at most `limit` instructions (0: all), behind `indent`. */
void text_print(unsigned bits, const uint8_t *code, size_t len, uint64_t at, unsigned limit,
                const char *indent, FILE *out);

#endif
