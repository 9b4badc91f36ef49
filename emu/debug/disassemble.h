/* SPDX-License-Identifier: MIT */
/* Machine code of the guest as text: by Capstone, with symbols. */
#ifndef DENALI_DEBUG_DISASSEMBLE_H
#define DENALI_DEBUG_DISASSEMBLE_H

#include "emu/debug/session.h"

#define DISASSEMBLE_TEXT 192

/* The instruction at a linear address: its text, and its length; 0: there is no code, or it makes
 * no instruction (text then says so). */
unsigned disassemble_text(struct session *session, uint32_t address, char text[DISASSEMBLE_TEXT]);
/* Prints one, as "MARKER0x00020000 <main+4>:\tmov eax, 1"; its length, at least 1. */
unsigned disassemble_one(struct session *session, uint32_t address, const char *marker,
                         struct command_out *out);

#endif
