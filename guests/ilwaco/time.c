/* SPDX-License-Identifier: MIT */
/*
 * Time from the register page, without an exit to the host; and the timers, a
 * pairing heap inside the timers themselves, so that arming one never fails.
 */
#include "guests/ilwaco/thread.h"

static uint64_t wall_base_ns;
static struct timer *heap_root;

void time_init(void)
{
    wall_base_ns = machine_regs.wall_base_ns;
}

/* (delta * mul) >> 32 without a 96-bit product. */
static uint64_t scale(uint64_t delta, uint32_t mul)
{
    return (delta >> 32) * mul + (((delta & UINT32_MAX) * mul) >> 32);
}

uint64_t time_now(void)
{
    uint32_t seq, mul;
    uint64_t base_ns, base_tsc, tsc;
    do {
        seq = machine_regs.time_seq;
        mul = machine_regs.tsc_mul;
        base_ns = machine_regs.time_ns;
        base_tsc = machine_regs.time_tsc;
        tsc = mul ? machine_tsc() : base_tsc;
    } while ((seq & 1) || seq != machine_regs.time_seq);
    return base_ns + (tsc > base_tsc ? scale(tsc - base_tsc, mul) : 0);
}

uint64_t time_wall_base(void)
{
    return wall_base_ns;
}

void time_set_wall(int64_t unix_ns)
{
    wall_base_ns = (uint64_t)unix_ns - time_now();
}

int64_t time_wall_ns(void)
{
    return (int64_t)(wall_base_ns + time_now());
}

/* Of two heaps, the root that is due later becomes the first child of the other. */
static struct timer *heap_join(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->when < a->when) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    b->prev = a;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Joins a chain of siblings: in pairs, then the pairs from the last to the first. */
static struct timer *heap_join_chain(struct timer *first)
{
    struct timer *pairs = NULL;
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = heap_join(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct timer *root = NULL;
    while (pairs) {
        struct timer *next = pairs->next;
        pairs->next = NULL;
        root = heap_join(root, pairs);
        pairs = next;
    }
    return root;
}

void timer_cancel(struct timer *timer)
{
    if (!timer->armed)
        return;
    struct timer *children = heap_join_chain(timer->child);
    if (timer == heap_root) {
        heap_root = children;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        heap_root = heap_join(heap_root, children);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->armed = false;
}

void timer_arm(struct timer *timer, uint64_t when_ns)
{
    timer_cancel(timer);
    timer->when = when_ns;
    timer->armed = true;
    heap_root = heap_join(heap_root, timer);
    if (heap_root == timer)
        trap_work |= WORK_TIMER;
}

uint64_t timer_next(void)
{
    return heap_root ? heap_root->when : TIME_NEVER;
}

void timers_run(void)
{
    if (!heap_root)
        return;
    uint64_t now = time_now();
    while (heap_root && heap_root->when <= now) {
        struct timer *timer = heap_root;
        timer_cancel(timer);
        timer->fn(timer);
    }
}
