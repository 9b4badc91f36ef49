/* SPDX-License-Identifier: MIT */
/*
 * The alarm's thread waits for a timer descriptor, so that setting the alarm is one call
 * and wakes nobody before its time.
 */
#include "devices/pc/pc_alarm.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct pc_alarm {
    void (*ring)(void *opaque);
    void *opaque;
    int timer;
    struct host_thread thread;
    _Atomic bool ends;
};

static void wait_and_ring(void *opaque)
{
    struct pc_alarm *a = opaque;
    uint64_t times;
    while (!atomic_load(&a->ends)) {
        if (read(a->timer, &times, sizeof(times)) != sizeof(times) && errno != EINTR)
            return;
        a->ring(a->opaque);
    }
}

void pc_alarm_set(struct pc_alarm *a, uint64_t wait_ns)
{
    if (!wait_ns)
        wait_ns = 1; /* zero would switch it off */
    struct itimerspec when = {
        .it_value = {(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)}};
    int err = timerfd_settime(a->timer, 0, &when, NULL);
    BUG_ON(err, "a timer takes any time");
}

int pc_alarm_create(void (*ring)(void *opaque), void *opaque, struct pc_alarm **out)
{
    struct pc_alarm *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->ring = ring;
    a->opaque = opaque;
    a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int err = a->timer < 0 ? -errno : 0;
    if (!err)
        err = host_thread_start(&a->thread, "pc-alarm", wait_and_ring, a);
    if (err) {
        if (a->timer >= 0)
            close(a->timer);
        free(a);
        return err;
    }
    *out = a;
    return 0;
}

void pc_alarm_destroy(struct pc_alarm *a)
{
    if (!a)
        return;
    atomic_store(&a->ends, true);
    pc_alarm_set(a, 1);
    host_thread_join(&a->thread);
    close(a->timer);
    free(a);
}
