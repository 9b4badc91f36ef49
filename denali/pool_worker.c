/* SPDX-License-Identifier: MIT */
/* A worker: takes the next ready VM, sees that it has a window, runs it for a slice, and says what
 * becomes of it. */
#include "denali/pool_private.h"

#include "emu/base/host.h"

#include <stdlib.h>

static size_t held(const struct pool_vm *vm)
{
    return vm->bytes ? sizeof(*vm->bytes) + vm->bytes->len : 0;
}

static void ended(struct pool_vm *vm)
{
    vm->state = POOL_ENDED;
    vm->pool->counters.ended++;
}

/* After a park, inside the lock: also what came meanwhile. */
static void settle_parked(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    vm->slot = NULL;
    vm->state = POOL_PARKED;
    pool->counters.parks++;
    pool->counters.parked++;
    pool->counters.parked_bytes += sizeof(*vm) + held(vm);
    if (vm->arrived)
        pool_make_ready(vm, SCHED_WOKEN);
}

struct slot *pool_take_window(struct pool *pool, struct pool_vm *victim, struct scratch *scratch)
{
    struct slot *slot = victim->slot;
    pool_idle_remove(victim);
    victim->state = POOL_PARKING;
    host_lock_leave(&pool->lock);
    uint64_t before = host_monotonic_ns();
    int err = slot_park(slot, scratch);
    uint64_t took = host_monotonic_ns() - before;
    host_lock_enter(&pool->lock);
    pool->counters.park_ns += took;
    if (!err) {
        gate_learn(&pool->gate, slot->held_bytes + POOL_WINDOW_COST);
        settle_parked(victim);
        return slot;
    }
    victim->state = POOL_IDLE;
    pool_idle_add(victim);
    if (victim->arrived)
        pool_make_ready(victim, SCHED_WOKEN);
    return NULL;
}

/* A new window, made outside the lock. */
static struct slot *make_window(struct pool *pool)
{
    struct slot *slot = NULL;
    struct why why;
    host_lock_leave(&pool->lock);
    int err = slot_create(pool, &slot, &why);
    host_lock_enter(&pool->lock);
    if (err) {
        gate_leave(&pool->gate);
        pool->gate.max_windows = pool->gate.windows; /* the host gives no more */
        return NULL;
    }
    pool->counters.windows++;
    return slot;
}

/* A window for one more VM: a free one, a new one, or that of the VM that is idle longest. */
static struct slot *find_window(struct pool_worker *w)
{
    struct pool *pool = w->pool;
    if (gate_enter(&pool->gate)) {
        struct slot *slot = pool->free_slots;
        if (slot)
            pool->free_slots = slot->next;
        else
            slot = make_window(pool);
        if (slot)
            return slot;
    }
    if (pool->idle.next == &pool->idle)
        return NULL;
    return pool_take_window(pool, pool->idle.next, &w->scratch);
}

/* First come, first served; who was called and found no window keeps its place. */
static void line_up(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    vm->state = POOL_WAITING;
    struct sched_node **at =
        vm->called || !pool->line_first ? &pool->line_first : &pool->line_last->next;
    vm->node.next = *at;
    *at = &vm->node;
    if (!vm->node.next)
        pool->line_last = &vm->node;
    vm->called = false;
    if (pool->timer_target == HOST_FOREVER)
        host_waker_wake(pool->waker); /* now quanta end */
}

/* A window can be had now: the first in line tries again. */
static void call_line(struct pool *pool)
{
    struct sched_node *node = pool->line_first;
    if (!node)
        return;
    pool->line_first = node->next;
    struct pool_vm *vm = CONTAINER_OF(node, struct pool_vm, node);
    vm->called = true;
    pool_make_ready(vm, SCHED_WOKEN);
}

/* A VM that cannot be put into a window is lost; the window may be half filled. */
static void give_up(struct pool_vm *vm, struct slot *slot)
{
    struct pool *pool = vm->pool;
    gate_leave(&pool->gate);
    pool->counters.windows--;
    pool->counters.failed++;
    vm->slot = NULL;
    ended(vm);
    host_lock_leave(&pool->lock);
    slot_destroy(slot);
    host_lock_enter(&pool->lock);
}

/* True: the VM has its window. */
static bool admit(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    if (vm->slot)
        return true;
    vm->state = POOL_PARKING; /* nobody else's business */
    bool turn = vm->called || !pool->line_first;
    struct slot *slot = turn ? find_window(w) : NULL;
    if (!slot) {
        line_up(vm);
        if (!turn && pool->idle.next != &pool->idle)
            call_line(pool);
        return false;
    }
    vm->called = false;
    pool->counters.parked--;
    pool->counters.parked_bytes -= sizeof(*vm) + held(vm);
    host_lock_leave(&pool->lock);
    uint64_t before = host_monotonic_ns();
    int err = slot_wake(slot, vm, &w->scratch);
    uint64_t took = host_monotonic_ns() - before;
    host_lock_enter(&pool->lock);
    pool->counters.wakes++;
    pool->counters.wake_ns += took;
    if (took > pool->counters.wake_max_ns)
        pool->counters.wake_max_ns = took;
    vm->slot = slot;
    if (err)
        give_up(vm, slot);
    return !err;
}

