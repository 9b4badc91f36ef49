/* SPDX-License-Identifier: MIT */
/*
 * Memory of the PC machine: segment, alignment, pages, bus, in the order in
 * which a processor checks them. All pages of an access are looked up before
 * a byte moves. What is not memory is asked of the bus, low address first.
 */
#include "emu/cpu/pc/mem_pc.h"

#include "emu/cpu/debug.h"
#include "emu/cpu/pc/debugreg.h"
#include "emu/cpu/pc/mmu.h"

/* An access of up to a page lies in at most two. */
struct span {
    struct mmu_place place[2];
    uint32_t len[2];
};

/* Is [offset, offset+bytes) inside? An expand-up segment of 4 GiB has no end. */
static bool within_limit(const struct cpu_seg *seg, uint32_t offset, uint32_t bytes)
{
    uint32_t last = offset + bytes - 1;
    bool down = !(seg->attr & SEG_CODE) && (seg->attr & SEG_DOWN);
    if (down)
        return offset > seg->limit && last >= offset &&
               last <= (seg->attr & SEG_BIG ? UINT32_MAX : 0xffff);
    return seg->limit == UINT32_MAX || (last >= offset && last <= seg->limit);
}

static bool type_allows(const struct cpu_seg *seg, bool write)
{
    if (!(seg->attr & SEG_PRESENT))
        return false;
    if (seg->attr & SEG_CODE)
        return !write && (seg->attr & SEG_READABLE);
    return !write || (seg->attr & SEG_WRITABLE);
}

enum cpu_status cpu_seg_check(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes,
                              bool write)
{
    const struct cpu_seg *s = &cpu->seg[seg];
    if (type_allows(s, write) && within_limit(s, offset, bytes))
        return CPU_OK;
    return cpu_raise_error(cpu, seg == ISA_SS ? CPU_SS : CPU_GP, 0);
}

/* What #AC wants of an operand of this size: its own, or that of its parts. */
static uint32_t alignment(uint32_t bytes)
{
    if (bytes == 10)
        return 8;
    return bytes <= 8 && !(bytes & (bytes - 1)) ? bytes : 4;
}

MUST_CHECK static enum cpu_status check_access(struct cpu *cpu, unsigned seg, uint32_t offset,
                                               uint32_t bytes, bool write)
{
    enum cpu_status status = cpu_seg_check(cpu, seg, offset, bytes, write);
    if (status)
        return status;
    uint32_t linear = cpu->seg[seg].base + offset;
    if (linear & (alignment(bytes) - 1) & cpu->pc.align_mask)
        return cpu_raise_error(cpu, CPU_AC, 0);
    return CPU_OK;
}

MUST_CHECK static enum cpu_status find(struct cpu *cpu, uint32_t linear, uint32_t bytes, bool user,
                                       enum mmu_kind kind, struct span *span)
{
    uint32_t room = PAGE_SIZE - (linear & PAGE_MASK);
    span->len[0] = bytes < room ? bytes : room;
    span->len[1] = bytes - span->len[0];
    enum cpu_status status = mmu_lookup(cpu, linear, kind, user, &span->place[0]);
    if (status == CPU_OK && span->len[1])
        status = mmu_lookup(cpu, linear + span->len[0], kind, user, &span->place[1]);
    return status;
}

/* Whoever was asked may have raised an interrupt or armed an event: a running block ends here. */
static void bus_asked(struct cpu *cpu)
{
    cpu->code_written = 1;
}

/* The bus is asked in words as wide as what is left allows. */
static unsigned bus_width(uint32_t left)
{
    return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

static void read_place(struct cpu *cpu, const struct mmu_place *place, uint8_t *out, uint32_t len)
{
    if (place->host) {
        memcpy(out, place->host, len);
        return;
    }
    bus_asked(cpu);
    for (uint32_t at = 0; at < len;) {
        unsigned width = bus_width(len - at);
        uint32_t value = bus_read(cpu->pc.bus, place->gpa + at, width);
        memcpy(out + at, &value, width);
        at += width;
    }
}

static void write_place(struct cpu *cpu, const struct mmu_place *place, const uint8_t *in,
                        uint32_t len)
{
    if (place->host) {
        mmu_before_write(cpu, place->host, len);
        memcpy(place->host, in, len);
        return;
    }
    bus_asked(cpu);
    for (uint32_t at = 0; at < len;) {
        unsigned width = bus_width(len - at);
        uint32_t value = 0;
        memcpy(&value, in + at, width);
        bus_write(cpu->pc.bus, place->gpa + at, width, value);
        at += width;
    }
}

enum cpu_status cpu_linear_check(struct cpu *cpu, uint32_t linear, bool user, enum mmu_kind kind,
                                 uint32_t bytes)
{
    struct span span;
    return find(cpu, linear, bytes, user, kind, &span);
}

enum cpu_status cpu_linear_read(struct cpu *cpu, uint32_t linear, bool user, void *out,
                                uint32_t bytes)
{
    struct span span;
    enum cpu_status status = find(cpu, linear, bytes, user, MMU_READ, &span);
    if (status)
        return status;
    if (cpu->debug)
        cpu_debug_touch(cpu, linear, bytes, CPU_WATCH_READ);
    read_place(cpu, &span.place[0], out, span.len[0]);
    read_place(cpu, &span.place[1], (uint8_t *)out + span.len[0], span.len[1]);
    if (cpu->pc.watching)
        debugreg_note_access(cpu, linear, bytes, false);
    return CPU_OK;
}

enum cpu_status cpu_linear_write(struct cpu *cpu, uint32_t linear, bool user, const void *in,
                                 uint32_t bytes)
{
    struct span span;
    enum cpu_status status = find(cpu, linear, bytes, user, MMU_WRITE, &span);
    if (status)
        return status;
    if (cpu->debug)
        cpu_debug_touch(cpu, linear, bytes, CPU_WATCH_WRITE);
    write_place(cpu, &span.place[0], in, span.len[0]);
    write_place(cpu, &span.place[1], (const uint8_t *)in + span.len[0], span.len[1]);
    if (cpu->pc.watching)
        debugreg_note_access(cpu, linear, bytes, true);
    return CPU_OK;
}

enum cpu_status mem_pc_check(struct cpu *cpu, unsigned seg, uint32_t offset, uint32_t bytes,
                             bool write)
{
    enum cpu_status status = check_access(cpu, seg, offset, bytes, write);
    if (status)
        return status;
    return cpu_linear_check(cpu, cpu->seg[seg].base + offset, cpu->cpl == 3,
                            write ? MMU_WRITE : MMU_READ, bytes);
}

enum cpu_status mem_pc_read(struct cpu *cpu, unsigned seg, uint32_t offset, void *out,
                            uint32_t bytes)
{
    enum cpu_status status = check_access(cpu, seg, offset, bytes, false);
    if (status)
        return status;
    return cpu_linear_read(cpu, cpu->seg[seg].base + offset, cpu->cpl == 3, out, bytes);
}

enum cpu_status mem_pc_write(struct cpu *cpu, unsigned seg, uint32_t offset, const void *in,
                             uint32_t bytes)
{
    enum cpu_status status = check_access(cpu, seg, offset, bytes, true);
    if (status)
        return status;
    return cpu_linear_write(cpu, cpu->seg[seg].base + offset, cpu->cpl == 3, in, bytes);
}
