/* SPDX-License-Identifier: MIT */
/*
 * Memory accesses that the inlined path of mem.h does not take: over a page
 * end, to pages that refuse, to pages that hold translated code, and all
 * writes while somebody listens. Every page of an access is checked before a
 * byte moves, so a fault changes nothing.
 */
#include "emu/cpu/mem.h"

#include "emu/cpu/debug.h"
#include "emu/cpu/pc/mem_pc.h"

enum cpu_status cpu_raise(struct cpu *cpu, enum cpu_vector vector)
{
    cpu->fault = (struct cpu_fault){.vector = (uint8_t)vector};
    return CPU_FAULT;
}

enum cpu_status cpu_raise_error(struct cpu *cpu, enum cpu_vector vector, uint32_t error)
{
    cpu->fault = (struct cpu_fault){.vector = (uint8_t)vector, .has_error = 1, .error = error};
    return CPU_FAULT;
}

static bool page_readable(const struct cpu *cpu, uint32_t linear)
{
    return cpu_page_raw(cpu, linear, 1, RAM_DENIED_READ) != NULL;
}

enum cpu_status cpu_raise_page(struct cpu *cpu, uint32_t address, uint32_t error)
{
    if (page_readable(cpu, address))
        error |= CPU_PF_PRESENT;
    if (cpu->cpl == 3)
        error |= CPU_PF_USER;
    cpu->fault =
        (struct cpu_fault){.vector = CPU_PF, .has_error = 1, .error = error, .address = address};
    return CPU_FAULT;
}

void cpu_flat_write(struct cpu *cpu, uint32_t gpa, uint32_t value)
{
    if (gpa == CPU_FLAT_NONE)
        return;
    uint8_t raw[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 24)};
    struct cpu_fault fault = cpu->fault;
    if (cpu_write_slow(cpu, ISA_DS, gpa, raw, sizeof(raw)))
        cpu->fault = fault; /* the guest has taken its register page away: nobody reads the word */
}

/* Bytes from `linear` to the end of its page, at most `bytes`. */
static uint32_t piece(uint32_t linear, uint32_t bytes)
{
    uint32_t room = PAGE_SIZE - (linear & PAGE_MASK);
    return bytes < room ? bytes : room;
}

MUST_CHECK static enum cpu_status check_pages(struct cpu *cpu, uint32_t linear, uint32_t bytes,
                                              uint32_t error)
{
    unsigned denied = (error & CPU_PF_WRITE) ? RAM_DENIED_WRITE : RAM_DENIED_READ;
    while (bytes) {
        uint32_t len = piece(linear, bytes);
        if (!cpu_page_raw(cpu, linear, len, denied))
            return cpu_raise_page(cpu, linear, error);
        linear += len;
        bytes -= len;
    }
    return CPU_OK;
}

enum cpu_status cpu_check_slow(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes,
                               uint32_t error)
{
    if (!cpu->flat)
        return mem_pc_check(cpu, seg, offset, bytes, error == CPU_PF_WRITE);
    return check_pages(cpu, cpu_seg_base(cpu, seg) + offset, bytes, error);
}

enum cpu_status cpu_read_slow(struct cpu *cpu, unsigned seg, uint32_t offset, void *out,
                              uint32_t bytes)
{
    if (!cpu->flat)
        return mem_pc_read(cpu, seg, offset, out, bytes);
    uint32_t linear = cpu_seg_base(cpu, seg) + offset;
    enum cpu_status status = check_pages(cpu, linear, bytes, 0);
    if (status)
        return status;
    if (cpu->debug)
        cpu_debug_touch(cpu, linear, bytes, CPU_WATCH_READ);
    for (uint8_t *to = out; bytes;) {
        uint32_t len = piece(linear, bytes);
        memcpy(to, ram_base(cpu->ram) + linear, len);
        linear += len;
        to += len;
        bytes -= len;
    }
    return CPU_OK;
}

/* One piece, within a page that may be written: listeners first. */
static void write_piece(struct cpu *cpu, uint32_t linear, const uint8_t *from, uint32_t len)
{
    if (cpu->write_log)
        cpu->write_log->before_write(cpu->write_log, linear, len);
    if (linear >> PAGE_BITS == cpu->code_page)
        cpu->code_written = 1;
    uint8_t *to = ram_span_write(cpu->ram, linear, len);
    BUG_ON(!to, "a checked page refuses a write");
    memcpy(to, from, len);
}

enum cpu_status cpu_write_slow(struct cpu *cpu, unsigned seg, uint32_t offset, const void *in,
                               uint32_t bytes)
{
    if (!cpu->flat)
        return mem_pc_write(cpu, seg, offset, in, bytes);
    uint32_t linear = cpu_seg_base(cpu, seg) + offset;
    enum cpu_status status = check_pages(cpu, linear, bytes, CPU_PF_WRITE);
    if (status)
        return status;
    if (cpu->debug)
        cpu_debug_touch(cpu, linear, bytes, CPU_WATCH_WRITE);
    for (const uint8_t *from = in; bytes;) {
        uint32_t len = piece(linear, bytes);
        write_piece(cpu, linear, from, len);
        linear += len;
        from += len;
        bytes -= len;
    }
    return CPU_OK;
}
