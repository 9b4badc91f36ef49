/* SPDX-License-Identifier: MIT */
/*
 * Memory. What the process really has is measured while VMs run; when the gate
 * wishes, a thread of its own gives memory back: free windows, then idle VMs'
 * windows, and parked VMs to the swap file, those that are parked longest first.
 *
 * A swap file that takes no more costs nobody its memory: what was to be written
 * stays, no VM is added meanwhile, and after a while it is tried again.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#define SWAP_PAUSE_NS 1000000000u
#define TRIM_PAUSE_NS 200000000u
#define VERDICT_NS 1000000000u
#define BATCH 64u /* VMs that are squeezed or swapped out at a time */

/* glibc raises this threshold, and with it what each thread's heap keeps, to the largest block that
 * was ever freed. Blocks of this size and above are mappings of their own, and go when freed. */
#define HEAP_BLOCK_MAX (128 * 1024)

void pool_bind_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_MAX);
    mallopt(M_TRIM_THRESHOLD, HEAP_BLOCK_MAX);
}

/* Measuring. */

/* Shared by all windows: the snapshots' pages. Inside the lock. */
static uint64_t shared_bytes(const struct pool *pool)
{
    uint64_t bytes = 0;
    for (const struct pool_origin *o = pool->origins; o; o = o->next)
        bytes += snapshot_filled_pages(o->snapshot) * PAGE_SIZE;
    return bytes;
}

void pool_measure(struct pool *pool)
{
    uint64_t own;
    if (host_own_memory(&own))
        return; /* this host cannot tell: what was promised counts */
    gate_measure(&pool->gate, own + shared_bytes(pool), pool->counters.parked_bytes,
                 pool->raw_bytes);
    bool content = gate_wish(&pool->gate) == GATE_CONTENT;
    atomic_store(&pool->tight, !content);
    if (content)
        pool->full = false;
    else
        host_waker_wake(pool->reclaim_waker);
}

/* Giving back: inside the lock, which is left meanwhile. False: there was nothing. */

static bool drop_free_window(struct pool *pool)
{
    struct slot *slot = pool->free_first;
    if (!slot)
        return false;
    gate_freed(&pool->gate, pool->gate.window_bytes);
    pool_discard_free(slot);
    return true;
}

static bool drop_idle_window(struct pool *pool)
{
    if (pool->idle.next == &pool->idle)
        return false;
    struct slot *slot = pool_take_window(pool, pool->idle.next, &pool->reclaim_scratch);
    if (slot) {
        gate_freed(&pool->gate, pool->gate.window_bytes);
        pool_drop_window(slot);
    }
    return slot != NULL;
}

static void swap_failed(struct pool *pool, int err)
{
    pool->counters.swap_errors++;
    pool->swap_error = err;
    pool->swap_again_ns = host_monotonic_ns() + SWAP_PAUSE_NS;
}

static void swap_done(struct pool_vm *vm, struct swap_ref ref)
{
    struct pool *pool = vm->pool;
    pool->counters.swapped++;
    pool->counters.swapped_bytes += ref.len;
    pool->swap_error = 0;
    pool_free_kept(pool, &vm->kept);
    vm->swapped = ref;
}

/* Of those who are parked longest; then of those who wait for a window, the last. */
static struct pool_vm *find_parked(struct pool *pool, bool squeezed)
{
    struct pool_vm *ring = squeezed ? &pool->parked : &pool->raw, *last = NULL;
    if (ring->next != ring)
        return ring->next;
    for (struct sched_node *node = pool->line_first; node; node = node->next) {
        struct pool_vm *vm = CONTAINER_OF(node, struct pool_vm, node);
        if (vm->kept.len && vm->kept.squeezed == squeezed)
            last = vm;
    }
    return last;
}

/* Nobody else's for a while. True: it was in line. */
static bool take_out(struct pool_vm *vm)
{
    bool waits = vm->state == POOL_WAITING;
    if (waits)
        pool_leave_line(vm);
    else
        pool_unring_parked(vm);
    vm->state = POOL_PARKING;
    pool_uncount_parked(vm);
    return waits;
}

static void put_back(struct pool_vm *vm, bool waits)
{
    if (!waits || vm->killed) {
        pool_settle_parked(vm);
        return;
    }
    pool_count_parked(vm);
    pool_line_up(vm);
}

