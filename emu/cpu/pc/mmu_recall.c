/* SPDX-License-Identifier: MIT */
/*
 * A reload of CR3 empties the TLB, and translated code that misses it pays a signal for each page:
 * so what it held when CR3 was last this value is walked for again at once, twenty to fifty
 * nanoseconds a page. A processor may fill its TLB whenever it likes; but nobody must see that it
 * did: only entries that need no accessed or dirty bit are filled, from the tables as they are now.
 *
 * Which of the recalled entries are of use cannot be told, so now and then one recall is left out
 * and the set is learned anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emu/cpu/pc/mmu_private.h"

#define SPACES 64u       /* values of CR3 that are remembered, by a hash */
#define PAGES_MAX 128u   /* entries of each */
#define LEARN_EVERY 256u /* recalls */

struct space {
    uint32_t cr3;
    uint32_t recalls; /* since it was learned */
    uint32_t count;
    uint32_t entry[PAGES_MAX]; /* as in the log */
};

struct mmu_recall {
    struct space space[SPACES];
};

int mmu_recall_create(struct mmu_recall **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

static struct space *space_of(struct mmu_recall *recall, uint32_t cr3)
{
    return &recall->space[(cr3 * 0x9e3779b1u) >> 26];
}

static void remember(struct mmu *mmu, struct space *space, uint32_t cr3)
{
    if (space->cr3 != cr3)
        space->recalls = 0;
    space->cr3 = cr3;
    space->count = mmu_newest_local(mmu, space->entry, PAGES_MAX);
}

static void recall_all(struct cpu *cpu, struct space *space)
{
    if (++space->recalls % LEARN_EVERY == 0)
        return;
    for (uint32_t i = 0; i < space->count; i++)
        mmu_refill(cpu, space->entry[i] >> 3 << PAGE_BITS, space->entry[i] & 3,
                   space->entry[i] >> 2 & 1);
}

void mmu_forget(struct cpu *cpu)
{
    memset(mmu_recall_of(cpu->pc.mmu), 0, sizeof(struct mmu_recall));
    mmu_flush(cpu, true);
}

void mmu_reload(struct cpu *cpu, uint32_t old_cr3)
{
    struct mmu_recall *recall = mmu_recall_of(cpu->pc.mmu);
    struct space *space = space_of(recall, cpu->sys.cr3);
    remember(cpu->pc.mmu, space_of(recall, old_cr3), old_cr3);
    mmu_flush(cpu, false);
    if (space->cr3 == cpu->sys.cr3)
        recall_all(cpu, space);
}
