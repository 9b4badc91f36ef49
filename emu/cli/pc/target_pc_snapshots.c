/* SPDX-License-Identifier: MIT */
/*
 * Each is a compressed file without a name in the folder for temporary files. To compare one with
 * the present, it is unpacked once and kept until another is asked for.
 */
#include "emu/cli/pc/target_pc_snapshots.h"

#include "emu/cli/pc/pc_snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 64u

struct saved {
    struct saved *next;
    char name[NAME_ROOM];
    uint64_t icount;
    FILE *file;
};

struct target_pc_snapshots {
    struct pc *pc;
    struct saved *first;
    struct saved *unpacked; /* NULL: none */
    uint8_t *ram;           /* of `unpacked`: as much as the machine has */
    struct cpu *cpu;
};

int target_pc_snapshots_create(struct pc *pc, struct target_pc_snapshots **out)
{
    struct target_pc_snapshots *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->pc = pc;
    *out = s;
    return 0;
}

static void drop_unpacked(struct target_pc_snapshots *s)
{
    free(s->ram);
    free(s->cpu);
    s->ram = NULL;
    s->cpu = NULL;
    s->unpacked = NULL;
}

static void drop(struct target_pc_snapshots *s, struct saved **link)
{
    struct saved *one = *link;
    *link = one->next;
    if (s->unpacked == one)
        drop_unpacked(s);
    if (one->file)
        fclose(one->file);
    free(one);
}

void target_pc_snapshots_destroy(struct target_pc_snapshots *s)
{
    if (!s)
        return;
    while (s->first)
        drop(s, &s->first);
    free(s);
}

/* Where the one of this name hangs, or the list's end. */
static struct saved **find(struct target_pc_snapshots *s, const char *name)
{
    struct saved **link = &s->first;
    while (*link && strcmp((*link)->name, name))
        link = &(*link)->next;
    return link;
}

static struct saved *need(struct target_pc_snapshots *s, const char *name, struct why *why)
{
    struct saved *one = *find(s, name);
    if (!one)
        why_fail(why, -ENOENT, "there is no snapshot %.60s; \"snapshot list\" tells their names",
                 name);
    return one;
}

static uint64_t now(struct target *target)
{
    return target_cpu(target)->icount;
}

/* A name that is taken is taken over once the new one is whole. */
static int save(struct target *target, const char *name, struct why *why)
{
    struct target_pc_snapshots *s = target_pc_snapshots_of(target);
    struct saved *one = strlen(name) < NAME_ROOM ? calloc(1, sizeof(*one)) : NULL;
    if (!one)
        return why_fail(why, -EINVAL, "a snapshot's name has at most %u characters", NAME_ROOM - 1);
    one->icount = now(target);
    one->file = tmpfile();
    int err = one->file ? pc_snapshot_write(s->pc, fileno(one->file), why)
                        : why_fail(why, -errno, "no temporary file: %s", strerror(errno));
    if (err) {
        drop(s, &one);
        return err;
    }
    if (*find(s, name))
        drop(s, find(s, name));
    memcpy(one->name, name, strlen(name));
    *find(s, name) = one;
    return 0;
}

static int restore(struct target *target, const char *name, struct target_stop *stop,
                   struct why *why)
{
    struct target_pc_snapshots *s = target_pc_snapshots_of(target);
    struct saved *one = need(s, name, why);
    int err = one ? pc_snapshot_read(s->pc, fileno(one->file), why) : -ENOENT;
    *stop = (struct target_stop){
        .kind = TARGET_STOP_STEP, .icount = now(target), .eip = target_eip(target)};
    return err;
}

static int forget(struct target *target, const char *name, struct why *why)
{
    struct target_pc_snapshots *s = target_pc_snapshots_of(target);
    if (!need(s, name, why))
        return -ENOENT;
    drop(s, find(s, name));
    return 0;
}

static bool saved(struct target *target, unsigned n, const char **name, uint64_t *icount)
{
    struct saved *one = target_pc_snapshots_of(target)->first;
    for (; one && n; n--)
        one = one->next;
    if (!one)
        return false;
    *name = one->name;
    *icount = one->icount;
    return true;
}

static uint64_t ram_bytes(struct target *target)
{
    return target->ops->memory(target);
}

static int unpack(struct target *target, const char *name)
{
    struct target_pc_snapshots *s = target_pc_snapshots_of(target);
    struct saved *one = *find(s, name);
    struct why why;
    if (!one || one == s->unpacked)
        return one ? 0 : -ENOENT;
    drop_unpacked(s);
    s->ram = calloc(1, ram_bytes(target));
    s->cpu = aligned_alloc(_Alignof(struct cpu), sizeof(*s->cpu));
    int err = s->ram && s->cpu ? 0 : -ENOMEM;
    if (s->cpu)
        memset(s->cpu, 0, sizeof(*s->cpu));
    if (!err)
        err = pc_snapshot_look(s->pc, fileno(one->file), s->cpu, s->ram, &why);
    if (err)
        drop_unpacked(s);
    else
        s->unpacked = one;
    return err;
}

int target_pc_read_saved(struct target *target, const char *name, uint64_t addr, void *out,
                         uint64_t len)
{
    int err = unpack(target, name);
    uint64_t size = ram_bytes(target);
    if (err || addr > size || len > size - addr)
        return err ? err : -EFAULT;
    memcpy(out, target_pc_snapshots_of(target)->ram + addr, len);
    return 0;
}

int target_pc_saved_cpu(struct target *target, const char *name, struct cpu *out)
{
    int err = unpack(target, name);
    if (!err)
        memcpy(out, target_pc_snapshots_of(target)->cpu, sizeof(*out));
    return err;
}

int target_pc_differs(struct target *target, const char *name, uint64_t *page)
{
    int err = unpack(target, name);
    const uint8_t *then = target_pc_snapshots_of(target)->ram;
    const uint8_t *ram = ram_base(target_cpu(target)->ram);
    if (err)
        return err;
    for (uint64_t at = *page; at < ram_bytes(target); at += PAGE_SIZE) {
        if (!memcmp(then + at, ram + at, PAGE_SIZE))
            continue;
        *page = at;
        return 0;
    }
    return -ENOENT;
}

const struct target_history_ops target_pc_only_snapshots = {
    .now = now,
    .first = now,
    .last = now,
    .save = save,
    .restore = restore,
    .forget = forget,
    .saved = saved,
    .read_saved = target_pc_read_saved,
    .saved_cpu = target_pc_saved_cpu,
    .differs = target_pc_differs,
};
