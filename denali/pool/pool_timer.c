/* SPDX-License-Identifier: MIT */
/*
 * Who sleeps until when, in one heap for idle and parked VMs alike, and one
 * thread that wakes them and ends quanta. It sleeps until the first of them;
 * `timer_target` says until when, so that only an earlier timer disturbs it.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>

/* How often a held VM is looked at that a free worker has not taken yet. */
#define MIN_LOOK_NS 100000u
#define MEASURE_NS 1000000u

static void place(struct pool *pool, uint32_t index, struct pool_vm *vm)
{
    pool->timer[index] = vm;
    vm->timer_index = index;
}

static void sift_up(struct pool *pool, uint32_t index, struct pool_vm *vm)
{
    for (; index; index = (index - 1) / 2) {
        struct pool_vm *parent = pool->timer[(index - 1) / 2];
        if (parent->wake_ns <= vm->wake_ns)
            break;
        place(pool, index, parent);
    }
    place(pool, index, vm);
}

static void sift_down(struct pool *pool, uint32_t index, struct pool_vm *vm)
{
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= pool->timers)
            break;
        if (child + 1 < pool->timers &&
            pool->timer[child + 1]->wake_ns < pool->timer[child]->wake_ns)
            child++;
        if (pool->timer[child]->wake_ns >= vm->wake_ns)
            break;
        place(pool, index, pool->timer[child]);
        index = child;
    }
    place(pool, index, vm);
}

void pool_timer_arm(struct pool_vm *vm, uint64_t when_ns)
{
    struct pool *pool = vm->pool;
    pool_timer_cancel(vm);
    vm->wake_ns = when_ns;
    sift_up(pool, pool->timers++, vm);
    if (when_ns < pool->timer_target)
        host_waker_wake(pool->waker);
}

/* The thread may sleep until a timer that is hours away. */
void pool_watch_quanta(struct pool *pool, uint64_t now_ns)
{
    uint64_t look = now_ns + pool->config.sched->ops->quantum_ns(pool->config.sched);
    if (pool->timer_target <= look)
        return;
    pool->timer_target = look;
    host_waker_wake(pool->waker);
}

void pool_timer_cancel(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    uint32_t hole = vm->timer_index;
    if (hole == POOL_NO_TIMER)
        return;
    vm->timer_index = POOL_NO_TIMER;
    struct pool_vm *last = pool->timer[--pool->timers];
    if (last == vm)
        return;
    if (hole && last->wake_ns < pool->timer[(hole - 1) / 2]->wake_ns)
        sift_up(pool, hole, last);
    else
        sift_down(pool, hole, last);
}

/* Room for one more VM, so that arming a timer cannot fail. */
int pool_timer_reserve(struct pool *pool)
{
    if (pool->counters.vms < pool->timer_room)
        return 0;
    uint32_t room = pool->timer_room ? 2 * pool->timer_room : 256;
    struct pool_vm **bigger = realloc(pool->timer, room * sizeof(struct pool_vm *));
    if (!bigger)
        return -ENOMEM;
    pool->timer = bigger;
    pool->timer_room = room;
    return 0;
}

static void wake_due(struct pool *pool, uint64_t now)
{
    while (pool->timers && pool->timer[0]->wake_ns <= now) {
        struct pool_vm *vm = pool->timer[0];
        pool_timer_cancel(vm);
        pool_wake(vm);
    }
}

/* A quantum is over only where somebody else waits, the VM itself has something to hear, or there
 * is a cap. */
static bool should_stop(const struct pool *pool, const struct pool_vm *vm)
{
    const struct vm *running = vm->slot->vm;
    return pool->ready || pool->line_first || vm->node.cap || gate_is_over(&pool->gate) ||
           vm_has_news(running) || !vm_next_event_in_ns(running);
}

/* Whose cap held it back, and does no more. When to look again. */
static uint64_t release_held(struct pool *pool, uint64_t now)
{
    uint64_t until = pool->config.sched->ops->held_until_ns(pool->config.sched);
    if (until > now)
        return until;
    if (pool->busy >= pool->config.workers)
        return HOST_FOREVER; /* a worker that becomes free will see */
    host_lock_wake(&pool->lock);
    return now + MIN_LOOK_NS;
}

/* When to look again. */
static uint64_t end_quanta(struct pool *pool, uint64_t now)
{
    uint64_t quantum = pool->config.sched->ops->quantum_ns(pool->config.sched);
    uint64_t next = HOST_FOREVER;
    for (unsigned i = 0; i < pool->config.workers; i++) {
        struct pool_worker *w = &pool->worker[i];
        if (!w->running)
            continue;
        uint64_t end = w->since_ns + quantum;
        if (end <= now && should_stop(pool, w->running)) {
            vm_stop(w->running->slot->vm);
            pool->counters.preempted++;
        }
        if (end <= now)
            end = now + quantum;
        next = end < next ? end : next;
    }
    return next;
}

/* Whoever was in line longest tries again, though nobody has left a window: the host may have. */
static uint64_t retry_line(struct pool *pool, uint64_t now)
{
    if (pool->line_retry_ns <= now)
        pool_call_line(pool);
    return pool->line_retry_ns;
}

/* While VMs run, their memory grows. */
static void measure_now_and_then(struct pool *pool, uint64_t now)
{
    if (now - pool->measured_ns < MEASURE_NS)
        return;
    pool->measured_ns = now;
    pool_measure(pool);
}

/*
 * Where VMs run now and then, this thread looks once in a quantum; it need not be
 * woken for each slice, and sleeps only after a quantum in which nothing ran.
 */
static uint64_t next_look(struct pool *pool, uint64_t now, uint64_t *slices)
{
    uint64_t target = end_quanta(pool, now), retry = retry_line(pool, now);
    if (target != HOST_FOREVER || pool->counters.slices != *slices)
        measure_now_and_then(pool, now);
    if (target == HOST_FOREVER && pool->counters.slices != *slices)
        target = now + pool->config.sched->ops->quantum_ns(pool->config.sched);
    *slices = pool->counters.slices;
    if (target != HOST_FOREVER && atomic_load(&pool->tight) && target > now + MEASURE_NS)
        target = now + MEASURE_NS;
    target = retry < target ? retry : target;
    uint64_t held = release_held(pool, now);
    target = held < target ? held : target;
    if (pool->timers && pool->timer[0]->wake_ns < target)
        target = pool->timer[0]->wake_ns;
    return target;
}

void pool_timer_loop(void *opaque)
{
    struct pool *pool = opaque;
    uint64_t slices = 0;
    host_lock_enter(&pool->lock);
    while (!pool->quit) {
        uint64_t now = host_monotonic_ns();
        wake_due(pool, now);
        uint64_t target = next_look(pool, now, &slices);
        pool->timer_target = target;
        host_lock_leave(&pool->lock);
        struct pollfd fd = {.fd = pool->waker, .events = POLLIN};
        uint64_t wait = target == HOST_FOREVER ? HOST_FOREVER : target > now ? target - now : 0;
        if (host_poll(&fd, 1, wait) > 0)
            host_waker_clear(pool->waker);
        host_lock_enter(&pool->lock);
    }
    host_lock_leave(&pool->lock);
}
