/* SPDX-License-Identifier: MIT */
/* Timers that send signals: alarm, setitimer, timer_create. */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

#define TIMERS_MAX 256u
#define TIMER_ABSTIME 1u
enum sigev_notify { SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD = 2, SIGEV_THREAD_ID = 4 };

/* ---- interval timers. Virtual and profiling ones run by the same clock: a VM's own time ---- */

struct interval {
    struct timer timer;
    uint64_t interval;
    uint8_t signal;
};

static struct interval intervals[3];

static void interval_fire(struct timer *timer)
{
    struct interval *it = CONTAINER_OF(timer, struct interval, timer);
    if (it->interval)
        timer_arm(timer, timer->when + it->interval > time_now() ? timer->when + it->interval
                                                                 : time_now() + it->interval);
    signal_send_number(it->signal, SI_KERNEL);
}

static uint64_t remaining(const struct timer *timer)
{
    uint64_t now = time_now();
    return !timer->armed ? 0 : timer->when > now ? timer->when - now : 1000;
}

static void interval_set(uint32_t which, uint64_t value, uint64_t interval)
{
    static const uint8_t signals[] = {SIGALRM, SIGVTALRM, SIGPROF};
    struct interval *it = &intervals[which];
    timer_cancel(&it->timer);
    it->timer.fn = interval_fire;
    it->signal = signals[which];
    it->interval = interval;
    if (value)
        timer_arm(&it->timer, deadline_after(value));
}

int32_t sys_getitimer(uint32_t which, uint32_t out)
{
    if (which > 2)
        return -EINVAL;
    int err = user_put_timeval(out, intervals[which].interval);
    return err ? err : user_put_timeval(out + 8, remaining(&intervals[which].timer));
}

int32_t sys_setitimer(uint32_t which, uint32_t in, uint32_t out)
{
    uint64_t interval = 0, value = 0;
    if (which > 2)
        return -EINVAL;
    int err = in ? user_get_timeval(in, &interval) : 0;
    if (!err && in)
        err = user_get_timeval(in + 8, &value);
    if (!err && out)
        err = sys_getitimer(which, out);
    if (!err)
        interval_set(which, value, interval);
    return err;
}

int32_t sys_alarm(uint32_t seconds)
{
    uint64_t left = remaining(&intervals[0].timer);
    interval_set(0, (uint64_t)seconds * NS_PER_SEC, 0);
    return (int32_t)div_u64(left + NS_PER_SEC - 1, NS_PER_SEC, NULL);
}

/* ---- POSIX timers ---- */

struct posix_timer {
    struct timer timer;
    uint64_t interval;
    uint32_t id, clock, notify, overruns;
    int32_t tid; /* SIGEV_THREAD_ID */
    struct siginfo info;
};

static struct posix_timer *timers[TIMERS_MAX] SELDOM_WRITTEN;

static void posix_fire(struct timer *timer)
{
    struct posix_timer *t = CONTAINER_OF(timer, struct posix_timer, timer);
    t->overruns = 0;
    if (t->interval) {
        uint64_t now = time_now(), next = timer->when + t->interval;
        for (; next <= now; next += t->interval)
            t->overruns++;
        timer_arm(timer, next);
    }
    if (t->notify == SIGEV_NONE)
        return;
    struct thread *thread = t->notify == SIGEV_THREAD_ID ? thread_by_tid(t->tid) : NULL;
    t->info.timer.overrun = (int32_t)t->overruns;
    if (t->notify != SIGEV_THREAD_ID || thread)
        signal_send(thread, &t->info);
}

static struct posix_timer *timer_of(uint32_t id)
{
    return id < TIMERS_MAX ? timers[id] : NULL;
}

/* struct sigevent: value, signal, notify, thread id. */
static int read_event(uint32_t addr, struct posix_timer *t)
{
    uint32_t event[4] = {t->id, SIGALRM, SIGEV_SIGNAL, 0};
    if (addr && copy_from_user(event, addr, sizeof event))
        return -EFAULT;
    if (event[2] != SIGEV_NONE && (event[1] == 0 || event[1] > SIGNALS))
        return -EINVAL;
    if (event[2] != SIGEV_SIGNAL && event[2] != SIGEV_NONE && event[2] != SIGEV_THREAD_ID)
        return -EINVAL;
    t->notify = event[2];
    t->tid = (int32_t)event[3];
    t->info = (struct siginfo){.signo = (int)event[1],
                               .code = SI_TIMER,
                               .timer = {.timer = (int32_t)t->id, .value = event[0]}};
    return 0;
}

int32_t sys_timer_create(uint32_t clock, uint32_t event, uint32_t out)
{
    uint64_t ns;
    uint32_t id = 0;
    if (!clock_read(clock, &ns))
        return -EINVAL;
    while (id < TIMERS_MAX && timers[id])
        id++;
    struct posix_timer *t = id < TIMERS_MAX ? kzalloc(sizeof *t) : NULL;
    if (!t)
        return -EAGAIN;
    t->id = id;
    t->clock = clock;
    t->timer.fn = posix_fire;
    int err = read_event(event, t);
    if (!err)
        err = put_user32(out, id);
    if (err)
        kfree(t);
    else
        timers[id] = t;
    return err;
}

static int put_timer(const struct posix_timer *t, uint32_t out, bool wide)
{
    int err = user_put_timespec(out, wide, t->interval);
    return err ? err : user_put_timespec(out + (wide ? 16 : 8), wide, remaining(&t->timer));
}

static int32_t settime(uint32_t id, uint32_t flags, uint32_t in, uint32_t out, bool wide)
{
    struct posix_timer *t = timer_of(id);
    uint64_t interval, value, deadline;
    if (!t)
        return -EINVAL;
    int err = user_get_timespec(in, wide, &interval);
    if (!err)
        err = user_get_timespec(in + (wide ? 16 : 8), wide, &value);
    if (!err && out)
        err = put_timer(t, out, wide);
    if (err)
        return err;
    deadline = deadline_after(value);
    if ((flags & TIMER_ABSTIME) && (err = clock_to_deadline(t->clock, value, &deadline)))
        return err;
    t->interval = interval;
    timer_cancel(&t->timer);
    if (value)
        timer_arm(&t->timer, deadline);
    return 0;
}

int32_t sys_timer_settime(uint32_t id, uint32_t flags, uint32_t in, uint32_t out)
{
    return settime(id, flags, in, out, false);
}

int32_t sys_timer_settime64(uint32_t id, uint32_t flags, uint32_t in, uint32_t out)
{
    return settime(id, flags, in, out, true);
}

int32_t sys_timer_gettime(uint32_t id, uint32_t out)
{
    return timer_of(id) ? put_timer(timer_of(id), out, false) : -EINVAL;
}

int32_t sys_timer_gettime64(uint32_t id, uint32_t out)
{
    return timer_of(id) ? put_timer(timer_of(id), out, true) : -EINVAL;
}

int32_t sys_timer_getoverrun(uint32_t id)
{
    return timer_of(id) ? (int32_t)timer_of(id)->overruns : -EINVAL;
}

int32_t sys_timer_delete(uint32_t id)
{
    struct posix_timer *t = timer_of(id);
    if (!t)
        return -EINVAL;
    timer_cancel(&t->timer);
    timers[id] = NULL;
    kfree(t);
    return 0;
}
