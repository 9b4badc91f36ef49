/* SPDX-License-Identifier: MIT */
/* System calls of time: clocks, sleeping, interval timers. */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

#define TIMER_ABSTIME 1u
#define CLOCK_CPU_BIT 0x80000000u /* clocks of a process or thread by number */
#define NS_PER_TICK 10000000u

/* ---- clocks ---- */

static uint64_t process_cpu_ns(void)
{
    return time_now() - sched_idle_ns();
}

bool clock_read(uint32_t clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = (uint64_t)time_wall_ns();
        return true;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = time_now();
        return true;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = process_cpu_ns();
        return true;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = thread_cpu_ns(thread_current);
        return true;
    default:
        if (!(clock & CLOCK_CPU_BIT))
            return false;
        *ns = clock & 4 ? thread_cpu_ns(thread_current) : process_cpu_ns();
        return true;
    }
}

int clock_to_deadline(uint32_t clock, uint64_t clock_ns, uint64_t *deadline)
{
    uint64_t now;
    if (!clock_read(clock, &now))
        return -EINVAL;
    *deadline = clock_ns <= now ? time_now() : deadline_after(clock_ns - now);
    return 0;
}

uint64_t deadline_after(uint64_t ns)
{
    uint64_t now = time_now();
    return ns > TIME_NEVER - 1 - now ? TIME_NEVER - 1 : now + ns;
}

/* ---- times in user memory ---- */

static int combine(int64_t sec, uint32_t part, uint32_t unit, uint64_t *ns)
{
    if (sec < 0 || part >= NS_PER_SEC / unit)
        return -EINVAL;
    if (sec > INT64_MAX / (int64_t)NS_PER_SEC - 1)
        *ns = INT64_MAX;
    else
        *ns = (uint64_t)sec * NS_PER_SEC + (uint64_t)part * unit;
    return 0;
}

int user_get_timespec(uint32_t addr, bool wide, uint64_t *ns)
{
    uint32_t w[4];
    if (copy_from_user(w, addr, wide ? 16 : 8))
        return -EFAULT;
    if (wide)
        return combine((int64_t)((uint64_t)w[1] << 32 | w[0]), w[2], 1, ns);
    return combine((int32_t)w[0], w[1], 1, ns);
}

int user_put_timespec(uint32_t addr, bool wide, uint64_t ns)
{
    uint32_t rest;
    uint64_t sec = div_u64(ns, NS_PER_SEC, &rest);
    uint32_t w[4] = {(uint32_t)sec, wide ? (uint32_t)(sec >> 32) : rest, rest, 0};
    return copy_to_user(addr, w, wide ? 16 : 8);
}

int user_get_timeval(uint32_t addr, uint64_t *ns)
{
    uint32_t w[2];
    if (copy_from_user(w, addr, sizeof w))
        return -EFAULT;
    return combine((int32_t)w[0], w[1], 1000, ns);
}

int user_put_timeval(uint32_t addr, uint64_t ns)
{
    uint32_t rest;
    uint32_t w[2] = {(uint32_t)div_u64(ns, NS_PER_SEC, &rest), 0};
    w[1] = rest / 1000;
    return copy_to_user(addr, w, sizeof w);
}

int user_deadline(uint32_t addr, bool wide, uint64_t *deadline)
{
    uint64_t ns;
    *deadline = TIME_NEVER;
    int err = addr ? user_get_timespec(addr, wide, &ns) : 0;
    if (addr && !err)
        *deadline = ns ? deadline_after(ns) : 0;
    return err;
}

/* select takes any number of microseconds. */
int user_deadline_timeval(uint32_t addr, uint64_t *deadline)
{
    uint32_t w[2];
    *deadline = TIME_NEVER;
    if (!addr)
        return 0;
    if (copy_from_user(w, addr, sizeof w))
        return -EFAULT;
    if ((int32_t)w[0] < 0 || (int32_t)w[1] < 0)
        return -EINVAL;
    uint64_t ns = (uint64_t)w[0] * NS_PER_SEC + (uint64_t)w[1] * 1000;
    *deadline = ns ? deadline_after(ns) : 0;
    return 0;
}

void user_put_remaining_timeval(uint32_t addr, uint64_t deadline)
{
    uint64_t now = time_now();
    user_put_timeval(addr, deadline > now ? deadline - now : 0);
}

/* ---- reading clocks ---- */

