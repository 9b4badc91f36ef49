/* SPDX-License-Identifier: MIT */
/*
 * Pieces are left out, larger ones first, then what is left becomes '0' where
 * that makes no difference. Deterministic runs make each answer final.
 */
#include "emu/fuzz/guest.h"

#include <stdlib.h>
#include <string.h>

struct search {
    struct fuzz_guest *guest;
    struct fuzz_result want;
    uint8_t *trial;
    unsigned budget;
};

static bool still_crashes(struct search *s, size_t len)
{
    struct fuzz_result result;
    if (!s->budget)
        return false;
    s->budget--;
    fuzz_guest_run(s->guest, s->trial, len, &result);
    return fuzz_same_crash(&result, &s->want);
}

/* One pass with pieces of `step` bytes. */
static bool leave_out(struct search *s, uint8_t *input, size_t *len, size_t step)
{
    bool any = false;
    for (size_t at = 0; at < *len;) {
        size_t n = step < *len - at ? step : *len - at, rest = *len - at - n;
        memcpy(s->trial, input, at);
        memcpy(s->trial + at, input + at + n, rest);
        if (!still_crashes(s, at + rest)) {
            at += n;
            continue;
        }
        *len = at + rest;
        memcpy(input, s->trial, *len);
        any = true;
    }
    return any;
}

static void make_plain(struct search *s, uint8_t *input, size_t len)
{
    memcpy(s->trial, input, len);
    for (size_t at = 0; at < len; at++) {
        s->trial[at] = '0';
        if (input[at] != '0' && still_crashes(s, len))
            input[at] = '0';
        s->trial[at] = input[at];
    }
}

void fuzz_minimise(struct fuzz_guest *guest, uint8_t *input, size_t *len, unsigned budget)
{
    struct search s = {.guest = guest, .trial = malloc(*len + 1), .budget = budget};
    if (!s.trial)
        return;
    fuzz_guest_run(guest, input, *len, &s.want);
    if (s.want.end == FUZZ_CRASH) {
        for (size_t step = *len / 2 ? *len / 2 : 1; step; step /= 2)
            while (leave_out(&s, input, len, step) && step == 1)
                ;
        make_plain(&s, input, *len);
    }
    free(s.trial);
}
