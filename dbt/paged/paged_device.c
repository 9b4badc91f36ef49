/* SPDX-License-Identifier: MIT */
/*
 * Instructions that reach what is no memory: the planes of a VGA, its text, a controller's
 * registers. Each such access is a fault, and so a signal of 2.5 us; one that comes again and again
 * is made a call of the interpreter instead, twenty times cheaper. But the same instruction may
 * serve memory next (a copying function's), which the call makes slow: so it is watched, and undone
 * when it has reached memory for a while.
 */
#include "dbt/paged/paged.h"

#define HOT 16u   /* faults after which the instruction becomes a call */
#define FRESH 80u /* its heat then; calls that reach memory take it back to HOT */

static uint8_t *heat_of(struct paged *p, const uint8_t *code)
{
    return &p->device_heat[paged_code_hash(code) >> 48];
}

bool paged_device_is_hot(struct paged *p, const uint8_t *code)
{
    return *heat_of(p, code) >= HOT;
}

bool paged_device_faulted(struct paged *p, const uint8_t *code)
{
    uint8_t *heat = heat_of(p, code);
    if (++*heat < HOT)
        return false;
    *heat = FRESH;
    return true;
}

bool paged_device_called(struct paged *p, const struct paged_call *call, bool reached)
{
    uint8_t *heat = heat_of(p, paged_code_at(call->block, call->eip));
    if (reached)
        *heat = FRESH;
    else if (*heat >= HOT)
        --*heat;
    if (*heat >= HOT)
        return false;
    *heat = 0;
    return true;
}
