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
#include "emu/cpu/pc/sysregs.h"

/* Fills cpu->fault and returns CPU_FAULT: `return cpu_raise(cpu, CPU_UD);` */
MUST_CHECK enum cpu_status cpu_raise(struct cpu *cpu, enum cpu_vector vector);
MUST_CHECK enum cpu_status cpu_raise_error(struct cpu *cpu, enum cpu_vector vector, uint32_t error);
/* CPU_PF at a linear address; `error` is CPU_PF_WRITE, CPU_PF_FETCH or 0, the rest is found out. */
MUST_CHECK enum cpu_status cpu_raise_page(struct cpu *cpu, uint32_t address, uint32_t error);

/* The host's place of a linear range if it lies in one page that denies none of `denied`. For an
 * access of the guest use cpu_page_ptr: watchpoints do not see this one. */
static inline uint8_t *cpu_page_raw(const struct cpu *cpu, uint32_t linear, uint32_t bytes,
                                    unsigned denied)
{
    const struct ram_view *view = ram_view(cpu->ram);
    uint32_t page = linear >> PAGE_BITS;
    bool ok = page < view->pages && !(view->denied[page] & denied) &&
              (linear & PAGE_MASK) + bytes <= PAGE_SIZE;
    return ok ? view->base + linear : NULL;
}

static inline uint8_t *cpu_page_ptr(const struct cpu *cpu, uint32_t linear, uint32_t bytes,
                                    unsigned denied)
{
    return cpu_page_raw(cpu, linear, bytes, denied | RAM_WATCHED);
}

