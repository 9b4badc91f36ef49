/* SPDX-License-Identifier: MIT */
/*
 * The processor's one path to memory, and its one way to raise a fault. All
 * reads and writes of guest instructions go through here: segment, then linear
 * address, then page rights. What the PC machine adds (segment checks, page
 * tables) it adds here and nowhere else.
 *
 * A fault leaves memory unchanged, also when only the second page of an access
 * refuses. Nothing here touches registers.
 */
#ifndef DENALI_CPU_MEM_H
#define DENALI_CPU_MEM_H

#include <string.h>

#include "emu/cpu/cpu.h"

/* Fills cpu->fault and returns CPU_FAULT: `return cpu_raise(cpu, CPU_UD);` */
MUST_CHECK enum cpu_status cpu_raise(struct cpu *cpu, enum cpu_vector vector);
MUST_CHECK enum cpu_status cpu_raise_error(struct cpu *cpu, enum cpu_vector vector, uint32_t error);
/* CPU_PF at a linear address; `error` is CPU_PF_WRITE, CPU_PF_FETCH or 0, the rest is found out. */
MUST_CHECK enum cpu_status cpu_raise_page(struct cpu *cpu, uint32_t address, uint32_t error);

/* Linear base of a segment. On a flat machine the guest's words for FS and GS, 0 for the others. */
uint32_t cpu_seg_base_slow(const struct cpu *cpu, unsigned seg);
static inline uint32_t cpu_seg_base(const struct cpu *cpu, unsigned seg)
{
    return cpu->flat && seg < ISA_FS ? 0 : cpu_seg_base_slow(cpu, seg);
}

/* The word of struct cpu_flat at `gpa`; 0 where there is none. Never faults. */
uint32_t cpu_flat_read(const struct cpu *cpu, uint32_t gpa);
void cpu_flat_write(struct cpu *cpu, uint32_t gpa, uint32_t value);

/* Any size; out of line. */
MUST_CHECK enum cpu_status cpu_read_slow(struct cpu *cpu, uint32_t linear, void *out,
                                         uint32_t bytes);
MUST_CHECK enum cpu_status cpu_write_slow(struct cpu *cpu, uint32_t linear, const void *in,
                                          uint32_t bytes);
MUST_CHECK enum cpu_status cpu_check_slow(struct cpu *cpu, uint32_t linear, uint32_t bytes,
                                          uint32_t error);

/* The host's place of a linear range if it lies in one page that denies none of `denied`. */
static inline uint8_t *cpu_page_ptr(const struct cpu *cpu, uint32_t linear, uint32_t bytes,
                                    unsigned denied)
{
    const struct ram_view *view = ram_view(cpu->ram);
    uint32_t page = linear >> PAGE_BITS;
    bool ok = page < view->pages && !(view->denied[page] & denied) &&
              (linear & PAGE_MASK) + bytes <= PAGE_SIZE;
    return ok ? view->base + linear : NULL;
}

/* Reads `bytes` (up to 512) at seg:offset. */
MUST_CHECK static inline enum cpu_status cpu_read(struct cpu *cpu, unsigned seg, uint32_t offset,
                                                  void *out, uint32_t bytes)
{
    uint32_t linear = cpu_seg_base(cpu, seg) + offset;
    const uint8_t *ptr = cpu_page_ptr(cpu, linear, bytes, RAM_DENIED_READ);
    if (!ptr)
        return cpu_read_slow(cpu, linear, out, bytes);
    memcpy(out, ptr, bytes);
    return CPU_OK;
}

MUST_CHECK static inline enum cpu_status cpu_write(struct cpu *cpu, unsigned seg, uint32_t offset,
                                                   const void *in, uint32_t bytes)
{
    uint32_t linear = cpu_seg_base(cpu, seg) + offset;
    uint8_t *ptr = cpu_page_ptr(cpu, linear, bytes, RAM_DENIED_WRITE | RAM_DENIED_CODE);
    if (!ptr || cpu->write_log)
        return cpu_write_slow(cpu, linear, in, bytes);
    memcpy(ptr, in, bytes);
    return CPU_OK;
}

/* Faults exactly as the access would, and does nothing else. */
MUST_CHECK static inline enum cpu_status cpu_check_write(struct cpu *cpu, unsigned seg,
                                                         uint32_t offset, uint32_t bytes)
{
    return cpu_check_slow(cpu, cpu_seg_base(cpu, seg) + offset, bytes, CPU_PF_WRITE);
}

MUST_CHECK static inline enum cpu_status cpu_check_read(struct cpu *cpu, unsigned seg,
                                                        uint32_t offset, uint32_t bytes)
{
    return cpu_check_slow(cpu, cpu_seg_base(cpu, seg) + offset, bytes, 0);
}

/* Integers of 1, 2 or 4 bytes, zero-extended. */
MUST_CHECK static inline enum cpu_status
cpu_read_int(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes, uint32_t *value)
{
    uint8_t raw[4] = {0};
    enum cpu_status status = cpu_read(cpu, seg, offset, raw, bytes);
    *value = raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24;
    return status;
}

MUST_CHECK static inline enum cpu_status
cpu_write_int(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes, uint32_t value)
{
    uint8_t raw[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 24)};
    return cpu_write(cpu, seg, offset, raw, bytes);
}

#endif
