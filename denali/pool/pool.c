/* SPDX-License-Identifier: MIT */
/*
 * The pool's life, and what is posted to VMs. A VM changes its state only inside
 * the lock; its window belongs to the worker that set it RUNNING or PARKING. What
 * is posted to a VM meanwhile is kept in `arrived`, or, while it runs, goes to it
 * at once, and is looked for again when it has stopped: so no wake-up is lost.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pool_ring_add(struct pool_vm *head, struct pool_vm *vm)
{
    vm->prev = head->prev;
    vm->next = head;
    head->prev->next = vm;
    head->prev = vm;
}

void pool_ring_remove(struct pool_vm *vm)
{
    if (!vm->next)
        return;
    vm->prev->next = vm->next;
    vm->next->prev = vm->prev;
    vm->prev = vm->next = NULL;
}

void pool_make_ready(struct pool_vm *vm, enum sched_reason reason)
{
    struct pool *pool = vm->pool;
    if (vm->paused && !vm->killed) {
        vm->wanted = true;
        return;
    }
    if (vm->state == POOL_IDLE) {
        pool_ring_remove(vm);
        pool->counters.idle--;
    } else {
        pool_unring_parked(vm);
    }
    pool_timer_cancel(vm);
    vm->state = POOL_READY;
    pool->ready++;
    uint64_t now = host_monotonic_ns();
    if (!vm->slot && !vm->ready_ns)
        vm->ready_ns = now;
    pool->config.sched->ops->ready(pool->config.sched, &vm->node, reason, now);
    if (pool->busy < pool->config.workers)
        host_lock_wake(&pool->lock);
    else
        pool_watch_quanta(pool, now);
    if (pool->config.sched->ops->held_until_ns(pool->config.sched) < pool->timer_target)
        host_waker_wake(pool->waker);
}

static bool makes_room(const struct pool_worker *w, const struct pool_vm *vm, uint64_t now)
{
    const struct sched *sched = w->pool->config.sched;
    if (!w->running || w->displaced)
        return false;
    return w->pool->config.sync_interrupts ||
           sched->ops->preempts(sched, &vm->node, &w->running->node, now - w->since_ns);
}

/* A VM that should not wait gets the processor of whoever has run longest, of those who must make
 * room for it. */
static void displace(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    struct pool_worker *longest = NULL;
    uint64_t now = host_monotonic_ns();
    for (unsigned i = 0; i < pool->config.workers; i++) {
        struct pool_worker *w = &pool->worker[i];
        if (makes_room(w, vm, now) && (!longest || w->since_ns < longest->since_ns))
            longest = w;
    }
    if (!longest)
        return;
    longest->displaced = true;
    vm_stop(longest->running->slot->vm);
}

/* It had to wait for its turn; with something to hear it does no longer. */
static void hurry(struct pool_vm *vm)
{
    const struct pool_config *c = &vm->pool->config;
    if (!c->sync_interrupts || vm->state != POOL_READY || !c->sched->ops->hurry)
        return;
    c->sched->ops->hurry(c->sched, &vm->node);
    displace(vm);
}

void pool_wake(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    if (vm->state != POOL_IDLE && vm->state != POOL_PARKED) {
        vm->wanted = true; /* by whoever settles it next, unless it runs before */
        hurry(vm);
        return;
    }
    pool_make_ready(vm, pool->config.sync_interrupts ? SCHED_URGENT : SCHED_WOKEN);
    if (vm->state == POOL_READY && pool->busy >= pool->config.workers)
        displace(vm);
}

void pool_post(struct pool_vm *vm, uint32_t irq)
{
    host_lock_enter(&vm->pool->lock);
    vm->arrived |= irq;
    if (vm->state == POOL_RUNNING && irq) {
        vm->pool->counters.interrupts++;
        vm->pool->counters.batches++;
        slot_give(vm);
    } else {
        pool_wake(vm);
    }
    host_lock_leave(&vm->pool->lock);
}

void pool_poke(struct pool_vm *vm)
{
    pool_post(vm, 0);
}

void pool_set_ended(struct pool_vm *vm, const struct pool_end *end)
{
    struct pool *pool = vm->pool;
    struct pool_request *request = vm->extra ? vm->extra->request : NULL;
    pool_timer_cancel(vm);
    pool_forget_kept(vm);
    vm->reason = (uint8_t)end->reason;
    vm->status = end->status;
    if (request) {
        request->err = -ESRCH;
        request->done = true;
        vm->extra->request = NULL;
    }
    if (pool->config.ended) {
        vm->state = POOL_PARKING; /* not yet anybody's to remove */
        host_lock_leave(&pool->lock);
        pool->config.ended(pool->config.opaque, vm, end);
        host_lock_enter(&pool->lock);
    }
    vm->state = POOL_ENDED;
    pool->counters.ended++;
    host_lock_wake(&pool->lock);
}

void pool_park_idle(struct pool *pool)
{
    struct slot *spare = NULL, *slot;
    struct scratch *scratch = calloc(1, sizeof(*scratch));
    if (!scratch)
        return;
    host_lock_enter(&pool->lock);
    while (pool->idle.next != &pool->idle) {
        slot = pool_take_window(pool, pool->idle.next, scratch);
        if (!slot)
            break; /* the host has no memory; it stays */
        pool_give_window(slot);
    }
    while (pool_squeeze_oldest(pool, scratch))
        continue;
    for (struct pool_origin *o = pool->origins; o; o = o->next) {
        while (o->free && o->free->next)
            pool_unfree_window(o->free, &spare);
    }
    host_lock_leave(&pool->lock);
    pool_store_trim(pool->store);
    slots_destroy(spare);
    scratch_fini(scratch);
    free(scratch);
}

