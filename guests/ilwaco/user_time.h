/* SPDX-License-Identifier: MIT */
/* Times as programs write them: timespec, timeval, 32- and 64-bit. */
#ifndef ILWACO_USER_TIME_H
#define ILWACO_USER_TIME_H

#include "guests/ilwaco/kernel.h"

/* A timespec (wide: of 64-bit seconds) to ns. -EFAULT, -EINVAL. */
int user_get_timespec(uint32_t addr, bool wide, uint64_t *ns);
int user_put_timespec(uint32_t addr, bool wide, uint64_t ns);
int user_get_timeval(uint32_t addr, uint64_t *ns);
int user_put_timeval(uint32_t addr, uint64_t ns);

/* A relative timeout to a time of time_now(): NULL: TIME_NEVER; nothing left: 0. */
int user_deadline(uint32_t addr, bool wide, uint64_t *deadline);
int user_deadline_timeval(uint32_t addr, uint64_t *deadline);
void user_put_remaining_timeval(uint32_t addr, uint64_t deadline);
/* now + ns without overflow. */
uint64_t deadline_after(uint64_t ns);

enum clock_id {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_PROCESS_CPUTIME_ID = 2,
    CLOCK_THREAD_CPUTIME_ID = 3,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
    CLOCK_TAI = 11,
};

/* The clock's value in ns; false: no such clock. */
bool clock_read(uint32_t clock, uint64_t *ns);
/* A time on that clock as a time of time_now(). -EINVAL. */
int clock_to_deadline(uint32_t clock, uint64_t clock_ns, uint64_t *deadline);

#endif
