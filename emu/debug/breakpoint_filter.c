/* SPDX-License-Identifier: MIT */
/*
 * Whether a stop of the engine is one that a person wants to hear of. Runs at
 * every arrival at a breakpoint, so a breakpoint whose condition is false costs
 * the guest one evaluation and nothing else.
 */
#include "emu/debug/breakpoint_private.h"

#include <string.h>

#define LINUX_SYSCALL_VECTOR 0x80

/* A watchpoint on writes tells changes; one on reads too, or on a device's memory, every access. */
static bool watch_matches(const struct breakpoint *bp, const struct cpu_watch_hit *hit)
{
    if (bp->place[0] != hit->at || bp->len[0] != hit->at_len || bp->access != hit->at_access)
        return false;
    if (bp->access != CPU_WATCH_WRITE || hit->at_len > hit->values)
        return true;
    return memcmp(hit->before, hit->after, hit->values) != 0;
}

static bool code_matches(const struct breakpoint *bp, uint32_t eip)
{
    for (unsigned n = 0; n < bp->places; n++)
        if (bp->place[n] == eip)
            return true;
    return false;
}

static bool is_which(const struct breakpoint *bp, uint32_t number)
{
    return bp->which == BREAKPOINT_ANY || bp->which == number;
}

/* The trap's entry is reached by any INT n: it is a system call only by Linux's number. */
static bool syscall_matches(const struct breakpoint *bp, struct target *target,
                            const struct target_stop *stop)
{
    const struct cpu *cpu = target_cpu(target);
    uint32_t vector = LINUX_SYSCALL_VECTOR;
    if (stop->kind != TARGET_STOP_BREAKPOINT || !code_matches(bp, stop->eip))
        return false;
    if (cpu->flat && target->ops->read(target, TARGET_PHYSICAL, cpu->flat->trap_number, &vector, 4))
        return false;
    return vector == LINUX_SYSCALL_VECTOR && is_which(bp, cpu->gpr[ISA_EAX]);
}

static bool code_write_matches(const struct breakpoint *bp, const struct target_stop *stop)
{
    for (unsigned n = 0; stop->kind == TARGET_STOP_WATCHPOINT && n < bp->places; n++)
        if (bp->place[n] == stop->hit.at && bp->len[n] == stop->hit.at_len)
            return true;
    return false;
}

static bool catch_matches(const struct breakpoint *bp, struct target *target,
                          const struct target_stop *stop)
{
    switch (bp->what) {
    case CATCH_FAULT:
        return stop->kind == TARGET_STOP_FAULT && is_which(bp, stop->fault.vector);
    case CATCH_INTERRUPT:
        return stop->kind == TARGET_STOP_INTERRUPT &&
               (bp->which == BREAKPOINT_ANY || bp->which & stop->number);
    case CATCH_HYPERCALL:
        return stop->kind == TARGET_STOP_HYPERCALL && is_which(bp, stop->number);
    case CATCH_PORT:
        return stop->kind == TARGET_STOP_PORT && is_which(bp, stop->number);
    case CATCH_SYSCALL:
        return syscall_matches(bp, target, stop);
    default:
        return code_write_matches(bp, stop);
    }
}

static bool matches(const struct breakpoint *bp, struct target *target,
                    const struct target_stop *stop)
{
    if (!bp->set || bp->target != target->id)
        return false;
    switch (bp->kind) {
    case BREAKPOINT_CODE:
        return stop->kind == TARGET_STOP_BREAKPOINT && code_matches(bp, stop->eip);
    case BREAKPOINT_WATCH:
        return stop->kind == TARGET_STOP_WATCHPOINT && watch_matches(bp, &stop->hit);
    default:
        return catch_matches(bp, target, stop);
    }
}

/* A condition that cannot be told stops: the person must know. */
static bool condition_holds(struct breakpoints *b, struct breakpoint *bp, struct target *target)
{
    if (!bp->condition)
        return true;
    int yes = b->condition(b->opaque, target, bp->condition, &b->trouble);
    return yes != 0;
}

static bool takes(struct breakpoints *b, struct breakpoint *bp, struct target *target)
{
    if (!condition_holds(b, bp, target))
        return false;
    bp->hits++;
    if (bp->ignore) {
        bp->ignore--;
        return false;
    }
    return true;
}

