/* SPDX-License-Identifier: MIT */
/*
 * Policy: which ready VM runs next, and for how long. Replaceable: the pool knows
 * only struct sched_ops. Always called inside the pool's lock.
 */
#ifndef DENALI_SCHED_H
#define DENALI_SCHED_H

#include "emu/base/base.h"

/* Embedded in what is scheduled. */
struct sched_node {
    struct sched_node *next;
};

enum sched_reason {
    SCHED_WOKEN,     /* it was idle */
    SCHED_PREEMPTED, /* its quantum is over */
};

struct sched;

struct sched_ops {
    const char *name;
    void (*ready)(struct sched *sched, struct sched_node *node, enum sched_reason reason);
    struct sched_node *(*next)(struct sched *sched); /* NULL: nobody is ready */
    uint64_t (*quantum_ns)(const struct sched *sched);
    void (*destroy)(struct sched *sched);
};

struct sched {
    const struct sched_ops *ops;
};

/*
 * Round robin, as in the paper: a VM that was idle goes before those that used up
 * their quantum, as compensation; but every few turns one of the others is next,
 * so that nobody starves.
 */
MUST_CHECK int sched_round_robin(uint64_t quantum_ns, struct sched **out);

#endif
