/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs: a ring of one allocation, 64 KiB. A write of up to
 * PIPE_BUF bytes is taken whole or not at all.
 */
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/linux_abi.h"
#include "guests/ilwaco/poll.h"
#include "guests/ilwaco/sys.h"

#define PIPE_BYTES 65536u
#define PIPE_BUF 4096u

struct pipe {
    char *ring;
    uint32_t bytes, head, used; /* size of the ring; next to read; bytes in it */
    uint32_t readers, writers, opens;
    uint32_t ever_readers, ever_writers; /* how often an end was opened */
    struct wait_queue queue;
};

static struct pipe *pipe_create(void)
{
    struct pipe *pipe = kzalloc(sizeof *pipe);
    char *ring = pipe ? page_alloc(PIPE_BYTES / PAGE_SIZE) : NULL;
    if (!ring) {
        kfree(pipe);
        return NULL;
    }
    pipe->ring = ring;
    pipe->bytes = PIPE_BYTES;
    return pipe;
}

static void pipe_destroy(struct pipe *pipe)
{
    page_free(pipe->ring, PIPE_BYTES / PAGE_SIZE);
    kfree(pipe);
}

static int pipe_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct pipe *pipe = file->data;
    uint32_t before = uio->left;
    (void)pos;
    if (!before)
        return 0;
    while (!pipe->used) {
        if (!pipe->writers)
            return 0;
        int err = file->flags & O_NONBLOCK ? -EAGAIN : wait_on(&pipe->queue, TIME_NEVER);
        if (err)
            return err;
    }
    while (pipe->used && uio->left) {
        uint32_t n = pipe->bytes - pipe->head < pipe->used ? pipe->bytes - pipe->head : pipe->used;
        n = n < uio->left ? n : uio->left;
        if (uio_put(uio, pipe->ring + pipe->head, n))
            return -EFAULT;
        pipe->head = (pipe->head + n) % pipe->bytes;
        pipe->used -= n;
    }
    if (!pipe->used)
        pipe->head = 0; /* keeps a ping-pong within one page */
    wake(&pipe->queue);
    return (int)(before - uio->left);
}

static int put_bytes(struct pipe *pipe, struct uio *uio)
{
    while (uio->left && pipe->used < pipe->bytes) {
        uint32_t at = (pipe->head + pipe->used) % pipe->bytes, room = pipe->bytes - pipe->used;
        uint32_t n = pipe->bytes - at < room ? pipe->bytes - at : room;
        n = n < uio->left ? n : uio->left;
        if (uio_get(uio, pipe->ring + at, n))
            return -EFAULT;
        pipe->used += n;
    }
    return 0;
}

static int pipe_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct pipe *pipe = file->data;
    uint32_t before = uio->left;
    (void)pos;
    while (uio->left) {
        uint32_t need = before <= PIPE_BUF ? before : 1;
        int err = 0;
        if (!pipe->readers)
            err = -EPIPE;
        else if (pipe->bytes - pipe->used >= need)
            err = put_bytes(pipe, uio);
        else
            err = file->flags & O_NONBLOCK ? -EAGAIN : wait_on(&pipe->queue, TIME_NEVER);
        wake(&pipe->queue);
        if (err)
            return before > uio->left ? (int)(before - uio->left) : err;
    }
    return (int)before;
}

static uint32_t pipe_poll(struct file *file, struct poll_set *set)
{
    struct pipe *pipe = file->data;
    uint32_t events = 0;
    poll_add(set, &pipe->queue);
    if ((file->flags & O_ACCMODE) != O_WRONLY) {
        events |= pipe->used ? POLLIN | POLLRDNORM : 0;
        events |= pipe->writers ? 0 : POLLHUP;
    }
    if ((file->flags & O_ACCMODE) != O_RDONLY) {
        events |= pipe->bytes - pipe->used >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
        events |= pipe->readers ? 0 : POLLERR;
    }
    return events;
}

static int pipe_ioctl(struct file *file, uint32_t command, uint32_t arg)
{
    struct pipe *pipe = file->data;
    if (command != FIONREAD)
        return -ENOTTY;
    return copy_to_user(arg, &pipe->used, 4);
}

