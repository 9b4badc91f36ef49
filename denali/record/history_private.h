/* SPDX-License-Identifier: MIT */
/* What history.c, history_back.c and history_named.c share. */
#ifndef DENALI_HISTORY_PRIVATE_H
#define DENALI_HISTORY_PRIVATE_H

#include "denali/record/history.h"
#include "denali/record/history_pages.h"
#include "denali/vm_private.h"

/* A machine as it was. */
struct machine {
    uint64_t icount;
    struct tape_place place;
    bool seam; /* it does not follow from the one before */
    bool news;
    uint64_t age; /* of the future it belongs to */
    uint8_t *state;
    struct pages *pages;
    char *name;
};

struct history {
    struct vm *vm;
    size_t state_bytes;
    struct machine *machine; /* in the order of time */
    size_t machines, room;
    struct machine *named;
    size_t names, names_room;
    uint64_t seam_icount;     /* of the seam that the VM has just become; UINT64_MAX */
    const struct pages *base; /* what the VM's memory was last the same as; NULL */
    struct pages_meter meter;
    uint64_t max_bytes;
    uint64_t next, take_ns; /* when to take the next one; what the last one cost */
    uint64_t last, age;
    bool changed;
    bool searching;    /* no machines are taken meanwhile */
    bool clean;        /* the VM stands where its budget was used up, and nothing has come since */
    bool of_recording; /* replays, and ends where the tape ends */
    struct cpu seen;   /* its declared state, as history_run left it */
    history_stop_fn stops; /* NULL: all do */
    void *stops_opaque;
    history_asked_fn asked; /* NULL: nobody does */
    void *asked_opaque;
    bool given_up; /* the search or seek that is under way */
    struct history_counters counters;
};

void machine_free(struct history *h, struct machine *m);
MUST_CHECK int machine_take(struct history *h, struct machine *out);
MUST_CHECK int machine_put_back(struct history *h, const struct machine *m);
/* One of another future: the history begins anew with it. */
MUST_CHECK int machine_put_other(struct history *h, const struct machine *m);
/* Runs at most a stretch of the way to `end`; whether to give up is asked before. */
enum vm_slice history_run_stretch(struct history *h, uint64_t end);
/* Seeks without asking anybody. */
MUST_CHECK int history_return(struct history *h, uint64_t icount, struct why *why);
/* If somebody changed the machine, it is kept as it is now. */
MUST_CHECK int history_settle_change(struct history *h);
/* The index of the last machine at or before; the first, if there is none. */
size_t history_find(const struct history *h, uint64_t icount);
/* What comes after now is forgotten, and the VM lives. */
void history_begin_future(struct history *h);

#endif
