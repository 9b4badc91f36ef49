/* SPDX-License-Identifier: MIT */
/*
 * The translator's own state: the engine, and what it keeps for each processor.
 *
 * A processor is a member of at most one image; only its own thread, under the
 * engine's lock, changes which. `inside` says that the thread is in the cache
 * or on the way there; while the image is halted nobody goes in. Whoever finds
 * that a member's memory no longer holds the image's code waits until it is
 * outside and expels it: it never enters this image again, and leaves it when
 * it next looks. Pages that got code lately are compared on the way in.
 */
#ifndef DENALI_DBT_ENGINE_STATE_H
#define DENALI_DBT_ENGINE_STATE_H

#include "dbt/dbt.h"
#include "dbt/image.h"
#include "dbt/stub.h"
#include "emu/base/host_signal.h"
#include "emu/cpu/debug.h"

struct paged;

struct dbt {
    struct engine engine;
    struct engine_options options;
    struct host_lock lock; /* the list of images; taken before any image's lock */
    struct image *images;
    struct paged *paged;            /* the PC's processors */
    struct engine_counters retired; /* of images and processors that are gone */
};

/* What the processor found while in the cache. */
struct dbt_trap {
    uint32_t vector, error;
    uint32_t address; /* of CPU_PF, in the guest */
};

/* The translation that the verifier refused, for the report. */
#define REJECTION_BYTES 48u
struct dbt_rejection {
    struct verify_finding finding; /* what: NULL while nothing was refused */
    uint32_t eip, guest_eip;       /* of the block; of the instruction */
    uint8_t guest[ISA_MAX_LENGTH], guest_len;
    uint8_t host[REJECTION_BYTES], host_bytes; /* from the place found on */
};

struct dbt_cpu {
    struct host_signal_scope scope;
    struct dbt *dbt;
    struct cpu *cpu;
    struct image *image;
    struct dbt_cpu *next; /* among the members of the image */
    uint64_t key;         /* of the image, as attach had it */
    bool inside, expelled;
    uint32_t checked;      /* how far into the image's log its memory is known to be the same */
    uint32_t slow_steps;   /* still to be interpreted before translation is tried again */
    uint64_t steps_left;   /* the most that may be interpreted at once */
    uint32_t watch_faults; /* in watched pages, since the watchpoints were set */
    struct cpu_watch watch[IMAGE_WATCHES]; /* that the image's blocks look for */
    struct dbt_trap trap;
    struct dbt_rejection rejection;
    uint64_t misses, exits, interpreted, signals;
};

/* member.c */
MUST_CHECK int member_join(struct dbt_cpu *d, uint64_t key);
void member_leave(struct dbt_cpu *d);
/* On the way into the cache: true with `inside` set, or false: look at everything anew. */
bool member_go_inside(struct dbt_cpu *d);
void member_go_outside(struct dbt_cpu *d);
/* Inside the image's lock: from the first to the second no member is in the cache. */
void member_halt_all(struct image *image);
void member_resume_all(struct image *image);
/* Inside the image's lock, the member's thread not inside the cache by the time it returns. */
void member_expel(struct dbt_cpu *d);

/* smc.c: code pages. */
/* Inside the image's lock, by the processor's thread, after smc_check: marks the block's pages as
 * code in its RAM and sees to it that other members compare before they run the block. False: a
 * page cannot be marked. */
bool smc_protect(struct image *image, struct dbt_cpu *d, const struct block *block);
/* Inside the image's lock: does this RAM hold all code that was logged since it was last asked? */
bool smc_check(const struct image *image, struct dbt_cpu *d);
/* [gpa, gpa+len) of this processor's memory is about to change. From any thread that holds no lock
 * of the engine's and is not in the cache. */
void smc_forget(struct dbt_cpu *d, gpa_t gpa, uint64_t len);

/* debug.c: what engine.h says of debug(). */
void debug_changed(struct dbt_cpu *d, uint32_t linear, uint32_t len);
/* On entry to run(), where there is a debugger. */
void debug_enter(struct dbt_cpu *d);
/* Translated code has faulted in a watched page: where that happens often it looks by itself. */
void debug_count_fault(struct dbt_cpu *d);

/* run.c: the engine's run(). */
enum engine_exit run_cpu(struct dbt_cpu *d, uint64_t budget);

/* rejection.c: holds a new block to the verifier; false, and d->rejection, if it was refused. */
bool rejection_check(struct image *image, struct dbt_cpu *d, const struct block *block);
void rejection_print(const struct dbt_rejection *rejection, void *out);

/* fault.c */
bool fault_on_trap(struct host_signal_scope *scope, struct host_frame *frame);

#endif
