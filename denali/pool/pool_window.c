/* SPDX-License-Identifier: MIT */
/*
 * Who gets which window. A VM that needs one gets a free one of its origin, a new
 * one if the gate allows, or that of the VM that is idle longest; else it waits in
 * line, first come, first served. What the host refuses (memory, mappings,
 * descriptors) is asked for again a little later: such a VM waits too.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>

#define RETRY_NS 20000000u

/* Free windows: a list of each origin, one of the pool. */

void pool_free_window(struct slot *slot)
{
    struct pool *pool = slot->pool;
    slot->owner = NULL;
    slot->next = slot->origin->free;
    slot->origin->free = slot;
    slot->free_next = NULL;
    slot->free_prev = pool->free_last;
    if (pool->free_last)
        pool->free_last->free_next = slot;
    else
        pool->free_first = slot;
    pool->free_last = slot;
    gate_leave(&pool->gate);
}

static void take_free(struct slot *slot)
{
    struct pool *pool = slot->pool;
    struct slot **at = &slot->origin->free;
    while (*at != slot)
        at = &(*at)->next;
    *at = slot->next;
    if (slot->free_prev)
        slot->free_prev->free_next = slot->free_next;
    else
        pool->free_first = slot->free_next;
    if (slot->free_next)
        slot->free_next->free_prev = slot->free_prev;
    else
        pool->free_last = slot->free_prev;
    slot->next = slot->free_next = slot->free_prev = NULL;
}

void pool_unfree_window(struct slot *slot, struct slot **spare)
{
    take_free(slot);
    slot->pool->counters.windows--;
    slot->pool->gate.mappings -= slot->mappings;
    slot->next = *spare;
    *spare = slot;
}

void pool_count_mappings(struct slot *slot)
{
    uint32_t now = ram_mappings(vm_ram(slot->vm));
    slot->pool->gate.mappings += now - slot->mappings;
    slot->mappings = now;
}

/* Leaves the lock. Nobody else knows the window. */
static void destroy_window(struct slot *slot)
{
    struct pool *pool = slot->pool;
    struct pool_origin *origin = slot->origin;
    slot->owner = NULL;
    pool->counters.windows--;
    uint32_t mappings = slot->mappings;
    origin->dying++;
    host_lock_leave(&pool->lock);
    slot_destroy(slot);
    host_lock_enter(&pool->lock);
    pool->gate.mappings -= mappings;
    origin->dying--;
    if (!origin->vms)
        host_lock_wake(&pool->lock); /* somebody may wait to remove it */
}

void pool_discard_free(struct slot *slot)
{
    take_free(slot);
    destroy_window(slot);
}

void pool_drop_window(struct slot *slot)
{
    gate_leave(&slot->pool->gate);
    destroy_window(slot);
}

void pool_give_window(struct slot *slot)
{
    if (slot->broken)
        pool_drop_window(slot);
    else
        pool_free_window(slot);
}

/* Parking. */

/* Squeezed first, swapped out then. */
static void ring_parked(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    if (vm->kept.len && !vm->kept.squeezed) {
        pool_ring_add(&pool->raw, vm);
        pool->raw_bytes += pool_store_bytes(vm->kept.len);
    } else if (vm->kept.len && pool->swap) {
        pool_ring_add(&pool->parked, vm);
    }
}

void pool_unring_parked(struct pool_vm *vm)
{
    if (vm->next && vm->kept.len && !vm->kept.squeezed)
        vm->pool->raw_bytes -= pool_store_bytes(vm->kept.len);
    pool_ring_remove(vm);
}

void pool_settle_parked(struct pool_vm *vm)
{
    vm->state = POOL_PARKED;
    pool_count_parked(vm);
    ring_parked(vm);
    if (vm->arrived || vm->wanted || vm->killed || (vm->extra && vm->extra->request))
        pool_make_ready(vm, SCHED_WOKEN);
}

static void count_park(struct pool_vm *vm, const struct slot *slot)
{
    struct pool *pool = vm->pool;
    vm->parks++;
    pool->counters.parks++;
    pool->counters.page_bytes += (uint64_t)vm->resident_pages * PAGE_SIZE;
    gate_learn(&pool->gate, (uint64_t)slot->own_pages * PAGE_SIZE + POOL_WINDOW_COST);
}

struct slot *pool_take_window(struct pool *pool, struct pool_vm *victim, struct scratch *scratch)
{
    struct slot *slot = victim->slot;
    pool_ring_remove(victim);
    pool->counters.idle--;
    victim->state = POOL_PARKING;
    host_lock_leave(&pool->lock);
    uint64_t before = host_monotonic_ns();
    int err = slot_park(slot, victim, scratch);
    uint64_t took = host_monotonic_ns() - before;
    host_lock_enter(&pool->lock);
    pool->counters.park_ns += took;
    pool_count_mappings(slot);
    if (!err) {
        count_park(victim, slot);
        slot->owner = NULL;
        victim->slot = NULL;
        pool_settle_parked(victim);
        return slot;
    }
    victim->state = POOL_IDLE;
    pool->counters.idle++;
    pool_ring_add(&pool->idle, victim);
    if (victim->arrived || victim->wanted || victim->killed || vm_has_news(slot->vm))
        pool_make_ready(victim, SCHED_WOKEN);
    return NULL;
}

/* Finding. */

/* One more window of this origin; one that is free elsewhere makes room. */
static struct slot *make_window(struct pool_origin *origin)
{
    struct pool *pool = origin->pool;
    struct slot *slot = NULL;
    struct why why;
    while (pool->free_first && pool->counters.windows >= pool->config.max_windows)
        pool_discard_free(pool->free_first);
    pool->counters.windows++;
    host_lock_leave(&pool->lock);
    int err = slot_create(origin, &slot, &why);
    host_lock_enter(&pool->lock);
    if (err) {
        pool->counters.windows--;
        pool->counters.postponed++;
        return NULL;
    }
    pool_count_mappings(slot);
    return slot;
}

