/* SPDX-License-Identifier: MIT */
/* A pairing heap: children of a node form a list; link points at what points to the node. */
#include "guests/ilwaco/net/timers.h"

/* Joins two heaps (either may be NULL); the result stands nowhere yet. */
static struct net_timer *heap_meld(struct net_timer *a, struct net_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->due < a->due) {
        struct net_timer *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->link = &b->next;
    b->link = &a->child;
    a->child = b;
    a->next = NULL;
    return a;
}

/* Joins a list of siblings, pair by pair and then from the back. */
static struct net_timer *heap_pairs(struct net_timer *first)
{
    struct net_timer *pairs = NULL, *heap = NULL;
    while (first) {
        struct net_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = heap_meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct net_timer *next = pairs->next;
        pairs->next = NULL;
        heap = heap_meld(heap, pairs);
        pairs = next;
    }
    return heap;
}

static void heap_root(struct timers *timers, struct net_timer *root)
{
    timers->root = root;
    if (root)
        root->link = &timers->root;
}

void timers_cancel(struct timers *timers, struct net_timer *timer)
{
    if (!timer->link)
        return;
    struct net_timer *below = heap_pairs(timer->child);
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    timer->link = NULL;
    timer->child = timer->next = NULL;
    heap_root(timers, heap_meld(timers->root, below));
}

void timers_arm(struct timers *timers, struct net_timer *timer, uint64_t due)
{
    timers_cancel(timers, timer);
    timer->due = due;
    heap_root(timers, heap_meld(timers->root, timer));
}

void timers_arm_by(struct timers *timers, struct net_timer *timer, uint64_t due)
{
    if (!timer->link || due < timer->due)
        timers_arm(timers, timer, due);
}

struct net_timer *timers_take(struct timers *timers, uint64_t now)
{
    struct net_timer *timer = timers->root;
    if (!timer || timer->due > now)
        return NULL;
    timers_cancel(timers, timer);
    return timer;
}
