/* SPDX-License-Identifier: MIT */
/*
 * The one place where a command lets machines run. While they do, the terminal
 * is the guest's, and commands that come from elsewhere are refused.
 */
#include "emu/debug/session_run.h"

#include <errno.h>
#include <string.h>

struct front {
    struct loop_front base;
    struct target *stopped;
};

static void on_stopped(struct loop_front *base, struct target *target)
{
    struct front *front = CONTAINER_OF(base, struct front, base);
    if (!front->stopped)
        front->stopped = target;
}

static void terminal(struct session *s, bool guest)
{
    if (s->hooks.terminal)
        s->hooks.terminal(s->hooks.opaque, guest);
}

static int check(struct session *s, struct why *why)
{
    if (s->running)
        return why_fail(why, -EBUSY, "it runs; say \"interrupt\" first");
    if (!s->target)
        return why_fail(why, -ESRCH, "there is no VM");
    if (s->target->ended)
        return why_fail(why, -ESRCH, "the VM has ended; it can be looked at, but not run any more");
    return 0;
}

static void resume(struct session *s, uint64_t steps)
{
    for (unsigned n = 0; !steps && n < loop_targets(s->loop); n++)
        if (!loop_target(s->loop, n)->ended)
            loop_resume(s->loop, loop_target(s->loop, n), 0);
    if (steps)
        loop_resume(s->loop, s->target, steps);
}

static int run(struct session *s, struct why *why)
{
    struct front front = {.base = {.stopped = on_stopped}};
    loop_add_front(s->loop, &front.base);
    s->running = true;
    int err = loop_run_until_stop(s->loop);
    s->running = false;
    loop_remove_front(s->loop, &front.base);
    if (front.stopped && front.stopped != s->target)
        session_select(s, front.stopped);
    s->frame = 0;
    s->thread = 0;
    return err ? why_fail(why, err, "the host failed: %s", strerror(-err)) : 0;
}

int session_go(struct session *s, uint64_t steps, struct why *why)
{
    int err = check(s, why);
    if (err)
        return err;
    resume(s, steps);
    if (!steps)
        terminal(s, true);
    err = run(s, why);
    if (!steps)
        terminal(s, false);
    return err;
}

int session_go_on(struct session *s, struct why *why)
{
    terminal(s, true);
    int err = run(s, why);
    terminal(s, false);
    return err;
}

static bool is_there(const struct session *s, const uint32_t *address, unsigned count)
{
    const struct target_stop *stop = &s->target->stop;
    if (stop->kind != TARGET_STOP_BREAKPOINT)
        return false;
    for (unsigned n = 0; n < count; n++)
        if (address[n] == stop->eip)
            return true;
    return false;
}

static unsigned set_all(struct cpu *cpu, const uint32_t *address, unsigned count)
{
    unsigned n = 0;
    while (n < count && !cpu_debug_break(cpu, address[n]))
        n++;
    return n;
}

/* Stops that only the breakpoints set here caused are gone on from where esp is too low: a deeper
 * call of the same function. */
int session_go_to(struct session *s, const uint32_t *address, unsigned count, uint32_t min_esp,
                  bool *arrived, struct why *why)
{
    struct target *target = s->target;
    int err = check(s, why);
    if (err)
        return err;
    struct cpu *cpu = target_cpu(target);
    unsigned set = set_all(cpu, address, count);
    if (set < count)
        err = why_fail(why, -ENOMEM, "no memory");
    *arrived = false;
    while (!err) {
        err = session_go(s, 0, why);
        bool there = !err && s->target == target && is_there(s, address, count);
        *arrived = there && cpu->gpr[ISA_ESP] >= min_esp;
        if (!there || *arrived || breakpoints_hit(s->breakpoints, 0))
            break;
    }
    while (set)
        cpu_debug_unbreak(cpu, address[--set]);
    return err;
}
