/* SPDX-License-Identifier: MIT */
/*
 * poll and select. A round asks every file for its events; if none holds, the
 * queues the files named are waited on together, and a wake of any starts the
 * next round. One waiter per queue, on a list that grows as files name queues.
 */
#include "guests/ilwaco/poll.h"
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

#define INLINE_WAITERS 8
#define SELECT_MAX_FDS 65536u
#define POLL_ALWAYS (POLLERR | POLLHUP | POLLNVAL)

struct poll_waiter {
    struct waiter waiter;
    struct poll_waiter *next;
    struct sleep_set *set;
};

struct sleep_set {
    struct poll_set set;
    struct poll_waiter *first;
    struct thread *thread;
    uint32_t used;
    bool woken, no_memory;
    struct poll_waiter own[INLINE_WAITERS];
};

void poll_add(struct poll_set *set, struct wait_queue *queue)
{
    if (set)
        set->add(set, queue);
}

uint32_t file_poll(struct file *file, struct poll_set *set)
{
    if (!file->ops->poll)
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    return file->ops->poll(file, set);
}

static void sleeper_woken(struct waiter *waiter)
{
    struct sleep_set *set = CONTAINER_OF(waiter, struct poll_waiter, waiter)->set;
    set->woken = true;
    if (set->thread->state == THREAD_WAITING)
        sched_ready(set->thread);
}

static void sleep_set_add(struct poll_set *base, struct wait_queue *queue)
{
    struct sleep_set *set = CONTAINER_OF(base, struct sleep_set, set);
    struct poll_waiter *w =
        set->used < INLINE_WAITERS ? &set->own[set->used++] : kmalloc(sizeof *w);
    if (!w) {
        set->no_memory = true;
        return;
    }
    *w = (struct poll_waiter){.waiter = {.fn = sleeper_woken}, .next = set->first, .set = set};
    set->first = w;
    waiter_add(&w->waiter, queue);
}

static void sleep_set_init(struct sleep_set *set)
{
    set->set.add = sleep_set_add;
    set->first = NULL;
    set->used = 0;
    set->woken = set->no_memory = false;
    set->thread = thread_current;
}

static void sleep_set_done(struct sleep_set *set)
{
    for (struct poll_waiter *w = set->first, *next; w; w = next) {
        next = w->next;
        waiter_remove(&w->waiter);
        if (w < set->own || w >= set->own + INLINE_WAITERS)
            kfree(w);
    }
    set->first = NULL;
    set->used = 0;
}

/* One round over all; adds queues when `set` is given. Returns how many are ready. */
typedef int (*poll_round_fn)(void *what, struct poll_set *set);

static int poll_until(poll_round_fn round, void *what, uint64_t deadline)
{
    struct sleep_set set;
    for (;;) {
        sleep_set_init(&set);
        int ready = round(what, deadline ? &set.set : NULL);
        int result = 0;
        if (!ready && !set.no_memory && deadline && !set.woken)
            result = sched_sleep(deadline);
        sleep_set_done(&set);
        if (ready)
            return ready;
        if (set.no_memory)
            return -ENOMEM;
        if (result == -ETIMEDOUT || !deadline)
            return 0;
        if (result < 0)
            return -EINTR;
    }
}

/* ---- poll ---- */

struct pollfd {
    int32_t fd;
    uint16_t events, revents;
};

struct poll_call {
    struct pollfd *fds;
    uint32_t count;
};

static int poll_round(void *what, struct poll_set *set)
{
    struct poll_call *call = what;
    int ready = 0;
    for (uint32_t i = 0; i < call->count; i++) {
        struct pollfd *p = &call->fds[i];
        struct file *file = p->fd >= 0 ? fd_file((uint32_t)p->fd) : NULL;
        uint32_t events = file ? file_poll(file, ready ? NULL : set) : POLLNVAL;
        p->revents = p->fd < 0 ? 0 : (uint16_t)(events & (p->events | POLL_ALWAYS));
        ready += p->revents != 0;
    }
    return ready;
}

static int32_t do_poll(uint32_t fds, uint32_t count, uint64_t deadline)
{
    if (count > FD_MAX)
        return -EINVAL;
    struct poll_call call = {kmalloc(count * sizeof *call.fds + 1), count};
    if (!call.fds)
        return -ENOMEM;
    int32_t result = copy_from_user(call.fds, fds, count * sizeof *call.fds);
    if (!result)
        result = poll_until(poll_round, &call, deadline);
    if (result >= 0 && copy_to_user(fds, call.fds, count * sizeof *call.fds))
        result = -EFAULT;
    kfree(call.fds);
    return result;
}

static uint64_t deadline_of_ms(int32_t ms)
{
    if (ms <= 0)
        return ms ? TIME_NEVER : 0;
    return time_now() + (uint64_t)ms * NS_PER_MS;
}

int32_t sys_poll(uint32_t fds, uint32_t count, uint32_t timeout_ms)
{
    return do_poll(fds, count, deadline_of_ms((int32_t)timeout_ms));
}

