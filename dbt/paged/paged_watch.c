/* SPDX-License-Identifier: MIT */
/*
 * A watched page is not in the TLB, so each touch of it comes as a signal and goes to the
 * interpreter, which tells the debugger. Where that happens again and again the instruction is
 * translated anew, as a call to the interpreter: a tenth of the time.
 */
#include "dbt/paged/paged.h"

#include <string.h>

/* Touches by one instruction: a page fault of the guest's is none yet. */
#define OFTEN 4u

static uint8_t *counter(const struct paged *p, const uint8_t *code)
{
    return &p->touches[(paged_code_hash(code) >> 40) % PAGED_TOUCH_BYTES];
}

bool paged_watch_touches(const struct paged *p, const uint8_t *code)
{
    return *counter(p, code) >= OFTEN;
}

void paged_watch_note(struct paged *p, const uint8_t *code, uint32_t linear)
{
    uint8_t *count = counter(p, code);
    if (*count >= OFTEN)
        return;
    if (++*count == OFTEN)
        paged_drop_linear(p, linear, 1);
}

void paged_watch_end(struct paged *p)
{
    memset(p->touches, 0, PAGED_TOUCH_BYTES);
    paged_drop_all(p);
}