static void settle_idle(struct pool_vm *vm, uint64_t wait_ns)
{
    if (wait_ns == 0 || vm->arrived || vm_has_news(vm->slot->vm)) {
        pool_make_ready(vm, SCHED_WOKEN);
        return;
    }
    vm->state = POOL_IDLE;
    pool_idle_add(vm);
    if (wait_ns != HOST_FOREVER)
        pool_timer_arm(vm, host_monotonic_ns() + wait_ns);
    call_line(vm->pool);
}

/* Over its quantum. Where others wait for a window it gives its own away. */
static void settle_preempted(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    if (w->displaced || !pool->line_first) {
        pool_make_ready(vm, w->displaced ? SCHED_DISPLACED : SCHED_PREEMPTED);
        return;
    }
    vm->arrived |= DENALI_IRQ_TIMER; /* it is parked, and ready */
    pool_idle_add(vm);
    struct slot *slot = pool_take_window(pool, vm, &w->scratch);
    if (!slot)
        return;
    slot->next = pool->free_slots;
    pool->free_slots = slot;
    gate_leave(&pool->gate);
    call_line(pool);
}

static void settle_ended(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    struct slot *slot = vm->slot;
    vm->slot = NULL;
    ended(vm);
    gate_leave(&pool->gate);
    pool->counters.windows--;
    host_lock_leave(&pool->lock);
    slot_destroy(slot);
    host_lock_enter(&pool->lock);
    call_line(pool);
}

/* What has come for a VM since it ran last: a frame is one, whatever else has a bit is one. */
static void deliver_batch(struct pool *pool, struct pool_vm *vm)
{
    uint32_t others = vm->arrived & ~(uint32_t)DENALI_IRQ_NIC;
    uint64_t batch = lan_waits(&vm->port) + (unsigned)__builtin_popcount(others);
    if (vm->arrived)
        vm_post(vm->slot->vm, vm->arrived);
    vm->arrived = 0;
    pool->counters.interrupts += batch;
    pool->counters.batches += batch != 0;
    if (batch > pool->counters.batch_max)
        pool->counters.batch_max = batch;
}

static void begin_slice(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    vm->state = POOL_RUNNING;
    w->running = vm;
    w->since_ns = host_monotonic_ns();
    w->displaced = false;
    deliver_batch(pool, vm);
    pool->counters.slices++;
    pool->counters.switches += w->last != vm;
    w->last = vm;
    if ((pool->ready || pool->line_first || vm->node.cap) && pool->timer_target == HOST_FOREVER)
        host_waker_wake(pool->waker);
}

static void end_slice(struct pool_worker *w, struct pool_vm *vm)
{
    struct sched *sched = w->pool->config.sched;
    uint64_t now = host_monotonic_ns();
    w->running = NULL;
    w->pool->counters.displaced += w->displaced;
    sched->ops->ran(sched, &vm->node, now - w->since_ns, now);
}

/* Inside the lock, left while the VM runs. */
static void run(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    begin_slice(w, vm);
    host_lock_leave(&pool->lock);
    enum vm_slice slice = vm_run(vm->slot->vm, ENGINE_UNLIMITED);
    uint64_t wait = slice == VM_IDLE ? vm_wait_ns(vm->slot->vm) : 0;
    host_lock_enter(&pool->lock);
    end_slice(w, vm);
    if (slice == VM_ENDED)
        settle_ended(vm);
    else if (slice == VM_IDLE)
        settle_idle(vm, wait);
    else
        settle_preempted(w, vm);
}

void pool_worker_loop(void *opaque)
{
    struct pool_worker *w = opaque;
    struct pool *pool = w->pool;
    struct sched *sched = pool->config.sched;
    host_lock_enter(&pool->lock);
    while (!pool->quit) {
        struct sched_node *node = sched->ops->next(sched, host_monotonic_ns());
        if (!node) {
            host_lock_wait(&pool->lock);
            continue;
        }
        struct pool_vm *vm = CONTAINER_OF(node, struct pool_vm, node);
        pool->ready--;
        pool->busy++;
        if (admit(w, vm) && !pool->quit)
            run(w, vm);
        pool->busy--;
    }
    host_lock_leave(&pool->lock);
}
