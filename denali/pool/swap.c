/* SPDX-License-Identifier: MIT */
/*
 * Pieces lie in runs of units behind a small head, found by a bitmap: next fit,
 * from where the last one ended, so that what is written together lies together.
 * Only the bitmap is behind the lock; input and output are not.
 */
#include "denali/pool/swap.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

struct head {
    uint32_t magic, at, len, crc;
};
#define MAGIC 0x50575344u /* "DSWP" */

#define FIRST_UNITS 65536u
#define MOST_UNITS (UINT32_MAX & ~63u)

struct swap {
    int fd;
    struct host_lock lock; /* all below */
    uint64_t *used;        /* bit by unit */
    uint32_t units, max_units;
    uint32_t next; /* where to look first */
    uint64_t used_units;
};

int swap_open(const char *path, uint64_t max_bytes, struct swap **out, struct why *why)
{
    struct swap *s = calloc(1, sizeof(*s));
    if (!s || host_lock_init(&s->lock)) {
        free(s);
        return why_fail(why, -ENOMEM, "no memory");
    }
    uint64_t max = max_bytes ? max_bytes / SWAP_UNIT : MOST_UNITS;
    s->max_units = max < MOST_UNITS ? (uint32_t)max : MOST_UNITS;
    s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int err = s->fd < 0 ? -errno : 0;
    if (!err && flock(s->fd, LOCK_EX | LOCK_NB))
        err = -errno;
    if (!err && ftruncate(s->fd, 0) && errno != EINVAL) /* a device has no length */
        err = -errno;
    if (err) {
        why_fail(why, err, "cannot use the swap file %s: %s", path,
                 err == -EWOULDBLOCK ? "somebody else swaps there" : strerror(-err));
        swap_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void swap_close(struct swap *s)
{
    if (!s)
        return;
    if (s->fd >= 0) {
        int err = ftruncate(s->fd, 0);
        (void)err;
        close(s->fd);
    }
    host_lock_fini(&s->lock);
    free(s->used);
    free(s);
}

/* Units. Inside the lock. */

static bool is_used(const struct swap *s, uint32_t unit)
{
    return s->used[unit / 64] >> (unit % 64) & 1;
}

static void set_used(struct swap *s, uint32_t at, uint32_t units, bool used)
{
    for (uint32_t i = at; i < at + units; i++) {
        uint64_t bit = (uint64_t)1 << (i % 64);
        s->used[i / 64] = used ? s->used[i / 64] | bit : s->used[i / 64] & ~bit;
    }
    s->used_units += used ? (uint64_t)units : -(uint64_t)units;
}

/* The first free run in [from, end); `end`: none. */
static uint32_t find_run(const struct swap *s, uint32_t from, uint32_t end, uint32_t units)
{
    uint32_t run = 0;
    for (uint32_t i = from; i < end; i++) {
        if (i % 64 == 0 && s->used[i / 64] == UINT64_MAX) {
            i += 63;
            run = 0;
            continue;
        }
        run = is_used(s, i) ? 0 : run + 1;
        if (run == units)
            return i + 1 - units;
    }
    return end;
}

static int grow(struct swap *s)
{
    uint64_t want = s->units ? 2 * (uint64_t)s->units : FIRST_UNITS;
    uint32_t units = want < s->max_units ? (uint32_t)want : s->max_units;
    if (units <= s->units)
        return -ENOSPC;
    size_t words = (size_t)units / 64 + 1, had = s->units ? (size_t)s->units / 64 + 1 : 0;
    uint64_t *bigger = realloc(s->used, words * sizeof(uint64_t));
    if (!bigger)
        return -ENOMEM;
    memset(bigger + had, 0, (words - had) * sizeof(uint64_t));
    s->used = bigger;
    s->units = units;
    return 0;
}

static int take(struct swap *s, uint32_t units, uint32_t *at)
{
    for (;;) {
        *at = find_run(s, s->next, s->units, units);
        if (*at == s->units)
            *at = find_run(s, 0, s->units, units);
        if (*at != s->units)
            break;
        int err = grow(s);
        if (err)
            return err;
    }
    set_used(s, *at, units, true);
    s->next = *at + units;
    return 0;
}

static uint32_t units_for(uint32_t len)
{
    return (uint32_t)(((uint64_t)len + sizeof(struct head) + SWAP_UNIT - 1) / SWAP_UNIT);
}

/* Input and output. */

static uint32_t crc_of(const struct head *h, const void *data)
{
    uint32_t crc = (uint32_t)crc32_z(h->at, (const void *)&h->len, sizeof(h->len));
    return (uint32_t)crc32_z(crc, data, h->len);
}

static int transfer(const struct swap *s, struct head *h, void *data, uint32_t at, uint32_t len,
                    bool write)
{
    struct iovec iov[2] = {{h, sizeof(*h)}, {data, len}};
    ssize_t n, whole = (ssize_t)(sizeof(*h) + len);
    off_t offset = (off_t)at * SWAP_UNIT;
    do {
        n = write ? pwritev(s->fd, iov, 2, offset) : preadv(s->fd, iov, 2, offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EFBIG || errno == EDQUOT ? -ENOSPC : -errno;
    return n == whole ? 0 : write ? -ENOSPC : -EBADMSG; /* cut short */
}

int swap_write(struct swap *s, const void *data, uint32_t len, struct swap_ref *out)
{
    struct swap_ref ref = {.len = len};
    host_lock_enter(&s->lock);
    int err = take(s, units_for(len), &ref.at);
    host_lock_leave(&s->lock);
    if (err)
        return err;
    struct head head = {.magic = MAGIC, .at = ref.at, .len = len};
    head.crc = crc_of(&head, data);
    err = transfer(s, &head, (void *)(uintptr_t)data, ref.at, len, true);
    if (err)
        swap_free(s, ref);
    else
        *out = ref;
    return err;
}

int swap_read(struct swap *s, struct swap_ref ref, void *out)
{
    struct head head = {0};
    int err = transfer(s, &head, out, ref.at, ref.len, false);
    if (err)
        return err;
    if (head.magic != MAGIC || head.at != ref.at || head.len != ref.len ||
        head.crc != crc_of(&head, out))
        return -EBADMSG;
    return 0;
}

void swap_free(struct swap *s, struct swap_ref ref)
{
    host_lock_enter(&s->lock);
    set_used(s, ref.at, units_for(ref.len), false);
    host_lock_leave(&s->lock);
}

uint64_t swap_used_bytes(struct swap *s)
{
    host_lock_enter(&s->lock);
    uint64_t units = s->used_units;
    host_lock_leave(&s->lock);
    return units * SWAP_UNIT;
}
