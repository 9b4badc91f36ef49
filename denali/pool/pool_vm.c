/* SPDX-License-Identifier: MIT */
/*
 * VMs come, are told what to do, and go. A VM is ended by a worker, but for one
 * that has no window: then there is nothing to end but its struct.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void frames_arrived(struct lan_port *port)
{
    pool_post(CONTAINER_OF(port, struct pool_vm, port), DENALI_IRQ_NIC);
}

/* Of the slice that is not over yet. */
static uint64_t running_ns(const struct pool_vm *vm)
{
    const struct pool *pool = vm->pool;
    for (unsigned i = 0; i < pool->started; i++) {
        const struct pool_worker *w = &pool->worker[i];
        if (w->running == vm)
            return host_thread_cpu_ns(&w->thread) - w->since_cpu_ns;
    }
    return 0;
}

/* Others wait for processors. 1: part of what it may claim before them is used up; 2: more than
 * half, unless it runs long when it runs, so that it is not frames which use it up. */
static unsigned pressure_of(const struct pool_vm *vm)
{
    const struct sched *sched = vm->pool->config.sched;
    uint64_t all = sched->ops->quantum_ns(sched), ran = running_ns(vm);
    uint64_t lead = sched->ops->lead_ns(sched, &vm->node);
    lead = lead > ran ? lead - ran : 0;
    if (!vm->pool->ready || lead >= all - all / 8)
        return 0;
    return lead < all / 2 && vm->node.burst_ns < all / 2 ? 2 : 1;
}

static unsigned pressure(const struct lan_port *port)
{
    const struct pool_vm *vm =
        CONTAINER_OF((struct lan_port *)(uintptr_t)port, struct pool_vm, port);
    struct pool *pool = vm->pool;
    if (!pool->config.sched->ops->lead_ns)
        return 0;
    host_lock_enter(&pool->lock);
    unsigned level = pressure_of(vm);
    host_lock_leave(&pool->lock);
    return level;
}

/* Adding. */

static bool has_rates(const struct quota *q)
{
    return q->disk_blocks_per_s || q->console_bytes_per_s;
}

static bool wants_extra(const struct pool_vm_config *c)
{
    return c->console || c->disk || c->text || (c->quota && has_rates(c->quota));
}

/* Inside or outside the lock, by whoever alone knows the VM. */
static struct pool_extra *get_extra(struct pool_vm *vm)
{
    if (!vm->extra)
        vm->extra = calloc(1, sizeof(*vm->extra));
    return vm->extra;
}

static int fill_extra(struct pool_vm *vm, const struct pool_vm_config *c)
{
    if (c->text_len > DENALI_IDENTITY_MAX || (c->disk && c->disks > DENALI_MAX_DEVICES))
        return -EINVAL;
    struct pool_extra *extra = get_extra(vm);
    if (!extra)
        return -ENOMEM;
    extra->console = c->console;
    if (c->text && c->text_len) {
        memcpy(extra->text, c->text, c->text_len);
        extra->text_len = c->text_len;
    }
    if (c->quota) {
        extra->disk_blocks_per_s = c->quota->disk_blocks_per_s;
        extra->console_bytes_per_s = c->quota->console_bytes_per_s;
    }
    extra->disks = c->disk ? c->disks : 0;
    if (extra->disks)
        memcpy(extra->disk, c->disk, extra->disks * sizeof(extra->disk[0]));
    return 0;
}

static struct pool_vm *make(struct pool *pool, const struct pool_vm_config *c, int *err)
{
    struct pool_vm *vm = calloc(1, sizeof(*vm));
    if (!vm) {
        *err = -ENOMEM;
        return NULL;
    }
    vm->pool = pool;
    vm->origin = c->origin;
    vm->id = c->id;
    vm->user = c->user;
    vm->state = POOL_PARKED;
    vm->timer_index = POOL_NO_TIMER;
    vm->node.weight = c->quota ? (uint16_t)c->quota->weight : 0;
    vm->node.cap = c->quota ? (uint16_t)c->quota->cap : 0;
    *err = wants_extra(c) ? fill_extra(vm, c) : 0;
    return vm;
}

size_t pool_parked_bytes(const struct pool_vm *vm)
{
    return sizeof(*vm) + (vm->extra ? sizeof(*vm->extra) : 0) +
           (vm->kept.len ? pool_store_bytes(vm->kept.len) : 0);
}

void pool_count_parked(struct pool_vm *vm)
{
    vm->counted_bytes = (uint32_t)pool_parked_bytes(vm);
    vm->pool->counters.parked++;
    vm->pool->counters.parked_bytes += vm->counted_bytes;
}

