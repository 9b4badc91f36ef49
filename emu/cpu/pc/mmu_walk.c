/* SPDX-License-Identifier: MIT */
/*
 * The walk through the page tables: 32-bit paging with 4 KiB and 4 MiB pages,
 * and PAE with 4 KiB and 2 MiB. Rights are the AND of all levels.
 *
 * Accessed and dirty bits are written after the whole walk has succeeded, so
 * an access that faults leaves the tables as they were.
 */
#include "emu/base/host.h"
#include "emu/cpu/mem.h"
#include "emu/cpu/pc/mmu_private.h"
#include "emu/cpu/model.h"
#include "emu/cpu/pc/sysregs.h"

#define MAX_PHYS_BITS 36

/* The entries on the way, the last being the leaf. */
struct walk {
    unsigned levels, size; /* bytes of an entry */
    gpa_t at[2];
    uint64_t entry[2];
    bool large;
};

enum walk_result { WALK_OK, WALK_ABSENT, WALK_RESERVED };

static uint64_t read_entry(struct cpu *cpu, gpa_t at, unsigned size)
{
    uint64_t low = mmu_phys_read(cpu, at, 4);
    return size == 4 ? low : low | (uint64_t)mmu_phys_read(cpu, at + 4, 4) << 32;
}

static void add_level(struct cpu *cpu, struct walk *w, gpa_t at)
{
    w->at[w->levels] = at;
    w->entry[w->levels++] = read_entry(cpu, at, w->size);
}

/* Bits of a 4 MiB entry that must be zero: all between the page's address and bit 13, but for
 * those that PSE-36 uses. */
static uint64_t reserved_large32(const struct cpu *cpu)
{
    return cpu_has(cpu, CPU_F_PSE36) ? 0x3e0000u : 0x3fe000u;
}

static enum walk_result walk32(struct cpu *cpu, struct walk *w, uint32_t linear)
{
    w->size = 4;
    add_level(cpu, w, (cpu->sys.cr3 & ~(gpa_t)PAGE_MASK) + (linear >> 22) * 4);
    uint64_t pde = w->entry[0];
    if (!(pde & PTE_PRESENT))
        return WALK_ABSENT;
    w->large = (pde & PTE_LARGE) && (cpu->sys.cr4 & CR4_PSE);
    if (w->large)
        return pde & reserved_large32(cpu) ? WALK_RESERVED : WALK_OK;
    add_level(cpu, w, (pde & ~(gpa_t)PAGE_MASK) + (linear >> 12 & 1023) * 4);
    return w->entry[1] & PTE_PRESENT ? WALK_OK : WALK_ABSENT;
}

/* Bits that must be zero in any entry of PAE's tables. */
static uint64_t reserved_pae(const struct cpu *cpu)
{
    uint64_t high = ~(uint64_t)0 << MAX_PHYS_BITS;
    return cpu->sys.efer & EFER_NXE ? high & ~PTE_NX : high;
}

static uint64_t frame_of(uint64_t entry)
{
    return entry & (((uint64_t)1 << MAX_PHYS_BITS) - 1) & ~(uint64_t)PAGE_MASK;
}

static enum walk_result walk_pae(struct cpu *cpu, struct walk *w, uint32_t linear)
{
    uint64_t pdpte = cpu->sys.pdpte[linear >> 30], reserved = reserved_pae(cpu);
    w->size = 8;
    if (!(pdpte & PTE_PRESENT))
        return WALK_ABSENT;
    add_level(cpu, w, frame_of(pdpte) + (linear >> 21 & 511) * 8);
    uint64_t pde = w->entry[0];
    if (!(pde & PTE_PRESENT))
        return WALK_ABSENT;
    w->large = pde & PTE_LARGE;
    if (pde & (w->large ? reserved | 0x1fe000u : reserved))
        return WALK_RESERVED;
    if (w->large)
        return WALK_OK;
    add_level(cpu, w, frame_of(pde) + (linear >> 12 & 511) * 8);
    if (!(w->entry[1] & PTE_PRESENT))
        return WALK_ABSENT;
    return w->entry[1] & reserved ? WALK_RESERVED : WALK_OK;
}

static bool is_pae(const struct cpu *cpu)
{
    return cpu->sys.cr4 & CR4_PAE;
}

static gpa_t leaf_address(const struct cpu *cpu, const struct walk *w, uint32_t linear)
{
    uint64_t leaf = w->entry[w->levels - 1];
    if (!w->large)
        return frame_of(leaf) | (linear & PAGE_MASK);
    if (is_pae(cpu))
        return (frame_of(leaf) & ~(gpa_t)0x1fffff) | (linear & 0x1fffff);
    gpa_t high = cpu_has(cpu, CPU_F_PSE36) ? (leaf >> 13 & 15) << 32 : 0;
    return high | (leaf & 0xffc00000u) | (linear & 0x3fffff);
}

