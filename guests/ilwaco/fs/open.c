/* SPDX-License-Identifier: MIT */
/* Opening what a path leads to, making it if asked; and the operations of files and directories. */
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/sys.h"

static uint32_t umask_bits = 022;

uint32_t vfs_umask(void)
{
    return umask_bits;
}

int32_t sys_umask(uint32_t mask)
{
    uint32_t old = umask_bits;
    umask_bits = mask & 0777;
    return (int32_t)old;
}

/* ---- regular files ---- */

static int regular_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    int n = inode_read(file->dentry->inode, uio, *pos);
    if (n > 0)
        *pos += (uint32_t)n;
    return n;
}

static int regular_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct inode *inode = file->dentry->inode;
    if ((file->flags & O_APPEND) && pos == &file->pos)
        *pos = inode->size;
    int n = inode_write(inode, uio, *pos);
    if (n > 0)
        *pos += (uint32_t)n;
    return n;
}

static int64_t regular_seek(struct file *file, int64_t offset, int whence)
{
    int64_t size = (int64_t)file->dentry->inode->size;
    switch (whence) {
    case 0:
        break;
    case 1:
        offset += (int64_t)file->pos;
        break;
    case 2:
        offset += size;
        break;
    case 3: /* SEEK_DATA: all is data */
        return offset < 0 || offset >= size ? -ENXIO : (int64_t)(file->pos = (uint64_t)offset);
    case 4: /* SEEK_HOLE: the end is one */
        return offset < 0 || offset >= size ? -ENXIO : (int64_t)(file->pos = (uint64_t)size);
    default:
        return -EINVAL;
    }
    if (offset < 0)
        return -EINVAL;
    file->pos = (uint64_t)offset;
    return offset;
}

static int regular_truncate(struct file *file, uint64_t size)
{
    return inode_truncate(file->dentry->inode, size);
}

const struct file_ops regular_ops = {
    .name = "file",
    .read = regular_read,
    .write = regular_write,
    .seek = regular_seek,
    .truncate = regular_truncate,
};

/* ---- directories ---- */

static int directory_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    (void)file;
    (void)uio;
    (void)pos;
    return -EISDIR;
}

static int64_t directory_seek(struct file *file, int64_t offset, int whence)
{
    if (whence == 1)
        offset += (int64_t)file->pos;
    if (whence > 1 || offset < 0)
        return -EINVAL;
    file->pos = (uint64_t)offset;
    return offset;
}

static int directory_readdir(struct file *file, struct dir_sink *sink)
{
    if (file->dentry->unlinked)
        return -ENOENT;
    return dentry_list(file->dentry, sink);
}

const struct file_ops directory_ops = {
    .name = "directory",
    .read = directory_read,
    .seek = directory_seek,
    .readdir = directory_readdir,
};

/* ---- opening ---- */

static const struct file_ops path_ops = {.name = "path"};

int vfs_open_dentry(struct dentry *dentry, uint32_t flags, struct file **out)
{
    struct inode *inode = dentry->inode;
    struct file *file =
        file_create(&path_ops, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY), NULL);
    if (!file)
        return -ENOMEM;
    file->dentry = dentry;
    dentry_hold(dentry);
    int err = flags & O_PATH ? 0 : inode->ops->open ? inode->ops->open(inode, file) : -ENXIO;
    if (!err && (flags & O_TRUNC) && inode_type(inode) == S_IFREG && !(flags & O_PATH))
        err = inode_truncate(inode, 0);
    if (err) {
        file->ops = &path_ops;
        file_release(file);
        return err;
    }
    *out = file;
    return 0;
}

static int check_flags(const struct inode *inode, uint32_t flags)
{
    uint32_t type = inode_type(inode);
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (type == S_IFLNK && !(flags & O_PATH))
        return -ELOOP;
    if ((flags & O_DIRECTORY) && type != S_IFDIR)
        return -ENOTDIR;
    if (type == S_IFDIR && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT)))
        return flags & O_PATH ? 0 : -EISDIR;
    return 0;
}

static int create_regular(const struct walk *walk, uint32_t mode, struct dentry **out)
{
    if (walk->slash)
        return -EISDIR;
    if (walk->parent->inode->fixed)
        return -EACCES;
    struct inode *inode = inode_create(&memory_ops, S_IFREG | (mode & 07777 & ~umask_bits));
    if (!inode)
        return -ENOSPC;
    inode->in_memory = true;
    *out = walk->parent->unlinked ? NULL : dentry_link(walk->parent, walk->name, walk->len, inode);
    return *out ? 0 : -ENOSPC;
}

/* O_TMPFILE: a file of no name in the directory. */
static int open_unnamed(struct dentry *dir, uint32_t flags, uint32_t mode, struct file **out)
{
    if (inode_type(dir->inode) != S_IFDIR || (flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    struct inode *inode = inode_create(&memory_ops, S_IFREG | (mode & 07777 & ~umask_bits));
    if (!inode)
        return -ENOSPC;
    inode->in_memory = true;
    inode->nlink = 0;
    struct dentry *dentry = dentry_anonymous(inode, "/tmp/#unnamed (deleted)");
    if (!dentry)
        return -ENOSPC;
    int err = vfs_open_dentry(dentry, flags & ~(uint32_t)O_DIRECTORY, out);
    dentry_release(dentry);
    return err;
}

static int open_walked(struct walk *walk, uint32_t flags, uint32_t mode, struct file **out)
{
    struct dentry *dentry = walk->dentry;
    bool created = false;
    int err = 0;
    if (dentry && (flags & O_TMPFILE) == (uint32_t)O_TMPFILE && (flags & O_DIRECTORY))
        return open_unnamed(dentry, flags, mode, out);
    if (!dentry) {
        if (!(flags & O_CREAT))
            return -ENOENT;
        err = create_regular(walk, mode, &dentry);
        created = !err;
        walk->dentry = dentry;
    }
    if (!err && !created)
        err = check_flags(dentry->inode, flags);
    return err ? err : vfs_open_dentry(dentry, flags, out);
}

int vfs_open(struct dentry *base, const char *path, uint32_t flags, uint32_t mode,
             struct file **out)
{
    struct walk walk;
    uint32_t how = flags & O_CREAT ? WALK_PARENT : 0;
    if ((flags & O_NOFOLLOW) || ((flags & O_CREAT) && (flags & O_EXCL)))
        how |= WALK_NOFOLLOW;
    int err = walk_path(base, path, how, &walk);
    if (err)
        return err;
    err = open_walked(&walk, flags, mode, out);
    walk_done(&walk);
    return err;
}
