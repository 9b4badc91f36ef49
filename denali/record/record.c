/* SPDX-License-Identifier: MIT */
/*
 * Writing a recording. The snapshot first, then the tape's head, then chunks, each by one
 * write: the file is at any moment a whole prefix and at most one chunk that is cut.
 */
#include "denali/record/record_format.h"
#include "denali/vm_private.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct record {
    struct tape_sink sink;
    struct tape *tape;
    char *folder;
    int fd;
    uint64_t chunks;
    bool started;
    uint8_t *buffer; /* a chunk with its head */
    size_t room;
};

#define HEAD(member) STATE_U(struct record_head, member)
static const struct state_field head_fields[] = {
    STATE_RAW(struct record_head, magic),
    HEAD(version),
    HEAD(abi_version),
    HEAD(sums),
    HEAD(devices),
    HEAD(snapshot_key),
    HEAD(sum),
    HEAD(info.deterministic),
    HEAD(info.one_by_one),
    STATE_RAW(struct record_head, info.image),
    STATE_RAW(struct record_head, info.program),
};
const struct state_list record_head_list = {"record", RECORD_VERSION, ARRAY_LEN(head_fields),
                                            head_fields};

static const struct state_field device_fields[] = {
    STATE_U(struct record_device, kind),   STATE_RAW(struct record_device, name),
    STATE_U(struct record_device, bytes),  STATE_U(struct record_device, readonly),
    STATE_RAW(struct record_device, path),
};
const struct state_list record_device_list = {"device", 1, ARRAY_LEN(device_fields), device_fields};

#define CHUNK(member) STATE_U(struct record_chunk, member)
static const struct state_field chunk_fields[] = {CHUNK(magic),  CHUNK(len), CHUNK(icount),
                                                  CHUNK(number), CHUNK(sum), CHUNK(head_sum)};
const struct state_list record_chunk_list = {"chunk", 1, ARRAY_LEN(chunk_fields), chunk_fields};

