/* SPDX-License-Identifier: MIT */
/*
 * Invariant: `good` is where the last whole line ends; the file never grows
 * behind half a line, because a write that fails is cut off again.
 */
#include "denali/host/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

struct journal {
    char *path;
    int fd;
    off_t good;
    size_t lines;
};

static uint32_t checksum(const char *text, size_t len)
{
    return (uint32_t)crc32(0, (const unsigned char *)text, (unsigned)len);
}

/* The line's text with its checksum and newline; NULL: no memory. */
static char *format_line(const json_t *object, size_t *len)
{
    char *text = json_dumps(object, JSON_COMPACT), *line = NULL;
    int n = text ? asprintf(&line, "%08x %s\n", checksum(text, strlen(text)), text) : -1;
    free(text);
    if (n < 0)
        return NULL;
    *len = (size_t)n;
    return line;
}

/* A line without its newline; NULL: it is not whole. */
static json_t *parse_line(const char *line, size_t len)
{
    char *end;
    if (len < 10 || line[8] != ' ')
        return NULL;
    uint32_t sum = (uint32_t)strtoul(line, &end, 16);
    if (end != line + 8 || sum != checksum(line + 9, len - 9))
        return NULL;
    json_t *object = json_loadb(line + 9, len - 9, 0, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

/* Everything up to the first line that is not whole. */
static int read_lines(struct journal *j, void (*line)(void *, json_t *), void *opaque)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t n;
    FILE *f = fopen(j->path, "re");
    if (!f)
        return -errno;
    while ((n = getline(&text, &room, f)) > 0 && text[n - 1] == '\n') {
        json_t *object = parse_line(text, (size_t)n - 1);
        if (!object)
            break;
        line(opaque, object);
        json_decref(object);
        j->good += n;
        j->lines++;
    }
    free(text);
    fclose(f);
    return 0;
}

static int sync_folder(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    int err = fd < 0 || fsync(fd) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return err;
}

int journal_open(const char *path, void (*line)(void *, json_t *), void *opaque,
                 struct journal **out, struct why *why)
{
    struct journal *j = calloc(1, sizeof(*j));
    if (!j || !(j->path = strdup(path))) {
        free(j);
        return why_fail(why, -ENOMEM, "no memory");
    }
    j->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int err = j->fd < 0 ? -errno : read_lines(j, line, opaque);
    /* Half a line at the end was never acknowledged. */
    if (!err && (ftruncate(j->fd, j->good) || lseek(j->fd, j->good, SEEK_SET) < 0))
        err = -errno;
    if (!err)
        err = sync_folder(path);
    if (err) {
        journal_close(j);
        return why_fail(why, err, "cannot use %s: %s", path, strerror(-err));
    }
    *out = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    free(j->path);
    free(j);
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

int journal_add(struct journal *j, const json_t *object)
{
    size_t len;
    char *line = format_line(object, &len);
    if (!line)
        return -ENOMEM;
    int err = write_all(j->fd, line, len);
    free(line);
    if (err) {
        if (ftruncate(j->fd, j->good) || lseek(j->fd, j->good, SEEK_SET) < 0)
            return -EIO;
        return err;
    }
    j->good += (off_t)len;
    j->lines++;
    return 0;
}

int journal_sync(struct journal *j)
{
    return fdatasync(j->fd) ? -errno : 0;
}

size_t journal_lines(const struct journal *j)
{
    return j->lines;
}

static int write_anew(struct journal *fresh, json_t *(*next)(void *), void *opaque)
{
    json_t *object;
    int err = 0;
    while (!err && (object = next(opaque))) {
        err = journal_add(fresh, object);
        json_decref(object);
    }
    return err ? err : journal_sync(fresh);
}

int journal_rewrite(struct journal *j, json_t *(*next)(void *), void *opaque)
{
    struct journal fresh = {.fd = -1};
    if (asprintf(&fresh.path, "%s.new", j->path) < 0)
        return -ENOMEM;
    fresh.fd = open(fresh.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = fresh.fd < 0 ? -errno : write_anew(&fresh, next, opaque);
    if (!err && rename(fresh.path, j->path))
        err = -errno;
    if (err && fresh.fd >= 0) {
        close(fresh.fd);
        unlink(fresh.path);
    }
    free(fresh.path);
    if (err)
        return err;
    close(j->fd);
    j->fd = fresh.fd;
    j->good = fresh.good;
    j->lines = fresh.lines;
    return sync_folder(j->path);
}
