/* SPDX-License-Identifier: MIT */
/* The interpreter on a PC: its run loop's parts, which other engines use, too. */
#ifndef DENALI_INTERP_PC_H
#define DENALI_INTERP_PC_H

#include "emu/cpu/interp/interp_block.h"

/* What an instruction has to pass before it is executed: privilege. */
MUST_CHECK enum cpu_status interp_pc_check(struct cpu *cpu, const struct isa_insn *insn);

/* Interrupts, traps and the like wait, or the next instruction is one to be run by itself: an
 * engine calls interp_pc_attend before it goes on. */
bool interp_pc_needs_attention(const struct cpu *cpu);
/* Comes an event next, or a wait for one, and no instruction? */
bool interp_pc_event_is_due(const struct cpu *cpu);

/*
 * One thing: a trap or an interrupt is delivered, the processor waits in HLT
 * (CPU_EXIT, ENGINE_EXIT_HALT, and nothing counted), or one instruction is run
 * with all that TF, RF, debug registers and shadows ask for. Faults are delivered,
 * too. CPU_OK or CPU_EXIT; icount is advanced.
 */
MUST_CHECK enum cpu_status interp_pc_attend(struct cpu *cpu);

/* With a debugger: one thing as above, and what the debugger has to say to it. ENGINE_EXITS: go
 * on. */
enum engine_exit interp_pc_debug_step(struct cpu *cpu);

/* Runs until something happens; at most `budget` instructions and deliveries. */
enum engine_exit interp_pc_run(struct interp_cache *cache, struct cpu *cpu, uint64_t budget);

/* Code at CS:EIP: instruction fetch with CPU_GP at the limit, CPU_PF; and its decoding. */
MUST_CHECK enum cpu_status interp_pc_fetch(struct cpu *cpu, struct isa_insn *out);
/* The host's place of it and how many bytes may be read there; NULL: step singly. */
const uint8_t *interp_pc_code(struct cpu *cpu, uint32_t *room);

#endif
