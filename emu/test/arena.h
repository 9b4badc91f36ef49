/* SPDX-License-Identifier: MIT */
/* Memory that is given back all at once: what belongs to one specification. */
#ifndef DENALI_TEST_ARENA_H
#define DENALI_TEST_ARENA_H

#include "emu/base/base.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
};

/* Zeroed; NULL: no memory. */
void *arena_alloc(struct arena *arena, size_t bytes);
char *arena_print(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
void arena_free(struct arena *arena);

#endif
