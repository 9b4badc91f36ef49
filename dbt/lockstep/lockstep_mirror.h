/* SPDX-License-Identifier: MIT */
/*
 * A copy of a PC's RAM as lockstep knows it to be, so that a byte which the subject wrote where the
 * interpreter wrote nothing is seen: when that page is written next, or when all is compared.
 */
#ifndef DENALI_LOCKSTEP_MIRROR_H
#define DENALI_LOCKSTEP_MIRROR_H

#include "emu/machine/ram.h"

struct lockstep_mirror {
    struct ram *ram;
    uint8_t *bytes;      /* NULL: there is no mirror (a flat machine) */
    uint8_t *expected;   /* by page: somebody else writes there */
    uint32_t *list;      /* those pages */
    uint32_t count;      /* how many */
    uint64_t checked_at; /* instructions when all was compared last */
    bool found;          /* what follows: a byte that nobody wrote */
    gpa_t at;
    uint8_t was, is;
};

/* -ENOMEM. All of RAM is expected to be written. */
MUST_CHECK int lockstep_mirror_init(struct lockstep_mirror *m, struct ram *ram);
void lockstep_mirror_fini(struct lockstep_mirror *m);
/* Outside the processor somebody is about to write there. What lies outside RAM is no matter. */
void lockstep_mirror_expect(struct lockstep_mirror *m, gpa_t gpa, uint64_t len);
/* Before a stretch: what was expected is there now. */
void lockstep_mirror_begin(struct lockstep_mirror *m);
/* A page that is about to be written: is it as known? Else `found`. */
void lockstep_mirror_look(struct lockstep_mirror *m, gpa_t page);
/* A page is as it should be now. */
void lockstep_mirror_take(struct lockstep_mirror *m, gpa_t page);
/* All of RAM, if `icount` is so far that it costs little; at the `end` of a run sooner. */
void lockstep_mirror_check(struct lockstep_mirror *m, uint64_t icount, bool end);

#endif
