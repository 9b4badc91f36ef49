/* SPDX-License-Identifier: MIT */
/* What breakpoint.c and breakpoint_filter.c share. */
#ifndef DENALI_DEBUG_BREAKPOINT_PRIVATE_H
#define DENALI_DEBUG_BREAKPOINT_PRIVATE_H

#include "emu/debug/breakpoint.h"

#define BREAKPOINT_MAX_HIT 16u

struct breakpoints {
    breakpoint_condition_fn condition;
    breakpoint_target_fn target;
    void *opaque;
    struct breakpoint *first; /* in order of numbers */
    unsigned last_number;
    struct breakpoint *hit[BREAKPOINT_MAX_HIT]; /* at the last stop */
    unsigned hits;
    struct why trouble;
};

#endif
