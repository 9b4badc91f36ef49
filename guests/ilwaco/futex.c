/* SPDX-License-Identifier: MIT */
/*
 * Futexes: sleepers in a hash by address. As the kernel is not preempted,
 * comparing the word and going to sleep is one step.
 */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

#define BUCKETS 64u
#define MATCH_ANY UINT32_MAX

enum futex_op {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_TRYLOCK_PI = 8,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_LOCK_PI2 = 13,
    FUTEX_CLOCK_REALTIME = 256,
    FUTEX_COMMAND = 127,
};
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID 0x3fffffffu
#define ROBUST_MAX 2048

struct futex_waiter {
    struct futex_waiter *next, **link;
    struct thread *thread;
    uint32_t address, bits;
    bool queued;
};

static struct futex_waiter *buckets[BUCKETS] SELDOM_WRITTEN;

static struct futex_waiter **bucket(uint32_t address)
{
    return &buckets[(address >> 2) * 0x9e3779b1u >> 26];
}

static void enqueue(struct futex_waiter *waiter)
{
    struct futex_waiter **link = bucket(waiter->address);
    while (*link)
        link = &(*link)->next;
    waiter->next = NULL;
    waiter->link = link;
    waiter->queued = true;
    *link = waiter;
}

static void dequeue(struct futex_waiter *waiter)
{
    if (!waiter->queued)
        return;
    *waiter->link = waiter->next;
    if (waiter->next)
        waiter->next->link = waiter->link;
    waiter->queued = false;
}

static int32_t wake_matching(uint32_t address, uint32_t count, uint32_t bits)
{
    int32_t woken = 0;
    struct futex_waiter *waiter = *bucket(address), *next;
    for (; waiter && (uint32_t)woken < count; waiter = next) {
        next = waiter->next;
        if (waiter->address != address || !(waiter->bits & bits))
            continue;
        dequeue(waiter);
        sched_interrupt(waiter->thread, 0);
        woken++;
    }
    return woken;
}

int32_t futex_wake_address(uint32_t address, uint32_t count)
{
    return wake_matching(address, count, MATCH_ANY);
}

static int32_t wait_while(uint32_t address, uint32_t value, uint64_t deadline, uint32_t bits)
{
    uint32_t now;
    if ((address & 3) || !bits)
        return -EINVAL;
    if (get_user32(&now, address))
        return -EFAULT;
    if (now != value)
        return -EAGAIN;
    struct futex_waiter waiter = {.thread = thread_current, .address = address, .bits = bits};
    enqueue(&waiter);
    int result = sched_sleep(deadline);
    if (!waiter.queued)
        return 0; /* woken, whatever came beside */
    dequeue(&waiter);
    return result == -ETIMEDOUT ? result : result ? -ERESTARTSYS : 0;
}

static int32_t requeue(uint32_t from, uint32_t wake, uint32_t to, uint32_t move)
{
    int32_t done = wake_matching(from, wake, MATCH_ANY);
    struct futex_waiter *waiter = *bucket(from), *next;
    for (uint32_t moved = 0; waiter && moved < move; waiter = next) {
        next = waiter->next;
        if (waiter->address != from)
            continue;
        dequeue(waiter);
        waiter->address = to;
        enqueue(waiter);
        moved++;
        done++;
        if (next && !next->queued)
            break;
    }
    return done;
}

static int32_t cmp_requeue(uint32_t from, uint32_t wake, uint32_t to, uint32_t move, uint32_t value)
{
    uint32_t now;
    if (get_user32(&now, from))
        return -EFAULT;
    return now == value ? requeue(from, wake, to, move) : -EAGAIN;
}

static uint32_t apply(uint32_t op, uint32_t old, uint32_t arg)
{
    switch (op) {
    case 0:
        return arg;
    case 1:
        return old + arg;
    case 2:
        return old | arg;
    case 3:
        return old & ~arg;
    default:
        return old ^ arg;
    }
}

static bool compare(uint32_t how, int32_t old, int32_t arg)
{
    switch (how) {
    case 0:
        return old == arg;
    case 1:
        return old != arg;
    case 2:
        return old < arg;
    case 3:
        return old <= arg;
    case 4:
        return old > arg;
    default:
        return old >= arg;
    }
}

static int32_t wake_op(uint32_t address, uint32_t wake, uint32_t address2, uint32_t wake2,
                       uint32_t code)
{
    uint32_t old, arg = code >> 12 & 0xfff, op = code >> 28 & 7;
    int32_t cmp_arg = (int32_t)(code << 20) >> 20;
    arg = (uint32_t)((int32_t)(arg << 20) >> 20);
    if (code >> 31)
        arg = 1u << (arg & 31);
    if (get_user32(&old, address2) || put_user32(address2, apply(op, old, arg)))
        return -EFAULT;
    int32_t done = futex_wake_address(address, wake);
    if (compare(code >> 24 & 15, (int32_t)old, cmp_arg))
        done += futex_wake_address(address2, wake2);
    return done;
}

/* ---- locks with an owner: no priorities here, so nothing to inherit ---- */

