/* SPDX-License-Identifier: MIT */
/*
 * Policy: which ready VM runs next, and for how long. Replaceable: the pool knows
 * only struct sched_ops. Always called inside the pool's lock; time comes with the
 * call (the host's monotonic clock), so a policy can be tried without one.
 */
#ifndef DENALI_SCHED_H
#define DENALI_SCHED_H

#include "emu/base/base.h"

#define SCHED_WEIGHT 100u /* of who was given none */
#define SCHED_MAX_WEIGHT 10000u
#define SCHED_NEVER UINT64_MAX

/* Embedded in what is scheduled; all zero at first. */
struct sched_node {
    struct sched_node *next, *child; /* the policy's */
    uint64_t ran_ns;                 /* so far */
    uint64_t virtual_ns;             /* the policy's: ran_ns by weight */
    uint64_t free_ns;                /* the policy's: when its cap lets it run again */
    uint32_t burst_ns, since_ns;     /* the policy's: how long it runs when it wakes; so far */
    uint32_t turn;                   /* the policy's: who came first */
    uint16_t weight;                 /* 0: SCHED_WEIGHT */
    uint16_t cap;                    /* percent of one processor; 0: no cap */
};

enum sched_reason {
    SCHED_WOKEN,     /* it was idle */
    SCHED_PREEMPTED, /* its quantum is over */
    SCHED_URGENT,    /* it was idle, and must run at once: before all others */
    SCHED_DISPLACED, /* an urgent one took its place: it goes on after that one */
};

struct sched;

struct sched_ops {
    const char *name;
    void (*ready)(struct sched *sched, struct sched_node *node, enum sched_reason reason,
                  uint64_t now_ns);
    /* May be NULL. A node that is ready already has become urgent, too. */
    void (*hurry)(struct sched *sched, struct sched_node *node);
    struct sched_node *(*next)(struct sched *sched, uint64_t now_ns); /* NULL: nobody may run now */
    /* Node, which is not ready, had a processor for so long. */
    void (*ran)(struct sched *sched, struct sched_node *node, uint64_t ran_ns, uint64_t now_ns);
    /* Whether a node that has just become ready need not wait for the end of the quantum of one
     * that has had its processor for ran_ns. */
    bool (*preempts)(const struct sched *sched, const struct sched_node *woken,
                     const struct sched_node *running, uint64_t ran_ns);
    uint64_t (*quantum_ns)(const struct sched *sched);
    /* When somebody who is ready but held back may run; SCHED_NEVER. */
    uint64_t (*held_until_ns)(const struct sched *sched);
    /* May be NULL. How far the node is ahead of the others in what it may still claim. */
    uint64_t (*lead_ns)(const struct sched *sched, const struct sched_node *node);
    void (*destroy)(struct sched *sched);
};

struct sched {
    const struct sched_ops *ops;
};

/*
 * Round robin, as in the paper: a VM that was idle goes before those that used up
 * their quantum, as compensation; but every few turns one of the others is next,
 * so that nobody starves. Weights and caps mean nothing to it.
 */
MUST_CHECK int sched_round_robin(uint64_t quantum_ns, struct sched **out);

/*
 * Shares: among those who are ready, processor time goes by weight. Who was idle is
 * a quantum ahead of the others when it wakes, however long it slept: it is served
 * at once while it has this lead, and cannot save up. Of two who were idle, the one that is wont to
 * run for a shorter time is first. A node with a cap has, over any second, no more than its part of
 * one processor (and one quantum).
 */
MUST_CHECK int sched_fair(uint64_t quantum_ns, struct sched **out);

#endif
