/* SPDX-License-Identifier: MIT */
/*
 * From guest code to a block: scan, liveness of flags, rewriting, publication.
 * Inside the image's lock.
 */
#ifndef DENALI_DBT_TRANSLATE_H
#define DENALI_DBT_TRANSLATE_H

#include "dbt/rewrite.h"

/*
 * Reads instructions from `eip` on, straight and through direct jumps, until
 * something ends the block, at most `limit`. Count 0: the first one cannot be
 * fetched or decoded, or lies where nothing is translated.
 */
void scan_run(struct scan *scan, const struct image *image, const struct ram *ram, uint32_t eip,
              unsigned limit, bool exact);

/*
 * A new block at `eip`, built but not published, or NULL: `*again` says that
 * the cache's segment is full (turn to the next and try again), otherwise the
 * interpreter must do the instruction. `exact`: 0, or the number of
 * instructions at most, unchained.
 */
struct block *translate_block(struct image *image, const struct ram *ram, uint32_t eip,
                              uint16_t exact, bool *again);

#endif
