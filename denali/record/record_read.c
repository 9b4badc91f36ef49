/* SPDX-License-Identifier: MIT */
/*
 * Reading a recording. Everything is checked before it is used; what is copied into
 * memory is what is replayed. The first chunk that is cut, changed or out of its order is
 * where the recording ends; what lies before is as good as ever.
 */
#include "denali/record/record_format.h"

#include "emu/base/host.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct piece {
    struct piece *next;
    uint8_t data[];
};

struct recording {
    struct record_head head;
    struct snapshot *snapshot;
    struct tape *tape;
    struct piece *pieces;
    uint64_t chunks, last_icount;
    bool ended;
    char damage[120];
};

/* Bytes read, fewer at the end of the file; a negative errno. */
static int64_t read_some(int fd, void *out, size_t len)
{
    uint8_t *to = out;
    size_t done = 0;
    while (done < len) {
        ssize_t n = read(fd, to + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

static int check_head(const struct record_head *h, uint8_t raw[RECORD_HEAD], struct why *why)
{
    struct record_head zero = *h;
    if (memcmp(h->magic, RECORD_MAGIC, sizeof(h->magic)))
        return why_fail(why, -EINVAL, "it is not the tape of a recording");
    if (h->version != RECORD_VERSION || h->abi_version != DENALI_ABI_VERSION)
        return why_fail(why, -EINVAL, "it is of version %u.%u; this program reads %u.%u",
                        h->version, h->abi_version, RECORD_VERSION, DENALI_ABI_VERSION);
    if (h->sums != (HAVE_XXHASH ? 1 : 2))
        return why_fail(why, -EINVAL, "its sums are of a kind that this program does not have");
    zero.sum = 0;
    state_save(&record_head_list, &zero, raw);
    if (h->sum != tape_sum(raw, RECORD_HEAD) || h->devices > DENALI_MAX_DEVICES)
        return why_fail(why, -EINVAL, "its head is damaged");
    return 0;
}

static int read_head(struct recording *r, int fd, struct why *why)
{
    uint8_t raw[RECORD_HEAD];
    struct record_head *h = &r->head;
    size_t size = state_size(&record_head_list), each = state_size(&record_device_list);
    if (read_some(fd, raw, sizeof(raw)) != (int64_t)sizeof(raw))
        return why_fail(why, -EINVAL, "it is too short to be the tape of a recording");
    state_load(&record_head_list, h, raw);
    int err = check_head(h, raw, why);
    if (err)
        return err;
    h->info.devices = h->devices;
    for (unsigned i = 0; i < h->devices; i++) {
        state_load(&record_device_list, &h->info.device[i], raw + size + i * each);
        h->info.device[i].name[DENALI_NAME_LEN - 1] = 0;
        h->info.device[i].path[RECORD_PATH - 1] = 0;
    }
    h->info.image[RECORD_PATH - 1] = h->info.program[RECORD_PATH - 1] = 0;
    return 0;
}

static bool chunk_is_next(const struct recording *r, const struct record_chunk *c,
                          const uint8_t *raw)
{
    return c->magic == RECORD_CHUNK_MAGIC && c->number == r->chunks &&
           c->icount >= r->last_icount && c->len && c->len <= RECORD_CHUNK_MAX &&
           c->head_sum == tape_sum(raw, RECORD_CHUNK_HEAD - sizeof(c->head_sum));
}

/* Whether every event of the last chunk can be read; its last one's count. */
static bool walk(struct recording *r)
{
    struct tape_event e;
    while (tape_peek(r->tape, &e)) {
        tape_next(r->tape);
        r->last_icount = e.icount;
        r->ended = e.kind == TAPE_END;
    }
    return !tape_error(r->tape);
}

/* 1: a chunk; 0: the end of the file; else `damage` says what is wrong. */
static int read_chunk(struct recording *r, int fd)
{
    uint8_t raw[RECORD_CHUNK_HEAD];
    struct record_chunk c;
    int64_t n = read_some(fd, raw, sizeof(raw));
    if (n == 0)
        return 0;
    state_load(&record_chunk_list, &c, raw);
    if (n != (int64_t)sizeof(raw) || !chunk_is_next(r, &c, raw))
        return -EINVAL;
    struct piece *p = malloc(sizeof(*p) + c.len);
    if (!p)
        return -ENOMEM;
    if (read_some(fd, p->data, c.len) != (int64_t)c.len || tape_sum(p->data, c.len) != c.sum ||
        tape_add_chunk(r->tape, c.icount, p->data, c.len)) {
        free(p);
        return -EINVAL;
    }
    p->next = r->pieces;
    r->pieces = p;
    r->chunks++;
    return walk(r) ? 1 : -EINVAL;
}

static int read_chunks(struct recording *r, int fd, struct why *why)
{
    int n;
    do {
        n = r->ended ? 0 : read_chunk(r, fd);
    } while (n > 0);
    if (n == -ENOMEM)
        return why_fail(why, n, "no memory for it");
    if (n < 0)
        snprintf(r->damage, sizeof(r->damage), "damaged or cut after chunk %llu",
                 (unsigned long long)r->chunks);
    else if (!r->ended)
        snprintf(r->damage, sizeof(r->damage), "without its end: the recorder was killed");
    tape_seek(r->tape, (struct tape_place){0, 0, 0});
    return r->chunks ? 0 : why_fail(why, -EINVAL, "nothing of it is whole");
}

static int read_tape(struct recording *r, const char *path, struct why *why)
{
    struct why reason = {""};
    int fd = host_open_file(path);
    int err = fd < 0 ? why_fail(&reason, fd, "%s", strerror(-fd)) : 0;
    if (!err)
        err = read_head(r, fd, &reason);
    if (!err && tape_create(&r->tape))
        err = why_fail(&reason, -ENOMEM, "no memory");
    if (!err)
        err = read_chunks(r, fd, &reason);
    if (fd >= 0)
        close(fd);
    return err ? why_fail(why, err, "cannot replay %s: %s", path, reason.text) : 0;
}

static int read_start(struct recording *r, const char *path, struct why *why)
{
    int err = snapshot_open(path, &r->snapshot, why);
    if (!err && snapshot_key(r->snapshot) != r->head.snapshot_key)
        err = why_fail(why, -EINVAL, "%s does not belong to the tape beside it", path);
    return err;
}

int recording_open(const char *folder, struct recording **out, struct why *why)
{
    char *tape = NULL, *start = NULL;
    struct recording *r = calloc(1, sizeof(*r));
    int err = -ENOMEM;
    if (r && asprintf(&tape, "%s/%s", folder, RECORD_TAPE_NAME) > 0 &&
        asprintf(&start, "%s/%s", folder, RECORD_SNAPSHOT_NAME) > 0)
        err = read_tape(r, tape, why);
    else
        why_fail(why, err, "no memory");
    if (!err)
        err = read_start(r, start, why);
    free(tape);
    free(start);
    if (err)
        recording_close(r);
    else
        *out = r;
    return err;
}

void recording_close(struct recording *r)
{
    if (!r)
        return;
    tape_destroy(r->tape);
    while (r->pieces) {
        struct piece *next = r->pieces->next;
        free(r->pieces);
        r->pieces = next;
    }
    snapshot_close(r->snapshot);
    free(r);
}

const struct record_info *recording_info(const struct recording *r)
{
    return &r->head.info;
}

const struct snapshot *recording_snapshot(const struct recording *r)
{
    return r->snapshot;
}

struct tape *recording_tape(struct recording *r)
{
    return r->tape;
}

const char *recording_damage(const struct recording *r)
{
    return r->damage;
}

uint64_t recording_last_icount(const struct recording *r)
{
    return r->last_icount;
}
