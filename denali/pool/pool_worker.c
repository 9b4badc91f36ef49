/* SPDX-License-Identifier: MIT */
/* A worker: takes the next ready VM, sees that it has a window, runs it for a slice, and says what
 * becomes of it. */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What a slice was good for, beside running. */

/* Outside the lock. False: try again after the next slice. */
static bool take_snapshot(struct pool_vm *vm, struct pool_request *request)
{
    request->err = snapshot_save(vm->slot->vm, request->path, request->why);
    return request->err != -EBUSY;
}

/* Inside the lock, left meanwhile; the VM is RUNNING, and nobody else touches it. */
static void serve_request(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    struct pool_request *request = vm->extra ? vm->extra->request : NULL;
    if (!request)
        return;
    host_lock_leave(&pool->lock);
    bool done = take_snapshot(vm, request);
    host_lock_enter(&pool->lock);
    if (!done)
        return;
    vm->extra->request = NULL;
    vm->paused |= request->hold && !request->err;
    request->done = true;
    host_lock_wake(&pool->lock);
}

/* Settling: inside the lock, after a slice. */

static bool has_work(const struct pool_vm *vm, uint64_t wait_ns)
{
    return !wait_ns || vm->arrived || vm->wanted || vm->killed || vm_has_news(vm->slot->vm) ||
           (vm->extra && vm->extra->request && !vm_is_busy(vm->slot->vm));
}

/* A VM whose disk is at work keeps its window. */
static void become_idle(struct pool_vm *vm)
{
    vm->state = POOL_IDLE;
    vm->pool->counters.idle++;
    if (!vm_is_busy(vm->slot->vm))
        pool_ring_add(&vm->pool->idle, vm);
}

static void settle_idle(struct pool_vm *vm, uint64_t wait_ns)
{
    become_idle(vm);
    if (has_work(vm, wait_ns)) {
        pool_make_ready(vm, SCHED_WOKEN);
        return;
    }
    if (wait_ns != HOST_FOREVER)
        pool_timer_arm(vm, host_monotonic_ns() + wait_ns);
    if (vm->next)
        pool_call_line(vm->pool);
}

/* Larger than all that there is: no waiting helps. */
static bool is_too_large(const struct pool_vm *vm)
{
    return (uint64_t)vm->resident_pages * PAGE_SIZE >= vm->pool->gate.limit_bytes / 4 * 3;
}

static void end_too_large(struct pool_vm *vm)
{
    const struct pool_end end = {.reason = VM_END_HOST,
                                 .report = "the VM uses more memory than all VMs may have\n"};
    pool_uncount_parked(vm);
    pool_set_ended(vm, &end);
}

/*
 * It is idle, but has more to do. False: it keeps its window. What becomes of the VM is settled
 * before the lock is left: afterwards it may be anybody's.
 */
static bool give_window_up(struct pool_worker *w, struct pool_vm *vm, bool over)
{
    struct pool *pool = w->pool;
    struct slot *slot = pool_take_window(pool, vm, &w->scratch);
    if (!slot)
        return false;
    bool large = vm->state == POOL_PARKED && is_too_large(vm);
    if (large) {
        pool_unring_parked(vm);
        vm->state = POOL_PARKING; /* nobody else's business */
    } else if (vm->state == POOL_PARKED) {
        pool_make_ready(vm, SCHED_PREEMPTED);
    }
    if (over)
        pool_drop_window(slot);
    else
        pool_give_window(slot);
    pool_measure(pool);
    if (large)
        end_too_large(vm);
    pool_call_line(pool);
    return true;
}

/* Over its quantum. Where others wait for a window it gives its own away, and where memory is used
 * up that too. */
static void settle_preempted(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    bool over = gate_is_over(&pool->gate);
    become_idle(vm);
    bool gives = !w->displaced && (pool->line_first || over) && vm->next;
    if ((!gives || !give_window_up(w, vm, over)) && vm->state == POOL_IDLE)
        pool_make_ready(vm, w->displaced ? SCHED_DISPLACED : SCHED_PREEMPTED);
}

/* Outside the lock. The text is the caller's to free; NULL is as good as "". */
static char *report_of(struct vm *vm, enum vm_end_reason reason)
{
    char *text = NULL;
    size_t len = 0;
    if (reason == VM_END_EXIT || reason == VM_END_KILLED)
        return NULL;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    if (reason == VM_END_HOST)
        fprintf(f, "%s\n", vm_end(vm)->why.text);
    else
        vm_report(vm, f);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}

static void settle_ended(struct pool_vm *vm)
{
    struct pool *pool = vm->pool;
    struct slot *slot = vm->slot;
    struct pool_end end = {.reason = vm_end(slot->vm)->reason, .status = vm_end(slot->vm)->status};
    vm->state = POOL_PARKING;
    host_lock_leave(&pool->lock);
    char *report = report_of(slot->vm, end.reason);
    host_lock_enter(&pool->lock);
    vm->slot = NULL;
    pool_drop_window(slot);
    end.report = report ? report : "";
    pool_set_ended(vm, &end);
    free(report);
    pool_call_line(pool);
}

