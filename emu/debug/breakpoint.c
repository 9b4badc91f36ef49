/* SPDX-License-Identifier: MIT */
/*
 * The list of breakpoints, and what of it the engines know. `set` is true
 * exactly while the engine of its target holds one insertion for each place.
 */
#include "emu/debug/breakpoint_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int breakpoints_create(breakpoint_condition_fn condition, breakpoint_target_fn target, void *opaque,
                       struct breakpoints **out)
{
    struct breakpoints *b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->condition = condition;
    b->target = target;
    b->opaque = opaque;
    *out = b;
    return 0;
}

static void free_one(struct breakpoint *bp)
{
    breakpoint_clear_commands(bp);
    free(bp->spec);
    free(bp->condition);
    free(bp);
}

/* Watches memory: itself, or the code that it guards. */
static bool is_watch(const struct breakpoint *bp)
{
    return bp->kind == BREAKPOINT_WATCH ||
           (bp->kind == BREAKPOINT_CATCH && bp->what == CATCH_WRITE_CODE);
}

static bool is_code(const struct breakpoint *bp)
{
    return bp->kind == BREAKPOINT_CODE ||
           (bp->kind == BREAKPOINT_CATCH && bp->what == CATCH_SYSCALL);
}

static enum cpu_watch_access access_of(const struct breakpoint *bp)
{
    return bp->kind == BREAKPOINT_CATCH ? CPU_WATCH_WRITE : (enum cpu_watch_access)bp->access;
}

static int set_place(struct cpu *cpu, const struct breakpoint *bp, unsigned n)
{
    if (is_watch(bp))
        return cpu_debug_watch(cpu, bp->place[n], bp->len[n], access_of(bp));
    return cpu_debug_break(cpu, bp->place[n]);
}

static void unset_place(struct cpu *cpu, const struct breakpoint *bp, unsigned n)
{
    if (is_watch(bp))
        cpu_debug_unwatch(cpu, bp->place[n], bp->len[n], access_of(bp));
    else
        cpu_debug_unbreak(cpu, bp->place[n]);
}

/* What the machine itself has to stop for: of all that are enabled. */
static void tell_catches(struct breakpoints *b, struct target *target)
{
    unsigned bits = 0;
    for (struct breakpoint *bp = b->first; bp; bp = bp->next) {
        if (bp->kind != BREAKPOINT_CATCH || !bp->set || bp->target != target->id)
            continue;
        if (bp->what <= CATCH_PORT)
            bits |= 1u << bp->what;
    }
    target_catch(target, TARGET_CATCHER_BREAKPOINTS, bits);
}

static int insert(struct breakpoints *b, struct breakpoint *bp, struct why *why)
{
    struct target *target = b->target(b->opaque, bp->target);
    int err = target ? 0 : -ENOENT;
    unsigned n = 0;
    if (bp->set || !target)
        return why_fail(why, err, "its VM is gone");
    for (; !err && n < bp->places && (is_watch(bp) || is_code(bp)); n++)
        err = set_place(target_cpu(target), bp, n);
    if (err) {
        while (--n > 0)
            unset_place(target_cpu(target), bp, n - 1);
        return why_fail(why, err,
                        err == -EINVAL ? "so much memory cannot be watched at once"
                                       : "cannot set it: %s",
                        strerror(-err));
    }
    bp->set = true;
    tell_catches(b, target);
    return 0;
}

static void withdraw(struct breakpoints *b, struct breakpoint *bp)
{
    struct target *target = b->target(b->opaque, bp->target);
    if (!bp->set)
        return;
    bp->set = false;
    if (!target)
        return;
    for (unsigned n = 0; n < bp->places && (is_watch(bp) || is_code(bp)); n++)
        unset_place(target_cpu(target), bp, n);
    tell_catches(b, target);
}

void breakpoints_destroy(struct breakpoints *b)
{
    while (b && b->first)
        breakpoints_remove(b, b->first);
    free(b);
}