static int write_all(int fd, const uint8_t *from, size_t len)
{
    while (len) {
        ssize_t n = write(fd, from, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EIO;
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

static int reserve(struct record *r, size_t room)
{
    if (r->room >= room)
        return 0;
    uint8_t *bigger = realloc(r->buffer, room);
    if (!bigger)
        return -ENOMEM;
    r->buffer = bigger;
    r->room = room;
    return 0;
}

static int write_chunk(struct tape_sink *sink, uint64_t icount, const uint8_t *data, size_t len)
{
    struct record *r = CONTAINER_OF(sink, struct record, sink);
    struct record_chunk c = {.magic = RECORD_CHUNK_MAGIC,
                             .len = (uint32_t)len,
                             .icount = icount,
                             .number = r->chunks++,
                             .sum = tape_sum(data, len)};
    int err = reserve(r, RECORD_CHUNK_HEAD + len);
    if (err)
        return err;
    state_save(&record_chunk_list, &c, r->buffer);
    c.head_sum = tape_sum(r->buffer, RECORD_CHUNK_HEAD - sizeof(c.head_sum));
    state_save(&record_chunk_list, &c, r->buffer);
    memcpy(r->buffer + RECORD_CHUNK_HEAD, data, len);
    return write_all(r->fd, r->buffer, RECORD_CHUNK_HEAD + len);
}

static char *path_in(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static int open_tape(struct record *r, struct why *why)
{
    char *path = path_in(r->folder, RECORD_TAPE_NAME);
    if (!path)
        return why_fail(why, -ENOMEM, "no memory");
    r->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int err = r->fd < 0 ? -errno : 0;
    free(path);
    if (err == -EEXIST)
        return why_fail(why, err, "there is a recording in %s already; give another folder",
                        r->folder);
    return err ? why_fail(why, err, "cannot write into %s: %s", r->folder, strerror(-err)) : 0;
}

int record_create(const char *folder, struct record **out, struct why *why)
{
    struct record *r = calloc(1, sizeof(*r));
    if (!r)
        return why_fail(why, -ENOMEM, "no memory");
    r->fd = -1;
    r->sink.chunk = write_chunk;
    r->folder = strdup(folder);
    int err = r->folder ? tape_create(&r->tape) : -ENOMEM;
    if (err)
        why_fail(why, err, "no memory");
    else if (mkdir(folder, 0777) && errno != EEXIST)
        err = why_fail(why, -errno, "cannot make the folder %s: %s", folder, strerror(errno));
    else
        err = open_tape(r, why);
    if (err) {
        record_destroy(r);
        return err;
    }
    tape_set_sink(r->tape, &r->sink);
    *out = r;
    return 0;
}

struct tape *record_tape(struct record *r)
{
    return r->tape;
}

static void take_path(struct record_device *d, const struct record_info *from)
{
    for (unsigned i = 0; i < from->devices; i++) {
        if (d->kind == from->device[i].kind && !strcmp(d->name, from->device[i].name))
            memcpy(d->path, from->device[i].path, sizeof(d->path));
    }
}

static void describe_devices(struct vm *vm, struct record_info *info,
                             const struct record_info *from)
{
    info->devices = vm->devices;
    for (unsigned i = 0; i < vm->devices; i++) {
        const volatile struct denali_device *entry = &vm_regs(vm)->device[i];
        struct record_device *d = &info->device[i];
        d->kind = vm->device[i]->ops->kind;
        memcpy(d->name, vm->device[i]->name, sizeof(d->name));
        d->bytes = d->kind == DENALI_DEV_DISK ? entry->bytes : 0;
        d->readonly = (entry->flags & DENALI_DEVF_READONLY) != 0;
        take_path(d, from);
    }
}

static int write_head(struct record *r, struct record_head *h)
{
    uint8_t raw[RECORD_HEAD];
    size_t size = state_size(&record_head_list), each = state_size(&record_device_list);
    BUG_ON(size + DENALI_MAX_DEVICES * each > RECORD_HEAD, "the head is too small");
    memset(raw, 0, sizeof(raw));
    h->sum = 0;
    state_save(&record_head_list, h, raw);
    for (unsigned i = 0; i < h->devices; i++)
        state_save(&record_device_list, &h->info.device[i], raw + size + i * each);
    h->sum = tape_sum(raw, sizeof(raw));
    state_save(&record_head_list, h, raw);
    return write_all(r->fd, raw, sizeof(raw));
}

static int save_start(struct record *r, struct vm *vm, struct record_head *h, struct why *why)
{
    struct snapshot *s;
    char *path = path_in(r->folder, RECORD_SNAPSHOT_NAME);
    int err = path ? snapshot_save(vm, path, why) : why_fail(why, -ENOMEM, "no memory");
    if (!err)
        err = snapshot_open(path, &s, why);
    if (!err) {
        h->snapshot_key = snapshot_key(s);
        snapshot_close(s);
    }
    free(path);
    return err;
}

int record_start(struct record *r, struct vm *vm, const struct record_info *info, struct why *why)
{
    struct record_head *h = calloc(1, sizeof(*h));
    if (!h)
        return why_fail(why, -ENOMEM, "no memory");
    memcpy(h->magic, RECORD_MAGIC, sizeof(h->magic));
    h->version = RECORD_VERSION;
    h->abi_version = DENALI_ABI_VERSION;
    h->sums = HAVE_XXHASH ? 1 : 2;
    memcpy(h->info.image, info->image, sizeof(h->info.image));
    memcpy(h->info.program, info->program, sizeof(h->info.program));
    h->info.deterministic = vm->deterministic;
    h->info.one_by_one = vm->one_by_one;
    describe_devices(vm, &h->info, info);
    h->devices = h->info.devices;
    int err = save_start(r, vm, h, why);
    if (!err && write_head(r, h))
        err = why_fail(why, -EIO, "cannot write the recording in %s", r->folder);
    free(h);
    r->started = !err;
    outside_start_checks(vm);
    return err;
}

int record_finish(struct record *r, struct vm *vm, struct why *why)
{
    uint64_t sum;
    int err = vm_state_sum(vm, &sum);
    if (!err) {
        outside_note_check(vm, sum);
        outside_note_end(vm);
        tape_flush(r->tape);
        err = tape_error(r->tape);
    }
    if (!err && fsync(r->fd))
        err = -errno;
    return err ? why_fail(why, err, "the recording in %s is not whole: %s", r->folder,
                          strerror(-err))
               : 0;
}

/* Nothing was recorded: the folder can be used again. */
static void drop_file(const struct record *r, const char *name)
{
    char *path = path_in(r->folder, name);
    if (path)
        unlink(path);
    free(path);
}

void record_destroy(struct record *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    if (r->fd >= 0 && !r->started)
        drop_file(r, RECORD_TAPE_NAME);
    tape_destroy(r->tape);
    free(r->buffer);
    free(r->folder);
    free(r);
}
