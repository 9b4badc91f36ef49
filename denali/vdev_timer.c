/* SPDX-License-Identifier: MIT */
/* The timer: one absolute time, one event of the VM's clock. */
#include "denali/vm_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct timer {
    struct vdev dev;
    struct clock_event *event;
    uint64_t when_ns; /* CLOCK_NEVER: not armed */
    uint64_t armed, fired;
};

static struct timer *self(const struct vdev *dev)
{
    return CONTAINER_OF(dev, struct timer, dev);
}

static void fire(void *opaque, uint64_t now_ns)
{
    struct timer *t = opaque;
    (void)now_ns;
    t->when_ns = CLOCK_NEVER;
    t->fired++;
    vdev_interrupt(&t->dev, DENALI_IRQ_TIMER);
}

/* The watcher must hear of an event that is sooner than what it waits for. */
static void arm(struct timer *t, uint64_t when_ns)
{
    struct vm *vm = t->dev.vm;
    t->when_ns = when_ns;
    t->armed++;
    clock_event_arm(t->event, when_ns);
    if (when_ns < vm->next_event_ns) {
        vm->next_event_ns = when_ns;
        vm_rearm(vm);
    }
}

static enum vdev_status timer_out(struct vdev *dev, unsigned port)
{
    if (port != DENALI_PORT_TIMER)
        return VDEV_NO_PORT;
    arm(self(dev), (uint64_t)vdev_reg(dev, ISA_ECX) << 32 | vdev_reg(dev, ISA_EAX));
    vdev_result(dev, 0);
    return VDEV_DONE;
}

static void timer_print(const struct vdev *dev, void *out, bool json)
{
    const struct timer *t = self(dev);
    fprintf(out, json ? "\"armed\":%llu,\"fired\":%llu" : "armed %llu times, fired %llu times",
            (unsigned long long)t->armed, (unsigned long long)t->fired);
}

static void timer_destroy(struct vdev *dev)
{
    clock_event_destroy(self(dev)->event);
    free(self(dev));
}

static const struct state_field timer_fields[] = {STATE_U(struct timer, when_ns)};
static const struct state_list timer_state = {"timer", 1, ARRAY_LEN(timer_fields), timer_fields};

static void timer_loaded(struct vdev *dev)
{
    struct timer *t = self(dev);
    clock_event_arm(t->event, t->when_ns);
    if (t->when_ns < dev->vm->next_event_ns)
        dev->vm->next_event_ns = t->when_ns;
}

static const struct vdev_ops timer_ops = {
    .kind = DENALI_DEV_TIMER,
    .out = timer_out,
    .print = timer_print,
    .destroy = timer_destroy,
    .state = &timer_state,
    .loaded = timer_loaded,
};

int vdev_timer_create(struct vm *vm, struct denali_device *entry, struct vdev **out)
{
    struct timer *t = calloc(1, sizeof(*t));
    (void)entry;
    if (!t)
        return -ENOMEM;
    t->dev.ops = &timer_ops;
    t->when_ns = CLOCK_NEVER;
    int err = clock_event_create(vm->clock, "timer", 0, fire, t, &t->event);
    if (err)
        free(t);
    else
        *out = &t->dev;
    return err;
}