void pool_count(struct pool *pool, struct pool_counters *out)
{
    host_lock_enter(&pool->lock);
    *out = pool->counters;
    for (unsigned i = 0; i < pool->started; i++)
        out->worker_ns += host_thread_cpu_ns(&pool->worker[i].thread);
    out->used_bytes = pool->gate.used_bytes;
    out->swapped += pool->swapped_directly;
    out->swap_used_bytes = pool->swap ? swap_used_bytes(pool->swap) : 0;
    host_lock_leave(&pool->lock);
}

/* Wakes, by length. */

static unsigned wake_bucket(uint64_t ns)
{
    unsigned power = 63u - (unsigned)__builtin_clzll(ns | 8);
    return (power - 3) * 8 + (unsigned)(ns >> (power - 3) & 7);
}

/* Where it ends. */
static uint64_t wake_bucket_ns(unsigned bucket)
{
    return (uint64_t)(8 + bucket % 8 + 1) << bucket / 8;
}

void pool_note_wake(struct pool_vm *vm, uint64_t now_ns)
{
    if (vm->ready_ns && now_ns > vm->ready_ns)
        vm->pool->wakes[wake_bucket(now_ns - vm->ready_ns)]++;
    vm->ready_ns = 0;
}

uint64_t pool_wake_ns(struct pool *pool, unsigned percent)
{
    uint64_t sum = 0, seen = 0;
    unsigned at = 0;
    host_lock_enter(&pool->lock);
    for (unsigned i = 0; i < POOL_WAKE_BUCKETS; i++)
        sum += pool->wakes[i];
    for (; at < POOL_WAKE_BUCKETS - 1; at++) {
        seen += pool->wakes[at];
        if (seen * 100 >= sum * percent)
            break;
    }
    host_lock_leave(&pool->lock);
    return sum ? wake_bucket_ns(at) : 0;
}

void pool_reset_wakes(struct pool *pool)
{
    host_lock_enter(&pool->lock);
    memset(pool->wakes, 0, sizeof(pool->wakes));
    host_lock_leave(&pool->lock);
}

/* Life. */

static int start_threads(struct pool *pool)
{
    pool->waker = host_waker_create();
    if (pool->waker < 0)
        return pool->waker;
    pool->reclaim_waker = host_waker_create();
    if (pool->reclaim_waker < 0)
        return pool->reclaim_waker;
    int err = host_thread_start(&pool->timer_thread, "timers", pool_timer_loop, pool);
    pool->timer_started = !err;
    if (!err)
        err = host_thread_start(&pool->reclaim_thread, "reclaim", pool_reclaim_loop, pool);
    pool->reclaim_started = !err;
    for (unsigned i = 0; !err && i < pool->config.workers; i++) {
        pool->worker[i].pool = pool;
        err = host_thread_start(&pool->worker[i].thread, "worker", pool_worker_loop,
                                &pool->worker[i]);
        pool->started += !err;
    }
    return err;
}

/* The rest is for everything else, and for what VMs split up while they run. */
static uint32_t usual_mappings(void)
{
    uint32_t most = host_max_mappings();
    return most - most / 8;
}

int pool_create(const struct pool_config *config, struct pool **out, struct why *why)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool || host_lock_init(&pool->lock)) {
        free(pool);
        config->sched->ops->destroy(config->sched);
        return why_fail(why, -ENOMEM, "no memory for a pool");
    }
    pool_bind_heap();
    pool->config = *config;
    pool->waker = pool->reclaim_waker = -1;
    pool->idle.next = pool->idle.prev = &pool->idle;
    pool->parked.next = pool->parked.prev = &pool->parked;
    pool->raw.next = pool->raw.prev = &pool->raw;
    pool->timer_target = pool->line_retry_ns = HOST_FOREVER;
    gate_init(&pool->gate, config->memory_bytes, config->max_windows,
              config->max_mappings ? config->max_mappings : usual_mappings());
    if (pool->config.workers > POOL_MAX_WORKERS)
        pool->config.workers = POOL_MAX_WORKERS;
    int err = pool_store_create(config->memory_bytes, &pool->store);
    if (err)
        why_fail(why, err, "no address space for parked VMs");
    if (!err && config->swap_path)
        err = swap_open(config->swap_path, config->swap_bytes, &pool->swap, why);
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
    if (pool->reclaim_started) {
        host_waker_wake(pool->reclaim_waker);
        host_thread_join(&pool->reclaim_thread);
    }
    for (unsigned i = 0; i < pool->started; i++)
        host_thread_join(&pool->worker[i].thread);
}

static void destroy_vms(struct pool *pool)
{
    struct pool_vm *vm;
    while ((vm = pool->all)) {
        pool->all = vm->all_next;
        if (vm->port.lan)
            lan_port_remove(&vm->port);
        slot_destroy(vm->slot);
        pool_vm_free(vm);
    }
}

static void destroy_origins(struct pool *pool)
{
    struct pool_origin *origin;
    while ((origin = pool->origins)) {
        pool->origins = origin->next;
        slots_destroy(origin->free);
        pool_origin_free(origin);
    }
}

void pool_destroy(struct pool *pool)
{
    stop_threads(pool);
    destroy_vms(pool);
    destroy_origins(pool);
    for (unsigned i = 0; i < pool->started; i++)
        scratch_fini(&pool->worker[i].scratch);
    scratch_fini(&pool->reclaim_scratch);
    swap_close(pool->swap);
    pool_store_destroy(pool->store);
    if (pool->waker >= 0)
        close(pool->waker);
    if (pool->reclaim_waker >= 0)
        close(pool->reclaim_waker);
    pool->config.sched->ops->destroy(pool->config.sched);
    host_lock_fini(&pool->lock);
    free(pool->timer);
    free(pool);
}
