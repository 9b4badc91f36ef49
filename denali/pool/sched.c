/* SPDX-License-Identifier: MIT */
/* Round robin with a boost after idling: two queues, and two that the usual course knows nothing
 * of, for who is urgent and who had to make room for it. */
#include "denali/pool/sched.h"

#include <errno.h>
#include <stdlib.h>

#define BOOSTS_IN_A_ROW 8u

struct queue {
    struct sched_node *first, *last;
};

struct round_robin {
    struct sched sched;
    struct queue queue[SCHED_DISPLACED + 1]; /* by reason */
    uint64_t quantum_ns;
    unsigned boosts; /* in a row */
};

static struct round_robin *self(const struct sched *sched)
{
    return CONTAINER_OF((struct sched *)(uintptr_t)sched, struct round_robin, sched);
}

/* A node that is ready knows its queue by `turn`, and who is before it by `child`. */
static void push(struct round_robin *rr, enum sched_reason reason, struct sched_node *node)
{
    struct queue *q = &rr->queue[reason];
    node->next = NULL;
    node->child = q->last;
    node->turn = reason;
    if (q->first)
        q->last->next = node;
    else
        q->first = node;
    q->last = node;
}

static void take_out(struct round_robin *rr, struct sched_node *node)
{
    struct queue *q = &rr->queue[node->turn];
    if (node->child)
        node->child->next = node->next;
    else
        q->first = node->next;
    if (node->next)
        node->next->child = node->child;
    else
        q->last = node->child;
}

static struct sched_node *pop(struct round_robin *rr, enum sched_reason reason)
{
    struct sched_node *node = rr->queue[reason].first;
    if (node)
        take_out(rr, node);
    return node;
}

static void rr_ready(struct sched *sched, struct sched_node *node, enum sched_reason reason,
                     uint64_t now_ns)
{
    (void)now_ns;
    push(self(sched), reason, node);
}

static void rr_hurry(struct sched *sched, struct sched_node *node)
{
    if (node->turn == SCHED_URGENT)
        return;
    take_out(self(sched), node);
    push(self(sched), SCHED_URGENT, node);
}

static struct sched_node *rr_next(struct sched *sched, uint64_t now_ns)
{
    struct round_robin *rr = self(sched);
    const struct queue *woken = &rr->queue[SCHED_WOKEN], *others = &rr->queue[SCHED_PREEMPTED];
    struct sched_node *node = pop(rr, SCHED_URGENT);
    (void)now_ns;
    if (!node)
        node = pop(rr, SCHED_DISPLACED);
    if (node)
        return node;
    bool is_other = others->first && (!woken->first || rr->boosts >= BOOSTS_IN_A_ROW);
    rr->boosts = is_other ? 0 : rr->boosts + 1;
    return pop(rr, is_other ? SCHED_PREEMPTED : SCHED_WOKEN);
}

static void rr_ran(struct sched *sched, struct sched_node *node, uint64_t ran_ns, uint64_t now_ns)
{
    (void)sched, (void)now_ns;
    node->ran_ns += ran_ns;
}

static bool rr_preempts(const struct sched *sched, const struct sched_node *woken,
                        const struct sched_node *running, uint64_t ran_ns)
{
    (void)sched, (void)woken, (void)running, (void)ran_ns;
    return false;
}

static uint64_t rr_quantum_ns(const struct sched *sched)
{
    return self(sched)->quantum_ns;
}

static uint64_t rr_held_until_ns(const struct sched *sched)
{
    (void)sched;
    return SCHED_NEVER;
}

static void rr_destroy(struct sched *sched)
{
    free(self(sched));
}

static const struct sched_ops rr_ops = {
    .name = "round-robin",
    .ready = rr_ready,
    .hurry = rr_hurry,
    .next = rr_next,
    .ran = rr_ran,
    .preempts = rr_preempts,
    .quantum_ns = rr_quantum_ns,
    .held_until_ns = rr_held_until_ns,
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