void pool_uncount_parked(struct pool_vm *vm)
{
    vm->pool->counters.parked--;
    vm->pool->counters.parked_bytes -= vm->counted_bytes;
    vm->counted_bytes = 0;
}

/* Inside the lock. */
static void insert(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    vm->all_next = pool->all;
    if (pool->all)
        pool->all->all_prev = vm;
    pool->all = vm;
    vm->origin->vms++;
    pool->counters.vms++;
    pool_count_parked(vm);
    if (vm->arrived || !vm->origin->first_wait_ns)
        pool_make_ready(vm, SCHED_WOKEN);
    else if (vm->origin->first_wait_ns != HOST_FOREVER)
        pool_timer_arm(vm, host_monotonic_ns() + vm->origin->first_wait_ns);
}

void pool_forget_kept(struct pool_vm *vm)
{
    pool_free_kept(vm->pool, &vm->kept);
    if (vm->swapped.len)
        swap_free(vm->pool->swap, vm->swapped);
    vm->swapped.len = 0;
}

void pool_vm_free(struct pool_vm *vm)
{
    if (!vm)
        return;
    pool_forget_kept(vm);
    free(vm->extra);
    free(vm);
}

static int shape(struct pool_vm *vm, const struct quota *q)
{
    const struct wire_config *to = quota_wire(&q->to_lan), *from = quota_wire(&q->from_lan);
    if (!vm->port.lan || (!to && !from && !vm->port.shape))
        return 0;
    return lan_port_shape(&vm->port, to, from);
}

static int add_port(struct pool_vm *vm, const struct pool_vm_config *c)
{
    if (vm->pool->config.sched->ops->lead_ns)
        lan_set_pressure(c->lan, pressure);
    return lan_port_add(c->lan, &vm->port, c->ip, c->lan_flags | LAN_PRESSED, frames_arrived);
}

int pool_add(struct pool *pool, const struct pool_vm_config *config, struct pool_vm **out)
{
    int err;
    struct pool_vm *vm = make(pool, config, &err);
    if (!err && config->lan && config->origin->nic) {
        vm->state = POOL_PARKING; /* what comes to the port now is kept, and nobody is woken */
        err = add_port(vm, config);
        if (err)
            vm->port.lan = NULL;
        else if (config->quota)
            err = shape(vm, config->quota);
    }
    if (!err) {
        host_lock_enter(&pool->lock);
        err = pool_find_room(pool);
        vm->state = POOL_PARKED;
        if (!err)
            err = pool_timer_reserve(pool);
        if (!err)
            insert(vm);
        host_lock_leave(&pool->lock);
    }
    if (err) {
        if (vm && vm->port.lan)
            lan_port_remove(&vm->port);
        pool_vm_free(vm);
        return err;
    }
    *out = vm;
    return 0;
}

int pool_remove(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    host_lock_enter(&pool->lock);
    bool ended = vm->state == POOL_ENDED;
    host_lock_leave(&pool->lock);
    if (!ended)
        return -EBUSY;
    if (vm->port.lan)
        lan_port_remove(&vm->port); /* takes the switch's lock, which comes before ours */
    host_lock_enter(&pool->lock);
    if (vm->all_prev)
        vm->all_prev->all_next = vm->all_next;
    else
        pool->all = vm->all_next;
    if (vm->all_next)
        vm->all_next->all_prev = vm->all_prev;
    if (!--vm->origin->vms)
        pool_bases_clear(vm->origin->bases);
    pool->counters.vms--;
    pool->counters.ended--;
    host_lock_leave(&pool->lock);
    pool_vm_free(vm);
    return 0;
}

/* Telling. */

uint32_t pool_vm_id(const struct pool_vm *vm)
{
    return vm->id;
}

void *pool_vm_user(const struct pool_vm *vm)
{
    return vm->user;
}

struct lan_port *pool_vm_port(struct pool_vm *vm)
{
    return vm->port.lan ? &vm->port : NULL;
}

int pool_set_quota(struct pool_vm *vm, const struct quota *q)
{
    int err = shape(vm, q);
    if (err)
        return err;
    host_lock_enter(&vm->pool->lock);
    if (has_rates(q) && !get_extra(vm))
        err = -ENOMEM;
    if (!err) {
        vm->node.weight = (uint16_t)q->weight;
        vm->node.cap = (uint16_t)q->cap;
    }
    if (!err && vm->extra) {
        vm->extra->disk_blocks_per_s = q->disk_blocks_per_s;
        vm->extra->console_bytes_per_s = q->console_bytes_per_s;
    }
    host_lock_leave(&vm->pool->lock);
    return err;
}

