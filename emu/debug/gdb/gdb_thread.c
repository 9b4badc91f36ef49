/* SPDX-License-Identifier: MIT */
/*
 * Threads by gdb's thread-ids: pPID.TID with the multiprocess extension, where
 * each target is a process of its id; the target's id alone without. The TIDs
 * of a Linux program are those that its kernel tells; the processor of anything
 * else is a thread of the target's own number.
 *
 * The list is read anew after whatever may have changed it: gdb_forget_threads.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_THREADS 1024u

bool gdb_is_linux(const struct target *target)
{
    for (unsigned i = 0; i < target->files; i++)
        if (target->file[i].kernel)
            return true;
    return false;
}

/* The list. */

void gdb_forget_threads(struct gdb *gdb)
{
    gdb->threads_of = NULL;
}

static void read_threads(struct gdb *gdb, struct target *target)
{
    gdb->threads_of = target;
    gdb->threads = 0;
    if (!gdb->config.threads || !gdb_is_linux(target))
        return;
    if (!gdb->thread)
        gdb->thread = malloc(MAX_THREADS * sizeof(*gdb->thread));
    if (gdb->thread)
        gdb->threads =
            gdb->config.threads(gdb->config.command_opaque, target, gdb->thread, MAX_THREADS);
}

const struct target_thread *gdb_thread(struct gdb *gdb, struct target *target, unsigned n)
{
    if (gdb->threads_of != target)
        read_threads(gdb, target);
    return n < gdb->threads ? &gdb->thread[n] : NULL;
}

const struct target_thread *gdb_find_thread(struct gdb *gdb, struct target *target, uint32_t tid)
{
    const struct target_thread *t;
    for (unsigned n = 0; (t = gdb_thread(gdb, target, n)); n++)
        if (tid ? t->number == tid : t->running)
            return t;
    return NULL;
}

uint32_t gdb_running_thread(struct gdb *gdb, struct target *target)
{
    const struct target_thread *t = gdb->multiprocess ? gdb_find_thread(gdb, target, 0) : NULL;
    if (t)
        return t->number;
    /* The kernel has none yet: what begins there will be its first one. */
    return gdb->multiprocess && gdb_is_linux(target) ? GDB_LINUX_PID : target->id;
}

static bool has_thread(struct gdb *gdb, struct target *target, uint32_t tid)
{
    return gdb_find_thread(gdb, target, tid) ||
           (!gdb_thread(gdb, target, 0) && tid == gdb_running_thread(gdb, target));
}

/* Packets. */

/* A number, or -1 (all). */
static bool take_number(const char **at, uint64_t *out, bool *all)
{
    if ((*at)[0] == '-' && (*at)[1] == '1') {
        *at += 2;
        *all = true;
        return true;
    }
    bool good = gdb_take_hex(at, out);
    *all = good && !*out;
    return good;
}

bool gdb_take_thread(struct gdb *gdb, const char **at, struct gdb_thread_id *out)
{
    uint64_t pid = 0, tid = 0;
    bool any_thread = true;
    *out = (struct gdb_thread_id){.target = NULL};
    if (gdb_take_char(at, 'p')) {
        if (!take_number(at, &pid, &out->all))
            return false;
        if (gdb_take_char(at, '.') && !take_number(at, &tid, &any_thread))
            return false;
    } else if (!take_number(at, &pid, &out->all)) {
        return false;
    }
    if (out->all)
        return true;
    out->target = pid <= UINT32_MAX ? loop_find(gdb->loop, (unsigned)pid) : NULL;
    if (!out->target || any_thread)
        return out->target != NULL;
    out->tid = (uint32_t)tid;
    return tid <= UINT32_MAX && has_thread(gdb, out->target, out->tid);
}

void gdb_put_thread(struct gdb *gdb, const struct target *target, uint32_t tid)
{
    if (gdb->multiprocess)
        gdb_put_format(gdb, "p%x.%x", target->id, tid);
    else
        gdb_put_format(gdb, "%x", target->id);
}

struct target *gdb_live(struct gdb *gdb, struct target *wish)
{
    if (wish && !wish->ended)
        return wish;
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++)
        if (!loop_target(gdb->loop, n)->ended)
            return loop_target(gdb->loop, n);
    return NULL;
}

/* Registers. */

/* The running thread is in the kernel, and what stopped it there is no matter of the kernel's: the
 * person wants to see the program. */
static bool shows_program(struct gdb *gdb, struct target *target)
{
    return gdb_stands_at_signal(gdb, target) ||
           (target->stop.kind == TARGET_STOP_ASKED && gdb_is_in_kernel(gdb, target));
}

const struct target_thread *gdb_saved_thread(struct gdb *gdb, struct target *target, uint32_t tid)
{
    const struct target_thread *t = gdb_find_thread(gdb, target, tid);
    return t && t->saved && (!t->running || shows_program(gdb, target)) ? t : NULL;
}

const struct cpu *gdb_view(struct gdb *gdb, struct target *target, uint32_t tid, struct cpu *room)
{
    const struct cpu *cpu = target_cpu(target);
    const struct target_thread *t = gdb_saved_thread(gdb, target, tid);
    if (!t)
        return cpu;
    *room = *cpu;
    for (unsigned i = 0; i < ARRAY_LEN(t->gpr); i++)
        room->gpr[i] = t->gpr[i];
    room->eip = t->eip;
    room->eflags = t->eflags;
    if (!t->running && t->fpu &&
        target->ops->read(target, TARGET_LINEAR, t->fpu, &room->fpu, sizeof(room->fpu)))
        room->fpu = cpu->fpu;
    return room;
}

/* Writes the registers of a view back to where the kernel keeps them. */
int gdb_keep_view(struct gdb *gdb, struct target *target, uint32_t tid, const struct cpu *view)
{
    const struct target_thread *t = gdb_saved_thread(gdb, target, tid);
    if (!t || t->in_call)
        return -EPERM;
    const uint32_t *r = view->gpr;
    const uint32_t context[] = {view->eip,  view->eflags | 2, r[ISA_EAX], r[ISA_ECX], r[ISA_EDX],
                                r[ISA_EBX], r[ISA_ESP],       r[ISA_EBP], r[ISA_ESI], r[ISA_EDI]};
    int err = target->ops->write(target, TARGET_LINEAR, t->saved, context, sizeof(context));
    if (!err && !t->running && t->fpu)
        err = target->ops->write(target, TARGET_LINEAR, t->fpu, &view->fpu, sizeof(view->fpu));
    gdb_forget_threads(gdb);
    return err;
}
