/* SPDX-License-Identifier: MIT */
/*
 * A PC's onlooker: what the machine tells becomes lines of a trace. Addresses are linear. The
 * kernel's file is the only one whose code is known; Linux's bzImage is none.
 */
#include "emu/cli/pc/pc_observe.h"

#include "emu/base/host.h"

#include "emu/cli/observe.h"
#include "emu/cpu/interp/interp_pc.h"
#include "emu/cpu/pc/event.h"
#include "emu/cpu/pc/mmu.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pc_observe {
    struct pc_options *options;
    struct observe *observe;
    struct trace *trace; /* NULL */
    struct pc *pc;       /* NULL: not yet, or no more */
    struct target_file file;
    char *kernel; /* its path, or NULL */
};

static int choose_engine(struct pc_options *o, struct why *why)
{
    bool coverage = observe_wants_coverage(&o->observe);
    if (coverage && o->engine && strcmp(o->engine, "dbt"))
        return why_fail(why, -EINVAL,
                        "--coverage is collected by the translator; leave --engine %s out",
                        o->engine);
    if (o->observe.traces && o->engine && !strcmp(o->engine, "lockstep"))
        return why_fail(why, -EINVAL, "--trace is of one engine: interp or dbt, not lockstep");
    if (pc_options_debug(o))
        return why_fail(why, -EINVAL,
                        "--trace and --coverage are not for machines under the debugger; record "
                        "it, and give them to the replay");
    if (coverage)
        o->engine = "dbt";
    else if (!o->engine && observe_steps(&o->observe))
        o->engine = "interp";
    return 0;
}

static bool is_elf32(const char *path)
{
    unsigned char head[EI_NIDENT] = {0};
    int fd = host_open_file(path);
    bool good = fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
                !memcmp(head, ELFMAG, SELFMAG) && head[EI_CLASS] == ELFCLASS32;
    if (fd >= 0)
        close(fd);
    return good;
}

int pc_observe_create(struct pc_options *o, struct pc_observe **out, struct why *why)
{
    struct observe *observe;
    *out = NULL;
    if (!o->observe.traces && !observe_wants_coverage(&o->observe))
        return 0;
    int err = choose_engine(o, why);
    if (!err)
        err = observe_create(&o->observe, &observe, why);
    if (err)
        return err;
    struct pc_observe *b = calloc(1, sizeof(*b));
    if (!b) {
        observe_destroy(observe);
        return why_fail(why, -ENOMEM, "no memory");
    }
    b->options = o;
    b->observe = observe;
    if (o->kernel && is_elf32(o->kernel))
        b->kernel = realpath(o->kernel, NULL);
    b->file.path = b->kernel;
    *out = b;
    return 0;
}

struct engine_coverage *pc_observe_coverage(struct pc_observe *b)
{
    return b ? observe_coverage(b->observe) : NULL;
}

/* What the machine tells. */

static unsigned fetch(struct pc_observe *b, uint8_t bytes[ISA_MAX_LENGTH])
{
    struct cpu *cpu = pc_processor(b->pc);
    uint32_t linear = cpu->seg[ISA_CS].base + cpu->eip;
    struct bus_page page;
    unsigned n = 0;
    gpa_t gpa;
    while (n < ISA_MAX_LENGTH && mmu_peek(cpu, linear + n, &gpa)) {
        bus_find_page(cpu->pc.bus, gpa, &page);
        if (!page.host)
            break;
        do
            bytes[n++] = page.host[gpa++ & PAGE_MASK];
        while (n < ISA_MAX_LENGTH && (gpa & PAGE_MASK));
    }
    return n;
}

static void on_step(void *opaque)
{
    struct pc_observe *b = opaque;
    uint8_t bytes[ISA_MAX_LENGTH];
    trace_step(b->trace, pc_processor(b->pc), bytes, fetch(b, bytes));
}

