/* SPDX-License-Identifier: MIT */
/*
 * epoll on the wait queues of everything else. A watch puts waiters on the
 * queues its file names; a wake moves the watch to the ready list and wakes the
 * set. epoll_wait asks the files on the ready list again, so a stale entry costs
 * one question; level-triggered watches stay on the list while their events
 * hold. A file that is closed leaves its watches (epoll_forget_file).
 */
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/poll.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3 };
#define EPOLLET (1u << 31)
#define EPOLLONESHOT (1u << 30)
#define WATCH_QUEUES 3

struct epoll_event {
    uint32_t events;
    uint32_t data[2];
} __attribute__((packed));

struct epoll;

struct watch {
    struct list set;   /* of the epoll's watches */
    struct list ready; /* empty: not on the ready list */
    struct poll_set poll;
    struct epoll *epoll;
    struct file *file;
    uint32_t fd;
    struct epoll_event event;
    bool disabled; /* one-shot, done */
    struct waiter waiters[WATCH_QUEUES];
    uint32_t queues;
    struct watch *file_next; /* other sets' watches of the same file */
};

struct epoll {
    struct list watches, ready;
    struct wait_queue queue;
};

static void watch_woken(struct waiter *waiter)
{
    struct watch *watch = (struct watch *)(void *)waiter->thread; /* see watch_add_queue */
    if (watch->disabled)
        return;
    if (list_empty(&watch->ready))
        list_append(&watch->epoll->ready, &watch->ready);
    wake(&watch->epoll->queue);
}

/* The waiter's thread is not used by our fn: it carries the watch. */
static void watch_add_queue(struct poll_set *set, struct wait_queue *queue)
{
    struct watch *watch = CONTAINER_OF(set, struct watch, poll);
    BUG_ON(watch->queues == WATCH_QUEUES, "epoll: a file names too many queues");
    struct waiter *waiter = &watch->waiters[watch->queues++];
    waiter->fn = watch_woken;
    waiter->thread = (struct thread *)(void *)watch;
    waiter_add(waiter, queue);
}

static void watch_stop(struct watch *watch)
{
    for (uint32_t i = 0; i < watch->queues; i++)
        waiter_remove(&watch->waiters[i]);
    watch->queues = 0;
    list_remove(&watch->ready);
}

/* Asks the file, and listens to its queues from now on. */
static void watch_start(struct watch *watch)
{
    watch->disabled = false;
    uint32_t events = file_poll(watch->file, &watch->poll);
    if (events & (watch->event.events | POLLERR | POLLHUP)) {
        list_append(&watch->epoll->ready, &watch->ready);
        wake(&watch->epoll->queue);
    }
}

static struct watch **file_watches(struct file *file)
{
    return (struct watch **)(void *)&file->epoll_links.first;
}

static void watch_destroy(struct watch *watch)
{
    struct watch **link = file_watches(watch->file);
    while (*link != watch)
        link = &(*link)->file_next;
    *link = watch->file_next;
    watch_stop(watch);
    list_remove(&watch->set);
    kfree(watch);
}

void epoll_forget_file(struct file *file)
{
    while (*file_watches(file))
        watch_destroy(*file_watches(file));
}

static struct watch *watch_find(struct epoll *epoll, struct file *file, uint32_t fd)
{
    for (struct watch *w = *file_watches(file); w; w = w->file_next)
        if (w->epoll == epoll && w->fd == fd)
            return w;
    return NULL;
}

static int watch_create(struct epoll *epoll, struct file *file, uint32_t fd,
                        const struct epoll_event *event)
{
    struct watch *watch = kzalloc_lively(sizeof *watch);
    if (!watch)
        return -ENOMEM;
    list_init(&watch->ready);
    list_append(&epoll->watches, &watch->set);
    watch->poll.add = watch_add_queue;
    watch->epoll = epoll;
    watch->file = file;
    watch->fd = fd;
    watch->event = *event;
    watch->file_next = *file_watches(file);
    *file_watches(file) = watch;
    watch_start(watch);
    return 0;
}

/* ---- the epoll file ---- */

static void epoll_close(struct file *file)
{
    struct epoll *epoll = file->data;
    while (!list_empty(&epoll->watches))
        watch_destroy(LIST_ITEM(epoll->watches.next, struct watch, set));
    kfree(epoll);
}

static uint32_t epoll_poll(struct file *file, struct poll_set *set)
{
    struct epoll *epoll = file->data;
    poll_add(set, &epoll->queue);
    for (struct list *at = epoll->ready.next; at != &epoll->ready; at = at->next) {
        struct watch *watch = LIST_ITEM(at, struct watch, ready);
        if (file_poll(watch->file, NULL) & (watch->event.events | POLLERR | POLLHUP))
            return POLLIN | POLLRDNORM;
    }
    return 0;
}

static const struct file_ops epoll_ops = {
    .name = "anon_inode:[eventpoll]",
    .poll = epoll_poll,
    .close = epoll_close,
};

