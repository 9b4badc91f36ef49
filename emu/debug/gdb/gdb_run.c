/* SPDX-License-Identifier: MIT */
/* Running, stop replies, and the breakpoints that are inserted for gdb. */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Stop replies. */

unsigned gdb_fault_signal(const struct cpu_fault *fault)
{
    switch (fault->vector) {
    case CPU_DE:
    case CPU_MF:
    case CPU_XM:
    case CPU_OF:
        return GDB_SIGFPE;
    case CPU_DB:
    case CPU_BP:
        return GDB_SIGTRAP;
    case CPU_UD:
        return GDB_SIGILL;
    case CPU_AC:
        return GDB_SIGBUS;
    default:
        return GDB_SIGSEGV;
    }
}

static unsigned stop_signal(const struct gdb *gdb, const struct target *target)
{
    const struct target_stop *stop = &target->stop;
    if (gdb_stands_at_signal(gdb, target))
        return gdb->signals.told;
    switch (stop->kind) {
    case TARGET_STOP_FAULT:
        return gdb_fault_signal(&stop->fault);
    case TARGET_STOP_DIED:
        return stop->has_fault ? gdb_fault_signal(&stop->fault) : GDB_SIGKILL;
    case TARGET_STOP_ASKED:
        return GDB_SIGINT;
    default:
        return GDB_SIGTRAP;
    }
}

static void put_register(struct gdb *gdb, unsigned number, uint32_t value)
{
    gdb_put_format(gdb, "%02x:", number);
    gdb_put_hex(gdb, &value, sizeof(value));
    gdb_put(gdb, ";");
}

static void put_watch(struct gdb *gdb, const struct cpu_watch_hit *hit)
{
    const char *name = hit->at_access == CPU_WATCH_READ    ? "rwatch"
                       : hit->at_access == CPU_WATCH_WRITE ? "watch"
                                                           : "awatch";
    gdb_put_format(gdb, "%s:%x;", name, hit->linear);
}

const struct gdb_point *gdb_find_at(const struct gdb *gdb, const struct target *target,
                                    unsigned type, uint32_t addr)
{
    for (uint32_t i = 0; i < gdb->points; i++) {
        const struct gdb_point *p = &gdb->point[i];
        if (p->target == target && p->type == type && p->addr == addr)
            return p;
    }
    return NULL;
}

bool gdb_has_point(const struct gdb *gdb, const struct target *target, unsigned type, uint32_t addr)
{
    return gdb_find_at(gdb, target, type, addr) != NULL;
}

static bool is_breakpoint(const struct gdb_point *p)
{
    return p->type < 2 || p->type >= GDB_POINT_ENTRY;
}

/* Of the past, as gdb is told of it. */
static uint64_t beginning(struct target *target)
{
    uint64_t first = target->history->first(target);
    return first < target->begin ? target->begin : first;
}

static void put_reason(struct gdb *gdb, struct target *target)
{
    const struct target_stop *stop = &target->stop;
    gdb_put_syscall(gdb);
    if (stop->kind == TARGET_STOP_WATCHPOINT)
        put_watch(gdb, &stop->hit);
    if (stop->kind == TARGET_STOP_BREAKPOINT && gdb->swbreak &&
        gdb_has_point(gdb, target, 0, stop->eip))
        gdb_put(gdb, "swbreak:;");
    else if (stop->kind == TARGET_STOP_BREAKPOINT && gdb->hwbreak &&
             gdb_has_point(gdb, target, 1, stop->eip))
        gdb_put(gdb, "hwbreak:;");
    if (stop->kind == TARGET_STOP_HISTORY) {
        bool begins = target_goes_back(target) && stop->icount <= beginning(target);
        gdb_put(gdb, begins ? "replaylog:begin;" : "replaylog:end;");
    }
}

/* A number of the process that ended, for those who know several. */
static void put_process(struct gdb *gdb, const struct target *target)
{
    if (gdb->multiprocess)
        gdb_put_format(gdb, ";process:%x", target->id);
}

static void put_end(struct gdb *gdb, struct target *target)
{
    const struct target_stop *stop = &target->stop;
    unsigned death = gdb_death_signal(gdb, target);
    if (stop->kind == TARGET_STOP_EXITED && !death)
        gdb_put_format(gdb, "W%02x", (unsigned)stop->status & 0xff);
    else
        gdb_put_format(gdb, "X%02x", death ? death : stop_signal(gdb, target));
    put_process(gdb, target);
}

