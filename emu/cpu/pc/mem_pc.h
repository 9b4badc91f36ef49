/* SPDX-License-Identifier: MIT */
/* The PC machine's side of mem.c: the same accesses, with segments and pages. */
#ifndef DENALI_MEM_PC_H
#define DENALI_MEM_PC_H

#include "emu/cpu/mem.h"

MUST_CHECK enum cpu_status mem_pc_read(struct cpu *cpu, unsigned seg, uint32_t offset, void *out,
                                       uint32_t bytes);
MUST_CHECK enum cpu_status mem_pc_write(struct cpu *cpu, unsigned seg, uint32_t offset,
                                        const void *in, uint32_t bytes);
MUST_CHECK enum cpu_status mem_pc_check(struct cpu *cpu, unsigned seg, uint32_t offset,
                                        uint32_t bytes, bool write);

#endif
