/* SPDX-License-Identifier: MIT */
/*
 * The pool's life, its VMs, and what is posted to them. A VM changes its state
 * only inside the lock; its window belongs to the worker that set it RUNNING or
 * PARKING. What is posted to a VM meanwhile is kept in `arrived`, or, while it
 * runs, goes to it at once, and is looked for again when it has stopped: so no
 * wake-up is lost.
 */
#include "denali/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pool_idle_add(struct pool_vm *vm)
{
    struct pool_vm *head = &vm->pool->idle;
    vm->prev = head->prev;
    vm->next = head;
    head->prev->next = vm;
    head->prev = vm;
    vm->pool->counters.idle++;
}

void pool_idle_remove(struct pool_vm *vm)
{
    vm->prev->next = vm->next;
    vm->next->prev = vm->prev;
    vm->pool->counters.idle--;
}

void pool_make_ready(struct pool_vm *vm, enum sched_reason reason)
{
    struct pool *pool = vm->pool;
    if (vm->state == POOL_IDLE)
        pool_idle_remove(vm);
    pool_timer_cancel(vm);
    vm->state = POOL_READY;
    pool->ready++;
    pool->config.sched->ops->ready(pool->config.sched, &vm->node, reason, host_monotonic_ns());
    if (pool->busy < pool->config.workers)
        host_lock_wake(&pool->lock);
    else if (pool->timer_target == HOST_FOREVER)
        host_waker_wake(pool->waker); /* somebody's quantum counts now */
    if (pool->config.sched->ops->held_until_ns(pool->config.sched) < pool->timer_target)
        host_waker_wake(pool->waker);
}

/* Whoever has run longest gives its processor to an urgent VM. */
static void displace(struct pool *pool)
{
    struct pool_worker *longest = NULL;
    for (unsigned i = 0; i < pool->config.workers; i++) {
        struct pool_worker *w = &pool->worker[i];
        if (w->running && !w->displaced && (!longest || w->since_ns < longest->since_ns))
            longest = w;
    }
    if (!longest)
        return;
    longest->displaced = true;
    vm_stop(longest->running->slot->vm);
}

void pool_wake(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    pool_make_ready(vm, pool->config.sync_interrupts ? SCHED_URGENT : SCHED_WOKEN);
    if (pool->config.sync_interrupts && pool->busy >= pool->config.workers)
        displace(pool);
}

static void post_running(struct pool_vm *vm, uint32_t irq)
{
    vm->pool->counters.interrupts++;
    vm->pool->counters.batches++;
    vm_post(vm->slot->vm, irq);
}

void pool_post(struct pool_vm *vm, uint32_t irq)
{
    struct pool *pool = vm->pool;
    host_lock_enter(&pool->lock);
    if (vm->state == POOL_RUNNING)
        post_running(vm, irq);
    else
        vm->arrived |= irq;
    if (vm->state == POOL_IDLE || vm->state == POOL_PARKED)
        pool_wake(vm);
    host_lock_leave(&pool->lock);
}

void pool_set_share(struct pool_vm *vm, unsigned weight, unsigned cap)
{
    BUG_ON(weight < 1 || weight > SCHED_MAX_WEIGHT || cap > UINT16_MAX, "a share is in range");
    host_lock_enter(&vm->pool->lock);
    vm->node.weight = (uint16_t)weight;
    vm->node.cap = (uint16_t)cap;
    host_lock_leave(&vm->pool->lock);
}

uint64_t pool_ran_ns(struct pool_vm *vm)
{
    host_lock_enter(&vm->pool->lock);
    uint64_t ns = vm->node.ran_ns;
    host_lock_leave(&vm->pool->lock);
    return ns;
}

static void frames_arrived(struct lan_port *port)
{
    pool_post(CONTAINER_OF(port, struct pool_vm, port), DENALI_IRQ_NIC);
}

static void add_vm(struct pool *pool, struct pool_vm *vm)
{
    host_lock_enter(&pool->lock);
    vm->all_next = pool->all;
    pool->all = vm;
    pool->counters.vms++;
    pool->counters.parked++;
    pool->counters.parked_bytes += sizeof(*vm);
    if (pool->first_wait_ns != HOST_FOREVER)
        pool_timer_arm(vm, host_monotonic_ns() + pool->first_wait_ns);
    host_lock_leave(&pool->lock);
}

/* Room for one more, so that arming a timer cannot fail. */
static int reserve_timer(struct pool *pool)
{
    int err = 0;
    host_lock_enter(&pool->lock);
    if (pool->counters.vms >= pool->timer_room) {
        uint32_t room = pool->timer_room ? 2 * pool->timer_room : 256;
        struct pool_vm **bigger = realloc(pool->timer, room * sizeof(struct pool_vm *));
        err = bigger ? 0 : -ENOMEM;
        pool->timer = bigger ? bigger : pool->timer;
        pool->timer_room = bigger ? room : pool->timer_room;
    }
    host_lock_leave(&pool->lock);
    return err;
}

