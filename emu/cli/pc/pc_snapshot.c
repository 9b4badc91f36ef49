/* SPDX-License-Identifier: MIT */
/*
 * gzip has a sum of all bytes: a file is read to its end once before anything of it is believed,
 * so that a damaged one changes nothing.
 */
#include "emu/cli/pc/pc_snapshot.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE (1u << 20)

static int gz_put(void *opaque, void *data, size_t len)
{
    return gzwrite(opaque, data, (unsigned)len) == (int)len ? 0 : -EIO;
}

static int gz_get(void *opaque, void *data, size_t len)
{
    return gzread(opaque, data, (unsigned)len) == (int)len ? 0 : -EBADMSG;
}

/* Of a copy of the descriptor, from the file's begin. */
static gzFile open_gz(int fd, const char *mode)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0 || lseek(own, 0, SEEK_SET) != 0) {
        if (own >= 0)
            close(own);
        return NULL;
    }
    gzFile gz = gzdopen(own, mode);
    if (gz)
        gzbuffer(gz, 1 << 17);
    else
        close(own);
    return gz;
}

int pc_snapshot_write(struct pc *pc, int fd, struct why *why)
{
    gzFile gz = open_gz(fd, "wb1");
    if (!gz)
        return why_fail(why, -EIO, "cannot write it");
    const struct pc_stream to = {gz_put, gz};
    int err = pc_save(pc, &to, why);
    if (gzclose(gz) != Z_OK && !err)
        err = why_fail(why, -EIO, "cannot write it: %s", strerror(errno ? errno : EIO));
    return err;
}

static bool is_whole(int fd)
{
    gzFile gz = open_gz(fd, "rb");
    char *piece = malloc(PIECE);
    int n = -1;
    bool direct = !gz || gzdirect(gz);
    while (piece && !direct && (n = gzread(gz, piece, PIECE)) > 0)
        continue;
    free(piece);
    return gz && gzclose(gz) == Z_OK && !n && !direct;
}

int pc_snapshot_read(struct pc *pc, int fd, struct why *why)
{
    if (!is_whole(fd))
        return why_fail(why, -ENOEXEC, "it is damaged, or no snapshot");
    gzFile gz = open_gz(fd, "rb");
    if (!gz)
        return why_fail(why, -EIO, "cannot read it");
    const struct pc_stream from = {gz_get, gz};
    int err = pc_load(pc, &from, why);
    gzclose(gz);
    return err == -EINVAL ? -ENOEXEC : err;
}

int pc_snapshot_look(struct pc *pc, int fd, struct cpu *cpu, uint8_t *ram, struct why *why)
{
    gzFile gz = open_gz(fd, "rb");
    if (!gz)
        return why_fail(why, -EIO, "cannot read it");
    const struct pc_stream from = {gz_get, gz};
    int err = pc_look(pc, &from, cpu, ram, why);
    gzclose(gz);
    return err;
}

int pc_snapshot_save(struct pc *pc, const char *path, struct why *why)
{
    char temporary[4096];
    struct why inner;
    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
        return why_fail(why, -ENAMETOOLONG, "the name of the snapshot is too long");
    int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return why_fail(why, -errno, "cannot write %s: %s", temporary, strerror(errno));
    int err = pc_snapshot_write(pc, fd, &inner);
    close(fd);
    if (!err && rename(temporary, path))
        err = why_fail(&inner, -errno, "%s", strerror(errno));
    if (err)
        unlink(temporary);
    return err ? why_fail(why, err, "snapshot %s: %s", path, inner.text) : 0;
}

int pc_snapshot_load(struct pc *pc, const char *path, struct why *why)
{
    struct why inner;
    int fd = host_open_file(path);
    if (fd < 0)
        return why_fail(why, fd, "cannot read %s: %s", path, strerror(-fd));
    int err = pc_snapshot_read(pc, fd, &inner);
    close(fd);
    return err ? why_fail(why, err, "snapshot %s: %s", path, inner.text) : 0;
}

/* FNV-1a, a word at a time where there are whole ones. */
static int add_to_hash(void *opaque, void *data, size_t len)
{
    uint64_t *hash = opaque, word;
    const uint8_t *at = data;
    for (; len >= 8; at += 8, len -= 8) {
        memcpy(&word, at, 8);
        *hash = (*hash ^ word) * 1099511628211u;
        *hash ^= *hash >> 32;
    }
    for (; len; len--)
        *hash = (*hash ^ *at++) * 1099511628211u;
    return 0;
}

int pc_state_hash(struct pc *pc, uint64_t *out, struct why *why)
{
    const struct pc_stream to = {add_to_hash, out};
    *out = 14695981039346656037u;
    return pc_save(pc, &to, why);
}
