/* SPDX-License-Identifier: MIT */
/* Open files and the process's table of descriptors. */
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/poll.h"

#define FIRST_ROOM 64u

static struct {
    struct file **file;
    uint8_t *cloexec;
    uint32_t room;
    uint32_t limit;
    struct file *first_file[FIRST_ROOM];
    uint8_t first_cloexec[FIRST_ROOM];
} table = {.limit = 1024};

uint32_t fd_limit(void)
{
    return table.limit;
}

void fd_set_limit(uint32_t limit)
{
    table.limit = limit < FD_MAX ? limit : FD_MAX;
}

static int grow(uint32_t need)
{
    if (!table.file) {
        table.file = table.first_file;
        table.cloexec = table.first_cloexec;
        table.room = FIRST_ROOM;
    }
    if (need <= table.room)
        return 0;
    uint32_t room = table.room;
    while (room < need)
        room *= 2;
    struct file **file = kzalloc(room * sizeof *file);
    uint8_t *cloexec = kzalloc(room);
    if (!file || !cloexec) {
        kfree(file);
        kfree(cloexec);
        return -ENOMEM;
    }
    memcpy(file, table.file, table.room * sizeof *file);
    memcpy(cloexec, table.cloexec, table.room);
    if (table.file != table.first_file) {
        kfree(table.file);
        kfree(table.cloexec);
    }
    table.file = file;
    table.cloexec = cloexec;
    table.room = room;
    return 0;
}

struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data)
{
    struct file *file = kzalloc_lively(sizeof *file);
    if (!file)
        return NULL;
    file->ops = ops;
    file->refs = 1;
    file->flags = flags & ~(uint32_t)O_CLOEXEC;
    file->data = data;
    return file;
}

void file_hold(struct file *file)
{
    file->refs++;
}

void file_release(struct file *file)
{
    if (--file->refs)
        return;
    epoll_forget_file(file);
    if (file->ops->close)
        file->ops->close(file);
    if (file->dentry)
        dentry_release(file->dentry);
    kfree(file);
}

struct file *fd_file(uint32_t fd)
{
    return fd < table.room ? table.file[fd] : NULL;
}

int fd_install(struct file *file, uint32_t min, uint32_t flags)
{
    uint32_t fd = min;
    while (fd < table.room && table.file[fd])
        fd++;
    int err = fd >= table.limit ? -EMFILE : grow(fd + 1);
    if (err) {
        file_release(file);
        return err;
    }
    table.file[fd] = file;
    table.cloexec[fd] = (flags & O_CLOEXEC) != 0;
    return (int)fd;
}

int fd_replace(uint32_t fd, struct file *file, uint32_t flags)
{
    int err = fd >= table.limit ? -EBADF : grow(fd + 1);
    if (err)
        return err;
    struct file *old = table.file[fd];
    file_hold(file);
    table.file[fd] = file;
    table.cloexec[fd] = (flags & O_CLOEXEC) != 0;
    if (old)
        file_release(old);
    return (int)fd;
}

int fd_close(uint32_t fd)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    table.file[fd] = NULL;
    file_release(file);
    return 0;
}

bool fd_cloexec(uint32_t fd)
{
    return table.cloexec[fd];
}

void fd_set_cloexec(uint32_t fd, bool on)
{
    table.cloexec[fd] = on;
}

uint32_t fd_room(void)
{
    return table.room;
}
