/* SPDX-License-Identifier: MIT */
/*
 * A guest that is run again and again, each time from the same place with
 * another input. It boots once, deterministically, to its start; a snapshot is
 * taken there, and every run begins with going back to it (denali/record/rewind.h).
 */
#ifndef DENALI_FUZZ_GUEST_H
#define DENALI_FUZZ_GUEST_H

#include "emu/fuzz/way.h"

#define FUZZ_MAX_ENDS 8u
#define FUZZ_MAX_STATUSES 8u
#define FUZZ_SIGNAL_STATUS 119u /* with which Ilwaco ends when a signal ended its program */

enum fuzz_start {
    FUZZ_START_WANTS,   /* where it first waits for what the way brings */
    FUZZ_START_ADDRESS, /* each time that it gets there the first time */
    FUZZ_START_BOOT,    /* before its first instruction */
};

struct fuzz_guest_config {
    struct vm_config vm; /* image, engine (that counts), memory, args, env; the way's disk or NIC
                            and the console are added here */
    struct fuzz_way *way;
    enum fuzz_start start;
    uint32_t start_at;           /* linear */
    uint32_t end[FUZZ_MAX_ENDS]; /* a run that gets there is over */
    unsigned ends;
    bool end_at_return; /* the start is a function's entry: a run is over when it returns */
    uint8_t crash_status[FUZZ_MAX_STATUSES]; /* statuses that are crashes */
    unsigned crash_statuses;
    uint64_t boot_limit, limit; /* instructions, to the start and of a run */
};

enum fuzz_end {
    FUZZ_DONE,  /* it ended, returned, or waits for more than the input has */
    FUZZ_CRASH, /* it died of a fault or a signal, or with a status that counts as that */
    FUZZ_HANG,  /* so many instructions, and not over */
    FUZZ_STOPPED,
    FUZZ_FAILED, /* the host did */
};

struct fuzz_result {
    enum fuzz_end end;
    uint64_t insns;
    bool ended;      /* the VM did, with `status` */
    uint32_t status; /* of a fault: 0 */
    /* The last fault that anything in the guest met; of a crash usually its cause. */
    bool faulted;
    uint8_t vector;
    uint32_t eip;
    /* It jumped to `target`, where there is no code; eip is what lies on top of the stack: where a
     * call would return to. */
    bool wild;
    uint32_t target;
};

struct fuzz_guest;

/* 0, or a negative errno and `why`. What the configuration points to outlives it, but for the VM's
 * strings and resources' list. */
MUST_CHECK int fuzz_guest_create(const struct fuzz_guest_config *config, struct fuzz_guest **out,
                                 struct why *why);
void fuzz_guest_destroy(struct fuzz_guest *guest); /* NULL is harmless */

void fuzz_guest_run(struct fuzz_guest *guest, const uint8_t *input, size_t len,
                    struct fuzz_result *out);
/* From any thread: the run, or the next one, ends with FUZZ_STOPPED soon. */
void fuzz_guest_stop(struct fuzz_guest *guest);

/* The guest as it stands after a run; its output's end is in the way's console. */
struct vm *fuzz_guest_vm(struct fuzz_guest *guest);
/* Goes back without a run, and says how many pages it had. Negative errno. */
MUST_CHECK int fuzz_guest_rewind(struct fuzz_guest *guest, uint32_t *pages);

/* Whether two crashes are most likely one bug: they end in the same way at the same place. */
bool fuzz_same_crash(const struct fuzz_result *a, const struct fuzz_result *b);

/*
 * Makes an input as small and as plain as it can be made while it still crashes in the same way.
 * `input` and `*len` are changed. Runs the guest at most `budget` times.
 */
void fuzz_minimise(struct fuzz_guest *guest, uint8_t *input, size_t *len, unsigned budget);

#endif
