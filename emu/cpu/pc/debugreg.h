/* SPDX-License-Identifier: MIT */
/*
 * The guest's debug registers: its own breakpoints on code, data and ports. A
 * page that a data breakpoint touches is kept out of the TLB, so only accesses
 * to it pay. (A debugger's breakpoints are debug.h's, and another matter.)
 */
#ifndef DENALI_DEBUGREG_H
#define DENALI_DEBUGREG_H

#include "emu/cpu/cpu.h"

/* DR0 to DR7 as MOV writes them: reserved bits, the TLB. Not DR4 and DR5. */
void debugreg_write(struct cpu *cpu, unsigned n, uint32_t value);
/* Works out what follows from the registers. */
void debugreg_refresh(struct cpu *cpu);

bool debugreg_watches_page(const struct cpu *cpu, uint32_t linear);
/* Notes in pending_debug what an access hits; the #DB comes after the instruction. */
void debugreg_note_access(struct cpu *cpu, uint32_t linear, uint32_t bytes, bool write);
void debugreg_note_port(struct cpu *cpu, uint16_t port, unsigned bytes);
/* DR6 bits of the breakpoints on an instruction at this linear address. */
uint32_t debugreg_code_hits(const struct cpu *cpu, uint32_t linear);

#endif
