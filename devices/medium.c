/* SPDX-License-Identifier: MIT */
/*
 * Raw images, and overlays over them. An overlay file is
 *
 *      0      magic (8 bytes), version, cluster size (4 each), size of the base (8)
 *      4096   a bit for each cluster: it is here, not in the base
 *      data   the clusters, each at its place (the file is sparse)
 *
 * all little-endian. A cluster's bit is written after its data, so that a crash
 * loses at most what was being written. Nothing in an overlay is trusted: its size
 * must be that of its base, and the bitmap can only choose between two files.
 */
#include "devices/medium.h"

#include "devices/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER MEDIUM_PIECE
#define HEAD 4096u
#define VERSION 1u
static const char magic[8] = "DENALICW";

struct medium {
    int base, overlay; /* overlay -1: none */
    bool readonly;
    struct gate *gate;    /* NULL: nobody records */
    uint8_t number;       /* there */
    uint64_t bytes, data; /* `data`: where clusters begin in the overlay */
    uint8_t *here;        /* the overlay's bitmap */
};

static int read_all(int fd, uint64_t at, uint8_t *out, size_t len)
{
    while (len) {
        ssize_t n = pread(fd, out, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0) { /* somebody cut the file, or the hole at its end */
            memset(out, 0, len);
            return 0;
        }
        at += (uint64_t)n;
        out += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_all(int fd, uint64_t at, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += (uint64_t)n;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static bool is_here(const struct medium *medium, uint64_t cluster)
{
    return medium->here[cluster >> 3] >> (cluster & 7) & 1;
}

/* Bytes from `at` on in one cluster. */
static size_t piece(uint64_t at, size_t len)
{
    size_t room = CLUSTER - at % CLUSTER;
    return len < room ? len : room;
}

static int read_overlaid(struct medium *medium, uint64_t at, uint8_t *out, size_t len)
{
    int err = 0;
    while (!err && len) {
        size_t n = piece(at, len);
        bool here = is_here(medium, at / CLUSTER);
        err = here ? read_all(medium->overlay, medium->data + at, out, n)
                   : read_all(medium->base, at, out, n);
        at += n;
        out += n;
        len -= n;
    }
    return err;
}

static int read_host(struct medium *medium, uint64_t at, void *out, size_t len)
{
    uint8_t *to = out;
    uint64_t left = at < medium->bytes ? medium->bytes - at : 0;
    size_t inside = len < left ? len : (size_t)left;
    memset(to + inside, 0, len - inside);
    if (medium->overlay >= 0)
        return read_overlaid(medium, at, to, inside);
    return read_all(medium->base, at, to, inside);
}

/* The whole cluster goes to the overlay, then its bit. */
static int copy_up(struct medium *medium, uint64_t cluster)
{
    uint8_t data[CLUSTER];
    uint64_t at = cluster * CLUSTER;
    int err = read_host(medium, at, data, CLUSTER);
    if (!err)
        err = write_all(medium->overlay, medium->data + at, data, CLUSTER);
    if (err)
        return err;
    uint8_t byte = (uint8_t)(medium->here[cluster >> 3] | 1u << (cluster & 7));
    err = write_all(medium->overlay, HEAD + (cluster >> 3), &byte, 1);
    if (!err)
        medium->here[cluster >> 3] = byte;
    return err;
}

static int write_overlaid(struct medium *medium, uint64_t at, const uint8_t *data, size_t len)
{
    int err = 0;
    while (!err && len) {
        size_t n = piece(at, len);
        if (!is_here(medium, at / CLUSTER))
            err = copy_up(medium, at / CLUSTER);
        if (!err)
            err = write_all(medium->overlay, medium->data + at, data, n);
        at += n;
        data += n;
        len -= n;
    }
    return err;
}

static int write_host(struct medium *medium, uint64_t at, const void *data, size_t len)
{
    if (medium->readonly)
        return -EROFS;
    if (at > medium->bytes || len > medium->bytes - at)
        return -EIO;
    if (medium->overlay >= 0)
        return write_overlaid(medium, at, data, len);
    return write_all(medium->base, at, data, len);
}

static int flush_host(struct medium *medium)
{
    if (medium->readonly)
        return 0;
    return fdatasync(medium->overlay >= 0 ? medium->overlay : medium->base) ? -errno : 0;
}

void medium_set_gate(struct medium *medium, struct gate *gate, uint8_t number)
{
    medium->gate = gate;
    medium->number = number;
}

/* One exchange; `result` is the host's, and unused in a replay. */
static int exchange(struct medium *medium, int result, void *out, size_t len)
{
    struct gate_event e = {.kind = GATE_DISK,
                           .device = medium->number,
                           .a = result,
                           .data = out,
                           .len = (uint32_t)len};
    if (!gate_exchange(medium->gate, &e))
        return -EIO;
    if (medium->gate->replays && len) {
        size_t n = e.len < len ? e.len : len;
        memset((uint8_t *)out + n, 0, len - n);
        if (n)
            memcpy(out, e.data, n);
    }
    return e.a < 0 && e.a > -4096 ? (int)e.a : 0;
}

static bool is_replayed(const struct medium *medium)
{
    return medium->gate && medium->gate->replays;
}

int medium_read(struct medium *medium, uint64_t at, void *out, size_t len)
{
    int err = is_replayed(medium) ? 0 : read_host(medium, at, out, len);
    return medium->gate ? exchange(medium, err, out, len) : err;
}

int medium_write(struct medium *medium, uint64_t at, const void *data, size_t len)
{
    int err = is_replayed(medium) ? 0 : write_host(medium, at, data, len);
    return medium->gate ? exchange(medium, err, NULL, 0) : err;
}

int medium_flush(struct medium *medium)
{
    int err = is_replayed(medium) ? 0 : flush_host(medium);
    return medium->gate ? exchange(medium, err, NULL, 0) : err;
}

uint64_t medium_next_written(const struct medium *medium, uint64_t at, size_t *len)
{
    uint64_t cluster = at / CLUSTER, end = (medium->bytes + CLUSTER - 1) / CLUSTER;
    while (medium->overlay >= 0 && cluster < end && !is_here(medium, cluster))
        at = ++cluster * CLUSTER;
    if (medium->overlay < 0 || at >= medium->bytes)
        return UINT64_MAX;
    uint64_t left = medium->bytes - at;
    *len = piece(at, left < CLUSTER ? (size_t)left : CLUSTER);
    return at;
}

uint64_t medium_bytes(const struct medium *medium)
{
    return medium->bytes;
}

bool medium_is_readonly(const struct medium *medium)
{
    return medium->readonly;
}

/* A file system without locks is no reason to refuse. */
static int lock(int fd, bool writes, const char *path, struct why *why)
{
    struct flock fl = {.l_type = (short)(writes ? F_WRLCK : F_RDLCK), .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &fl) == 0 || (errno != EAGAIN && errno != EACCES))
        return 0;
    return why_fail(why, -EBUSY, "image %s is in use by another program", path);
}

static int open_base(struct medium *medium, const char *path, bool writes, struct why *why)
{
    struct stat st;
    medium->base = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (medium->base < 0)
        return why_fail(why, -errno, "cannot open image %s: %s%s", path, strerror(errno),
                        (errno == EACCES || errno == EROFS) && writes
                            ? " (to read only: add ,ro or ,snapshot)"
                            : "");
    if (fstat(medium->base, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return why_fail(why, -EINVAL, "image %s is neither a file nor a block device", path);
    off_t end = lseek(medium->base, 0, SEEK_END);
    if (end <= 0)
        return why_fail(why, -EINVAL, "image %s is empty", path);
    medium->bytes = (uint64_t)end;
    return lock(medium->base, writes, path, why);
}

static uint64_t bitmap_bytes(const struct medium *medium)
{
    return ((medium->bytes + CLUSTER - 1) / CLUSTER + 7) / 8;
}

static void put_little(uint8_t *to, unsigned bytes, uint64_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> (8 * i));
}

static void make_head(const struct medium *medium, uint8_t head[24])
{
    memcpy(head, magic, 8);
    put_little(head + 8, 4, VERSION);
    put_little(head + 12, 4, CLUSTER);
    put_little(head + 16, 8, medium->bytes);
}

/* A new overlay, or one that is for this base. */
static int start_overlay(struct medium *medium, const char *path, struct why *why)
{
    uint8_t want[24], found[24];
    uint64_t bits = bitmap_bytes(medium);
    medium->data = (HEAD + bits + CLUSTER - 1) / CLUSTER * CLUSTER;
    medium->here = calloc(1, bits);
    if (!medium->here)
        return why_fail(why, -ENOMEM, "no memory for an overlay of %s", path);
    make_head(medium, want);
    off_t end = lseek(medium->overlay, 0, SEEK_END);
    int err = end < 0 ? -errno : 0;
    if (!err && end == 0)
        return write_all(medium->overlay, 0, want, sizeof(want));
    if (!err)
        err = read_all(medium->overlay, 0, found, sizeof(found));
    if (!err && memcmp(want, found, 16))
        return why_fail(why, -EINVAL, "%s is not an overlay of an image", path);
    if (!err && memcmp(want, found, sizeof(want)))
        return why_fail(why, -EINVAL, "the overlay %s belongs to an image of another size", path);
    if (!err)
        err = read_all(medium->overlay, HEAD, medium->here, bits);
    return err ? why_fail(why, err, "cannot read the overlay %s: %s", path, strerror(-err)) : 0;
}

static int open_overlay(struct medium *medium, const char *path, struct why *why)
{
    medium->overlay = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (medium->overlay < 0)
        return why_fail(why, -errno, "cannot open the overlay %s: %s", path, strerror(errno));
    int err = lock(medium->overlay, true, path, why);
    return err ? err : start_overlay(medium, path, why);
}

static int open_forgotten(struct medium *medium, struct why *why)
{
    const char *tmp = getenv("TMPDIR");
    medium->overlay = open(tmp && *tmp ? tmp : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (medium->overlay < 0)
        return why_fail(why, -errno, "cannot make a temporary file: %s", strerror(errno));
    return start_overlay(medium, "(temporary)", why);
}

static int open_spec(struct medium *medium, char *path, bool readonly, struct why *why)
{
    char *cow = strstr(path, ",cow="), *comma = strrchr(path, ',');
    bool snapshot = comma && !strcmp(comma, ",snapshot"), ro = comma && !strcmp(comma, ",ro");
    if (cow)
        *cow = 0;
    else if (snapshot || ro)
        *comma = 0;
    medium->readonly = readonly || ro;
    int err = open_base(medium, path, !medium->readonly && !cow && !snapshot, why);
    if (err || medium->readonly)
        return err;
    if (cow)
        return open_overlay(medium, cow + 5, why);
    return snapshot ? open_forgotten(medium, why) : 0;
}

int medium_open(const char *spec, bool readonly, struct medium **out, struct why *why)
{
    struct medium *medium = calloc(1, sizeof(*medium));
    char *path = strdup(spec);
    int err = medium && path ? 0 : why_fail(why, -ENOMEM, "no memory for an image");
    if (!err) {
        medium->base = medium->overlay = -1;
        err = open_spec(medium, path, readonly, why);
    }
    free(path);
    if (err) {
        medium_close(medium);
        return err;
    }
    *out = medium;
    return 0;
}

void medium_close(struct medium *medium)
{
    if (!medium)
        return;
    if (medium->base >= 0)
        close(medium->base);
    if (medium->overlay >= 0)
        close(medium->overlay);
    free(medium->here);
    free(medium);
}