/* Little-endian integers of 1, 2 or 4 bytes at a host address. */
static inline uint32_t cpu_load(const uint8_t *at, uint32_t bytes)
{
    if (bytes == 1)
        return at[0];
    if (bytes == 2)
        return at[0] | (uint32_t)at[1] << 8;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline void cpu_store(uint8_t *at, uint32_t bytes, uint32_t value)
{
    at[0] = (uint8_t)value;
    if (bytes == 1)
        return;
    at[1] = (uint8_t)(value >> 8);
    if (bytes == 2)
        return;
    at[2] = (uint8_t)(value >> 16);
    at[3] = (uint8_t)(value >> 24);
}

/* The word of struct cpu_flat at `gpa`; 0 where there is none. Never faults. */
static inline uint32_t cpu_flat_read(const struct cpu *cpu, uint32_t gpa)
{
    const uint8_t *at = cpu_page_raw(cpu, gpa, 4, RAM_DENIED_READ);
    return at ? cpu_load(at, 4) : 0;
}
void cpu_flat_write(struct cpu *cpu, uint32_t gpa, uint32_t value);

/* Linear base of a segment. On a flat machine the guest's words for FS and GS, 0 for the others. */
static inline uint32_t cpu_flat_base(const struct cpu *cpu, unsigned seg)
{
    if (seg < ISA_FS)
        return 0;
    return cpu_flat_read(cpu, seg == ISA_FS ? cpu->flat->fs_base : cpu->flat->gs_base);
}

static inline uint32_t cpu_seg_base(const struct cpu *cpu, unsigned seg)
{
    return cpu->flat ? cpu_flat_base(cpu, seg) : cpu->seg[seg].base;
}

/* A plain data segment: present, writable, expand-up. Others are checked out of line. */
#define SEG_PLAIN_MASK (SEG_PRESENT | SEG_S | SEG_CODE | SEG_DOWN | SEG_WRITABLE)
#define SEG_PLAIN (SEG_PRESENT | SEG_S | SEG_WRITABLE)

/* The PC machine's host place of an access that needs nobody, or NULL. */
static inline uint8_t *cpu_tlb_ptr(const struct cpu *cpu, unsigned seg, uint32_t offset,
                                   uint32_t bytes, enum mmu_kind kind)
{
    const struct cpu_seg *s = &cpu->seg[seg];
    uint32_t last = offset + bytes - 1, linear = s->base + offset;
    bool plain = (s->attr & SEG_PLAIN_MASK) == SEG_PLAIN && last <= s->limit && offset <= last;
    if (!plain || (linear & PAGE_MASK) + bytes > PAGE_SIZE ||
        (linear & (bytes - 1) & cpu->pc.align_mask))
        return NULL;
    uint64_t addend = cpu->pc.tlb[kind][linear >> PAGE_BITS];
    return addend ? (uint8_t *)(uintptr_t)(addend + cpu->pc.tlb_bias + linear) : NULL;
}

/* The same for a write, which the running block must hear of when it is to its own page. */
static inline uint8_t *cpu_tlb_write_ptr(struct cpu *cpu, unsigned seg, uint32_t offset,
                                         uint32_t bytes)
{
    if (cpu->write_log)
        return NULL;
    uint8_t *ptr = cpu_tlb_ptr(cpu, seg, offset, bytes, MMU_WRITE);
    if ((uintptr_t)ptr >> PAGE_BITS == cpu->pc.code_frame)
        cpu->code_written = 1;
    return ptr;
}

/* The flat machine's two. */
static inline const uint8_t *cpu_flat_ptr(const struct cpu *cpu, unsigned seg, uint32_t offset,
                                          uint32_t bytes)
{
    return cpu_page_ptr(cpu, cpu_flat_base(cpu, seg) + offset, bytes, RAM_DENIED_READ);
}

static inline uint8_t *cpu_flat_write_ptr(const struct cpu *cpu, unsigned seg, uint32_t offset,
                                          uint32_t bytes)
{
    uint32_t linear = cpu_flat_base(cpu, seg) + offset;
    if (cpu->write_log || linear >> PAGE_BITS == cpu->code_page)
        return NULL;
    return cpu_page_ptr(cpu, linear, bytes, RAM_DENIED_WRITE | RAM_DENIED_CODE);
}

/* The host's place to read `bytes` at seg:offset, if they are in one page and nothing is in the
 * way; else NULL, and the slow way tells why. */
static inline const uint8_t *cpu_read_ptr(const struct cpu *cpu, unsigned seg, uint32_t offset,
                                          uint32_t bytes)
{
    return cpu->flat ? cpu_flat_ptr(cpu, seg, offset, bytes)
                     : cpu_tlb_ptr(cpu, seg, offset, bytes, MMU_READ);
}

/* The host's place of a write that nobody must be told of, or NULL. */
static inline uint8_t *cpu_write_ptr(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes)
{
    return cpu->flat ? cpu_flat_write_ptr(cpu, seg, offset, bytes)
                     : cpu_tlb_write_ptr(cpu, seg, offset, bytes);
}

/* Any size; out of line. */
MUST_CHECK enum cpu_status cpu_read_slow(struct cpu *cpu, unsigned seg, uint32_t offset, void *out,
                                         uint32_t bytes);
MUST_CHECK enum cpu_status cpu_write_slow(struct cpu *cpu, unsigned seg, uint32_t offset,
                                          const void *in, uint32_t bytes);
MUST_CHECK enum cpu_status cpu_check_slow(struct cpu *cpu, unsigned seg, uint32_t offset,
                                          uint32_t bytes, uint32_t error);

/* Reads `bytes` (up to 512) at seg:offset. */
MUST_CHECK static inline enum cpu_status cpu_read(struct cpu *cpu, unsigned seg, uint32_t offset,
                                                  void *out, uint32_t bytes)
{
    const uint8_t *ptr = cpu_read_ptr(cpu, seg, offset, bytes);
    if (!ptr)
        return cpu_read_slow(cpu, seg, offset, out, bytes);
    memcpy(out, ptr, bytes);
    return CPU_OK;
}

MUST_CHECK static inline enum cpu_status cpu_write(struct cpu *cpu, unsigned seg, uint32_t offset,
                                                   const void *in, uint32_t bytes)
{
    uint8_t *ptr = cpu_write_ptr(cpu, seg, offset, bytes);
    if (!ptr)
        return cpu_write_slow(cpu, seg, offset, in, bytes);
    memcpy(ptr, in, bytes);
    return CPU_OK;
}

/* Faults exactly as the access would, and does nothing else. */
MUST_CHECK static inline enum cpu_status cpu_check_write(struct cpu *cpu, unsigned seg,
                                                         uint32_t offset, uint32_t bytes)
{
    return cpu_check_slow(cpu, seg, offset, bytes, CPU_PF_WRITE);
}

MUST_CHECK static inline enum cpu_status cpu_check_read(struct cpu *cpu, unsigned seg,
                                                        uint32_t offset, uint32_t bytes)
{
    return cpu_check_slow(cpu, seg, offset, bytes, 0);
}

/* Integers of 1, 2 or 4 bytes in guest memory, zero-extended. */
MUST_CHECK static inline enum cpu_status
cpu_read_int(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes, uint32_t *value)
{
    uint8_t raw[4] = {0};
    const uint8_t *ptr = cpu_read_ptr(cpu, seg, offset, bytes);
    enum cpu_status status = CPU_OK;
    if (!ptr)
        status = cpu_read_slow(cpu, seg, offset, raw, bytes);
    *value = cpu_load(ptr ? ptr : raw, bytes);
    return status;
}

MUST_CHECK static inline enum cpu_status
cpu_write_int(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes, uint32_t value)
{
    uint8_t raw[4];
    uint8_t *ptr = cpu_write_ptr(cpu, seg, offset, bytes);
    cpu_store(ptr ? ptr : raw, ptr ? bytes : 4, value);
    return ptr ? CPU_OK : cpu_write_slow(cpu, seg, offset, raw, bytes);
}

/*
 * The PC machine's linear memory. `user`: with ring 3's rights, else with the
 * system's (descriptor tables, task states). Up to a page long.
 */
MUST_CHECK enum cpu_status cpu_linear_read(struct cpu *cpu, uint32_t linear, bool user, void *out,
                                           uint32_t bytes);
MUST_CHECK enum cpu_status cpu_linear_write(struct cpu *cpu, uint32_t linear, bool user,
                                            const void *in, uint32_t bytes);
MUST_CHECK enum cpu_status cpu_linear_check(struct cpu *cpu, uint32_t linear, bool user,
                                            enum mmu_kind kind, uint32_t bytes);

/* The PC machine's checks of a segment: CPU_GP(0), or CPU_SS(0) of SS. */
MUST_CHECK enum cpu_status cpu_seg_check(struct cpu *cpu, unsigned seg, uint32_t offset,
                                         uint32_t bytes, bool write);

#endif
