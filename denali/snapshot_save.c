/* SPDX-License-Identifier: MIT */
/*
 * Writing a snapshot. The tables are made in memory, the contents go to the
 * file page run by page run, the head last; then the file gets its name.
 *
 * Pages that nobody may read are saved with their contents: the guest may give
 * itself the rights back. Looking at every page of a large RAM would make the
 * host fill it, so only pages that can differ from zero are looked at.
 */
#include "denali/snapshot_format.h"
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct save {
    struct vm *vm;
    uint32_t pages;
    uint8_t *candidates; /* bit by page */
    uint8_t *tables;
    size_t len, room;
    struct snapshot_head head;
    int fd;
    uint64_t at; /* in the file */
};

static bool bit(const uint8_t *bits, uint32_t page)
{
    return bits[page >> 3] >> (page & 7) & 1;
}

static int reserve(struct save *s, size_t more)
{
    if (s->room - s->len >= more)
        return 0;
    size_t room = 2 * (s->room + more);
    uint8_t *tables = realloc(s->tables, room);
    if (!tables)
        return -ENOMEM;
    s->tables = tables;
    s->room = room;
    return 0;
}

static int append(struct save *s, const struct state_list *list, const void *object)
{
    int err = reserve(s, state_size(list));
    if (err)
        return err;
    state_save(list, object, s->tables + s->len);
    s->len += state_size(list);
    return 0;
}

static int append_devices(struct save *s)
{
    int err = 0;
    s->head.devices = s->vm->devices;
    for (unsigned i = 0; !err && i < s->vm->devices; i++) {
        struct vm_saved_device d = {.kind = s->vm->device[i]->ops->kind};
        memcpy(d.name, s->vm->device[i]->name, sizeof(d.name));
        err = append(s, &snapshot_device_list, &d);
    }
    return err;
}

static int append_state(struct save *s)
{
    size_t size = vm_state_size(s->vm);
    int err = reserve(s, size);
    if (!err)
        err = vm_state_save(s->vm, s->tables + s->len);
    s->head.state_bytes = (uint32_t)size;
    s->len += size;
    return err;
}

static int append_rights(struct save *s)
{
    int err = 0;
    for (uint32_t page = 0; !err && page < s->pages;) {
        unsigned rights = ram_access(s->vm->ram, (gpa_t)page << PAGE_BITS);
        uint32_t end = page + 1;
        while (end < s->pages && ram_access(s->vm->ram, (gpa_t)end << PAGE_BITS) == rights)
            end++;
        struct snapshot_run run = {page, end - page, rights};
        if (rights != (HOST_R | HOST_W)) {
            err = append(s, &snapshot_run_list, &run);
            s->head.rights++;
        }
        page = end;
    }
    return err;
}

/* What may hold anything: what was touched, what the image was mapped to, what the VM's own
 * snapshot holds. */
static int find_candidates(struct save *s)
{
    const struct vm *vm = s->vm;
    uint64_t end = vm->snapshot ? 0 : (image_end(vm->image) + PAGE_MASK) >> PAGE_BITS;
    int err = ram_find_changed(vm->ram, s->candidates);
    if (err == -ENOTSUP)
        memset(s->candidates, 0xff, (s->pages + 7) / 8);
    for (uint32_t page = 0; page < s->pages; page++) {
        if (page < end || (vm->snapshot && ram_source_filled(snapshot_source(vm->snapshot), page)))
            s->candidates[page >> 3] |= (uint8_t)(1u << (page & 7));
    }
    return err == -ENOTSUP ? 0 : err;
}

static bool all_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1);
}

/* Leaves in `candidates` the pages that are not zero. -ENOMEM: a page cannot be read. */
static int drop_zero_pages(struct save *s)
{
    uint8_t copy[PAGE_SIZE];
    for (uint32_t page = 0; page < s->pages; page++) {
        if (!bit(s->candidates, page))
            continue;
        const uint8_t *bytes = ram_peek(s->vm->ram, (gpa_t)page << PAGE_BITS, copy);
        if (!bytes)
            return -ENOMEM;
        if (all_zero(bytes))
            s->candidates[page >> 3] &= (uint8_t) ~(1u << (page & 7));
    }
    return 0;
}

static int append_runs(struct save *s)
{
    int err = 0;
    for (uint32_t page = 0; !err && page < s->pages;) {
        uint32_t end = page + 1;
        while (end < s->pages && bit(s->candidates, end) == bit(s->candidates, page))
            end++;
        struct snapshot_run run = {page, end - page, 0};
        if (bit(s->candidates, page)) {
            err = append(s, &snapshot_run_list, &run);
            s->head.runs++;
        }
        page = end;
    }
    return err;
}