static int32_t lock_owned(uint32_t address, uint64_t deadline, bool try_only)
{
    uint32_t now, tid = (uint32_t)thread_current->tid;
    for (;;) {
        if (get_user32(&now, address))
            return -EFAULT;
        if (!(now & FUTEX_TID))
            return put_user32(address, (now & FUTEX_OWNER_DIED) | tid |
                                           (*bucket(address) ? FUTEX_WAITERS : 0));
        if ((now & FUTEX_TID) == tid)
            return -EDEADLK;
        if (try_only)
            return -EAGAIN;
        if (put_user32(address, now | FUTEX_WAITERS))
            return -EFAULT;
        int32_t result = wait_while(address, now | FUTEX_WAITERS, deadline, MATCH_ANY);
        if (result && result != -EAGAIN)
            return result;
    }
}

static int32_t unlock_owned(uint32_t address)
{
    uint32_t now;
    if (get_user32(&now, address))
        return -EFAULT;
    if ((now & FUTEX_TID) != (uint32_t)thread_current->tid)
        return -EPERM;
    if (put_user32(address, 0))
        return -EFAULT;
    futex_wake_address(address, 1);
    return 0;
}

/* ---- the call ---- */

static bool has_timeout(uint32_t command)
{
    return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
           command == FUTEX_LOCK_PI2;
}

static int futex_deadline(uint32_t op, uint32_t timeout, bool wide, uint64_t *deadline)
{
    uint64_t ns;
    uint32_t command = op & FUTEX_COMMAND;
    *deadline = TIME_NEVER;
    if (!timeout || !has_timeout(command))
        return 0;
    int err = user_get_timespec(timeout, wide, &ns);
    if (err)
        return err;
    bool real = command == FUTEX_LOCK_PI || (op & FUTEX_CLOCK_REALTIME);
    if (command == FUTEX_WAIT)
        *deadline = deadline_after(ns);
    else
        err = clock_to_deadline(real ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns, deadline);
    return err;
}

static int32_t do_futex(uint32_t address, uint32_t op, uint32_t value, uint32_t arg,
                        uint32_t address2, uint32_t value3, bool wide)
{
    uint64_t deadline;
    int err = futex_deadline(op, arg, wide, &deadline);
    if (err)
        return err;
    switch (op & FUTEX_COMMAND) {
    case FUTEX_WAIT:
        return wait_while(address, value, deadline, MATCH_ANY);
    case FUTEX_WAIT_BITSET:
        return wait_while(address, value, deadline, value3);
    case FUTEX_WAKE:
        return futex_wake_address(address, value);
    case FUTEX_WAKE_BITSET:
        return value3 ? wake_matching(address, value, value3) : -EINVAL;
    case FUTEX_REQUEUE:
        return requeue(address, value, address2, arg);
    case FUTEX_CMP_REQUEUE:
        return cmp_requeue(address, value, address2, arg, value3);
    case FUTEX_WAKE_OP:
        return wake_op(address, value, address2, arg, value3);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return lock_owned(address, deadline, false);
    case FUTEX_TRYLOCK_PI:
        return lock_owned(address, 0, true);
    case FUTEX_UNLOCK_PI:
        return unlock_owned(address);
    default:
        return -ENOSYS;
    }
}

int32_t sys_futex(uint32_t address, uint32_t op, uint32_t value, uint32_t arg, uint32_t address2,
                  uint32_t value3)
{
    return do_futex(address, op, value, arg, address2, value3, false);
}

int32_t sys_futex_time64(uint32_t address, uint32_t op, uint32_t value, uint32_t arg,
                         uint32_t address2, uint32_t value3)
{
    return do_futex(address, op, value, arg, address2, value3, true);
}

/* ---- robust lists ---- */

static void owner_died(uint32_t address, uint32_t tid)
{
    uint32_t now;
    if (get_user32(&now, address) || (now & FUTEX_TID) != tid)
        return;
    if (!put_user32(address, (now & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
        futex_wake_address(address, 1);
}

/* struct robust_list_head: first, offset of the word, entry being taken. */
void futex_thread_exit(struct thread *thread)
{
    uint32_t head[3], entry, next, tid = (uint32_t)thread->tid;
    if (!thread->robust_list || copy_from_user(head, thread->robust_list, sizeof head))
        return;
    entry = head[0];
    for (int i = 0; entry != thread->robust_list && i < ROBUST_MAX; i++) {
        bool readable = !get_user32(&next, entry & ~1u);
        if (entry != head[2])
            owner_died((entry & ~1u) + head[1], tid);
        if (!readable)
            break;
        entry = next;
    }
    if (head[2])
        owner_died((head[2] & ~1u) + head[1], tid);
}

int32_t sys_set_robust_list(uint32_t head, uint32_t size)
{
    if (size != 12)
        return -EINVAL;
    thread_current->robust_list = head;
    return 0;
}

int32_t sys_get_robust_list(uint32_t tid, uint32_t head, uint32_t size)
{
    struct thread *thread = tid ? thread_by_tid((int32_t)tid) : thread_current;
    if (!thread)
        return -ESRCH;
    return put_user32(head, thread->robust_list) || put_user32(size, 12) ? -EFAULT : 0;
}
