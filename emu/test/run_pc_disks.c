/* SPDX-License-Identifier: MIT */
/* What a PC under test wrote to its disks: it lies in overlays that are forgotten at the end. */
#include "emu/test/run_pc_private.h"

#include "devices/medium.h"

#include <errno.h>
#include <string.h>

#define DRIVES 6u
static const char *const drives[DRIVES] = {"hda", "hdb", "hdc", "hdd", "fda", "fdb"};

static struct medium *medium_of(const struct run *run, unsigned i)
{
    const struct pc_config *c = &run->pc->resources.config;
    return i < PC_DRIVES ? c->drive[i] : c->floppy[i - PC_DRIVES];
}

/* Each piece behind its place; at last a place that is none. */
static int save(struct medium *medium, struct buffer *to)
{
    uint8_t bytes[MEDIUM_PIECE];
    size_t len;
    int err = 0;
    for (uint64_t at = 0; !err && (at = medium_next_written(medium, at, &len)) != UINT64_MAX;
         at += len) {
        err = medium_read(medium, at, bytes, len);
        buffer_put_number(to, at);
        buffer_put_bytes(to, bytes, len);
    }
    buffer_put_number(to, UINT64_MAX);
    return err;
}

static int load(struct medium *medium, struct buffer_reader *from)
{
    int err = 0;
    for (uint64_t at; !err && (at = buffer_get_number(from)) != UINT64_MAX && !from->bad;) {
        struct buffer bytes = {0};
        buffer_get_bytes(from, &bytes);
        err = medium_write(medium, at, bytes.data, bytes.len);
        buffer_free(&bytes);
    }
    return err;
}

int run_pc_save_disks(const struct run *run, struct buffer *to)
{
    int err = 0;
    for (unsigned i = 0; !err && i < DRIVES; i++) {
        if (medium_of(run, i))
            err = save(medium_of(run, i), to);
    }
    return err;
}

int run_pc_load_disks(const struct run *run, struct buffer_reader *from)
{
    int err = 0;
    for (unsigned i = 0; !err && i < DRIVES; i++) {
        if (medium_of(run, i))
            err = load(medium_of(run, i), from);
    }
    return err;
}

uint64_t run_pc_sum_disks(const struct run *run)
{
    struct buffer all = {0};
    int err = run_pc_save_disks(run, &all);
    uint64_t sum = err || !all.len ? 0 : tape_sum(all.data, all.len);
    buffer_free(&all);
    return sum;
}

static struct medium *find(const struct run *run, const char *name)
{
    if (!strcmp(name, "cdrom"))
        return run->pc->resources.config.drive[2];
    for (unsigned i = 0; i < DRIVES; i++) {
        if (!strcmp(drives[i], name))
            return medium_of(run, i);
    }
    return NULL;
}

int run_pc_read_disk(const struct run *run, const char *name, uint64_t at, uint64_t len,
                     struct buffer *out)
{
    struct medium *medium = find(run, name);
    uint64_t bytes = medium ? medium_bytes(medium) : 0, left = at < bytes ? bytes - at : 0;
    char part[MEDIUM_PIECE];
    int err = medium ? 0 : -ENOENT;
    if (len && len < left)
        left = len;
    if (left > RUN_LOOK_MOST)
        return -EFBIG;
    while (!err && left && !out->failed) {
        size_t n = left < sizeof(part) ? (size_t)left : sizeof(part);
        err = medium_read(medium, at, part, n);
        buffer_add(out, part, err ? 0 : n);
        at += n;
        left -= n;
    }
    return err;
}