static void sum_up(const struct cpu *cpu, const struct walk *w, uint32_t linear,
                   struct mmu_answer *out)
{
    uint64_t all = w->entry[0], any = w->entry[0], leaf = w->entry[w->levels - 1];
    if (w->levels == 2) {
        all &= leaf;
        any |= leaf;
    }
    *out = (struct mmu_answer){
        .gpa = leaf_address(cpu, w, linear),
        .user = all & PTE_USER,
        .write = all & PTE_WRITE,
        .execute = !(w->size == 8 && (any & PTE_NX)),
        .dirty = leaf & PTE_DIRTY,
        .global = (leaf & PTE_GLOBAL) && (cpu->sys.cr4 & CR4_PGE),
        .large = w->large,
    };
}

static bool write_allowed(const struct cpu *cpu, const struct mmu_answer *answer, bool user)
{
    return answer->write || (!user && !(cpu->sys.cr0 & CR0_WP));
}

static bool allowed(const struct cpu *cpu, const struct mmu_answer *answer, enum mmu_kind kind,
                    bool user)
{
    if (user && !answer->user)
        return false;
    if (kind == MMU_WRITE)
        return write_allowed(cpu, answer, user);
    return kind != MMU_EXEC || answer->execute;
}

static void mark(struct cpu *cpu, const struct walk *w, enum mmu_kind kind)
{
    for (unsigned i = 0; i < w->levels; i++) {
        uint32_t bits = PTE_ACCESSED;
        if (kind == MMU_WRITE && i == w->levels - 1)
            bits |= PTE_DIRTY;
        if ((w->entry[i] & bits) != bits)
            mmu_phys_write(cpu, w->at[i], 4, (uint32_t)w->entry[i] | bits);
    }
}

static bool is_marked(const struct walk *w, enum mmu_kind kind)
{
    uint64_t leaf = w->entry[w->levels - 1];
    for (unsigned i = 0; i < w->levels; i++)
        if (!(w->entry[i] & PTE_ACCESSED))
            return false;
    return kind != MMU_WRITE || (leaf & PTE_DIRTY);
}

static enum cpu_status refuse(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user,
                              uint32_t error)
{
    bool tells_fetch = is_pae(cpu) && (cpu->sys.efer & EFER_NXE);
    if (kind == MMU_WRITE)
        error |= CPU_PF_WRITE;
    if (kind == MMU_EXEC && tells_fetch)
        error |= CPU_PF_FETCH;
    if (user)
        error |= CPU_PF_USER;
    cpu->fault =
        (struct cpu_fault){.vector = CPU_PF, .has_error = 1, .error = error, .address = linear};
    return CPU_FAULT;
}

static enum walk_result walk_tables(struct cpu *cpu, struct walk *w, uint32_t linear)
{
    return is_pae(cpu) ? walk_pae(cpu, w, linear) : walk32(cpu, w, linear);
}

enum cpu_status mmu_walk(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user,
                         struct mmu_answer *out)
{
    if (!(cpu->sys.cr0 & CR0_PG)) {
        *out = (struct mmu_answer){
            .gpa = linear, .user = true, .write = true, .execute = true, .dirty = true};
        return CPU_OK;
    }
    struct walk w = {0};
    enum walk_result result = walk_tables(cpu, &w, linear);
    if (result != WALK_OK)
        return refuse(cpu, linear, kind, user,
                      result == WALK_ABSENT ? 0 : CPU_PF_PRESENT | CPU_PF_RESERVED);
    sum_up(cpu, &w, linear, out);
    if (!allowed(cpu, out, kind, user))
        return refuse(cpu, linear, kind, user, CPU_PF_PRESENT);
    mark(cpu, &w, kind);
    out->dirty |= kind == MMU_WRITE;
    return CPU_OK;
}

bool mmu_walk_unseen(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user,
                     struct mmu_answer *out)
{
    struct walk w = {0};
    if (!(cpu->sys.cr0 & CR0_PG) || walk_tables(cpu, &w, linear) != WALK_OK)
        return false;
    sum_up(cpu, &w, linear, out);
    return allowed(cpu, out, kind, user) && is_marked(&w, kind);
}

bool mmu_peek(struct cpu *cpu, uint32_t linear, gpa_t *out)
{
    struct walk w = {0};
    struct mmu_answer answer = {.gpa = linear};
    if (cpu->sys.cr0 & CR0_PG) {
        if (walk_tables(cpu, &w, linear) != WALK_OK)
            return false;
        sum_up(cpu, &w, linear, &answer);
    }
    *out = answer.gpa & (~(gpa_t)UINT32_MAX | cpu->pc.a20_mask);
    return true;
}

bool mmu_load_pdptes(struct cpu *cpu, uint32_t cr3)
{
    const uint64_t reserved = ~(uint64_t)0 << MAX_PHYS_BITS | 0x1e6;
    uint64_t pdpte[4];
    for (unsigned i = 0; i < 4; i++) {
        pdpte[i] = read_entry(cpu, (cr3 & ~31u) + i * 8, 8);
        if ((pdpte[i] & PTE_PRESENT) && (pdpte[i] & reserved))
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        cpu->sys.pdpte[i] = pdpte[i];
    return true;
}
