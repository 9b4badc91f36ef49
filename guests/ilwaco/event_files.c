/* SPDX-License-Identifier: MIT */
/* Files that are events: eventfd, timerfd, signalfd. */
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/poll.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

#define FD_FLAGS (O_NONBLOCK | O_CLOEXEC)

static int32_t install(const struct file_ops *ops, uint32_t flags, void *data)
{
    struct file *file = data ? file_create(ops, O_RDWR | (flags & O_NONBLOCK), data) : NULL;
    if (!file) {
        kfree(data);
        return -ENOMEM;
    }
    return fd_install(file, 0, flags & O_CLOEXEC);
}

/* ---- eventfd ---- */

#define EFD_SEMAPHORE 1u

struct eventfd {
    uint64_t count;
    bool semaphore;
    struct wait_queue queue;
};

static int eventfd_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct eventfd *event = file->data;
    (void)pos;
    if (uio->left < 8)
        return -EINVAL;
    while (!event->count) {
        int err = file->flags & O_NONBLOCK ? -EAGAIN : wait_on(&event->queue, TIME_NEVER);
        if (err)
            return err;
    }
    uint64_t value = event->semaphore ? 1 : event->count;
    event->count -= value;
    wake(&event->queue);
    return uio_put(uio, &value, 8) ? -EFAULT : 8;
}

static int eventfd_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct eventfd *event = file->data;
    uint64_t value;
    (void)pos;
    if (uio->left < 8)
        return -EINVAL;
    if (uio_get(uio, &value, 8))
        return -EFAULT;
    if (value == UINT64_MAX)
        return -EINVAL;
    while (event->count > UINT64_MAX - 1 - value) {
        int err = file->flags & O_NONBLOCK ? -EAGAIN : wait_on(&event->queue, TIME_NEVER);
        if (err)
            return err;
    }
    event->count += value;
    wake(&event->queue);
    return 8;
}

static uint32_t eventfd_poll(struct file *file, struct poll_set *set)
{
    struct eventfd *event = file->data;
    poll_add(set, &event->queue);
    return (event->count ? POLLIN | POLLRDNORM : 0) |
           (event->count < UINT64_MAX - 1 ? POLLOUT | POLLWRNORM : 0);
}

static void free_data(struct file *file)
{
    kfree(file->data);
}

static const struct file_ops eventfd_ops = {
    .name = "anon_inode:[eventfd]",
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .close = free_data,
};

int32_t sys_eventfd2(uint32_t count, uint32_t flags)
{
    if (flags & ~(uint32_t)(FD_FLAGS | EFD_SEMAPHORE))
        return -EINVAL;
    struct eventfd *event = kzalloc_lively(sizeof *event);
    if (event) {
        event->count = count;
        event->semaphore = flags & EFD_SEMAPHORE;
    }
    return install(&eventfd_ops, flags, event);
}

int32_t sys_eventfd(uint32_t count)
{
    return sys_eventfd2(count, 0);
}

/* ---- timerfd ---- */

#define TFD_TIMER_ABSTIME 1u

struct timerfd {
    uint32_t clock;
    uint64_t expirations, interval;
    struct timer timer;
    struct wait_queue queue;
};

static void timerfd_fire(struct timer *timer)
{
    struct timerfd *fd = CONTAINER_OF(timer, struct timerfd, timer);
    fd->expirations++;
    if (fd->interval) {
        uint64_t now = time_now(), next = timer->when + fd->interval;
        for (; next <= now; next += fd->interval)
            fd->expirations++;
        timer_arm(timer, next);
    }
    wake(&fd->queue);
}

static int timerfd_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct timerfd *fd = file->data;
    (void)pos;
    if (uio->left < 8)
        return -EINVAL;
    timers_run();
    while (!fd->expirations) {
        int err = file->flags & O_NONBLOCK ? -EAGAIN : wait_on(&fd->queue, TIME_NEVER);
        if (err)
            return err;
    }
    uint64_t value = fd->expirations;
    fd->expirations = 0;
    return uio_put(uio, &value, 8) ? -EFAULT : 8;
}