static int32_t do_gettime(uint32_t clock, uint32_t out, bool wide)
{
    uint64_t ns;
    return clock_read(clock, &ns) ? user_put_timespec(out, wide, ns) : -EINVAL;
}

int32_t sys_clock_gettime(uint32_t clock, uint32_t out)
{
    return do_gettime(clock, out, false);
}

int32_t sys_clock_gettime64(uint32_t clock, uint32_t out)
{
    return do_gettime(clock, out, true);
}

static int32_t do_getres(uint32_t clock, uint32_t out, bool wide)
{
    uint64_t ns;
    if (!clock_read(clock, &ns))
        return -EINVAL;
    bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    return out ? user_put_timespec(out, wide, coarse ? 4000000 : 1) : 0;
}

int32_t sys_clock_getres(uint32_t clock, uint32_t out)
{
    return do_getres(clock, out, false);
}

int32_t sys_clock_getres64(uint32_t clock, uint32_t out)
{
    return do_getres(clock, out, true);
}

static int32_t do_settime(uint32_t clock, uint32_t in, bool wide)
{
    uint64_t ns;
    if (clock != CLOCK_REALTIME)
        return -EINVAL;
    int err = user_get_timespec(in, wide, &ns);
    if (!err)
        time_set_wall((int64_t)ns);
    return err;
}

int32_t sys_clock_settime(uint32_t clock, uint32_t in)
{
    return do_settime(clock, in, false);
}

int32_t sys_clock_settime64(uint32_t clock, uint32_t in)
{
    return do_settime(clock, in, true);
}

int32_t sys_gettimeofday(uint32_t tv, uint32_t tz)
{
    uint32_t zone[2] = {0, 0};
    if (tv && user_put_timeval(tv, (uint64_t)time_wall_ns()))
        return -EFAULT;
    return tz ? copy_to_user(tz, zone, sizeof zone) : 0;
}

int32_t sys_settimeofday(uint32_t tv, uint32_t tz)
{
    uint64_t ns;
    (void)tz;
    int err = tv ? user_get_timeval(tv, &ns) : 0;
    if (tv && !err)
        time_set_wall((int64_t)ns);
    return err;
}

int32_t sys_time(uint32_t out)
{
    uint32_t now = (uint32_t)div_u64((uint64_t)time_wall_ns(), NS_PER_SEC, NULL);
    if (out && put_user32(out, now))
        return -EFAULT;
    return (int32_t)now;
}

int32_t sys_times(uint32_t out)
{
    uint32_t ticks[4] = {(uint32_t)div_u64(process_cpu_ns(), NS_PER_TICK, NULL), 0, 0, 0};
    if (out && copy_to_user(out, ticks, sizeof ticks))
        return -EFAULT;
    return (int32_t)(uint32_t)div_u64(time_now(), NS_PER_TICK, NULL);
}

/* ---- sleeping ---- */

static int32_t sleep_until(uint64_t deadline, uint32_t remaining, bool wide)
{
    int result = 0;
    while (!result)
        result = sched_sleep(deadline);
    if (result == -ETIMEDOUT)
        return 0;
    uint64_t now = time_now();
    if (remaining && user_put_timespec(remaining, wide, deadline > now ? deadline - now : 0))
        return -EFAULT;
    return -EINTR;
}

int32_t sys_nanosleep(uint32_t in, uint32_t remaining)
{
    uint64_t ns;
    int err = user_get_timespec(in, false, &ns);
    return err ? err : sleep_until(deadline_after(ns), remaining, false);
}

static int32_t clock_sleep(uint32_t clock, uint32_t flags, uint32_t in, uint32_t remaining,
                           bool wide)
{
    uint64_t ns, now, deadline;
    if (!clock_read(clock, &now) || clock == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    int err = user_get_timespec(in, wide, &ns);
    if (err)
        return err;
    if (!(flags & TIMER_ABSTIME))
        return sleep_until(deadline_after(ns), remaining, wide);
    err = clock_to_deadline(clock, ns, &deadline);
    return err ? err : sleep_until(deadline, 0, wide);
}

int32_t sys_clock_nanosleep(uint32_t clock, uint32_t flags, uint32_t in, uint32_t remaining)
{
    return clock_sleep(clock, flags, in, remaining, false);
}

int32_t sys_clock_nanosleep_time64(uint32_t clock, uint32_t flags, uint32_t in, uint32_t remaining)
{
    return clock_sleep(clock, flags, in, remaining, true);
}
