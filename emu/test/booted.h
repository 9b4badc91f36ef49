/* SPDX-License-Identifier: MIT */
/*
 * Machines as they stood when they had booted, kept by a worker for tests that begin with the same
 * boot. What is kept is only a short cut: a machine that goes on from here does what one does that
 * booted by itself.
 */
#ifndef DENALI_TEST_BOOTED_H
#define DENALI_TEST_BOOTED_H

#include "emu/test/buffer.h"

#define BOOTED_SHELF 4u

struct booted {
    struct buffer key;   /* all that decides what the machine does until there */
    struct buffer state; /* of the machine, as pc_save has it */
    struct buffer rest;  /* its disks' changes, what it said, where the test's steps stand */
    uint64_t instructions;
    uint64_t used; /* when it was last asked for */
};

struct booted_shelf {
    struct booted place[BOOTED_SHELF];
    uint64_t asked;
};

/* NULL: there is none. Valid until the next booted_new. */
struct booted *booted_find(struct booted_shelf *shelf, const struct buffer *key);
/* An empty place; what was asked for longest ago goes. */
struct booted *booted_new(struct booted_shelf *shelf);
/* Nothing is kept there. */
void booted_drop(struct booted *booted);
void booted_fini(struct booted_shelf *shelf);

#endif