static int32_t do_ppoll(uint32_t fds, uint32_t count, uint32_t timeout, uint32_t mask,
                        uint32_t size, bool wide)
{
    uint64_t deadline;
    int err = user_deadline(timeout, wide, &deadline);
    if (!err)
        err = signal_block_for_call(mask, size);
    return err ? err : do_poll(fds, count, deadline);
}

int32_t sys_ppoll(uint32_t fds, uint32_t count, uint32_t timeout, uint32_t mask, uint32_t size)
{
    return do_ppoll(fds, count, timeout, mask, size, false);
}

int32_t sys_ppoll_time64(uint32_t fds, uint32_t count, uint32_t timeout, uint32_t mask,
                         uint32_t size)
{
    return do_ppoll(fds, count, timeout, mask, size, true);
}

/* ---- select ---- */

struct select_call {
    uint32_t count, words;
    uint32_t *want[3], *got[3]; /* read, write, exceptional */
};

static const uint32_t select_events[3] = {
    POLLIN | POLLRDNORM | POLLHUP | POLLERR | POLLRDBAND,
    POLLOUT | POLLWRNORM | POLLERR,
    POLLPRI,
};

static uint32_t wanted(const struct select_call *call, uint32_t fd)
{
    uint32_t kinds = 0;
    for (uint32_t k = 0; k < 3; k++)
        kinds |= (call->want[k][fd / 32] >> (fd % 32) & 1) << k;
    return kinds;
}

static int select_round(void *what, struct poll_set *set)
{
    struct select_call *call = what;
    int ready = 0;
    memset(call->got[0], 0, call->words * 3 * 4);
    for (uint32_t fd = 0; fd < call->count; fd++) {
        uint32_t kinds = wanted(call, fd);
        if (!kinds)
            continue;
        struct file *file = fd_file(fd);
        if (!file)
            return -EBADF;
        uint32_t events = file_poll(file, ready ? NULL : set);
        for (uint32_t k = 0; k < 3; k++) {
            if (!(kinds >> k & 1) || !(events & select_events[k]))
                continue;
            call->got[k][fd / 32] |= 1u << (fd % 32);
            ready++;
        }
    }
    return ready;
}

static int32_t select_copy(struct select_call *call, const uint32_t user[3], bool out)
{
    for (uint32_t k = 0; k < 3; k++) {
        if (!user[k])
            continue;
        int err = out ? copy_to_user(user[k], call->got[k], call->words * 4)
                      : copy_from_user(call->want[k], user[k], call->words * 4);
        if (err)
            return err;
    }
    return 0;
}

static int32_t do_select(uint32_t count, const uint32_t user[3], uint64_t deadline)
{
    if ((int32_t)count < 0)
        return -EINVAL;
    count = count < SELECT_MAX_FDS ? count : SELECT_MAX_FDS;
    count = count < fd_room() ? count : (fd_room() + 31) & ~31u;
    struct select_call call = {.count = count, .words = (count + 31) / 32};
    uint32_t *sets = kzalloc(call.words * 6 * 4 + 4);
    if (!sets)
        return -ENOMEM;
    for (uint32_t k = 0; k < 3; k++) {
        call.want[k] = sets + k * call.words;
        call.got[k] = sets + (3 + k) * call.words;
    }
    int32_t result = select_copy(&call, user, false);
    if (!result)
        result = poll_until(select_round, &call, deadline);
    if (result >= 0 && select_copy(&call, user, true))
        result = -EFAULT;
    kfree(sets);
    return result;
}

int32_t sys_select(uint32_t count, uint32_t in, uint32_t out, uint32_t ex, uint32_t timeout)
{
    const uint32_t user[3] = {in, out, ex};
    uint64_t deadline;
    int32_t result = user_deadline_timeval(timeout, &deadline);
    if (!result)
        result = do_select(count, user, deadline);
    if (timeout && result >= 0)
        user_put_remaining_timeval(timeout, deadline);
    return result;
}

/* The oldest form: all five arguments behind a pointer. */
int32_t sys_old_select(uint32_t args)
{
    uint32_t a[5];
    if (copy_from_user(a, args, sizeof a))
        return -EFAULT;
    return sys_select(a[0], a[1], a[2], a[3], a[4]);
}

static int32_t do_pselect(uint32_t count, const uint32_t user[3], uint32_t timeout, uint32_t mask,
                          bool wide)
{
    uint32_t set[2] = {0, 0};
    uint64_t deadline;
    if (mask && copy_from_user(set, mask, sizeof set))
        return -EFAULT;
    int err = user_deadline(timeout, wide, &deadline);
    if (!err)
        err = signal_block_for_call(set[0], set[1]);
    return err ? err : do_select(count, user, deadline);
}

int32_t sys_pselect6(uint32_t count, uint32_t in, uint32_t out, uint32_t ex, uint32_t timeout,
                     uint32_t mask)
{
    return do_pselect(count, (const uint32_t[3]){in, out, ex}, timeout, mask, false);
}

int32_t sys_pselect6_time64(uint32_t count, uint32_t in, uint32_t out, uint32_t ex,
                            uint32_t timeout, uint32_t mask)
{
    return do_pselect(count, (const uint32_t[3]){in, out, ex}, timeout, mask, true);
}
