/* SPDX-License-Identifier: MIT */
/* DR0 to DR7 (SDM volume 3, chapter 17.2). */
#include "emu/cpu/pc/debugreg.h"

#include "emu/cpu/pc/mmu.h"
#include "emu/cpu/pc/sysregs.h"

enum dr_kind { DR_EXECUTE, DR_WRITE, DR_PORT, DR_ACCESS };

static bool enabled(const struct cpu *cpu, unsigned n)
{
    return cpu->sys.dr[7] >> n * 2 & 3;
}

static enum dr_kind kind_of(const struct cpu *cpu, unsigned n)
{
    return cpu->sys.dr[7] >> (16 + n * 4) & 3;
}

/* 1, 2 or 4 bytes; the code 2 means 8 in 64-bit mode and is undefined here. */
static uint32_t length_of(const struct cpu *cpu, unsigned n)
{
    static const uint8_t lengths[4] = {1, 2, 4, 4};
    return lengths[cpu->sys.dr[7] >> (18 + n * 4) & 3];
}

/* Is any byte of [at, at+bytes) within breakpoint n? Its low address bits are ignored. */
static bool touches(const struct cpu *cpu, unsigned n, uint32_t at, uint32_t bytes)
{
    uint32_t len = length_of(cpu, n), first = cpu->sys.dr[n] & ~(len - 1);
    return at - first < len || first - at < bytes;
}

void debugreg_refresh(struct cpu *cpu)
{
    cpu->pc.watching = (cpu->sys.dr[7] & 0xff) != 0;
    mmu_flush(cpu, true);
}

void debugreg_write(struct cpu *cpu, unsigned n, uint32_t value)
{
    if (n == 6)
        value = (value & 0xe00f) | DR6_FIXED;
    if (n == 7)
        value = (value & 0xffff2bffu) | DR7_FIXED;
    cpu->sys.dr[n] = value;
    if (n != 6)
        debugreg_refresh(cpu);
}

bool debugreg_watches_page(const struct cpu *cpu, uint32_t linear)
{
    for (unsigned n = 0; n < 4; n++) {
        bool data = kind_of(cpu, n) == DR_WRITE || kind_of(cpu, n) == DR_ACCESS;
        if (enabled(cpu, n) && data && touches(cpu, n, linear & ~PAGE_MASK, PAGE_SIZE))
            return true;
    }
    return false;
}

void debugreg_note_access(struct cpu *cpu, uint32_t linear, uint32_t bytes, bool write)
{
    for (unsigned n = 0; n < 4; n++) {
        enum dr_kind kind = kind_of(cpu, n);
        bool fits = kind == DR_ACCESS || (kind == DR_WRITE && write);
        if (enabled(cpu, n) && fits && touches(cpu, n, linear, bytes))
            cpu->pc.pending_debug |= 1u << n;
    }
}

void debugreg_note_port(struct cpu *cpu, uint16_t port, unsigned bytes)
{
    for (unsigned n = 0; n < 4; n++) {
        bool fits = kind_of(cpu, n) == DR_PORT && (cpu->sys.cr4 & CR4_DE);
        if (enabled(cpu, n) && fits && touches(cpu, n, port, bytes))
            cpu->pc.pending_debug |= 1u << n;
    }
}

uint32_t debugreg_code_hits(const struct cpu *cpu, uint32_t linear)
{
    uint32_t hits = 0;
    for (unsigned n = 0; n < 4; n++) {
        if (enabled(cpu, n) && kind_of(cpu, n) == DR_EXECUTE && cpu->sys.dr[n] == linear)
            hits |= 1u << n;
    }
    return hits;
}
