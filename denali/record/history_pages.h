/* SPDX-License-Identifier: MIT */
/*
 * A VM's memory at one moment: a tree of pages, of which equal ones are shared with
 * the moments before. Pages that are zero are not there. Rights are runs that differ from
 * readable and writable, shared while they do not change.
 */
#ifndef DENALI_HISTORY_PAGES_H
#define DENALI_HISTORY_PAGES_H

#include "denali/vm.h"

struct pages;

/* Counts what the trees of one owner hold together. */
struct pages_meter {
    uint64_t bytes;
};

/* The VM's memory now; `base`: an earlier one to share with, or NULL. The meter outlives it. */
MUST_CHECK int pages_take(struct vm *vm, const struct pages *base, struct pages_meter *meter,
                          struct pages **out);
void pages_free(struct pages *pages); /* NULL is harmless */
/* The VM's memory becomes this. */
MUST_CHECK int pages_restore(const struct pages *pages, struct vm *vm);
/* NULL: zeroes. */
const uint8_t *pages_at(const struct pages *pages, uint32_t page);
/* Bytes that came with it. */
uint64_t pages_own_bytes(const struct pages *pages);
/* The first page from *page on that differs from the VM's memory; -ENOENT: none. */
MUST_CHECK int pages_differ(const struct pages *pages, struct vm *vm, uint32_t *page);

#endif