int pool_clone(struct pool *pool, uint32_t id, uint32_t ip, struct pool_vm **out)
{
    struct pool_vm *vm = calloc(1, sizeof(*vm));
    int err = vm ? reserve_timer(pool) : -ENOMEM;
    if (!err) {
        vm->pool = pool;
        vm->id = id;
        vm->state = POOL_PARKED;
        vm->timer_index = POOL_NO_TIMER;
        err = lan_port_add(pool->config.lan, &vm->port, ip, 0, frames_arrived);
    }
    if (err) {
        free(vm);
        return err;
    }
    add_vm(pool, vm);
    *out = vm;
    return 0;
}

void pool_park_idle(struct pool *pool)
{
    struct scratch scratch = {.ready = false};
    struct slot *slot;
    host_lock_enter(&pool->lock);
    while (pool->idle.next != &pool->idle) {
        slot = pool_take_window(pool, pool->idle.next, &scratch);
        if (!slot)
            break; /* the host has no memory; it stays */
        slot->next = pool->free_slots;
        pool->free_slots = slot;
        gate_leave(&pool->gate);
    }
    while ((slot = pool->free_slots) && slot->next) {
        pool->free_slots = slot->next;
        pool->counters.windows--;
        host_lock_leave(&pool->lock);
        slot_destroy(slot);
        host_lock_enter(&pool->lock);
    }
    host_lock_leave(&pool->lock);
    scratch_fini(&scratch);
}

void pool_count(struct pool *pool, struct pool_counters *out)
{
    host_lock_enter(&pool->lock);
    *out = pool->counters;
    host_lock_leave(&pool->lock);
}

/* Life. */

/* A first window shows that the snapshot runs here, and how long a clone may sleep. */
static int try_snapshot(struct pool *pool, struct why *why)
{
    struct slot *slot;
    int err = slot_create(pool, &slot, why);
    if (err)
        return err;
    pool->first_wait_ns = vm_has_news(slot->vm) ? 0 : vm_wait_ns(slot->vm);
    slot->next = pool->free_slots;
    pool->free_slots = slot;
    pool->counters.windows++;
    return 0;
}

static int start_threads(struct pool *pool)
{
    pool->waker = host_waker_create();
    if (pool->waker < 0)
        return pool->waker;
    int err = host_thread_start(&pool->timer_thread, "timers", pool_timer_loop, pool);
    pool->timer_started = !err;
    for (unsigned i = 0; !err && i < pool->config.workers; i++) {
        pool->worker[i].pool = pool;
        err = host_thread_start(&pool->worker[i].thread, "worker", pool_worker_loop,
                                &pool->worker[i]);
        pool->started += !err;
    }
    return err;
}

int pool_create(const struct pool_config *config, struct pool **out, struct why *why)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool || host_lock_init(&pool->lock)) {
        free(pool);
        return why_fail(why, -ENOMEM, "no memory for a pool");
    }
    pool->config = *config;
    pool->waker = -1;
    pool->idle.next = pool->idle.prev = &pool->idle;
    pool->timer_target = HOST_FOREVER;
    gate_init(&pool->gate, config->memory_bytes, config->max_windows);
    if (pool->config.workers > POOL_MAX_WORKERS)
        pool->config.workers = POOL_MAX_WORKERS;
    int err = try_snapshot(pool, why);
    if (!err && (err = start_threads(pool)))
        why_fail(why, err, "no threads for a pool: %s", strerror(-err));
    if (err) {
        pool_destroy(pool);
        return err;
    }
    *out = pool;
    return 0;
}

static void stop_threads(struct pool *pool)
{
    host_lock_enter(&pool->lock);
    pool->quit = true;
    for (unsigned i = 0; i < pool->started; i++) {
        if (pool->worker[i].running)
            vm_stop(pool->worker[i].running->slot->vm);
    }
    host_lock_wake(&pool->lock);
    host_lock_leave(&pool->lock);
    if (pool->timer_started) {
        host_waker_wake(pool->waker);
        host_thread_join(&pool->timer_thread);
    }
    for (unsigned i = 0; i < pool->started; i++)
        host_thread_join(&pool->worker[i].thread);
}

void pool_destroy(struct pool *pool)
{
    struct pool_vm *vm;
    struct slot *slot;
    stop_threads(pool);
    while ((vm = pool->all)) {
        pool->all = vm->all_next;
        lan_port_remove(&vm->port);
        slot_destroy(vm->slot);
        free(vm->bytes);
        free(vm);
    }
    while ((slot = pool->free_slots)) {
        pool->free_slots = slot->next;
        slot_destroy(slot);
    }
    for (unsigned i = 0; i < pool->started; i++)
        scratch_fini(&pool->worker[i].scratch);
    if (pool->waker >= 0)
        close(pool->waker);
    pool->config.sched->ops->destroy(pool->config.sched);
    host_lock_fini(&pool->lock);
    free(pool->timer);
    free(pool);
}
