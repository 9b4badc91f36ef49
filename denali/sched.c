/* SPDX-License-Identifier: MIT */
/* Round robin with a boost after idling: two queues. */
#include "denali/sched.h"

#include <errno.h>
#include <stdlib.h>

#define BOOSTS_IN_A_ROW 8u

struct queue {
    struct sched_node *first, *last;
};

struct round_robin {
    struct sched sched;
    struct queue woken, others;
    uint64_t quantum_ns;
    unsigned boosts; /* in a row */
};

static struct round_robin *self(struct sched *sched)
{
    return CONTAINER_OF(sched, struct round_robin, sched);
}

static void push(struct queue *q, struct sched_node *node)
{
    node->next = NULL;
    if (q->first)
        q->last->next = node;
    else
        q->first = node;
    q->last = node;
}

static struct sched_node *pop(struct queue *q)
{
    struct sched_node *node = q->first;
    if (node)
        q->first = node->next;
    return node;
}

static void rr_ready(struct sched *sched, struct sched_node *node, enum sched_reason reason)
{
    struct round_robin *rr = self(sched);
    push(reason == SCHED_WOKEN ? &rr->woken : &rr->others, node);
}

static struct sched_node *rr_next(struct sched *sched)
{
    struct round_robin *rr = self(sched);
    bool others = rr->others.first && (!rr->woken.first || rr->boosts >= BOOSTS_IN_A_ROW);
    rr->boosts = others ? 0 : rr->boosts + 1;
    return pop(others ? &rr->others : &rr->woken);
}

static uint64_t rr_quantum_ns(const struct sched *sched)
{
    return CONTAINER_OF((struct sched *)(uintptr_t)sched, struct round_robin, sched)->quantum_ns;
}

static void rr_destroy(struct sched *sched)
{
    free(self(sched));
}

static const struct sched_ops rr_ops = {
    .name = "round-robin",
    .ready = rr_ready,
    .next = rr_next,
    .quantum_ns = rr_quantum_ns,
    .destroy = rr_destroy,
};

int sched_round_robin(uint64_t quantum_ns, struct sched **out)
{
    struct round_robin *rr = calloc(1, sizeof(*rr));
    if (!rr)
        return -ENOMEM;
    rr->sched.ops = &rr_ops;
    rr->quantum_ns = quantum_ns;
    *out = &rr->sched;
    return 0;
}