void pool_signal(struct pool_vm *vm, uint32_t signals)
{
    struct pool *pool = vm->pool;
    host_lock_enter(&pool->lock);
    struct pool_extra *extra = get_extra(vm);
    if (extra && vm->state != POOL_ENDED) {
        extra->signals |= signals;
        if (vm->state == POOL_RUNNING)
            slot_give(vm);
        pool_wake(vm);
    }
    host_lock_leave(&pool->lock);
}

static void kill_parked(struct pool_vm *vm)
{
    const struct pool_end end = {.reason = VM_END_KILLED, .report = ""};
    pool_unring_parked(vm);
    pool_uncount_parked(vm);
    pool_set_ended(vm, &end);
}

void pool_kill(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    host_lock_enter(&pool->lock);
    vm->killed = true;
    if (vm->state == POOL_WAITING) {
        pool_leave_line(vm);
        vm->state = POOL_PARKED;
    }
    if (vm->state == POOL_PARKED)
        kill_parked(vm);
    else if (vm->state == POOL_IDLE)
        pool_make_ready(vm, SCHED_WOKEN);
    else if (vm->state == POOL_RUNNING)
        vm_stop(vm->slot->vm);
    host_lock_leave(&pool->lock);
}

void pool_pause(struct pool_vm *vm)
{
    host_lock_enter(&vm->pool->lock);
    vm->paused = true;
    if (vm->state == POOL_RUNNING)
        vm_stop(vm->slot->vm);
    host_lock_leave(&vm->pool->lock);
}

void pool_resume(struct pool_vm *vm)
{
    host_lock_enter(&vm->pool->lock);
    vm->paused = false;
    if (vm->wanted || vm->arrived)
        pool_wake(vm);
    host_lock_leave(&vm->pool->lock);
}

bool pool_wait(struct pool_vm *vm, uint64_t wait_ns)
{
    struct pool *pool = vm->pool;
    uint64_t end = wait_ns == HOST_FOREVER ? HOST_FOREVER : host_monotonic_ns() + wait_ns;
    host_lock_enter(&pool->lock);
    while (vm->state != POOL_ENDED && host_monotonic_ns() < end)
        host_lock_wait_until(&pool->lock, end);
    bool ended = vm->state == POOL_ENDED;
    host_lock_leave(&pool->lock);
    return ended;
}

int pool_snapshot(struct pool_vm *vm, const char *path, bool hold, struct why *why)
{
    struct pool *pool = vm->pool;
    struct pool_request request = {.path = path, .hold = hold, .why = why};
    host_lock_enter(&pool->lock);
    struct pool_extra *extra = get_extra(vm);
    while (extra && extra->request && vm->state != POOL_ENDED)
        host_lock_wait(&pool->lock); /* somebody else's */
    if (!extra || vm->state == POOL_ENDED) {
        request.err = extra ? -ESRCH : -ENOMEM;
        request.done = true;
    } else {
        extra->request = &request;
        if (vm->state == POOL_RUNNING)
            vm_stop(vm->slot->vm);
        pool_wake(vm);
    }
    while (!request.done)
        host_lock_wait(&pool->lock);
    host_lock_leave(&pool->lock);
    if (request.err == -ESRCH || request.err == -ENOMEM)
        why_fail(why, request.err, "%s", request.err == -ESRCH ? "the VM has ended" : "no memory");
    return request.err;
}

const char *pool_state_name(enum pool_state state)
{
    static const char *const names[] = {"parked", "parked",  "idle", "ready",
                                        "ready",  "running", "ended"};
    return (unsigned)state < ARRAY_LEN(names) ? names[state] : "unknown";
}

void pool_figures(struct pool_vm *vm, struct pool_figures *out)
{
    struct pool *pool = vm->pool;
    struct lan_port_counters port = {0};
    if (vm->port.lan)
        lan_port_count(&vm->port, &port); /* takes the switch's lock, which comes before ours */
    host_lock_enter(&pool->lock);
    *out = (struct pool_figures){
        .state = vm->state,
        .paused = vm->paused,
        .end = {.reason = vm->reason, .status = vm->status, .report = ""},
        .run_ns = vm->node.ran_ns + running_ns(vm),
        .slices = vm->slices,
        .instructions = vm->icount,
        .resident_bytes = vm->slot ? (uint64_t)vm->resident_pages * PAGE_SIZE : 0,
        .parked_bytes = vm->slot || vm->state == POOL_ENDED ? 0 : pool_parked_bytes(vm),
        .swapped_bytes = vm->swapped.len,
        .port = port,
        .parks = vm->parks,
    };
    host_lock_leave(&pool->lock);
}
