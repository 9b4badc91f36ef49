/* SPDX-License-Identifier: MIT */
/*
 * Shares by virtual time: who has run least, by weight, is next. `floor_ns` is how
 * far those who run have come; it never goes back. A node that wakes is put at most
 * a quantum behind it, so that a long sleep is no credit. While a processor has nothing
 * to do, it goes on with the clock: who runs beside nobody takes nothing from anybody.
 *
 * The order is by virtual time and what a node is wont to take before it idles again
 * (`burst_ns`: the longest of late, at most a quantum). So many who wake at once and
 * compute do not stand before one that only answers, though all were idle.
 *
 * Caps: a node whose cap lets it run for p percent is free again 100 / p of what it
 * ran later (`free_ns`); the time may lie a quantum in the past, not more. Until
 * then it waits among the held.
 *
 * Both sets are pairing heaps through the nodes themselves: nothing is allocated, so
 * nothing fails.
 */
#include "denali/pool/sched.h"

#include <errno.h>
#include <stdlib.h>

/* What a turn costs beside the time that the node had: who takes a thousand short ones pays too. */
#define TURN_NS 2000u

struct fair {
    struct sched sched;
    struct sched_node *ready; /* by virtual_ns */
    struct sched_node *held;  /* by free_ns */
    struct sched_node *urgent, **urgent_end;
    uint64_t quantum_ns, floor_ns;
    uint64_t idle_ns; /* since when a processor has nothing to do; 0: all have */
    uint32_t turn;
};

typedef bool (*before_fn)(const struct sched_node *a, const struct sched_node *b);

static struct fair *self(const struct sched *sched)
{
    return CONTAINER_OF((struct sched *)(uintptr_t)sched, struct fair, sched);
}

/* Heaps. */

static uint64_t weighed(const struct sched_node *node, uint64_t ns)
{
    return ns * SCHED_WEIGHT / (node->weight ? node->weight : SCHED_WEIGHT);
}

/* Where it will have come to when it idles next. */
static uint64_t goal_ns(const struct sched_node *node)
{
    return node->virtual_ns + weighed(node, node->burst_ns);
}

static bool is_behind(const struct sched_node *a, const struct sched_node *b)
{
    uint64_t x = goal_ns(a), y = goal_ns(b);
    if (x != y)
        return x < y;
    return (int32_t)(a->turn - b->turn) < 0; /* first come, first served */
}

static bool is_free_sooner(const struct sched_node *a, const struct sched_node *b)
{
    return a->free_ns < b->free_ns;
}