/* Killed before it could run again. */
static void settle_killed(struct pool_vm *vm)
{
    const struct pool_end end = {.reason = VM_END_KILLED, .report = ""};
    if (vm->slot) {
        vm_kill(vm->slot->vm);
        settle_ended(vm);
        return;
    }
    pool_uncount_parked(vm);
    pool_set_ended(vm, &end);
}

static void settle(struct pool_worker *w, struct pool_vm *vm, enum vm_slice slice, uint64_t wait_ns)
{
    if (vm->killed && slice != VM_ENDED)
        settle_killed(vm);
    else if (slice == VM_ENDED)
        settle_ended(vm);
    else if (slice == VM_IDLE || slice == VM_BLOCKED)
        settle_idle(vm, wait_ns);
    else
        settle_preempted(w, vm);
}

static uint64_t wait_of(struct vm *vm, enum vm_slice slice)
{
    return slice == VM_IDLE ? vm_wait_ns(vm) : slice == VM_BLOCKED ? vm_unblocked_in_ns(vm) : 0;
}

/* What has come for a VM since it ran last: a frame is one, whatever else has a bit is one. */
static void deliver_batch(struct pool *pool, struct pool_vm *vm)
{
    uint32_t others = vm->arrived & ~(uint32_t)DENALI_IRQ_NIC;
    uint64_t frames = vm->port.lan ? lan_waits(&vm->port) : 0;
    uint64_t batch = frames + (unsigned)__builtin_popcount(others);
    slot_give(vm);
    pool->counters.interrupts += batch;
    pool->counters.batches += batch != 0;
    if (batch > pool->counters.batch_max)
        pool->counters.batch_max = batch;
}

static void begin_slice(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    vm->state = POOL_RUNNING;
    vm->slices++;
    vm->wanted = false;
    w->running = vm;
    w->since_ns = host_monotonic_ns();
    w->since_cpu_ns = host_thread_cpu_ns(&w->thread);
    w->displaced = false;
    pool_note_wake(vm, w->since_ns);
    deliver_batch(pool, vm);
    pool->counters.slices++;
    pool->counters.switches += w->last != vm;
    w->last = vm;
    pool_watch_quanta(pool, w->since_ns); /* quanta end, and timers are due while it runs */
}

/* A VM pays for what it had, not for what the host gave to other programs meanwhile. */
static void end_slice(struct pool_worker *w, struct pool_vm *vm)
{
    struct sched *sched = w->pool->config.sched;
    uint64_t now = host_monotonic_ns();
    uint64_t ran_ns = host_thread_cpu_ns(&w->thread) - w->since_cpu_ns;
    w->running = NULL;
    w->pool->counters.displaced += w->displaced;
    vm->icount = vm_cpu(vm->slot->vm)->icount;
    pool_count_mappings(vm->slot);
    sched->ops->ran(sched, &vm->node, ran_ns, now);
}

/* Paused after it was made ready: it waits where it is. */
static void put_back(struct pool_vm *vm)
{
    vm->wanted = true;
    if (vm->slot)
        become_idle(vm);
    else
        vm->state = POOL_PARKED;
}

/* Inside the lock, left while the VM runs. */
static void run(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    begin_slice(w, vm);
    serve_request(vm);
    if (vm->paused && !vm->killed) { /* not one step beyond the snapshot */
        end_slice(w, vm);
        put_back(vm);
        return;
    }
    host_lock_leave(&pool->lock);
    enum vm_slice slice = vm_run(vm->slot->vm, ENGINE_UNLIMITED);
    uint64_t wait = wait_of(vm->slot->vm, slice);
    host_lock_enter(&pool->lock);
    end_slice(w, vm);
    settle(w, vm, slice, wait);
}

/* Memory is used up: nobody goes on before something was given back, but the last one. True: it has
 * lost its window. */
static bool must_wait(struct pool_worker *w, struct pool_vm *vm)
{
    struct pool *pool = w->pool;
    if (!vm->slot || pool->gate.windows < 2 || !gate_is_over(&pool->gate))
        return false;
    become_idle(vm);
    if (vm->next && give_window_up(w, vm, true))
        return true;
    if (vm->state != POOL_IDLE)
        return true; /* woken again meanwhile */
    pool_ring_remove(vm);
    pool->counters.idle--;
    vm->state = POOL_READY;
    return false;
}

static void take(struct pool_worker *w, struct pool_vm *vm)
{
    if (vm->killed || vm->paused)
        pool_uncall(vm);
    if (vm->killed)
        settle_killed(vm);
    else if (vm->paused)
        put_back(vm);
    else if (!must_wait(w, vm) && pool_admit(w, vm) && !w->pool->quit) {
        if (vm->killed)
            settle_killed(vm);
        else
            run(w, vm);
    }
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
        pool->ready--;
        pool->busy++;
        take(w, CONTAINER_OF(node, struct pool_vm, node));
        pool->busy--;
    }
    host_lock_leave(&pool->lock);
}
