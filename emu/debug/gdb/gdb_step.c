/* SPDX-License-Identifier: MIT */
/*
 * Steps as gdb means them: of the code that it stands in. A signal's step ends
 * at the program's handler; one from inside the kernel where that comes back to
 * the program; an interrupt's handler that comes in between is run through.
 */
#include "emu/debug/gdb/gdb_private.h"

/* A step of a thread that is in the kernel ends where it comes back to the program: after the call,
 * or after one instruction. */
static bool arrive_later(struct gdb *gdb, struct target *target, uint32_t tid)
{
    const struct target_thread *t = gdb_saved_thread(gdb, target, tid);
    struct gdb_point p = {.target = target, .type = GDB_POINT_ARRIVE};
    if (!t || (t->running && gdb_stands_at_signal(gdb, target)))
        return t != NULL;
    p.addr = t->eip;
    p.len = t->number;
    p.esp = t->in_call ? 0 : 1;
    return gdb_insert_point(gdb, &p) == 0;
}

/* A step with a signal ends where the program goes on: at its handler, if it has one. */
static bool steps_to_handler(struct gdb *gdb, struct target *target,
                             const struct gdb_request *request, struct gdb_step *out)
{
    bool stands = target->stop.kind == TARGET_STOP_FAULT || gdb_stands_at_signal(gdb, target);
    out->thread = gdb_running_thread(gdb, target);
    return stands && request->pass && gdb_kernel_range(gdb, target, &out->begin, &out->end);
}

/* How the step is to be done; false: by running to a place. A step from a system call goes to where
 * that returns, since gdb stands there already. */
bool gdb_plan_step(struct gdb *gdb, const struct gdb_thread_id *id,
                   const struct gdb_request *request)
{
    uint32_t shown;
    struct gdb_step step = {.target = id->target};
    if (!steps_to_handler(gdb, id->target, request, &step)) {
        if (gdb_shows_syscall(gdb, id->target, &shown) || arrive_later(gdb, id->target, id->tid))
            return false;
        step = (struct gdb_step){id->target, request->begin, request->end, 0};
    }
    gdb->step = step;
    gdb_catch(gdb, id->target);
    return true;
}

void gdb_end_step(struct gdb *gdb)
{
    struct target *target = gdb->step.target;
    gdb->step.target = NULL;
    if (target)
        gdb_catch(gdb, target);
}

bool gdb_passes_step(struct gdb *gdb, struct target *target)
{
    const struct gdb_step *s = &gdb->step;
    return target->stop.kind == TARGET_STOP_STEP && s->target == target && s->thread &&
           s->thread != gdb_running_thread(gdb, target);
}

/* With it go those that only stood because it did. */
void gdb_go_on(struct gdb *gdb, struct target *target, uint64_t steps)
{
    const struct gdb_step *s = &gdb->step;
    bool in_step = s->target == target;
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        struct target *other = loop_target(gdb->loop, n);
        if (other == target)
            loop_resume(gdb->loop, other, in_step ? 1 : steps);
        else if (!other->ended && other->stop.kind == TARGET_STOP_ASKED)
            loop_resume(gdb->loop, other, 0);
    }
    if (in_step)
        loop_set_range(target, s->begin, s->end);
}

/* An interrupt came in the place of the step's instruction, which is to be done after it. */
bool gdb_passes_interrupt(struct gdb *gdb, struct target *target)
{
    const struct target_stop *stop = &target->stop;
    struct gdb_point p = {.target = target,
                          .type = GDB_POINT_ARRIVE,
                          .addr = stop->from_eip,
                          .len = gdb_running_thread(gdb, target),
                          .esp = 1,
                          .stack = stop->from_esp};
    if (stop->kind != TARGET_STOP_INTERRUPT || gdb->step.target != target)
        return false;
    gdb_end_step(gdb);
    return gdb_insert_point(gdb, &p) == 0;
}

bool gdb_passes_arrival(struct gdb *gdb, struct target *target, uint64_t *steps)
{
    const struct target_stop *stop = &target->stop;
    const struct gdb_point *p = gdb_find_at(gdb, target, GDB_POINT_ARRIVE, stop->eip);
    if (stop->kind != TARGET_STOP_BREAKPOINT || !p || gdb_has_point(gdb, target, 0, stop->eip) ||
        gdb_has_point(gdb, target, 1, stop->eip))
        return false;
    bool here = p->len == gdb_running_thread(gdb, target) &&
                (!p->stack || p->stack == target_cpu(target)->gpr[ISA_ESP]);
    *steps = here ? p->esp : 0;
    if (*steps) { /* into which another interrupt may come */
        gdb->step = (struct gdb_step){.target = target};
        gdb_catch(gdb, target);
    }
    return *steps || !here;
}