static void on_event(void *opaque, const struct event *event)
{
    static const char *const kinds[] = {[EVENT_FAULT] = "fault",
                                        [EVENT_TRAP] = "trap",
                                        [EVENT_INTERRUPT] = "interrupt",
                                        [EVENT_SOFTWARE] = "software"};
    struct pc_observe *b = opaque;
    const struct cpu *cpu = pc_processor(b->pc);
    bool is_fault = event->kind == EVENT_FAULT || event->kind == EVENT_TRAP;
    const struct trace_event e = {.kind = kinds[event->kind],
                                  .vector = event->vector,
                                  .is_fault = is_fault,
                                  .has_error = event->has_error,
                                  .has_address = is_fault && event->vector == CPU_PF,
                                  .error = event->error,
                                  .address = cpu->fault.address};
    trace_event(b->trace, cpu, &e);
}

static void on_port(void *opaque, const struct bus_access *access)
{
    struct pc_observe *b = opaque;
    trace_access(b->trace, pc_processor(b->pc), access->kind == BUS_OUT, (uint32_t)access->address,
                 access->size, access->value);
}

/* The network */

struct told_net {
    struct net_backend net;
    struct net_backend *inner;
    struct pc_observe *observe;
};

static struct told_net *told_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct told_net, net);
}

static void tell_frame(const struct told_net *t, bool sent, const void *frame, size_t len,
                       int64_t result)
{
    const struct pc_observe *b = t->observe;
    if (b->trace && b->pc)
        trace_frame(b->trace, pc_processor(b->pc), 0, sent, frame, len, result);
}

static int told_send(struct net_backend *net, const void *frame, size_t len)
{
    struct told_net *t = told_of(net);
    int err = t->inner->ops->send(t->inner, frame, len);
    if (err != -EAGAIN)
        tell_frame(t, true, frame, len, err);
    return err;
}

static int told_receive(struct net_backend *net, void *frame, size_t room)
{
    struct told_net *t = told_of(net);
    int n = t->inner->ops->receive(t->inner, frame, room);
    if (n > 0)
        tell_frame(t, false, frame, (size_t)n, n);
    return n;
}

static int told_fd(const struct net_backend *net)
{
    const struct told_net *t = told_of(net);
    return t->inner->ops->fd(t->inner);
}

static void told_destroy(struct net_backend *net)
{
    struct told_net *t = told_of(net);
    t->inner->ops->destroy(t->inner);
    free(t);
}

static const struct net_backend_ops told_ops = {"trace", told_send, told_receive, told_fd,
                                                told_destroy};

int pc_observe_net(struct pc_observe *b, struct net_backend *net, struct net_backend **out,
                   struct why *why)
{
    *out = net;
    if (!b || !net || !b->options->observe.traces)
        return 0;
    struct told_net *t = calloc(1, sizeof(*t));
    if (!t)
        return why_fail(why, -ENOMEM, "no memory");
    *t = (struct told_net){.net = {&told_ops}, .inner = net, .observe = b};
    *out = &t->net;
    return 0;
}

/* Life */

static bool wants(const struct pc_observe *b, enum trace_kind kind)
{
    const struct observe_options *o = &b->options->observe;
    for (unsigned i = 0; i < o->traces; i++) {
        if (o->trace[i].kind == kind)
            return true;
    }
    return false;
}

int pc_observe_attach(struct pc_observe *b, struct pc *pc, struct why *why)
{
    if (!b)
        return 0;
    int err = observe_open(b->observe, &b->file, b->kernel ? 1 : 0, &b->trace, why);
    if (err || !b->trace)
        return err;
    const struct pc_onlooker onlooker = {.opaque = b,
                                         .step = trace_steps(b->trace) ? on_step : NULL,
                                         .event = wants(b, TRACE_INTERRUPT) ? on_event : NULL,
                                         .port = wants(b, TRACE_PORT) ? on_port : NULL};
    b->pc = pc;
    pc_set_onlooker(pc, &onlooker);
    return 0;
}

void pc_observe_finish(struct pc_observe *b)
{
    if (!b)
        return;
    if (b->pc)
        pc_set_onlooker(b->pc, NULL);
    b->pc = NULL;
    b->trace = NULL;
    observe_finish(b->observe);
}

void pc_observe_destroy(struct pc_observe *b)
{
    if (!b)
        return;
    observe_destroy(b->observe);
    free(b->kernel);
    free(b);
}