/* For one more VM that the gate has let in. */
static struct slot *free_or_new(struct pool_origin *origin)
{
    struct slot *slot = origin->free;
    if (slot)
        take_free(slot);
    else
        slot = make_window(origin);
    if (!slot)
        gate_leave(&origin->pool->gate);
    return slot;
}

static struct slot *find_window(struct pool_worker *w, struct pool_origin *origin)
{
    struct pool *pool = w->pool;
    struct slot *slot = NULL;
    while (!origin->free && pool->free_first && !gate_has_mappings(&pool->gate))
        pool_discard_free(pool->free_first);
    if (gate_enter(&pool->gate, origin->free != NULL) && (slot = free_or_new(origin)))
        return slot;
    if (pool->idle.next == &pool->idle)
        return NULL;
    slot = pool_take_window(pool, pool->idle.next, &w->scratch);
    if (!slot || (slot->origin == origin && !slot->broken))
        return slot;
    pool_give_window(slot);
    if (!origin->free && pool->free_first)
        pool_discard_free(pool->free_first); /* its memory is what the new one needs */
    return gate_enter(&pool->gate, true) ? free_or_new(origin) : NULL;
}

/* The line. */

/* Who was called and found no window keeps its place. */
void pool_line_up(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    if (vm->killed) { /* that needs no window */
        vm->state = POOL_PARKED;
        pool_make_ready(vm, SCHED_WOKEN);
        return;
    }
    vm->state = POOL_WAITING;
    struct sched_node **at =
        vm->called || !pool->line_first ? &pool->line_first : &pool->line_last->next;
    vm->node.next = *at;
    *at = &vm->node;
    if (!vm->node.next)
        pool->line_last = &vm->node;
    if (pool->line_retry_ns == HOST_FOREVER)
        pool->line_retry_ns = host_monotonic_ns() + RETRY_NS;
    if (pool->timer_target > pool->line_retry_ns)
        host_waker_wake(pool->waker); /* now quanta end */
}

void pool_leave_line(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    struct sched_node *before = NULL, **at = &pool->line_first;
    while (*at != &vm->node) {
        before = *at;
        at = &before->next;
    }
    *at = vm->node.next;
    if (pool->line_last == &vm->node)
        pool->line_last = before;
}

void pool_call_line(struct pool *pool)
{
    struct sched_node *node = pool->line_first;
    if (!node) {
        pool->line_retry_ns = HOST_FOREVER;
        return;
    }
    struct pool_vm *vm = CONTAINER_OF(node, struct pool_vm, node);
    pool_leave_line(vm);
    pool->line_retry_ns = pool->line_first ? host_monotonic_ns() + RETRY_NS : HOST_FOREVER;
    vm->called = true;
    pool->called++;
    vm->state = POOL_PARKED;
    pool_make_ready(vm, SCHED_WOKEN);
}

void pool_uncall(struct pool_vm *vm)
{
    vm->pool->called -= vm->called;
    vm->called = false;
}

/* Moving in. */

static bool may_be_tried_again(int err)
{
    return err == -ENOMEM || err == -EAGAIN || err == -EMFILE || err == -ENFILE || err == -EIO;
}

static const char *report_of(const struct pool_vm *vm, int err)
{
    if (err == -EBADMSG && vm->swapped.len)
        return "the VM's memory came back damaged from the swap file\n";
    return "the host cannot bring the VM back into memory\n";
}

/* The window may be half filled. The VM waits, or what is kept of it is no good. */
static void not_moved_in(struct pool_vm *vm, struct slot *slot, int err)
{
    struct pool *pool = vm->pool;
    pool_drop_window(slot);
    if (may_be_tried_again(err)) {
        pool->counters.postponed++;
        pool_line_up(vm);
        return;
    }
    const struct pool_end end = {.reason = VM_END_HOST, .report = report_of(vm, err)};
    pool->counters.failed++;
    pool_uncount_parked(vm);
    pool_set_ended(vm, &end);
}

static void count_wake(struct pool *pool, uint64_t took_ns)
{
    pool->counters.wakes++;
    pool->counters.wake_ns += took_ns;
    if (took_ns > pool->counters.wake_max_ns)
        pool->counters.wake_max_ns = took_ns;
}

static bool move_in(struct pool_worker *w, struct pool_vm *vm, struct slot *slot)
{
    struct pool *pool = w->pool;
    slot->owner = vm;
    host_lock_leave(&pool->lock);
    uint64_t before = host_monotonic_ns();
    int err = slot_wake(slot, vm, &w->scratch);
    uint64_t took = host_monotonic_ns() - before;
    host_lock_enter(&pool->lock);
    if (err) {
        not_moved_in(vm, slot, err);
        return false;
    }
    count_wake(pool, took);
    pool_count_mappings(slot);
    pool_uncount_parked(vm);
    vm->slot = slot;
    return true;
}

bool pool_admit(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    if (vm->slot)
        return true;
    vm->state = POOL_PARKING; /* nobody else's business */
    bool turn = vm->called || (!pool->line_first && !pool->called);
    struct slot *slot = turn ? find_window(w, vm->origin) : NULL;
    if (!slot)
        pool_line_up(vm);
    pool_uncall(vm);
    if (!slot && !turn && pool->idle.next != &pool->idle)
        pool_call_line(pool);
    return slot && move_in(w, vm, slot);
}