static uint32_t timerfd_poll(struct file *file, struct poll_set *set)
{
    struct timerfd *fd = file->data;
    poll_add(set, &fd->queue);
    return fd->expirations ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_close(struct file *file)
{
    struct timerfd *fd = file->data;
    timer_cancel(&fd->timer);
    kfree(fd);
}

static const struct file_ops timerfd_ops = {
    .name = "anon_inode:[timerfd]",
    .read = timerfd_read,
    .poll = timerfd_poll,
    .close = timerfd_close,
};

int32_t sys_timerfd_create(uint32_t clock, uint32_t flags)
{
    uint64_t ns;
    if (!clock_read(clock, &ns) || (flags & ~(uint32_t)FD_FLAGS))
        return -EINVAL;
    struct timerfd *fd = kzalloc(sizeof *fd);
    if (fd) {
        fd->clock = clock;
        fd->timer.fn = timerfd_fire;
    }
    return install(&timerfd_ops, flags, fd);
}

static struct timerfd *timerfd_of(uint32_t fd, int *err)
{
    struct file *file = fd_file(fd);
    *err = !file ? -EBADF : file->ops != &timerfd_ops ? -EINVAL : 0;
    return *err ? NULL : file->data;
}

static int put_setting(const struct timerfd *fd, uint32_t out, bool wide)
{
    uint64_t now = time_now(), when = fd->timer.when;
    uint64_t left = !fd->timer.armed ? 0 : when > now ? when - now : 1;
    int err = user_put_timespec(out, wide, fd->interval);
    return err ? err : user_put_timespec(out + (wide ? 16 : 8), wide, left);
}

static int32_t timerfd_settime(uint32_t number, uint32_t flags, uint32_t in, uint32_t old,
                               bool wide)
{
    int err;
    uint64_t value, interval, deadline;
    struct timerfd *fd = timerfd_of(number, &err);
    if (!err)
        err = user_get_timespec(in, wide, &interval);
    if (!err)
        err = user_get_timespec(in + (wide ? 16 : 8), wide, &value);
    if (!err && old)
        err = put_setting(fd, old, wide);
    if (err)
        return err;
    deadline = deadline_after(value);
    if ((flags & TFD_TIMER_ABSTIME) && (err = clock_to_deadline(fd->clock, value, &deadline)))
        return err;
    fd->interval = interval;
    fd->expirations = 0;
    timer_cancel(&fd->timer);
    if (value)
        timer_arm(&fd->timer, deadline);
    return 0;
}

int32_t sys_timerfd_settime(uint32_t fd, uint32_t flags, uint32_t in, uint32_t old)
{
    return timerfd_settime(fd, flags, in, old, false);
}

int32_t sys_timerfd_settime64(uint32_t fd, uint32_t flags, uint32_t in, uint32_t old)
{
    return timerfd_settime(fd, flags, in, old, true);
}

int32_t sys_timerfd_gettime(uint32_t number, uint32_t out)
{
    int err;
    struct timerfd *fd = timerfd_of(number, &err);
    return err ? err : put_setting(fd, out, false);
}

int32_t sys_timerfd_gettime64(uint32_t number, uint32_t out)
{
    int err;
    struct timerfd *fd = timerfd_of(number, &err);
    return err ? err : put_setting(fd, out, true);
}

/* ---- signalfd ---- */

struct signalfd {
    sigset_t64 mask;
};

struct signalfd_siginfo {
    uint32_t signo;
    int32_t error, code;
    uint32_t pid, uid;
    uint8_t rest[108];
};
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "signalfd_siginfo");

static int signalfd_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct signalfd *fd = file->data;
    struct siginfo info;
    int done = 0;
    (void)pos;
    if (uio->left < sizeof(struct signalfd_siginfo))
        return -EINVAL;
    while (uio->left >= sizeof(struct signalfd_siginfo)) {
        if (!signal_take(fd->mask, &info)) {
            if (done)
                break;
            int err = file->flags & O_NONBLOCK ? -EAGAIN : wait_on(&signal_arrival, TIME_NEVER);
            if (err)
                return err;
            continue;
        }
        struct signalfd_siginfo out = {.signo = (uint32_t)info.signo,
                                       .code = info.code,
                                       .pid = (uint32_t)info.kill.pid,
                                       .uid = info.kill.uid};
        if (uio_put(uio, &out, sizeof out))
            return -EFAULT;
        done += (int)sizeof out;
    }
    return done;
}

static uint32_t signalfd_poll(struct file *file, struct poll_set *set)
{
    struct signalfd *fd = file->data;
    poll_add(set, &signal_arrival);
    return signal_pending_set() & fd->mask ? POLLIN | POLLRDNORM : 0;
}

static const struct file_ops signalfd_ops = {
    .name = "anon_inode:[signalfd]",
    .read = signalfd_read,
    .poll = signalfd_poll,
    .close = free_data,
};

int32_t sys_signalfd4(uint32_t number, uint32_t mask, uint32_t size, uint32_t flags)
{
    sigset_t64 set;
    if (size != sizeof set || (flags & ~(uint32_t)FD_FLAGS))
        return -EINVAL;
    if (copy_from_user(&set, mask, sizeof set))
        return -EFAULT;
    set &= ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    if (number != UINT32_MAX) {
        struct file *file = fd_file(number);
        if (!file || file->ops != &signalfd_ops)
            return file ? -EINVAL : -EBADF;
        ((struct signalfd *)file->data)->mask = set;
        return (int32_t)number;
    }
    struct signalfd *fd = kzalloc(sizeof *fd);
    if (fd)
        fd->mask = set;
    return install(&signalfd_ops, flags, fd);
}

int32_t sys_signalfd(uint32_t number, uint32_t mask, uint32_t size)
{
    return sys_signalfd4(number, mask, size, 0);
}
