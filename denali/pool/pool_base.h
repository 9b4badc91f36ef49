/* SPDX-License-Identifier: MIT */
/*
 * Contents that pages of an origin's VMs were seen with. Clones that have done the
 * same work have changed their pages in nearly the same manner: against what
 * another one had there, a page differs by a name and a few numbers, where against
 * the snapshot it is another page. A base is never changed, and lives until the last
 * VM of its origin is gone.
 *
 * From any thread.
 */
#ifndef DENALI_POOL_BASE_H
#define DENALI_POOL_BASE_H

#include "emu/base/base.h"

struct pool_bases;

/* Of all pages together. */
#define POOL_BASES_MAX 256u

/* -ENOMEM. */
MUST_CHECK int pool_bases_create(struct pool_bases **out);
void pool_bases_destroy(struct pool_bases *bases); /* NULL is harmless */
/* Forgets all; nobody else uses them, and nothing is kept that was packed with them. */
void pool_bases_clear(struct pool_bases *bases);

/*
 * What the page's bytes differ from in fewest words: a base, or the snapshot's bytes (*number is
 * 0 then). `learn`: if they are far from all, they become a base themselves, while there is room.
 */
const uint8_t *pool_bases_nearest(struct pool_bases *bases, uint32_t page, const uint8_t *bytes,
                                  const uint8_t *snapshot, bool learn, uint32_t *number);
/* A base by its number, which is not 0. NULL: there is none. */
const uint8_t *pool_bases_get(const struct pool_bases *bases, uint32_t number);

#endif