static struct breakpoint *copy(const struct breakpoint *like)
{
    struct breakpoint *bp = malloc(sizeof(*bp));
    if (!bp)
        return NULL;
    *bp = *like;
    bp->set = false;
    bp->next = NULL;
    bp->hits = 0;
    bp->commands = NULL;
    bp->spec = strdup(like->spec ? like->spec : "");
    bp->condition = like->condition ? strdup(like->condition) : NULL;
    if (!bp->spec || (like->condition && !bp->condition)) {
        free_one(bp);
        return NULL;
    }
    return bp;
}

int breakpoints_add(struct breakpoints *b, const struct breakpoint *like, struct breakpoint **out,
                    struct why *why)
{
    struct breakpoint *bp = copy(like), **end = &b->first;
    if (!bp)
        return why_fail(why, -ENOMEM, "no memory");
    int err = bp->enabled ? insert(b, bp, why) : 0;
    if (err) {
        free_one(bp);
        return err;
    }
    while (*end)
        end = &(*end)->next;
    *end = bp;
    bp->number = ++b->last_number;
    if (bp->set)
        tell_catches(b, b->target(b->opaque, bp->target));
    *out = bp;
    return 0;
}

static void forget_hit(struct breakpoints *b, const struct breakpoint *bp)
{
    for (unsigned i = 0; i < b->hits; i++)
        if (b->hit[i] == bp)
            memmove(&b->hit[i], &b->hit[i + 1], (--b->hits - i) * sizeof(b->hit[0]));
}

void breakpoints_remove(struct breakpoints *b, struct breakpoint *bp)
{
    struct breakpoint **at = &b->first;
    withdraw(b, bp);
    forget_hit(b, bp);
    while (*at && *at != bp)
        at = &(*at)->next;
    if (*at)
        *at = bp->next;
    free_one(bp);
}

int breakpoints_enable(struct breakpoints *b, struct breakpoint *bp, bool enabled, struct why *why)
{
    int err = 0;
    if (enabled && !bp->set)
        err = insert(b, bp, why);
    else if (!enabled)
        withdraw(b, bp);
    if (!err)
        bp->enabled = enabled;
    return err;
}

struct breakpoint *breakpoints_find(struct breakpoints *b, unsigned number)
{
    struct breakpoint *bp = b->first;
    while (bp && bp->number != number)
        bp = bp->next;
    return bp;
}

struct breakpoint *breakpoints_next(struct breakpoints *b, const struct breakpoint *before)
{
    return before ? before->next : b->first;
}

int breakpoint_set_condition(struct breakpoint *bp, const char *condition)
{
    char *own = condition && *condition ? strdup(condition) : NULL;
    if (condition && *condition && !own)
        return -ENOMEM;
    free(bp->condition);
    bp->condition = own;
    return 0;
}

int breakpoint_add_command(struct breakpoint *bp, const char *line)
{
    size_t n = 0;
    while (bp->commands && bp->commands[n])
        n++;
    char **bigger = realloc(bp->commands, (n + 2) * sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    bp->commands = bigger;
    bigger[n] = strdup(line);
    bigger[n + 1] = NULL;
    return bigger[n] ? 0 : -ENOMEM;
}

void breakpoint_clear_commands(struct breakpoint *bp)
{
    for (size_t n = 0; bp->commands && bp->commands[n]; n++)
        free(bp->commands[n]);
    free(bp->commands);
    bp->commands = NULL;
}

unsigned breakpoints_count_at(const struct breakpoints *b, const struct target *target,
                              uint32_t linear)
{
    unsigned count = 0;
    for (const struct breakpoint *bp = b->first; bp; bp = bp->next)
        for (unsigned n = 0; n < bp->places; n++)
            count += bp->set && is_code(bp) && bp->target == target->id && bp->place[n] == linear;
    return count;
}
