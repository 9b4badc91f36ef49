/* SPDX-License-Identifier: MIT */
/*
 * Files that gdb asks for and that are nowhere on the host: /proc/PID/NAME, as
 * the kernel in the target would tell it, and the list of threads (status,
 * stat) as gdb knows them anyway.
 */
#include "emu/debug/gdb/gdb_private.h"

#include "emu/base/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "/proc/1/maps", "/proc/1/task/1000/maps": the target, and the last name. */
static struct target *take_path(struct gdb *gdb, const char *path, const char **name)
{
    char *end;
    if (strncmp(path, "/proc/", 6))
        return NULL;
    unsigned long id = strtoul(path + 6, &end, 10);
    *name = strrchr(path, '/') + 1;
    return *end == '/' && id <= UINT32_MAX ? loop_find(gdb->loop, (unsigned)id) : NULL;
}

static void put_status(struct gdb *gdb, struct target *target, FILE *out)
{
    unsigned threads = 0;
    while (gdb_thread(gdb, target, threads))
        threads++;
    const struct target_thread *first = gdb_thread(gdb, target, 0);
    fprintf(out,
            "Name:\t%s\nState:\tt (tracing stop)\nTgid:\t%u\nPid:\t%u\nPPid:\t1\nTracerPid:\t0\n"
            "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nThreads:\t%u\n",
            first ? first->name : target->name, GDB_LINUX_PID, GDB_LINUX_PID, threads);
}

static void put_stat(struct gdb *gdb, struct target *target, FILE *out)
{
    const struct target_thread *first = gdb_thread(gdb, target, 0);
    fprintf(out, "%u (%s) t 1 %u %u 0", GDB_LINUX_PID, first ? first->name : target->name,
            GDB_LINUX_PID, GDB_LINUX_PID);
    for (unsigned field = 8; field <= 52; field++)
        fputs(" 0", out);
    fputc('\n', out);
}

/* Any machine but a Linux program is one range of memory. */
static bool put_machine(struct target *target, const char *name, FILE *out)
{
    uint64_t bytes = target->ops->memory(target);
    if (!strcmp(name, "maps"))
        fprintf(out, "00000000-%08llx rwxp 00000000 00:00 0\n",
                (unsigned long long)(bytes > UINT32_MAX ? UINT32_MAX & ~PAGE_MASK : bytes));
    else if (!strcmp(name, "cmdline"))
        fwrite(target->name, 1, strlen(target->name) + 1, out);
    else if (!strcmp(name, "exe"))
        fputs(target->files ? target->file[0].path : "", out);
    else
        return false;
    return true;
}

static bool put_file(struct gdb *gdb, struct target *target, const char *name, FILE *out)
{
    bool is_linux = gdb_is_linux(target);
    if (!strcmp(name, "status"))
        put_status(gdb, target, out);
    else if (!strcmp(name, "stat"))
        put_stat(gdb, target, out);
    else if (!is_linux)
        return put_machine(target, name, out);
    else
        return gdb->config.proc && gdb->config.proc(gdb->config.command_opaque, target, name, out);
    return true;
}

/* The text is freed by the caller; NULL: there is no such file. */
static char *make_text(struct gdb *gdb, const char *path, size_t *len)
{
    const char *name;
    char *text = NULL;
    struct target *target = take_path(gdb, path, &name);
    FILE *out = target && !target->ended ? open_memstream(&text, len) : NULL;
    if (!out)
        return NULL;
    bool good = put_file(gdb, target, name, out);
    good &= fclose(out) == 0;
    if (good)
        return text;
    free(text);
    return NULL;
}

int gdb_open_proc(struct gdb *gdb, const char *path)
{
    size_t len;
    char *text = make_text(gdb, path, &len);
    int fd = text ? host_memobj_create("proc", len) : -1;
    if (fd >= 0 && pwrite(fd, text, len, 0) != (ssize_t)len) {
        close(fd);
        fd = -1;
    }
    free(text);
    return fd;
}

bool gdb_read_link(struct gdb *gdb, const char *path, char *out, size_t room)
{
    size_t len;
    char *text = make_text(gdb, path, &len);
    bool good = text && len < room;
    if (good)
        memcpy(out, text, len + 1);
    free(text);
    return good;
}
