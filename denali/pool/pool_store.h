/* SPDX-License-Identifier: MIT */
/*
 * Blocks of any length in memory that can be given back. A heap mixes long-lived
 * blocks with short-lived ones and keeps what lies between; here a block is made of
 * equal units anywhere, so whatever is free serves the next one, and whole free
 * pages go back to the host.
 *
 * From any thread; a block belongs to one at a time.
 */
#ifndef DENALI_POOL_STORE_H
#define DENALI_POOL_STORE_H

#include "emu/base/base.h"

struct pool_store;

#define POOL_STORE_NONE UINT32_MAX

/* For at most so many bytes. -ENOMEM. */
MUST_CHECK int pool_store_create(uint64_t max_bytes, struct pool_store **out);
void pool_store_destroy(struct pool_store *store);

/* The block's name; -ENOMEM. */
MUST_CHECK int pool_store_put(struct pool_store *store, const void *data, size_t len,
                              uint32_t *block);
void pool_store_get(struct pool_store *store, uint32_t block, void *data, size_t len);
void pool_store_free(struct pool_store *store, uint32_t block);
/* What a block of this length takes. */
size_t pool_store_bytes(size_t len);
/* Gives whole free pages back; how many bytes. */
uint64_t pool_store_trim(struct pool_store *store);

#endif
