/* SPDX-License-Identifier: MIT */
/* Between the page walk and the TLB. Private to mmu*.c. */
#ifndef DENALI_MMU_PRIVATE_H
#define DENALI_MMU_PRIVATE_H

#include "emu/cpu/pc/mmu.h"

/* What a walk found: of the page, after A20. */
struct mmu_answer {
    gpa_t gpa;    /* of the address, not of the page */
    bool user;    /* ring 3 may go there */
    bool write;   /* the tables allow writing to those that they bind */
    bool execute; /* not NX */
    bool dirty;   /* a write needs no more marking */
    bool global, large;
};

/* Places an entry; `host` is of the page. */
void mmu_fill(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user, uint8_t *host,
              const struct mmu_answer *answer);

/* Walks the tables as they are: rights, accessed and dirty bits, CPU_PF. */
MUST_CHECK enum cpu_status mmu_walk(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user,
                                    struct mmu_answer *out);

/* The same where it marks nothing; false: it would, or fails. */
MUST_CHECK bool mmu_walk_unseen(struct cpu *cpu, uint32_t linear, enum mmu_kind kind, bool user,
                                struct mmu_answer *out);

/* mmu_recall.c */
struct mmu_recall;
MUST_CHECK int mmu_recall_create(struct mmu_recall **out);
struct mmu_recall *mmu_recall_of(const struct mmu *mmu);
/* The newest entries of pages that are not global, oldest first, as page << 3 | user << 2 | kind.
 */
uint32_t mmu_newest_local(struct mmu *mmu, uint32_t *out, uint32_t max);

#endif
