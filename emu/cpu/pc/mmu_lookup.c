/* SPDX-License-Identifier: MIT */
/*
 * From a linear address to the host's place: TLB, else walk and bus. Decides
 * what may enter the TLB: only what can be accessed with nobody being told.
 */
#include <string.h>

#include "emu/base/host.h"
#include "emu/cpu/debug.h"
#include "emu/cpu/pc/debugreg.h"
#include "emu/cpu/pc/mmu_private.h"

static gpa_t gate(const struct cpu *cpu, gpa_t gpa)
{
    return gpa & (~(gpa_t)UINT32_MAX | cpu->pc.a20_mask);
}

/* Must the engine be told before this page is written? (A write log is told by who has one.) */
static bool write_is_told(const struct cpu *cpu, const struct bus_page *page, gpa_t gpa)
{
    return page->is_ram && ram_is_code(cpu->ram, gpa);
}

static void remember(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user,
                     const struct bus_page *page, const struct mmu_answer *answer)
{
    if (cpu->pc.watching && debugreg_watches_page(cpu, linear))
        return;
    if (cpu->debug && cpu_debug_page_watched(cpu->debug, linear >> PAGE_BITS))
        return;
    if (kind != MMU_WRITE || !write_is_told(cpu, page, gate(cpu, answer->gpa)))
        mmu_fill(cpu, linear, kind, user, page->host, answer);
}

static bool has_host(const struct bus_page *page, bool write)
{
    return page->host && (page->rights & (write ? HOST_W : HOST_R));
}

enum cpu_status mmu_lookup(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user,
                           struct mmu_place *out)
{
    uint64_t addend = mmu_table(cpu->pc.mmu, user, kind)[linear >> PAGE_BITS];
    if (addend) {
        *out =
            (struct mmu_place){.host = (uint8_t *)(uintptr_t)(addend + cpu->pc.tlb_bias + linear)};
        return CPU_OK;
    }
    struct mmu_answer answer;
    enum cpu_status status = mmu_walk(cpu, linear, kind, user, &answer);
    if (status)
        return status;
    struct bus_page page;
    *out = (struct mmu_place){.gpa = gate(cpu, answer.gpa)};
    bus_find_page(cpu->pc.bus, out->gpa, &page);
    if (!has_host(&page, kind == MMU_WRITE)) {
        cpu->pc.outside++;
        return CPU_OK;
    }
    out->host = page.host + (out->gpa & PAGE_MASK);
    remember(cpu, linear, kind, user, &page, &answer);
    return CPU_OK;
}

void mmu_refill(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user)
{
    struct mmu_answer answer;
    struct bus_page page;
    if (mmu_table(cpu->pc.mmu, user, kind)[linear >> PAGE_BITS] ||
        !mmu_walk_unseen(cpu, linear, kind, user, &answer))
        return;
    bus_find_page(cpu->pc.bus, gate(cpu, answer.gpa), &page);
    if (has_host(&page, kind == MMU_WRITE))
        remember(cpu, linear, kind, user, &page, &answer);
}

static bool is_ram(const struct cpu *cpu, const uint8_t *host)
{
    return (uintptr_t)host - (uintptr_t)ram_base(cpu->ram) < ram_size(cpu->ram);
}

void mmu_before_write(struct cpu *cpu, uint8_t *host, uint32_t len)
{
    if ((uintptr_t)host >> PAGE_BITS == cpu->pc.code_frame)
        cpu->code_written = 1;
    if (!is_ram(cpu, host))
        return;
    gpa_t gpa = (gpa_t)(host - ram_base(cpu->ram));
    if (cpu->write_log)
        cpu->write_log->before_write(cpu->write_log, gpa, len);
    if (ram_is_code(cpu->ram, gpa) && !ram_span_write(cpu->ram, gpa, len))
        BUG_ON(true, "RAM refuses a write");
}

uint32_t mmu_phys_read(struct cpu *cpu, gpa_t gpa, unsigned bytes)
{
    return bus_read(cpu->pc.bus, gate(cpu, gpa), bytes);
}

void mmu_phys_write(struct cpu *cpu, gpa_t gpa, unsigned bytes, uint32_t value)
{
    struct bus_page page;
    gpa = gate(cpu, gpa);
    bus_find_page(cpu->pc.bus, gpa, &page);
    if (has_host(&page, true))
        mmu_before_write(cpu, page.host + (gpa & PAGE_MASK), bytes);
    bus_write(cpu->pc.bus, gpa, bytes, value);
}