void gdb_put_stop(struct gdb *gdb, struct target *target)
{
    struct cpu room;
    if (target->ended) {
        put_end(gdb, target);
        return;
    }
    const uint32_t tid = gdb_running_thread(gdb, target);
    const struct cpu *cpu = gdb_view(gdb, target, tid, &room);
    uint32_t eip = cpu->code32 ? cpu->eip : target_eip(target);
    gdb->general = gdb->control = (struct gdb_thread_id){.target = target, .tid = tid};
    gdb_put_format(gdb, "T%02x", stop_signal(gdb, target));
    put_register(gdb, 4, cpu->gpr[ISA_ESP]);
    put_register(gdb, 5, cpu->gpr[ISA_EBP]);
    gdb_shows_syscall(gdb, target, &eip);
    put_register(gdb, 8, eip);
    gdb_put(gdb, "thread:");
    gdb_put_thread(gdb, target, tid);
    gdb_put(gdb, ";");
    put_reason(gdb, target);
}

/* Resuming. */

static void resume(struct gdb *gdb, const struct gdb_thread_id *id,
                   const struct gdb_request *request)
{
    struct target *target = id->target;
    if (request->action == GDB_NOTHING || target->ended)
        return;
    bool steps = request->action == GDB_STEP && gdb_plan_step(gdb, id, request);
    gdb_leave_signal(gdb, target, request->pass);
    loop_resume(gdb->loop, target, steps ? 1 : 0);
    if (steps)
        loop_set_range(target, gdb->step.begin, gdb->step.end);
    gdb->waiting = true;
    gdb_forget_threads(gdb);
}

/* "c", "s", "C05", "S05", "r10,20"; a signal means what is told of the program's, and nothing to
 * any other machine. "t": it stands already. */
static bool take_action(const char **at, struct gdb_request *out)
{
    uint64_t number, end;
    char c = **at;
    *out = (struct gdb_request){.action = c == 'c' || c == 'C' ? GDB_CONTINUE : GDB_STEP};
    if (!c || !strchr("cCsSrt", c))
        return false;
    (*at)++;
    if (c == 't')
        out->action = GDB_NOTHING;
    if (c == 'C' || c == 'S') {
        bool good = gdb_take_hex(at, &number);
        out->pass = number != 0;
        return good;
    }
    if (c != 'r')
        return true;
    if (!gdb_take_hex(at, &number) || !gdb_take_char(at, ',') || !gdb_take_hex(at, &end))
        return false;
    out->begin = (uint32_t)number;
    out->end = (uint32_t)end;
    return true;
}

#define MAX_ACTIONS 128u

struct choice {
    struct gdb_request request;
    struct gdb_thread_id id;
};

static unsigned take_actions(struct gdb *gdb, const char *at, struct choice *choice)
{
    unsigned count = 0;
    while (*at) {
        struct choice *c = &choice[count];
        *c = (struct choice){.id = {.all = true}};
        if (count == MAX_ACTIONS || !gdb_take_char(&at, ';') || !take_action(&at, &c->request))
            return 0;
        if (gdb_take_char(&at, ':') && !gdb_take_thread(gdb, &at, &c->id))
            return 0;
        count++;
    }
    return count;
}

/* Which of the actions is the target's: one for a thread that steps, as the others then only run
 * along; else the first one that means it. */
static const struct choice *choose(const struct choice *choice, unsigned count,
                                   const struct target *target)
{
    const struct choice *found = NULL;
    for (unsigned i = 0; i < count; i++) {
        bool mine = choice[i].id.all || choice[i].id.target == target;
        if (mine && choice[i].id.tid && choice[i].request.action == GDB_STEP)
            return &choice[i];
        if (mine && !found)
            found = &choice[i];
    }
    return found;
}

static void do_actions(struct gdb *gdb, const char *at)
{
    struct choice choice[MAX_ACTIONS + 1];
    unsigned count = take_actions(gdb, at, choice);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        struct target *target = loop_target(gdb->loop, n);
        const struct choice *c = choose(choice, count, target);
        const struct gdb_thread_id id = {.target = target, .tid = c ? c->id.tid : 0};
        if (c)
            resume(gdb, &id, &c->request);
    }
    if (!gdb->waiting)
        gdb_put_error(gdb, -EINVAL);
}