static struct sched_node *meld(struct sched_node *a, struct sched_node *b, before_fn before)
{
    if (!a || !b)
        return a ? a : b;
    if (before(b, a)) {
        struct sched_node *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    a->child = b;
    return a;
}

static void insert(struct sched_node **heap, struct sched_node *node, before_fn before)
{
    node->next = node->child = NULL;
    *heap = meld(*heap, node, before);
}

/* The children of the root in pairs, then the pairs from the last to the first. */
static struct sched_node *remove_first(struct sched_node **heap, before_fn before)
{
    struct sched_node *root = *heap, *at = root->child, *pairs = NULL, *rest = NULL;
    while (at) {
        struct sched_node *a = at, *b = a->next;
        at = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = meld(a, b, before);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct sched_node *a = pairs;
        pairs = a->next;
        a->next = NULL;
        rest = meld(rest, a, before);
    }
    *heap = rest;
    return root;
}

/* The policy. */

static void push_urgent(struct fair *f, struct sched_node *node)
{
    node->next = NULL;
    *f->urgent_end = node;
    f->urgent_end = &node->next;
}

static struct sched_node *pop_urgent(struct fair *f)
{
    struct sched_node *node = f->urgent;
    if (node && !(f->urgent = node->next))
        f->urgent_end = &f->urgent;
    return node;
}

static void pass_idle_time(struct fair *f, uint64_t now_ns)
{
    if (f->idle_ns && now_ns > f->idle_ns)
        f->floor_ns += now_ns - f->idle_ns;
    f->idle_ns = 0;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* One long run among many short ones is remembered. Who never ran may be of either kind. */
static void note_burst(const struct fair *f, struct sched_node *node, enum sched_reason reason)
{
    if (!node->ran_ns)
        node->burst_ns = (uint32_t)f->quantum_ns / 2;
    if (reason == SCHED_WOKEN || reason == SCHED_URGENT) {
        node->burst_ns -= node->burst_ns / 8;
        node->burst_ns = larger(node->burst_ns, node->since_ns);
        node->since_ns = 0;
    } else {
        node->burst_ns = larger(node->burst_ns, node->since_ns);
    }
}

static void fair_ready(struct sched *sched, struct sched_node *node, enum sched_reason reason,
                       uint64_t now_ns)
{
    struct fair *f = self(sched);
    pass_idle_time(f, now_ns);
    note_burst(f, node, reason);
    uint64_t least = f->floor_ns > f->quantum_ns ? f->floor_ns - f->quantum_ns : 0;
    if (node->virtual_ns < least)
        node->virtual_ns = least;
    node->turn = f->turn++;
    if (node->cap && node->free_ns > now_ns)
        insert(&f->held, node, is_free_sooner);
    else if (reason == SCHED_URGENT)
        push_urgent(f, node);
    else
        insert(&f->ready, node, is_behind);
}

static struct sched_node *fair_next(struct sched *sched, uint64_t now_ns)
{
    struct fair *f = self(sched);
    while (f->held && f->held->free_ns <= now_ns)
        insert(&f->ready, remove_first(&f->held, is_free_sooner), is_behind);
    if (f->urgent)
        return pop_urgent(f);
    if (!f->ready) {
        f->idle_ns = f->idle_ns ? f->idle_ns : now_ns;
        return NULL;
    }
    struct sched_node *node = remove_first(&f->ready, is_behind);
    if (node->virtual_ns > f->floor_ns)
        f->floor_ns = node->virtual_ns;
    return node;
}

/* By a lead that is worth a switch. Who wakes often has soon used its lead up. */
static bool fair_preempts(const struct sched *sched, const struct sched_node *woken,
                          const struct sched_node *running, uint64_t ran_ns)
{
    uint64_t lead = self(sched)->quantum_ns / 4;
    uint64_t goal = running->virtual_ns +
                    weighed(running, ran_ns > running->burst_ns ? ran_ns : running->burst_ns);
    return goal_ns(woken) + lead < goal;
}

static void fair_ran(struct sched *sched, struct sched_node *node, uint64_t ran_ns, uint64_t now_ns)
{
    struct fair *f = self(sched);
    node->ran_ns += ran_ns;
    node->virtual_ns += weighed(node, ran_ns + TURN_NS);
    uint64_t since_ns = node->since_ns + ran_ns;
    node->since_ns = (uint32_t)(since_ns < f->quantum_ns ? since_ns : f->quantum_ns);
    if (!node->cap)
        return;
    uint64_t oldest = now_ns > f->quantum_ns ? now_ns - f->quantum_ns : 0;
    if (node->free_ns < oldest)
        node->free_ns = oldest;
    node->free_ns += ran_ns * 100 / node->cap;
}

static uint64_t fair_quantum_ns(const struct sched *sched)
{
    return self(sched)->quantum_ns;
}

static uint64_t fair_held_until_ns(const struct sched *sched)
{
    const struct fair *f = self(sched);
    return f->held ? f->held->free_ns : SCHED_NEVER;
}

static uint64_t fair_lead_ns(const struct sched *sched, const struct sched_node *node)
{
    const struct fair *f = self(sched);
    uint64_t lead = f->floor_ns > node->virtual_ns ? f->floor_ns - node->virtual_ns : 0;
    return lead < f->quantum_ns ? lead : f->quantum_ns;
}

static void fair_destroy(struct sched *sched)
{
    free(self(sched));
}

static const struct sched_ops fair_ops = {
    .name = "fair",
    .ready = fair_ready,
    .next = fair_next,
    .ran = fair_ran,
    .preempts = fair_preempts,
    .quantum_ns = fair_quantum_ns,
    .held_until_ns = fair_held_until_ns,
    .lead_ns = fair_lead_ns,
    .destroy = fair_destroy,
};

int sched_fair(uint64_t quantum_ns, struct sched **out)
{
    struct fair *f = calloc(1, sizeof(*f));
    if (!f)
        return -ENOMEM;
    f->sched.ops = &fair_ops;
    f->quantum_ns = quantum_ns;
    f->urgent_end = &f->urgent;
    *out = &f->sched;
    return 0;
}
