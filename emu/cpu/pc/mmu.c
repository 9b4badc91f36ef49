/* SPDX-License-Identifier: MIT */
/*
 * The software TLB: tables, and a log of what was filled in so that a flush
 * costs what it undoes and not what might have been there.
 *
 * Invariant: every non-zero entry is in the log of local or in that of global
 * pages. A log may hold entries that are zero by now, or twice. A full log
 * empties its tables: a TLB may forget whatever it likes.
 */
#include "emu/cpu/pc/mmu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emu/base/host.h"
#include "emu/cpu/pc/mmu_private.h"
#include "emu/cpu/pc/sysregs.h"

#define TABLE_WORDS (1u << 20)
#define TABLE_BYTES ((uint64_t)TABLE_WORDS * sizeof(uint64_t))
#define TABLES_EACH (MMU_KINDS + 1u) /* of a privilege: the last is the engine's */
#define TABLES (2u * TABLES_EACH)
#define TRAP_BYTES (4 * GIB + MIB)
#define LOG_ENTRIES 262144u

/* page << 3 | user << 2 | kind */
struct mmu_log {
    uint32_t count;
    uint32_t entry[LOG_ENTRIES];
};

struct mmu {
    uint64_t *tables; /* TABLES of them, one after the other */
    void *trap;       /* TRAP_BYTES without access */
    uint64_t generation;
    struct mmu_code_changes code;
    uint32_t global_code[2]
                        [TABLE_WORDS / 32]; /* of a privilege: as the executable page was filled */
    uint32_t large[1024 / 32];              /* 4 MiB of linear space that a large page may cover */
    struct mmu_log local, global;
    struct mmu_recall *recall;
};

int mmu_create(struct mmu **out)
{
    struct mmu *mmu = calloc(1, sizeof(*mmu));
    if (!mmu)
        return -ENOMEM;
    void *tables;
    int err = host_reserve(TABLES * TABLE_BYTES, PAGE_SIZE, &tables);
    if (!err) {
        mmu->tables = tables;
        err = host_commit(tables, TABLES * TABLE_BYTES, HOST_R | HOST_W);
    }
    if (!err)
        err = host_reserve(TRAP_BYTES, PAGE_SIZE, &mmu->trap);
    if (!err)
        err = mmu_recall_create(&mmu->recall);
    if (err) {
        mmu_destroy(mmu);
        return err;
    }
    *out = mmu;
    return 0;
}

void mmu_destroy(struct mmu *mmu)
{
    if (mmu && mmu->trap)
        host_release(mmu->trap, TRAP_BYTES);
    if (mmu && mmu->tables)
        host_release(mmu->tables, TABLES * TABLE_BYTES);
    if (mmu)
        free(mmu->recall);
    free(mmu);
}

struct mmu_recall *mmu_recall_of(const struct mmu *mmu)
{
    return mmu->recall;
}

uint64_t *mmu_table(struct mmu *mmu, bool user, enum mmu_kind kind)
{
    return mmu->tables + (size_t)(user * TABLES_EACH + kind) * TABLE_WORDS;
}

uint64_t *mmu_engine_table(struct mmu *mmu, bool user)
{
    return mmu_table(mmu, user, MMU_KINDS);
}

uint64_t mmu_trap_base(const struct mmu *mmu)
{
    return (uint64_t)(uintptr_t)mmu->trap;
}

const struct mmu_code_changes *mmu_code_changes(const struct mmu *mmu)
{
    return &mmu->code;
}

uint64_t mmu_generation(const struct mmu *mmu)
{
    return mmu->generation;
}

void mmu_select(struct cpu *cpu)
{
    for (unsigned kind = 0; kind < MMU_KINDS; kind++)
        cpu->pc.tlb[kind] = mmu_table(cpu->pc.mmu, cpu->cpl == 3, kind);
    cpu->pc.tlb_bias = mmu_trap_base(cpu->pc.mmu);
}

static uint64_t *logged_entry(struct mmu *mmu, uint32_t entry)
{
    return &mmu_table(mmu, entry >> 2 & 1, entry & 3)[entry >> 3];
}

uint32_t mmu_newest_local(struct mmu *mmu, uint32_t *out, uint32_t max)
{
    const struct mmu_log *log = &mmu->local;
    uint32_t first = log->count > max ? log->count - max : 0, count = 0;
    for (uint32_t i = first; i < log->count; i++)
        if (*logged_entry(mmu, log->entry[i]))
            out[count++] = log->entry[i];
    return count;
}

static void flush_log_from(struct mmu *mmu, struct mmu_log *log, uint32_t first)
{
    for (uint32_t i = first; i < log->count; i++)
        *logged_entry(mmu, log->entry[i]) = 0;
    log->count = first;
}

static void flush_log(struct mmu *mmu, struct mmu_log *log)
{
    flush_log_from(mmu, log, 0);
}

/* The running code's own page may be among what goes. */
static void flushed(struct cpu *cpu)
{
    cpu->pc.mmu->generation++;
}