bool pool_squeeze_oldest(struct pool *pool, struct scratch *scratch)
{
    struct pool_kept squeezed;
    struct pool_vm *vm = find_parked(pool, false);
    if (!vm)
        return false;
    bool waits = take_out(vm);
    host_lock_leave(&pool->lock);
    int err = pool_squeeze(pool, vm->kept, scratch, &squeezed);
    host_lock_enter(&pool->lock);
    if (!err) {
        pool_free_kept(pool, &vm->kept);
        vm->kept = squeezed;
    }
    put_back(vm, waits);
    return !err;
}

static bool swap_out_oldest(struct pool *pool)
{
    struct swap_ref ref;
    bool may = pool->swap && host_monotonic_ns() >= pool->swap_again_ns;
    struct pool_vm *vm = may ? find_parked(pool, true) : NULL;
    if (!vm)
        return false;
    bool waits = take_out(vm);
    host_lock_leave(&pool->lock);
    int err = pool_load_kept(pool, vm->kept, &pool->reclaim_scratch);
    if (!err)
        err = swap_write(pool->swap, pool->reclaim_scratch.pack.out, vm->kept.len, &ref);
    pack_rest(&pool->reclaim_scratch.pack);
    host_lock_enter(&pool->lock);
    if (err)
        swap_failed(pool, err);
    else
        swap_done(vm, ref);
    put_back(vm, waits);
    return !err;
}

/* The last resort. */
static bool trim_heap(struct pool *pool)
{
    uint64_t now = host_monotonic_ns();
    if (now < pool->trim_again_ns)
        return false;
    host_lock_leave(&pool->lock);
    malloc_trim(0);
    host_lock_enter(&pool->lock);
    pool->trim_again_ns = host_monotonic_ns() + TRIM_PAUSE_NS;
    pool_measure(pool);
    return true;
}

/* What was squeezed and swapped out has left free pages: so many are gone at once. */
static bool trim(struct pool *pool)
{
    host_lock_leave(&pool->lock);
    uint64_t bytes = pool_store_trim(pool->store);
    host_lock_enter(&pool->lock);
    gate_freed(&pool->gate, bytes);
    return bytes != 0;
}

/* A batch, then the pages. */
static bool shrink_parked(struct pool *pool, bool (*step)(struct pool *pool))
{
    unsigned done = 0;
    while (done < BATCH && !pool->quit && step(pool))
        done++;
    return done && (trim(pool) || done == BATCH);
}

static bool squeeze_step(struct pool *pool)
{
    return pool_squeeze_oldest(pool, &pool->reclaim_scratch);
}

static bool give_back(struct pool *pool)
{
    if (drop_free_window(pool))
        return true;
    enum gate_wish wish = gate_wish(&pool->gate);
    if (wish == GATE_WANTS_SQUEEZE && shrink_parked(pool, squeeze_step))
        return true;
    if (wish == GATE_WANTS_SWAP && shrink_parked(pool, swap_out_oldest))
        return true;
    if (trim(pool))
        return true;
    if (wish == GATE_WANTS_MAPPINGS)
        return drop_idle_window(pool);
    bool windows_too = wish == GATE_WANTS_WINDOW || gate_is_over(&pool->gate);
    if (windows_too && drop_idle_window(pool))
        return true;
    return shrink_parked(pool, squeeze_step) || shrink_parked(pool, swap_out_oldest) ||
           trim_heap(pool);
}

int pool_find_room(struct pool *pool)
{
    uint64_t seen = pool->verdicts, end = host_monotonic_ns() + VERDICT_NS;
    if (!pool->full)
        return 0;
    pool_measure(pool);
    while (pool->full && pool->verdicts == seen && host_monotonic_ns() < end)
        host_lock_wait_until(&pool->lock, end);
    return !pool->full ? 0 : pool->swap_error ? pool->swap_error : -ENOMEM;
}

void pool_reclaim_loop(void *opaque)
{
    struct pool *pool = opaque;
    host_lock_enter(&pool->lock);
    while (!pool->quit) {
        bool content = gate_wish(&pool->gate) == GATE_CONTENT;
        if (!content && give_back(pool)) {
            pool_call_line(pool);
            continue;
        }
        pool->full = !content && gate_wish(&pool->gate) != GATE_WANTS_MAPPINGS;
        pool->verdicts++;
        host_lock_wake(&pool->lock);
        host_lock_leave(&pool->lock);
        struct pollfd fd = {.fd = pool->reclaim_waker, .events = POLLIN};
        if (host_poll(&fd, 1, HOST_FOREVER) > 0)
            host_waker_clear(pool->reclaim_waker);
        host_lock_enter(&pool->lock);
    }
    host_lock_leave(&pool->lock);
}