static void count_end(struct pipe *pipe, const struct file *file, int by)
{
    uint32_t mode = file->flags & O_ACCMODE;
    pipe->readers += mode != O_WRONLY ? (uint32_t)by : 0;
    pipe->writers += mode != O_RDONLY ? (uint32_t)by : 0;
    pipe->opens += (uint32_t)by;
    pipe->ever_readers += by > 0 && mode != O_WRONLY;
    pipe->ever_writers += by > 0 && mode != O_RDONLY;
}

static void pipe_close(struct file *file)
{
    struct pipe *pipe = file->data;
    count_end(pipe, file, -1);
    wake(&pipe->queue);
    if (pipe->opens)
        return;
    if (file->dentry)
        file->dentry->inode->data = NULL;
    pipe_destroy(pipe);
}

static const struct file_ops pipe_ops = {
    .name = "pipe:",
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .close = pipe_close,
};

/* Until the other end is there, or was there: it may have come and gone while we slept. */
static int wait_for_other_end(struct pipe *pipe, uint32_t mode)
{
    uint32_t *now = mode == O_RDONLY ? &pipe->writers : &pipe->readers;
    uint32_t *ever = mode == O_RDONLY ? &pipe->ever_writers : &pipe->ever_readers;
    for (uint32_t before = *ever; !*now && *ever == before;) {
        int err = wait_on(&pipe->queue, TIME_NEVER);
        if (err)
            return err;
    }
    return 0;
}

/* A FIFO's open waits for the other end, except for reading without blocking. */
int fifo_open(struct inode *inode, struct file *file)
{
    struct pipe *pipe = inode->data;
    uint32_t mode = file->flags & O_ACCMODE;
    if (mode == O_WRONLY && (file->flags & O_NONBLOCK) && (!pipe || !pipe->readers))
        return -ENXIO;
    if (!pipe)
        pipe = inode->data = pipe_create();
    if (!pipe)
        return -ENOMEM;
    file->data = pipe;
    file->ops = &pipe_ops;
    count_end(pipe, file, 1);
    wake(&pipe->queue);
    if (mode == O_RDWR || (file->flags & O_NONBLOCK))
        return 0;
    int err = wait_for_other_end(pipe, mode);
    if (err)
        pipe_close(file);
    return err;
}

static struct dentry *pipe_dentry(void)
{
    char name[24];
    struct inode *inode = inode_create(&memory_ops, S_IFIFO | 0600);
    if (!inode)
        return NULL;
    ksnprintf(name, sizeof name, "pipe:[%u]", inode->ino);
    return dentry_anonymous(inode, name);
}

static struct file *pipe_end(struct pipe *pipe, struct dentry *dentry, uint32_t flags)
{
    struct file *file = file_create(&pipe_ops, flags, pipe);
    if (!file)
        return NULL;
    file->dentry = dentry;
    dentry_hold(dentry);
    count_end(pipe, file, 1);
    return file;
}

static int make_ends(uint32_t flags, struct file *end[2])
{
    struct dentry *dentry = pipe_dentry();
    struct pipe *pipe = dentry ? pipe_create() : NULL;
    if (!pipe) {
        dentry_release(dentry);
        return -ENOMEM;
    }
    dentry->inode->data = pipe;
    end[0] = pipe_end(pipe, dentry, O_RDONLY | (flags & O_NONBLOCK));
    end[1] = end[0] ? pipe_end(pipe, dentry, O_WRONLY | (flags & O_NONBLOCK)) : NULL;
    if (!end[0])
        pipe_destroy(pipe);
    else if (!end[1])
        file_release(end[0]);
    dentry_release(dentry);
    return end[1] ? 0 : -ENOMEM;
}

int32_t sys_pipe2(uint32_t fds, uint32_t flags)
{
    struct file *end[2];
    int32_t number[2];
    if (flags & ~(uint32_t)(O_NONBLOCK | O_CLOEXEC | O_DIRECT))
        return -EINVAL;
    int err = make_ends(flags, end);
    if (err)
        return err;
    number[0] = fd_install(end[0], 0, flags & O_CLOEXEC);
    if (number[0] < 0) {
        file_release(end[1]);
        return number[0];
    }
    number[1] = fd_install(end[1], 0, flags & O_CLOEXEC);
    if (number[1] >= 0 && !copy_to_user(fds, number, sizeof number))
        return 0;
    fd_close((uint32_t)number[0]);
    if (number[1] < 0)
        return number[1];
    fd_close((uint32_t)number[1]);
    return -EFAULT;
}

int32_t sys_pipe(uint32_t fds)
{
    return sys_pipe2(fds, 0);
}
