/* SPDX-License-Identifier: MIT */
/* The programs that run in the targets, for gdb to read its symbols from, and the guest's own tree
 * of files, for the libraries; no other file, and only to read. */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* gdb's own numbers of errors. */
static int file_error(int err)
{
    return err == ENOENT || err == EACCES || err == EINVAL || err == EBADF || err == EIO ? err
                                                                                         : 9999;
}

static void put_result(struct gdb *gdb, int64_t result, int err)
{
    if (result < 0)
        gdb_put_format(gdb, "F-1,%x", (unsigned)file_error(err));
    else
        gdb_put_format(gdb, "F%llx", (unsigned long long)result);
}

/* The descriptor of a whole file. */
static bool take_whole(int fd, struct gdb_open_file *out)
{
    struct stat st;
    bool good = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);
    *out = (struct gdb_open_file){.fd = good ? fd : -1, .size = good ? (uint64_t)st.st_size : 0};
    if (fd >= 0 && !good)
        close(fd);
    return good;
}

static bool open_program(struct gdb *gdb, const char *path, struct gdb_open_file *out)
{
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        const struct target *target = loop_target(gdb->loop, n);
        for (unsigned i = 0; i < target->files; i++)
            if (!strcmp(target->file[i].path, path))
                return take_whole(
                    open(target_file_place(&target->file[i]), O_RDONLY | O_CLOEXEC | O_NONBLOCK),
                    out);
    }
    return false;
}

static bool open_in_tree(struct target *target, const char *path, struct gdb_open_file *out)
{
    *out = (struct gdb_open_file){.fd = -1};
    if (target->ops->open_file)
        out->fd = target->ops->open_file(target, path, &out->offset, &out->size);
    return out->fd >= 0;
}

static void handle_open(struct gdb *gdb, const char *at)
{
    char path[PATH_MAX];
    struct gdb_open_file file;
    unsigned slot = 0;
    while (slot < GDB_FILES && gdb->file[slot].fd >= 0)
        slot++;
    if (!gdb_take_text(&at, path, sizeof(path)) || slot == GDB_FILES) {
        put_result(gdb, -1, EINVAL);
        return;
    }
    bool good = open_program(gdb, path, &file) || take_whole(gdb_open_proc(gdb, path), &file) ||
                open_in_tree(gdb->general.target, path, &file);
    if (good)
        gdb->file[slot] = file;
    put_result(gdb, good ? (int64_t)slot : -1, ENOENT);
}

/* The file behind gdb's number at *at; NULL. */
static struct gdb_open_file *take_file(struct gdb *gdb, const char **at)
{
    uint64_t slot;
    bool good = gdb_take_hex(at, &slot) && slot < GDB_FILES && gdb->file[slot].fd >= 0;
    return good ? &gdb->file[slot] : NULL;
}

static void handle_pread(struct gdb *gdb, const char *at)
{
    char bytes[GDB_PACKET_MAX / 2 - 32]; /* all of it may need escapes */
    uint64_t count, offset;
    const struct gdb_open_file *file = take_file(gdb, &at);
    if (!file || !gdb_take_char(&at, ',') || !gdb_take_hex(&at, &count) ||
        !gdb_take_char(&at, ',') || !gdb_take_hex(&at, &offset) || offset > INT64_MAX) {
        put_result(gdb, -1, !file ? EBADF : EINVAL);
        return;
    }
    uint64_t left = offset < file->size ? file->size - offset : 0;
    count = count < left ? count : left;
    ssize_t n = pread(file->fd, bytes, count < sizeof(bytes) ? count : sizeof(bytes),
                      (off_t)(file->offset + offset));
    put_result(gdb, n, n < 0 ? errno : 0);
    if (n >= 0) {
        gdb_put(gdb, ";");
        gdb_put_binary(gdb, bytes, (size_t)n);
    }
}

static void put_big(uint8_t *to, unsigned bytes, uint64_t value)
{
    while (bytes--) {
        to[bytes] = (uint8_t)value;
        value >>= 8;
    }
}

/* The protocol's struct stat: 64 bytes, big-endian. */
static void handle_fstat(struct gdb *gdb, const char *at)
{
    uint8_t out[64] = {0};
    struct stat st;
    const struct gdb_open_file *file = take_file(gdb, &at);
    if (!file || fstat(file->fd, &st)) {
        put_result(gdb, -1, EBADF);
        return;
    }
    put_big(out + 8, 4, S_IFREG | 0444);
    put_big(out + 12, 4, 1);
    put_big(out + 28, 8, file->size);
    put_big(out + 36, 8, 4096);
    put_big(out + 44, 8, (file->size + 511) / 512);
    put_big(out + 56, 4, (uint64_t)st.st_mtime);
    put_result(gdb, sizeof(out), 0);
    gdb_put(gdb, ";");
    gdb_put_binary(gdb, out, sizeof(out));
}

static void handle_close(struct gdb *gdb, const char *at)
{
    struct gdb_open_file *file = take_file(gdb, &at);
    if (file) {
        close(file->fd);
        file->fd = -1;
    }
    put_result(gdb, file ? 0 : -1, EBADF);
}

static void handle_setfs(struct gdb *gdb, const char *at)
{
    (void)at; /* there is one tree of files */
    put_result(gdb, 0, 0);
}

static void handle_readlink(struct gdb *gdb, const char *at)
{
    char path[PATH_MAX], to[PATH_MAX];
    if (!gdb_take_text(&at, path, sizeof(path)) || !gdb_read_link(gdb, path, to, sizeof(to))) {
        put_result(gdb, -1, ENOENT);
        return;
    }
    put_result(gdb, (int64_t)strlen(to), 0);
    gdb_put(gdb, ";");
    gdb_put_binary(gdb, to, strlen(to));
}

void gdb_handle_file(struct gdb *gdb, const char *packet)
{
    static const struct {
        const char *name;
        void (*handle)(struct gdb *gdb, const char *at);
    } calls[] = {
        {"vFile:open:", handle_open},   {"vFile:pread:", handle_pread},
        {"vFile:fstat:", handle_fstat}, {"vFile:close:", handle_close},
        {"vFile:setfs:", handle_setfs}, {"vFile:readlink:", handle_readlink},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        size_t len = strlen(calls[i].name);
        if (!strncmp(packet, calls[i].name, len)) {
            calls[i].handle(gdb, packet + len);
            return;
        }
    }
}

void gdb_close_files(struct gdb *gdb)
{
    for (unsigned i = 0; i < GDB_FILES; i++) {
        if (gdb->file[i].fd >= 0)
            close(gdb->file[i].fd);
        gdb->file[i].fd = -1;
    }
}