int32_t sys_epoll_create1(uint32_t flags)
{
    struct epoll *epoll = flags & ~(uint32_t)O_CLOEXEC ? NULL : kzalloc_lively(sizeof *epoll);
    if (!epoll)
        return flags & ~(uint32_t)O_CLOEXEC ? -EINVAL : -ENOMEM;
    list_init(&epoll->watches);
    list_init(&epoll->ready);
    struct file *file = file_create(&epoll_ops, O_RDWR, epoll);
    if (!file) {
        kfree(epoll);
        return -ENOMEM;
    }
    return fd_install(file, 0, flags);
}

int32_t sys_epoll_create(uint32_t size)
{
    return (int32_t)size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

static int control(struct epoll *epoll, struct file *file, uint32_t op, uint32_t fd,
                   const struct epoll_event *event)
{
    struct watch *watch = watch_find(epoll, file, fd);
    switch (op) {
    case EPOLL_CTL_ADD:
        return watch ? -EEXIST : watch_create(epoll, file, fd, event);
    case EPOLL_CTL_DEL:
        if (watch)
            watch_destroy(watch);
        return watch ? 0 : -ENOENT;
    case EPOLL_CTL_MOD:
        if (!watch)
            return -ENOENT;
        watch_stop(watch);
        watch->event = *event;
        watch_start(watch);
        return 0;
    default:
        return -EINVAL;
    }
}

int32_t sys_epoll_ctl(uint32_t epfd, uint32_t op, uint32_t fd, uint32_t user_event)
{
    struct epoll_event event = {0};
    struct file *set = fd_file(epfd), *file = fd_file(fd);
    if (!set || !file)
        return -EBADF;
    if (set->ops != &epoll_ops || set == file)
        return -EINVAL;
    if (op != EPOLL_CTL_DEL && copy_from_user(&event, user_event, sizeof event))
        return -EFAULT;
    if (!file->ops->poll)
        return -EPERM; /* as Linux for regular files */
    return control(set->data, file, op, fd, &event);
}

/* Hands out what is ready. A watch that still holds goes to the end of the list. */
static int collect(struct epoll *epoll, uint32_t out, uint32_t max)
{
    struct list again = {&again, &again};
    uint32_t n = 0;
    int err = 0;
    while (!err && n < max && !list_empty(&epoll->ready)) {
        struct watch *watch = LIST_ITEM(epoll->ready.next, struct watch, ready);
        list_remove(&watch->ready);
        struct epoll_event event = watch->event;
        event.events = file_poll(watch->file, NULL) & (event.events | POLLERR | POLLHUP);
        if (!event.events || watch->disabled)
            continue;
        err = copy_to_user(out + n * sizeof event, &event, sizeof event);
        n += !err;
        if (watch->event.events & EPOLLONESHOT)
            watch->disabled = true;
        else if (!(watch->event.events & EPOLLET))
            list_append(&again, &watch->ready);
    }
    while (!list_empty(&again)) {
        struct list *item = again.next;
        list_remove(item);
        list_append(&epoll->ready, item);
    }
    return n ? (int)n : err;
}

static int32_t do_epoll_wait(uint32_t epfd, uint32_t events, uint32_t max, uint64_t deadline)
{
    struct file *file = fd_file(epfd);
    if (!file)
        return -EBADF;
    if (file->ops != &epoll_ops || (int32_t)max <= 0)
        return -EINVAL;
    struct epoll *epoll = file->data;
    int result;
    file_hold(file);
    for (;;) {
        result = collect(epoll, events, max);
        if (result || !deadline)
            break;
        result = wait_on(&epoll->queue, deadline);
        if (result) {
            result = result == -ETIMEDOUT ? 0 : -EINTR;
            break;
        }
    }
    file_release(file);
    return result;
}

static uint64_t deadline_of_ms(int32_t ms)
{
    if (ms <= 0)
        return ms ? TIME_NEVER : 0;
    return deadline_after((uint64_t)ms * NS_PER_MS);
}

int32_t sys_epoll_wait(uint32_t epfd, uint32_t events, uint32_t max, uint32_t timeout_ms)
{
    return do_epoll_wait(epfd, events, max, deadline_of_ms((int32_t)timeout_ms));
}

int32_t sys_epoll_pwait(uint32_t epfd, uint32_t events, uint32_t max, uint32_t timeout_ms,
                        uint32_t mask, uint32_t size)
{
    int err = signal_block_for_call(mask, size);
    return err ? err : sys_epoll_wait(epfd, events, max, timeout_ms);
}

int32_t sys_epoll_pwait2(uint32_t epfd, uint32_t events, uint32_t max, uint32_t timeout,
                         uint32_t mask, uint32_t size)
{
    uint64_t deadline;
    int err = user_deadline(timeout, true, &deadline);
    if (!err)
        err = signal_block_for_call(mask, size);
    return err ? err : do_epoll_wait(epfd, events, max, deadline);
}