void mmu_flush(struct cpu *cpu, bool global)
{
    struct mmu *mmu = cpu->pc.mmu;
    flush_log(mmu, &mmu->local);
    if (global) {
        flush_log(mmu, &mmu->global);
        memset(mmu->large, 0, sizeof(mmu->large));
        mmu->code.all++;
    } else {
        mmu->code.local++;
    }
    flushed(cpu);
}

struct mmu_mark mmu_mark(const struct mmu *mmu)
{
    return (struct mmu_mark){mmu->local.count, mmu->global.count, mmu->generation};
}

/* Nothing was dropped: so what the log got since then was not there before. */
bool mmu_unlearn(struct cpu *cpu, const struct mmu_mark *mark)
{
    struct mmu *mmu = cpu->pc.mmu;
    if (mmu->generation != mark->generation) {
        mmu_flush(cpu, true);
        return false;
    }
    flush_log_from(mmu, &mmu->local, mark->local);
    flush_log_from(mmu, &mmu->global, mark->global);
    mmu->code.all++;
    flushed(cpu);
    return true;
}

static void drop_pages(struct mmu *mmu, uint32_t page, uint32_t count)
{
    for (unsigned table = 0; table < TABLES; table++)
        if (table % TABLES_EACH < MMU_KINDS)
            memset(mmu->tables + (size_t)table * TABLE_WORDS + page, 0, count * sizeof(uint64_t));
}

void mmu_flush_page(struct cpu *cpu, uint32_t linear)
{
    struct mmu *mmu = cpu->pc.mmu;
    uint32_t region = linear >> 22, page = linear >> PAGE_BITS;
    bool is_large = mmu->large[region / 32] >> region % 32 & 1;
    if (is_large || mmu_table(mmu, false, MMU_EXEC)[page] || mmu_table(mmu, true, MMU_EXEC)[page])
        mmu->code.all++;
    if (is_large)
        drop_pages(mmu, region << 10, 1024);
    else
        drop_pages(mmu, page, 1);
    flushed(cpu);
}

static void drop_frames(struct mmu *mmu, const struct mmu_log *log, uint64_t host, uint64_t len,
                        bool writes_only)
{
    for (uint32_t i = 0; i < log->count; i++) {
        uint64_t *entry = logged_entry(mmu, log->entry[i]);
        uint64_t at = *entry + (uint64_t)(log->entry[i] >> 3) * PAGE_SIZE;
        bool hit = *entry && at - host < len;
        if (hit && (!writes_only || (log->entry[i] & 3) == MMU_WRITE))
            *entry = 0;
    }
}

static void flush_host(struct cpu *cpu, const uint8_t *place, uint64_t len, bool writes_only)
{
    struct mmu *mmu = cpu->pc.mmu;
    uint64_t host = (uint64_t)(uintptr_t)place - cpu->pc.tlb_bias;
    drop_frames(mmu, &mmu->local, host, len, writes_only);
    drop_frames(mmu, &mmu->global, host, len, writes_only);
    flushed(cpu);
}

/* RAM is known by its place. What else is memory to the bus may have moved: all is dropped. */
void mmu_flush_frame(struct cpu *cpu, gpa_t gpa, uint64_t len, bool writes_only)
{
    uint64_t head = gpa & PAGE_MASK;
    if (writes_only && gpa + len <= ram_size(cpu->ram))
        flush_host(cpu, ram_base(cpu->ram) + gpa - head,
                   (len + head + PAGE_MASK) & ~(uint64_t)PAGE_MASK, true);
    else
        mmu_flush(cpu, true);
}

static void note(struct cpu *cpu, uint32_t entry, bool global)
{
    struct mmu_log *log = global ? &cpu->pc.mmu->global : &cpu->pc.mmu->local;
    if (log->count == LOG_ENTRIES)
        mmu_flush(cpu, global);
    log->entry[log->count++] = entry;
}

static void note_code(struct mmu *mmu, uint32_t page, bool user, bool global)
{
    uint32_t *word = &mmu->global_code[user][page / 32], bit = 1u << page % 32;
    *word = global ? *word | bit : *word & ~bit;
}

bool mmu_code_is_global(const struct mmu *mmu, uint32_t linear, bool user)
{
    uint32_t page = linear >> PAGE_BITS;
    return mmu->global_code[user][page / 32] >> page % 32 & 1;
}

void mmu_fill(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user, uint8_t *host,
              const struct mmu_answer *answer)
{
    struct mmu *mmu = cpu->pc.mmu;
    uint32_t page = linear >> PAGE_BITS, region = linear >> 22;
    uint64_t addend = (uintptr_t)host - (uint64_t)page * PAGE_SIZE - cpu->pc.tlb_bias;
    note(cpu, page << 3 | (uint32_t)user << 2 | kind, answer->global);
    if (answer->large)
        mmu->large[region / 32] |= 1u << region % 32;
    if (kind == MMU_EXEC)
        note_code(mmu, page, user, answer->global);
    mmu_table(mmu, user, kind)[page] = addend;
}