static int write_all(struct save *s, const void *data, size_t len)
{
    const uint8_t *from = data;
    while (len) {
        ssize_t n = pwrite(s->fd, from, len, (off_t)s->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EIO;
        from += n;
        len -= (size_t)n;
        s->at += (uint64_t)n;
    }
    return 0;
}

static int write_contents(struct save *s)
{
    uint8_t copy[PAGE_SIZE];
    int err = 0;
    for (uint32_t page = 0; !err && page < s->pages; page++) {
        if (!bit(s->candidates, page))
            continue;
        const uint8_t *bytes = ram_peek(s->vm->ram, (gpa_t)page << PAGE_BITS, copy);
        if (!bytes)
            return -ENOMEM;
        s->head.contents_crc = snapshot_crc(s->head.contents_crc, bytes, PAGE_SIZE);
        err = write_all(s, bytes, PAGE_SIZE);
    }
    return err;
}

static int write_head(struct save *s)
{
    uint8_t head[SNAPSHOT_HEAD] = {0};
    memcpy(s->head.magic, SNAPSHOT_MAGIC, sizeof(s->head.magic));
    s->head.version = SNAPSHOT_VERSION;
    s->head.abi_version = DENALI_ABI_VERSION;
    s->head.mem_bytes = s->vm->mem_bytes;
    s->head.file_bytes = s->at;
    state_save(&snapshot_head_list, &s->head, head);
    s->head.head_crc = snapshot_crc(0, head, sizeof(head));
    state_save(&snapshot_head_list, &s->head, head);
    s->at = 0;
    return write_all(s, head, sizeof(head));
}

static int make_tables(struct save *s)
{
    int err = find_candidates(s);
    if (!err)
        err = drop_zero_pages(s);
    if (!err)
        err = append_devices(s);
    if (!err)
        err = append_state(s);
    if (!err)
        err = append_rights(s);
    if (!err)
        err = append_runs(s);
    if (!err)
        err = reserve(s, PAGE_SIZE);
    return err;
}

static int write_file(struct save *s)
{
    size_t padded = (s->len + PAGE_MASK) & ~(size_t)PAGE_MASK;
    memset(s->tables + s->len, 0, padded - s->len);
    s->head.contents_at = SNAPSHOT_HEAD + padded;
    s->head.tables_crc = snapshot_crc(0, s->tables, padded);
    s->at = SNAPSHOT_HEAD;
    int err = write_all(s, s->tables, padded);
    if (!err)
        err = write_contents(s);
    return err ? err : write_head(s);
}

/* Beside its place, so that the name never leads to half a file. */
static int save_beside(struct save *s, const char *path, struct why *why)
{
    char *temp = NULL;
    if (asprintf(&temp, "%s.XXXXXX", path) < 0)
        return why_fail(why, -ENOMEM, "no memory");
    s->fd = mkstemp(temp);
    int err = s->fd < 0 ? -errno : write_file(s);
    if (!err && fsync(s->fd))
        err = -errno;
    if (!err && rename(temp, path))
        err = -errno;
    if (s->fd >= 0)
        close(s->fd);
    if (err && s->fd >= 0)
        unlink(temp);
    free(temp);
    return err ? why_fail(why, err, "cannot write the snapshot %s: %s", path, strerror(-err)) : 0;
}

static int save_in_memory(struct save *s, struct snapshot **out, struct why *why)
{
    struct why reason = {""};
    s->fd = host_memobj_create("denali-saved", 0);
    if (s->fd < 0)
        return why_fail(why, s->fd, "cannot make a snapshot: %s", strerror(-s->fd));
    int err = write_file(s);
    if (err)
        why_fail(&reason, err, "%s", strerror(-err));
    else
        err = snapshot_open_fd(s->fd, out, &reason);
    close(s->fd);
    return err ? why_fail(why, err, "cannot make a snapshot: %s", reason.text) : 0;
}

/* To a file, or, without a path, to *out. */
static int save(struct vm *vm, const char *path, struct snapshot **out, struct why *why)
{
    struct save s = {.vm = vm, .pages = (uint32_t)(vm->mem_bytes >> PAGE_BITS), .fd = -1};
    s.candidates = calloc(s.pages / 8 + 1, 1);
    int err = s.candidates ? make_tables(&s) : -ENOMEM;
    if (err == -EBUSY)
        why_fail(why, err, "the VM waits for its disk");
    else if (err)
        why_fail(why, err, "cannot make a snapshot: %s", strerror(-err));
    else
        err = path ? save_beside(&s, path, why) : save_in_memory(&s, out, why);
    free(s.candidates);
    free(s.tables);
    return err;
}

int snapshot_save(struct vm *vm, const char *path, struct why *why)
{
    return save(vm, path, NULL, why);
}

int snapshot_take(struct vm *vm, struct snapshot **out, struct why *why)
{
    return save(vm, NULL, out, why);
}