static unsigned engine_count(const struct cpu *cpu, uint32_t linear)
{
    const struct cpu_debug *d = cpu->debug;
    for (uint32_t i = 0; d && i < d->breaks_count; i++)
        if (d->breaks[i].linear == linear)
            return d->breaks[i].count;
    return 0;
}

static bool engine_watches(const struct cpu *cpu, const struct cpu_watch_hit *hit, unsigned mine)
{
    const struct cpu_debug *d = cpu->debug;
    for (uint32_t i = 0; d && i < d->watch_count; i++)
        if (d->watch[i].linear == hit->at && d->watch[i].len == hit->at_len &&
            d->watch[i].access == hit->at_access)
            return d->watch[i].count > mine;
    return false;
}

/* Somebody else's: gdb's, or a step's that is under way. */
static bool is_foreign(const struct breakpoints *b, struct target *target,
                       const struct target_stop *stop)
{
    const struct cpu *cpu = target_cpu(target);
    unsigned mine = 0;
    if (stop->kind == TARGET_STOP_BREAKPOINT)
        return engine_count(cpu, stop->eip) > breakpoints_count_at(b, target, stop->eip);
    if (stop->kind != TARGET_STOP_WATCHPOINT)
        return false;
    for (const struct breakpoint *bp = b->first; bp; bp = bp->next) {
        bool watches = bp->kind == BREAKPOINT_WATCH && bp->access == stop->hit.at_access;
        bool guards = bp->kind == BREAKPOINT_CATCH && bp->what == CATCH_WRITE_CODE &&
                      stop->hit.at_access == CPU_WATCH_WRITE;
        for (unsigned n = 0; n < bp->places && bp->set && bp->target == target->id; n++)
            mine += (watches || guards) && bp->place[n] == stop->hit.at &&
                    bp->len[n] == stop->hit.at_len;
    }
    return engine_watches(cpu, &stop->hit, mine);
}

/* An end, and a fault that the guest cannot take itself, are told always. */
static bool is_told_anyway(const struct breakpoints *b, const struct target *target,
                           const struct target_stop *stop)
{
    if (stop->kind == TARGET_STOP_FAULT) {
        for (const struct breakpoint *bp = b->first; bp; bp = bp->next)
            if (bp->set && bp->kind == BREAKPOINT_CATCH && bp->what == CATCH_FAULT &&
                bp->target == target->id)
                return stop->fatal;
        return true; /* nobody asked for faults: the machine tells only those that end it */
    }
    if (stop->kind == TARGET_STOP_INTERRUPT &&
        target->catches[TARGET_CATCHER_GDB] & TARGET_CATCH_INTERRUPT)
        return true; /* it came into gdb's step */
    return stop->kind != TARGET_STOP_BREAKPOINT && stop->kind != TARGET_STOP_WATCHPOINT &&
           stop->kind != TARGET_STOP_INTERRUPT && stop->kind != TARGET_STOP_HYPERCALL &&
           stop->kind != TARGET_STOP_PORT;
}

bool breakpoints_filter(void *opaque, struct target *target, struct target_stop *stop)
{
    struct breakpoints *b = opaque;
    b->hits = 0;
    b->trouble.text[0] = 0;
    for (struct breakpoint *bp = b->first; bp; bp = bp->next)
        if (matches(bp, target, stop) && takes(b, bp, target) && b->hits < BREAKPOINT_MAX_HIT)
            b->hit[b->hits++] = bp;
    return b->hits || is_told_anyway(b, target, stop) || is_foreign(b, target, stop);
}

struct breakpoint *breakpoints_hit(struct breakpoints *b, unsigned n)
{
    return n < b->hits ? b->hit[n] : NULL;
}

const char *breakpoints_trouble(const struct breakpoints *b)
{
    return b->trouble.text;
}

void breakpoints_tidy(struct breakpoints *b)
{
    struct breakpoint *gone[BREAKPOINT_MAX_HIT];
    unsigned count = 0;
    for (unsigned i = 0; i < b->hits; i++)
        if (b->hit[i]->temporary)
            gone[count++] = b->hit[i];
    while (count)
        breakpoints_remove(b, gone[--count]);
}
