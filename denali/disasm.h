/* SPDX-License-Identifier: MIT */
/* Text of one guest instruction, for reports. */
#ifndef DENALI_DISASM_H
#define DENALI_DISASM_H

#include "emu/base/base.h"

/* "mov eax, 1" of the bytes at `address`, code of 16 or 32 bits; false where they are no
 * instruction, or this program was built without a disassembler. */
bool disasm_text(unsigned bits, const uint8_t *bytes, size_t len, uint32_t address, char *text,
                 size_t room);

#endif
