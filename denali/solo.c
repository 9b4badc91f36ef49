/* SPDX-License-Identifier: MIT */
/*
 * The loop of one VM's thread. Against lost wake-ups: `phase` says "waiting"
 * before vm_has_news is asked a last time, and a poster sets its bits before
 * it reads `phase`.
 */
#include "denali/solo_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A guest that has not taken a signal for this long does not hear them; the next one ends it. */
#define DEAF_NS 1000000000u

static void on_wake(void *opaque, struct vm *vm)
{
    struct solo *solo = opaque;
    if (atomic_load(&solo->phase) == SOLO_WAITING)
        host_waker_wake(solo->waker);
    else
        vm_stop(vm);
}

static void on_rearm(void *opaque, struct vm *vm)
{
    (void)vm;
    solo_watch_changed(opaque);
}

const struct vm_hooks solo_hooks = {.wake = on_wake, .rearm = on_rearm};

int solo_create(const struct solo_config *config, struct solo **out, struct why *why)
{
    struct solo *solo = calloc(1, sizeof(*solo));
    if (!solo)
        return why_fail(why, -ENOMEM, "no memory");
    solo->config = *config;
    solo->end_ns = HOST_FOREVER;
    solo->waker = host_waker_create();
    solo->watch_waker = host_waker_create();
    if (solo->waker < 0 || solo->watch_waker < 0) {
        int err = solo->waker < 0 ? solo->waker : solo->watch_waker;
        solo_destroy(solo);
        return why_fail(why, err, "no descriptors left: %s", strerror(-err));
    }
    *out = solo;
    return 0;
}

void solo_destroy(struct solo *solo)
{
    if (!solo)
        return;
    if (solo->waker >= 0)
        close(solo->waker);
    if (solo->watch_waker >= 0)
        close(solo->watch_waker);
    free(solo);
}

uint64_t solo_time_left(const struct solo *solo)
{
    if (solo->end_ns == HOST_FOREVER)
        return HOST_FOREVER;
    uint64_t now = host_monotonic_ns();
    return solo->end_ns > now ? solo->end_ns - now : 0;
}

uint32_t solo_guest_signal(int number)
{
    switch (number) {
    case SIGINT:
        return DENALI_SIGNAL_INTERRUPT;
    case SIGQUIT:
        return DENALI_SIGNAL_QUIT;
    case SIGTERM:
        return DENALI_SIGNAL_TERMINATE;
    case SIGHUP:
        return DENALI_SIGNAL_HANGUP;
    default:
        return 0;
    }
}

/* True: the guest gets it. */
static bool give_signal(struct solo *solo, int number)
{
    uint64_t now = host_monotonic_ns();
    bool hears = vm_hears_signals(solo->vm);
    if (!hears && (!solo->signal_ns || now - solo->signal_ns > DEAF_NS))
        return false;
    if (hears)
        solo->signal_ns = now;
    vm_post_signal(solo->vm, solo_guest_signal(number));
    return true;
}

static void stop_and_go_on(struct console_backend *console)
{
    if (console)
        console->ops->suspend(console);
    host_signal_stop();
    if (console)
        console->ops->resume(console);
}

static void handle_signal(struct solo *solo, int number)
{
    struct console_backend *console = solo->config.console;
    if (number == SIGWINCH)
        vm_post(solo->vm, DENALI_IRQ_CONSOLE);
    else if (number == SIGTSTP)
        stop_and_go_on(console);
    else if (number == SIGCONT && console)
        console->ops->resume(console);
    else if (number != SIGCONT && !give_signal(solo, number))
        solo->signal = number;
}

static void handle_signals(struct solo *solo)
{
    int number;
    while ((number = host_signals_next(solo->config.signals)) > 0)
        handle_signal(solo, number);
}

/* Polls everything that concerns the VM, for at most `wait_ns`. */
static void poll_all(struct solo *solo, uint64_t wait_ns)
{
    struct vm_poll poll;
    struct pollfd fds[VM_POLL_MAX + 2];
    vm_poll(solo->vm, &poll);
    fds[0] = (struct pollfd){.fd = solo->waker, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = solo->config.signals, .events = POLLIN};
    memcpy(fds + 2, poll.fd, poll.count * sizeof(fds[0]));
    if (host_poll(fds, poll.count + 2, wait_ns) <= 0)
        return;
    if (fds[0].revents)
        host_waker_clear(solo->waker);
    if (fds[1].revents)
        handle_signals(solo);
    memcpy(poll.fd, fds + 2, poll.count * sizeof(fds[0]));
    vm_poll_ready(solo->vm, &poll);
}

/* Sleeps until there is something to do for an idle or blocked VM. */
static void wait_for_news(struct solo *solo, bool idle)
{
    struct vm *vm = solo->vm;
    uint64_t wait = idle ? vm_wait_ns(vm) : HOST_FOREVER, left = solo_time_left(solo);
    uint64_t before = host_monotonic_ns();
    solo_watch_waiting(solo);
    if (!vm_has_news(vm))
        poll_all(solo, wait < left ? wait : left);
    solo_watch_running(solo);
    uint64_t slept = host_monotonic_ns() - before;
    vm_slept(vm, slept < wait ? slept : wait);
}

static void act_on(struct solo *solo, enum vm_slice slice)
{
    if (slice == VM_IDLE || slice == VM_BLOCKED)
        wait_for_news(solo, slice == VM_IDLE);
    else
        poll_all(solo, 0);
}

static enum solo_result loop(struct solo *solo)
{
    for (;;) {
        enum vm_slice slice = vm_run(solo->vm, ENGINE_UNLIMITED);
        if (slice == VM_ENDED)
            return SOLO_ENDED;
        act_on(solo, slice);
        if (solo->signal)
            return SOLO_SIGNAL;
        if (solo_time_left(solo) == 0)
            return SOLO_TIMEOUT;
    }
}

enum solo_result solo_run(struct solo *solo, struct vm *vm)
{
    solo->vm = vm;
    if (solo->config.timeout_ns)
        solo->end_ns = host_monotonic_ns() + solo->config.timeout_ns;
    int err = solo_watch_start(solo);
    if (err)
        vm_kill(vm);
    enum solo_result result = loop(solo);
    solo_watch_stop(solo);
    return result;
}

int solo_signal(const struct solo *solo)
{
    return solo->signal;
}
