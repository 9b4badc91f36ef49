/* SPDX-License-Identifier: MIT */
/* Ranges in an array: sets are short, and a copy of a few words beats a tree. */
#include "guests/ilwaco/net/ranges.h"

/* Replaces `old` ranges from index `at` on by one. */
static void ranges_replace(struct ranges *set, uint32_t at, uint32_t old, struct range r)
{
    memmove(&set->at[at + 1], &set->at[at + old], (set->count - at - old) * sizeof r);
    set->at[at] = r;
    set->count = set->count - old + 1;
}

bool ranges_add(struct ranges *set, uint32_t from, uint32_t to)
{
    uint32_t first = 0, end;
    if (!seq_lt(from, to))
        return true;
    while (first < set->count && seq_lt(set->at[first].to, from))
        first++;
    for (end = first; end < set->count && seq_le(set->at[end].from, to); end++) {
        from = seq_min(from, set->at[end].from);
        to = seq_max(to, set->at[end].to);
    }
    if (end == first && set->count == RANGES_MAX)
        return false;
    ranges_replace(set, first, end - first, (struct range){from, to});
    return true;
}

void ranges_drop_before(struct ranges *set, uint32_t seq)
{
    uint32_t gone = 0;
    while (gone < set->count && seq_le(set->at[gone].to, seq))
        gone++;
    set->count -= gone;
    memmove(set->at, set->at + gone, set->count * sizeof set->at[0]);
    if (set->count && seq_lt(set->at[0].from, seq))
        set->at[0].from = seq;
}

const struct range *ranges_find(const struct ranges *set, uint32_t seq)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (seq_le(set->at[i].from, seq) && seq_lt(seq, set->at[i].to))
            return &set->at[i];
    return NULL;
}

uint32_t ranges_total(const struct ranges *set)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < set->count; i++)
        total += set->at[i].to - set->at[i].from;
    return total;
}
