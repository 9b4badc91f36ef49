/* SPDX-License-Identifier: MIT */
/* Inodes: made, held, let go. Whoever makes one gives it its operations and fills in the rest. */
#include "guests/ilwaco/fs/vfs.h"

#define DEV_NUMBER 0x15 /* st_dev of everything */

static uint32_t next_ino = 0x10000000; /* above the packed root's */

struct inode *inode_create(const struct inode_ops *ops, uint32_t mode)
{
    struct inode *inode = kzalloc(sizeof *inode);
    if (!inode)
        return NULL;
    inode->ops = ops;
    inode->refs = 1;
    inode->mode = mode;
    inode->nlink = (mode & S_IFMT) == S_IFDIR ? 2 : 1;
    inode->ino = next_ino++;
    inode->atime_ns = inode->mtime_ns = inode->ctime_ns = time_wall_ns();
    return inode;
}

void inode_hold(struct inode *inode)
{
    inode->refs++;
}

void inode_release(struct inode *inode)
{
    if (--inode->refs)
        return;
    if (inode->in_memory)
        inode_truncate(inode, 0);
    kfree(inode->pages.page);
    if (inode->ops->destroy)
        inode->ops->destroy(inode);
    kfree(inode);
}

void inode_stat(const struct inode *inode, struct kstat *stat)
{
    *stat = (struct kstat){
        .dev = DEV_NUMBER,
        .ino = inode->ino,
        .rdev = inode->rdev,
        .size = inode->size,
        .mode = inode->mode,
        .nlink = inode->nlink,
        .uid = inode->uid,
        .gid = inode->gid,
        .blksize = PAGE_SIZE,
        .atime_ns = inode->atime_ns,
        .mtime_ns = inode->mtime_ns,
        .ctime_ns = inode->ctime_ns,
    };
    if (inode->in_memory)
        stat->blocks = (uint64_t)inode->pages.used * (PAGE_SIZE / 512);
    else if (inode_type(inode) == S_IFREG || inode_type(inode) == S_IFDIR)
        stat->blocks = (inode->size + PAGE_MASK) / PAGE_SIZE * (PAGE_SIZE / 512);
}

/* ---- what the program makes itself ---- */

static int memory_readlink(struct inode *inode, char *out, uint32_t room)
{
    if (inode->size + 1 > room)
        return -ENAMETOOLONG;
    memcpy(out, inode->data, (uint32_t)inode->size + 1);
    return (int)inode->size;
}

static int memory_open(struct inode *inode, struct file *file)
{
    switch (inode_type(inode)) {
    case S_IFREG:
        file->ops = &regular_ops;
        return 0;
    case S_IFDIR:
        file->ops = &directory_ops;
        return 0;
    case S_IFCHR:
        return device_open(inode, file);
    case S_IFIFO:
        return fifo_open(inode, file);
    default:
        return -ENXIO;
    }
}

static void memory_destroy(struct inode *inode)
{
    if (inode_type(inode) == S_IFLNK)
        kfree(inode->data);
}

const struct inode_ops memory_ops = {
    .readlink = memory_readlink,
    .open = memory_open,
    .destroy = memory_destroy,
};

struct inode *memory_symlink(const char *target, uint32_t len)
{
    char *copy = kmalloc(len + 1);
    struct inode *inode = copy ? inode_create(&memory_ops, S_IFLNK | 0777) : NULL;
    if (!inode) {
        kfree(copy);
        return NULL;
    }
    memcpy(copy, target, len);
    copy[len] = 0;
    inode->data = copy;
    inode->size = len;
    return inode;
}