/* c, s, C, S: of the H thread; those that continue let all others run too. */
static void do_simple(struct gdb *gdb, const char *packet)
{
    struct gdb_request request;
    struct target *target = gdb_live(gdb, gdb->control.target);
    const char *at = packet;
    uint64_t addr;
    if (!target || !take_action(&at, &request)) {
        gdb_put_error(gdb, -EINVAL);
        return;
    }
    if (gdb->control.target != target)
        gdb->control = (struct gdb_thread_id){.target = target};
    gdb_take_char(&at, ';');
    if (gdb_take_hex(&at, &addr))
        target_cpu(target)->eip = gdb_meant_eip(gdb, target, (uint32_t)addr);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        const struct gdb_thread_id id = {.target = loop_target(gdb->loop, n)};
        if (id.target == target)
            resume(gdb, &gdb->control, &request);
        else if (request.action == GDB_CONTINUE)
            resume(gdb, &id, &request);
    }
}

/* gdb looks whether the value differs from what it was: so before the access, not after. */
static int undo_access(struct target *target, struct target_stop *stop, struct why *why)
{
    struct target_stop before;
    if (stop->kind != TARGET_STOP_WATCHPOINT)
        return 0;
    int err = target->history->step_back(target, &before, why);
    if (!err) {
        stop->eip = before.eip;
        stop->icount = before.icount;
    }
    return err;
}

/* Whether the very last instruction touched what is watched, which continue_back does not look at:
 * it is done once more. */
static int do_last_again(struct target *target, struct target_stop *stop, struct why *why)
{
    struct target_wait wait;
    struct target_stop before, after = {.kind = TARGET_STOP_NONE};
    uint64_t now = target_cpu(target)->icount;
    int err = target->history->step_back(target, &before, why);
    if (err || target_cpu(target)->icount == now)
        return err;
    cpu_debug_pass(target_cpu(target));
    target->ops->run_slice(target, 1, &wait, &after);
    if (after.kind == TARGET_STOP_WATCHPOINT)
        *stop = after;
    else if (target_cpu(target)->icount != now)
        err = target->history->seek(target, now, &before, why);
    return err;
}

static int continue_back(struct gdb *gdb, struct target *target, struct target_stop *stop,
                         struct why *why)
{
    bool watches = false;
    int err = 0;
    for (uint32_t i = 0; i < gdb->points; i++)
        if (gdb->point[i].target == target && !is_breakpoint(&gdb->point[i]))
            watches = true;
    if (watches)
        err = do_last_again(target, stop, why);
    if (!err && stop->kind == TARGET_STOP_NONE)
        err = target->history->continue_back(target, stop, why);
    return err ? err : undo_access(target, stop, why);
}

/* Who stands behind the beginning does not come before it. */
static int come_no_further(struct target *target, uint64_t from, struct target_stop *stop,
                           struct why *why)
{
    uint64_t begin = beginning(target);
    if (from < begin || target->history->now(target) >= begin)
        return 0;
    int err = target->history->seek(target, begin, stop, why);
    stop->kind = TARGET_STOP_HISTORY;
    return err;
}

static void do_back(struct gdb *gdb, bool step)
{
    struct target *target = gdb_live(gdb, gdb->control.target);
    struct target_stop stop = {.kind = TARGET_STOP_NONE};
    struct why why;
    if (!target || !target_goes_back(target)) {
        gdb_put_error(gdb, -ENOTSUP);
        return;
    }
    uint64_t from = target->history->now(target);
    int err = step ? target->history->step_back(target, &stop, &why)
                   : continue_back(gdb, target, &stop, &why);
    if (!err)
        err = come_no_further(target, from, &stop, &why);
    if (err == -EINTR) {
        stop = (struct target_stop){.kind = TARGET_STOP_ASKED, .eip = target_eip(target)};
        stop.icount = target->history->now(target);
        err = 0;
    }
    if (err) {
        gdb_put_error(gdb, err);
        return;
    }
    target->stop = stop;
    gdb_forget_threads(gdb);
    gdb_put_stop(gdb, target);
}

