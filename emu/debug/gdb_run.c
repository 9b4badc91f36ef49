/* SPDX-License-Identifier: MIT */
/* Running, stop replies, and the breakpoints that are inserted for gdb. */
#include "emu/debug/gdb_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Stop replies. */

static unsigned fault_signal(const struct cpu_fault *fault)
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

static unsigned stop_signal(const struct target_stop *stop)
{
    switch (stop->kind) {
    case TARGET_STOP_FAULT:
        return fault_signal(&stop->fault);
    case TARGET_STOP_DIED:
        return stop->has_fault ? fault_signal(&stop->fault) : GDB_SIGKILL;
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
        bool begins = target_goes_back(target) && stop->icount <= target->history->first(target);
        gdb_put(gdb, begins ? "replaylog:begin;" : "replaylog:end;");
    }
}

/* A number of the process that ended, for those who know several. */
static void put_process(struct gdb *gdb, const struct target *target)
{
    if (gdb->multiprocess)
        gdb_put_format(gdb, ";process:%x", target->id);
}

void gdb_put_stop(struct gdb *gdb, struct target *target)
{
    const struct target_stop *stop = &target->stop;
    const struct cpu *cpu = target_cpu(target);
    uint32_t eip = cpu->code32 ? cpu->eip : target_eip(target);
    if (target->ended) {
        bool exited = stop->kind == TARGET_STOP_EXITED;
        gdb_put_format(gdb, exited ? "W%02x" : "X%02x",
                       exited ? (unsigned)stop->status & 0xff : stop_signal(stop));
        put_process(gdb, target);
        return;
    }
    gdb->general = gdb->control = target;
    gdb_put_format(gdb, "T%02x", stop_signal(stop));
    put_register(gdb, 4, cpu->gpr[ISA_ESP]);
    put_register(gdb, 5, cpu->gpr[ISA_EBP]);
    gdb_shows_syscall(gdb, target, &eip);
    put_register(gdb, 8, eip);
    gdb_put(gdb, "thread:");
    gdb_put_thread(gdb, target);
    gdb_put(gdb, ";");
    put_reason(gdb, target);
}

/* Resuming. */

enum action { ACT_NOTHING, ACT_CONTINUE, ACT_STEP };

struct request {
    enum action action;
    uint32_t begin, end; /* of a step in a range */
};

/* A step from a system call goes to where that returns, since gdb stands there already. */
static void resume(struct gdb *gdb, struct target *target, const struct request *request)
{
    uint32_t shown;
    if (request->action == ACT_NOTHING || target->ended)
        return;
    bool step = request->action == ACT_STEP && !gdb_shows_syscall(gdb, target, &shown);
    loop_resume(gdb->loop, target, step ? 1 : 0);
    if (step)
        loop_set_range(target, request->begin, request->end);
    gdb->waiting = true;
}

/* "c", "s", "C05", "S05", "r10,20"; a signal means nothing to a machine. "t": it stands already. */
static bool take_action(const char **at, struct request *out)
{
    uint64_t number, end;
    char c = **at;
    *out = (struct request){.action = c == 'c' || c == 'C' ? ACT_CONTINUE : ACT_STEP};
    if (!c || !strchr("cCsSrt", c))
        return false;
    (*at)++;
    if (c == 't')
        out->action = ACT_NOTHING;
    if (c == 'C' || c == 'S')
        return gdb_take_hex(at, &number);
    if (c != 'r')
        return true;
    if (!gdb_take_hex(at, &number) || !gdb_take_char(at, ',') || !gdb_take_hex(at, &end))
        return false;
    out->begin = (uint32_t)number;
    out->end = (uint32_t)end;
    return true;
}

#define MAX_ACTIONS 128u

/* Which of the actions of a vCont is the target's: the first that names it. */
struct choice {
    struct request request;
    struct target *target; /* NULL: all */
};

static unsigned take_actions(struct gdb *gdb, const char *at, struct choice *choice)
{
    unsigned count = 0;
    while (*at) {
        bool all = true;
        struct choice *c = &choice[count];
        *c = (struct choice){.target = NULL};
        if (count == MAX_ACTIONS || !gdb_take_char(&at, ';') || !take_action(&at, &c->request))
            return 0;
        if (gdb_take_char(&at, ':') && !gdb_take_thread(gdb, &at, &c->target, &all))
            return 0;
        count++;
    }
    return count;
}

static void do_actions(struct gdb *gdb, const char *at)
{
    struct choice choice[MAX_ACTIONS + 1];
    unsigned count = take_actions(gdb, at, choice);
    for (unsigned n = 0; n < loop_targets(gdb->loop) && count; n++) {
        struct target *target = loop_target(gdb->loop, n);
        unsigned i = 0;
        while (i < count && choice[i].target && choice[i].target != target)
            i++;
        if (i < count)
            resume(gdb, target, &choice[i].request);
    }
    if (!gdb->waiting)
        gdb_put_error(gdb, -EINVAL);
}

/* c, s, C, S: of the H thread; those that continue let all others run too. */
static void do_simple(struct gdb *gdb, const char *packet)
{
    struct request request;
    struct target *target = gdb_live(gdb, gdb->control);
    const char *at = packet;
    uint64_t addr;
    if (!target || !take_action(&at, &request)) {
        gdb_put_error(gdb, -EINVAL);
        return;
    }
    gdb_take_char(&at, ';');
    if (gdb_take_hex(&at, &addr))
        target_cpu(target)->eip = gdb_meant_eip(gdb, target, (uint32_t)addr);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        struct target *other = loop_target(gdb->loop, n);
        if (other == target || request.action == ACT_CONTINUE)
            resume(gdb, other, &request);
    }
}

static void do_back(struct gdb *gdb, bool step)
{
    struct target *target = gdb_live(gdb, gdb->control);
    struct target_stop stop = {.kind = TARGET_STOP_NONE};
    struct why why;
    if (!target || !target_goes_back(target)) {
        gdb_put_error(gdb, -ENOTSUP);
        return;
    }
    int err = step ? target->history->step_back(target, &stop, &why)
                   : target->history->continue_back(target, &stop, &why);
    if (err) {
        gdb_put_error(gdb, err);
        return;
    }
    target->stop = stop;
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

static bool is_breakpoint(const struct gdb_point *p)
{
    return p->type < 2 || p->type >= GDB_POINT_ENTRY;
}

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
        if (p.target == target && p.type == type)
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
    const struct gdb_point p = {gdb->general, (uint8_t)type, (uint32_t)addr, (uint32_t)len, 0};
    int err = *packet == 'Z' ? gdb_insert_point(gdb, &p) : gdb_remove_point(gdb, &p);
    if (err)
        gdb_put_error(gdb, err);
    else
        gdb_put(gdb, "OK");
}
