/* SPDX-License-Identifier: MIT */
/*
 * A small sorted set of disjoint, non-adjacent ranges of sequence numbers (which
 * wrap): TCP's early segments, its SACK scoreboard, fragments of a datagram.
 */
#ifndef ILWACO_NET_RANGES_H
#define ILWACO_NET_RANGES_H

#include "guests/ilwaco/lib.h"

#define RANGES_MAX 31

struct range {
    uint32_t from, to; /* [from, to) */
};

struct ranges {
    uint32_t count;
    struct range at[RANGES_MAX];
};

/* Joins [from, to) to the set; false: there is no place for one more (the set is unchanged). */
bool ranges_add(struct ranges *set, uint32_t from, uint32_t to);
/* Takes everything before `seq` out. */
void ranges_drop_before(struct ranges *set, uint32_t seq);
/* The range that holds `seq`, or NULL. */
const struct range *ranges_find(const struct ranges *set, uint32_t seq);
uint32_t ranges_total(const struct ranges *set);

static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}
static inline bool seq_le(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}
static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? b : a;
}
static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? a : b;
}

#endif