void gdb_handle_run(struct gdb *gdb, const char *packet)
{
    if (!strcmp(packet, "vCont?"))
        gdb_put(gdb, "vCont;c;C;s;S;t;r");
    else if (!strncmp(packet, "vCont", 5))
        do_actions(gdb, packet + 5);
    else if (!strcmp(packet, "bs") || !strcmp(packet, "bc"))
        do_back(gdb, packet[1] == 's');
    else
        do_simple(gdb, packet);
}

/* Breakpoints and watchpoints. */

static const uint8_t watch_access[] = {
    [2] = CPU_WATCH_WRITE, [3] = CPU_WATCH_READ, [4] = CPU_WATCH_ACCESS};

static int set_point(const struct gdb_point *p)
{
    struct cpu *cpu = target_cpu(p->target);
    if (is_breakpoint(p))
        return cpu_debug_break(cpu, p->addr);
    return cpu_debug_watch(cpu, p->addr, p->len, (enum cpu_watch_access)watch_access[p->type]);
}

static int clear_point(const struct gdb_point *p)
{
    struct cpu *cpu = target_cpu(p->target);
    if (is_breakpoint(p))
        return cpu_debug_unbreak(cpu, p->addr);
    return cpu_debug_unwatch(cpu, p->addr, p->len, (enum cpu_watch_access)watch_access[p->type]);
}

static uint32_t find_point(const struct gdb *gdb, const struct gdb_point *like)
{
    uint32_t i = 0;
    for (; i < gdb->points; i++) {
        const struct gdb_point *p = &gdb->point[i];
        bool same_len = is_breakpoint(like) || p->len == like->len;
        if (p->target == like->target && p->type == like->type && p->addr == like->addr &&
            p->esp == like->esp && same_len)
            break;
    }
    return i;
}

/* Inserting twice is inserting once, as the protocol has it. */
int gdb_insert_point(struct gdb *gdb, const struct gdb_point *p)
{
    if (find_point(gdb, p) < gdb->points)
        return 0;
    if (gdb->points == gdb->points_room) {
        uint32_t room = gdb->points_room ? gdb->points_room * 2 : 16;
        struct gdb_point *bigger = realloc(gdb->point, room * sizeof(*bigger));
        if (!bigger)
            return -ENOMEM;
        gdb->point = bigger;
        gdb->points_room = room;
    }
    int err = set_point(p);
    if (!err)
        gdb->point[gdb->points++] = *p;
    return err;
}

int gdb_remove_point(struct gdb *gdb, const struct gdb_point *p)
{
    uint32_t i = find_point(gdb, p);
    if (i == gdb->points)
        return 0;
    int err = clear_point(&gdb->point[i]);
    gdb->point[i] = gdb->point[--gdb->points];
    return err;
}

void gdb_remove_points(struct gdb *gdb, struct target *target)
{
    for (uint32_t i = gdb->points; i-- > 0;) {
        const struct gdb_point p = gdb->point[i];
        if (!target || p.target == target)
            gdb_remove_point(gdb, &p);
    }
}

void gdb_remove_kind(struct gdb *gdb, struct target *target, uint8_t type)
{
    for (uint32_t i = gdb->points; i-- > 0;) {
        const struct gdb_point p = gdb->point[i];
        if ((!target || p.target == target) && p.type == type)
            gdb_remove_point(gdb, &p);
    }
}

void gdb_handle_point(struct gdb *gdb, const char *packet)
{
    uint64_t type, addr, len;
    const char *at = packet + 1;
    bool good = gdb_take_hex(&at, &type) && gdb_take_char(&at, ',') && gdb_take_hex(&at, &addr) &&
                gdb_take_char(&at, ',') && gdb_take_hex(&at, &len);
    if (!good || addr > UINT32_MAX || len > UINT32_MAX) {
        gdb_put_error(gdb, -EINVAL);
        return;
    }
    if (type > 4)
        return; /* a kind that is not known: the empty answer */
    const struct gdb_point p = {.target = gdb->general.target,
                                .type = (uint8_t)type,
                                .addr = (uint32_t)addr,
                                .len = (uint32_t)len};
    int err = *packet == 'Z' ? gdb_insert_point(gdb, &p) : gdb_remove_point(gdb, &p);
    if (err)
        gdb_put_error(gdb, err);
    else
        gdb_put(gdb, "OK");
}
