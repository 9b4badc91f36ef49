/* SPDX-License-Identifier: MIT */
/* The programs that run in the targets, for gdb to read its symbols from, and the guest's own tree
 * of files where that is a folder here, for the libraries; no other file, and only to read. */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

static bool is_known(struct gdb *gdb, const char *path)
{
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        const struct target *target = loop_target(gdb->loop, n);
        for (unsigned i = 0; i < target->files; i++)
            if (!strcmp(target->file[i].path, path))
                return true;
    }
    return false;
}

/* A path of the guest's: links and ".." lead to nothing outside its tree. */
static int open_in_root(const struct target *target, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    struct stat st;
    int root = target->root ? open(target->root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (root < 0)
        return -1;
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    close(root);
    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void handle_open(struct gdb *gdb, const char *at)
{
    char path[PATH_MAX];
    unsigned slot = 0;
    while (slot < GDB_FILES && gdb->file[slot] >= 0)
        slot++;
    if (!gdb_take_text(&at, path, sizeof(path)) || slot == GDB_FILES) {
        put_result(gdb, -1, EINVAL);
        return;
    }
    int fd = is_known(gdb, path) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
                                 : gdb_open_proc(gdb, path);
    if (fd < 0)
        fd = open_in_root(gdb->general.target, path);
    if (fd >= 0)
        gdb->file[slot] = fd;
    put_result(gdb, fd >= 0 ? (int64_t)slot : -1, ENOENT);
}

/* The descriptor behind gdb's number at *at; -1. */
static int take_file(struct gdb *gdb, const char **at)
{
    uint64_t slot;
    bool good = gdb_take_hex(at, &slot) && slot < GDB_FILES;
    return good ? gdb->file[slot] : -1;
}

static void handle_pread(struct gdb *gdb, const char *at)
{
    char bytes[GDB_PACKET_MAX / 2 - 32]; /* all of it may need escapes */
    uint64_t count, offset;
    int fd = take_file(gdb, &at);
    if (fd < 0 || !gdb_take_char(&at, ',') || !gdb_take_hex(&at, &count) ||
        !gdb_take_char(&at, ',') || !gdb_take_hex(&at, &offset) || offset > INT64_MAX) {
        put_result(gdb, -1, fd < 0 ? EBADF : EINVAL);
        return;
    }
    ssize_t n = pread(fd, bytes, count < sizeof(bytes) ? count : sizeof(bytes), (off_t)offset);
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
    int fd = take_file(gdb, &at);
    if (fd < 0 || fstat(fd, &st)) {
        put_result(gdb, -1, EBADF);
        return;
    }
    put_big(out + 8, 4, S_IFREG | 0444);
    put_big(out + 12, 4, 1);
    put_big(out + 28, 8, (uint64_t)st.st_size);
    put_big(out + 36, 8, 4096);
    put_big(out + 44, 8, (uint64_t)st.st_blocks);
    put_big(out + 56, 4, (uint64_t)st.st_mtime);
    put_result(gdb, sizeof(out), 0);
    gdb_put(gdb, ";");
    gdb_put_binary(gdb, out, sizeof(out));
}

static void handle_close(struct gdb *gdb, const char *at)
{
    uint64_t slot;
    bool good = gdb_take_hex(&at, &slot) && slot < GDB_FILES && gdb->file[slot] >= 0;
    if (good) {
        close(gdb->file[slot]);
        gdb->file[slot] = -1;
    }
    put_result(gdb, good ? 0 : -1, EBADF);
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
        if (gdb->file[i] >= 0)
            close(gdb->file[i]);
        gdb->file[i] = -1;
    }
}
