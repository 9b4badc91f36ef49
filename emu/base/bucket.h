/* SPDX-License-Identifier: MIT */
/*
 * A rate with a burst. What is taken moves a line in time; who comes before the
 * line waits until it is reached. An unused rate lets the line fall behind by at
 * most `burst_ns`. One amount may be larger than the burst: it goes, and the next
 * waits longer. All zero: no limit.
 */
#ifndef EMU_BASE_BUCKET_H
#define EMU_BASE_BUCKET_H

#include "emu/base/base.h"

struct bucket {
    uint64_t per_s; /* 0: no limit */
    uint64_t burst_ns;
    uint64_t line_ns;
};

#define BUCKET_BURST_NS 20000000u /* where nobody says otherwise */

static inline struct bucket bucket_of(uint64_t per_s, uint64_t burst_ns)
{
    return (struct bucket){per_s, burst_ns, 0};
}

/* From when on the next may go; not after now_ns: at once. */
static inline uint64_t bucket_free_at(const struct bucket *b)
{
    return b->per_s ? b->line_ns : 0;
}

/* Takes `amount`, at most 2^32; the time from which on it may go: now_ns, or later. */
static inline uint64_t bucket_take(struct bucket *b, uint64_t amount, uint64_t now_ns)
{
    if (!b->per_s)
        return now_ns;
    uint64_t oldest = now_ns > b->burst_ns ? now_ns - b->burst_ns : 0;
    if (b->line_ns < oldest)
        b->line_ns = oldest;
    uint64_t at = b->line_ns > now_ns ? b->line_ns : now_ns;
    b->line_ns += amount * 1000000000u / b->per_s;
    return at;
}

#endif
