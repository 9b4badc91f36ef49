/* SPDX-License-Identifier: MIT */
/* What files are: the stat family, listings, times, file systems. */
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/disk.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/linux_abi.h"
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/user_time.h"

#define TMPFS_MAGIC 0x01021994u

/* ---- stat ---- */

static int stat_fd(uint32_t fd, struct kstat *stat)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (file->ops->stat)
        return file->ops->stat(file, stat);
    if (file->dentry) {
        inode_stat(file->dentry->inode, stat);
        return 0;
    }
    *stat = (struct kstat){.mode = 0600, .nlink = 1, .blksize = PAGE_SIZE, .ino = 1};
    return 0;
}

static int stat_path(uint32_t dirfd, uint32_t path, uint32_t flags, struct kstat *stat)
{
    struct dentry *dentry;
    char first;
    if (flags & AT_EMPTY_PATH) {
        if (path && copy_from_user(&first, path, 1))
            return -EFAULT;
        if (!path || !first) {
            if ((int32_t)dirfd != AT_FDCWD)
                return stat_fd(dirfd, stat);
            inode_stat(vfs_cwd()->inode, stat);
            return 0;
        }
    }
    int err = walk_user_dentry((int32_t)dirfd, path,
                               flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0, &dentry);
    if (err)
        return err;
    inode_stat(dentry->inode, stat);
    dentry_release(dentry);
    return 0;
}

static uint32_t seconds(int64_t ns, uint32_t *rest)
{
    return (uint32_t)div_u64((uint64_t)ns, NS_PER_SEC, rest);
}

static int put_stat(uint32_t out, const struct kstat *s)
{
    struct stat_old o = {.dev = (uint32_t)s->dev,
                         .ino = (uint32_t)s->ino,
                         .mode = (uint16_t)s->mode,
                         .nlink = (uint16_t)s->nlink,
                         .uid = (uint16_t)s->uid,
                         .gid = (uint16_t)s->gid,
                         .rdev = (uint32_t)s->rdev,
                         .size = (uint32_t)s->size,
                         .blksize = s->blksize,
                         .blocks = (uint32_t)s->blocks};
    if (s->size > INT32_MAX)
        return -EOVERFLOW;
    o.atime = seconds(s->atime_ns, &o.atime_nsec);
    o.mtime = seconds(s->mtime_ns, &o.mtime_nsec);
    o.ctime = seconds(s->ctime_ns, &o.ctime_nsec);
    return copy_to_user(out, &o, sizeof o);
}

static int put_stat64(uint32_t out, const struct kstat *s)
{
    struct stat64 o = {.dev = s->dev,
                       .ino_low = (uint32_t)s->ino,
                       .mode = s->mode,
                       .nlink = s->nlink,
                       .uid = s->uid,
                       .gid = s->gid,
                       .rdev = s->rdev,
                       .size = s->size,
                       .blksize = s->blksize,
                       .blocks = s->blocks,
                       .ino = s->ino};
    uint32_t rest;
    o.atime = seconds(s->atime_ns, &rest);
    o.atime_nsec = rest;
    o.mtime = seconds(s->mtime_ns, &rest);
    o.mtime_nsec = rest;
    o.ctime = seconds(s->ctime_ns, &rest);
    o.ctime_nsec = rest;
    return copy_to_user(out, &o, sizeof o);
}

int32_t sys_stat(uint32_t path, uint32_t out)
{
    struct kstat stat;
    int err = stat_path((uint32_t)AT_FDCWD, path, 0, &stat);
    return err ? err : put_stat(out, &stat);
}

int32_t sys_lstat(uint32_t path, uint32_t out)
{
    struct kstat stat;
    int err = stat_path((uint32_t)AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &stat);
    return err ? err : put_stat(out, &stat);
}

int32_t sys_fstat(uint32_t fd, uint32_t out)
{
    struct kstat stat;
    int err = stat_fd(fd, &stat);
    return err ? err : put_stat(out, &stat);
}

int32_t sys_fstatat64(uint32_t dirfd, uint32_t path, uint32_t out, uint32_t flags)
{
    struct kstat stat;
    int err = stat_path(dirfd, path, flags, &stat);
    return err ? err : put_stat64(out, &stat);
}

int32_t sys_stat64(uint32_t path, uint32_t out)
{
    return sys_fstatat64((uint32_t)AT_FDCWD, path, out, 0);
}

int32_t sys_lstat64(uint32_t path, uint32_t out)
{
    return sys_fstatat64((uint32_t)AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

int32_t sys_fstat64(uint32_t fd, uint32_t out)
{
    struct kstat stat;
    int err = stat_fd(fd, &stat);
    return err ? err : put_stat64(out, &stat);
}

static struct statx_time statx_time(int64_t ns)
{
    struct statx_time t = {0};
    t.sec = seconds(ns, &t.nsec);
    return t;
}

int32_t sys_statx(uint32_t dirfd, uint32_t path, uint32_t flags, uint32_t mask, uint32_t out)
{
    struct kstat s;
    (void)mask;
    int err = stat_path(dirfd, path, flags, &s);
    if (err)
        return err;
    struct statx o = {
        .mask = STATX_BASIC,
        .blksize = s.blksize,
        .nlink = s.nlink,
        .uid = s.uid,
        .gid = s.gid,
        .mode = (uint16_t)s.mode,
        .ino = s.ino,
        .size = s.size,
        .blocks = s.blocks,
        .atime = statx_time(s.atime_ns),
        .mtime = statx_time(s.mtime_ns),
        .ctime = statx_time(s.ctime_ns),
        .rdev_major = (uint32_t)s.rdev >> 8,
        .rdev_minor = (uint32_t)s.rdev & 0xff,
        .dev_minor = (uint32_t)s.dev,
    };
    return copy_to_user(out, &o, sizeof o);
}

/* ---- listings ---- */

struct getdents {
    struct dir_sink sink;
    uint32_t at, left;
    bool wide;
    int err;
    uint32_t last; /* user address of the last entry; 0: none yet */
};

/* struct linux_dirent64: ino, offset, length, type, name; the old one has words and the type last.
 */
static bool emit(struct dir_sink *base, const struct dir_entry *entry, uint64_t next)
{
    struct getdents *call = CONTAINER_OF(base, struct getdents, sink);
    char out[NAME_MAX + 32] = {0};
    uint32_t name = strlen(entry->name), head = call->wide ? 19 : 10;
    uint16_t bytes = (uint16_t)((head + name + (call->wide ? 1 : 2) + 3) & ~3u);
    bytes = call->wide ? (uint16_t)((bytes + 7) & ~7u) : bytes;
    if (bytes > call->left) {
        call->err = call->last ? 0 : -EINVAL;
        return false;
    }
    uint64_t ino = entry->ino;
    memcpy(out, &ino, call->wide ? 8 : 4);
    memcpy(out + (call->wide ? 8 : 4), &next, call->wide ? 8 : 4);
    memcpy(out + (call->wide ? 16 : 8), &bytes, 2);
    out[call->wide ? 18 : bytes - 1] = (char)entry->type;
    memcpy(out + head, entry->name, name);
    if (copy_to_user(call->at, out, bytes)) {
        call->err = -EFAULT;
        return false;
    }
    call->last = call->at;
    call->at += bytes;
    call->left -= bytes;
    return true;
}

static int32_t list(uint32_t fd, uint32_t out, uint32_t room, bool wide)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (!file->ops->readdir)
        return -ENOTDIR;
    struct getdents call = {
        .sink = {.pos = file->pos, .emit = emit}, .at = out, .left = room, .wide = wide};
    int err = file->ops->readdir(file, &call.sink);
    if (err || (call.err && !call.last))
        return err ? err : call.err;
    file->pos = call.sink.pos;
    return (int32_t)(room - call.left);
}

int32_t sys_getdents(uint32_t fd, uint32_t out, uint32_t room)
{
    return list(fd, out, room, false);
}

int32_t sys_getdents64(uint32_t fd, uint32_t out, uint32_t room)
{
    return list(fd, out, room, true);
}

/* ---- times ---- */

#define UTIME_NOW 0x3fffffffu
#define UTIME_OMIT 0x3ffffffeu

static int one_time(uint32_t addr, bool wide, int64_t *out)
{
    uint32_t nsec;
    uint64_t ns;
    if (get_user32(&nsec, addr + (wide ? 8 : 4)))
        return -EFAULT;
    if (nsec == UTIME_OMIT)
        return 0;
    if (nsec == UTIME_NOW) {
        *out = time_wall_ns();
        return 0;
    }
    int err = user_get_timespec(addr, wide, &ns);
    *out = (int64_t)ns;
    return err;
}

static int set_times(struct inode *inode, uint32_t times, bool wide)
{
    int64_t now = time_wall_ns();
    int err = 0;
    if (!times) {
        inode->atime_ns = inode->mtime_ns = now;
    } else {
        err = one_time(times, wide, &inode->atime_ns);
        if (!err)
            err = one_time(times + (wide ? 16 : 8), wide, &inode->mtime_ns);
    }
    inode->ctime_ns = now;
    return err;
}

static int32_t utimens(uint32_t dirfd, uint32_t path, uint32_t times, uint32_t flags, bool wide)
{
    struct dentry *dentry;
    if (!path) {
        struct file *file = fd_file(dirfd);
        if (!file)
            return -EBADF;
        return file->dentry ? set_times(file->dentry->inode, times, wide) : 0;
    }
    int err = walk_user_dentry((int32_t)dirfd, path,
                               flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0, &dentry);
    if (err)
        return err;
    err = set_times(dentry->inode, times, wide);
    dentry_release(dentry);
    return err;
}

int32_t sys_utimensat(uint32_t dirfd, uint32_t path, uint32_t times, uint32_t flags)
{
    return utimens(dirfd, path, times, flags, false);
}

int32_t sys_utimensat_time64(uint32_t dirfd, uint32_t path, uint32_t times, uint32_t flags)
{
    return utimens(dirfd, path, times, flags, true);
}

static int32_t set_pair(uint32_t dirfd, uint32_t path, uint32_t times, bool timevals)
{
    struct dentry *dentry;
    uint64_t value[2] = {(uint64_t)time_wall_ns(), (uint64_t)time_wall_ns()};
    int err = walk_user_dentry((int32_t)dirfd, path, 0, &dentry);
    if (err)
        return err;
    for (uint32_t i = 0; !err && times && i < 2; i++) {
        uint32_t second = 0;
        if (timevals)
            err = user_get_timeval(times + i * 8, &value[i]);
        else
            err = get_user32(&second, times + i * 4);
        value[i] = timevals ? value[i] : second * (uint64_t)NS_PER_SEC;
    }
    if (!err) {
        dentry->inode->atime_ns = (int64_t)value[0];
        dentry->inode->mtime_ns = (int64_t)value[1];
    }
    dentry_release(dentry);
    return err;
}

int32_t sys_utime(uint32_t path, uint32_t times)
{
    return set_pair((uint32_t)AT_FDCWD, path, times, false);
}

int32_t sys_utimes(uint32_t path, uint32_t times)
{
    return set_pair((uint32_t)AT_FDCWD, path, times, true);
}

int32_t sys_futimesat(uint32_t dirfd, uint32_t path, uint32_t times)
{
    return set_pair(dirfd, path, times, true);
}

/* ---- file systems ---- */

static void fill_statfs(struct statfs64 *out)
{
    uint64_t pages = machine_regs.mem_bytes / PAGE_SIZE;
    uint64_t used = (page_bytes_used() + vma_bytes()) / PAGE_SIZE;
    *out = (struct statfs64){.type = TMPFS_MAGIC,
                             .bsize = PAGE_SIZE,
                             .blocks = pages,
                             .bfree = used < pages ? pages - used : 0,
                             .files = 1u << 20,
                             .ffree = 1u << 19,
                             .namelen = NAME_MAX,
                             .frsize = PAGE_SIZE};
    out->bavail = out->bfree;
}

static int32_t put_statfs(uint32_t out)
{
    struct statfs64 wide;
    fill_statfs(&wide);
    struct statfs o = {.type = wide.type,
                       .bsize = wide.bsize,
                       .blocks = (uint32_t)wide.blocks,
                       .bfree = (uint32_t)wide.bfree,
                       .bavail = (uint32_t)wide.bavail,
                       .files = (uint32_t)wide.files,
                       .ffree = (uint32_t)wide.ffree,
                       .namelen = wide.namelen,
                       .frsize = wide.frsize};
    return copy_to_user(out, &o, sizeof o);
}

static int32_t put_statfs64(uint32_t size, uint32_t out)
{
    struct statfs64 wide;
    fill_statfs(&wide);
    return size == sizeof wide ? copy_to_user(out, &wide, sizeof wide) : -EINVAL;
}

static int exists(uint32_t path, uint32_t flags)
{
    struct dentry *dentry;
    int err = walk_user_dentry(AT_FDCWD, path, flags, &dentry);
    if (!err)
        dentry_release(dentry);
    return err;
}

int32_t sys_statfs(uint32_t path, uint32_t out)
{
    int err = exists(path, 0);
    return err ? err : put_statfs(out);
}

int32_t sys_fstatfs(uint32_t fd, uint32_t out)
{
    return fd_file(fd) ? put_statfs(out) : -EBADF;
}

int32_t sys_statfs64(uint32_t path, uint32_t size, uint32_t out)
{
    int err = exists(path, 0);
    return err ? err : put_statfs64(size, out);
}

int32_t sys_fstatfs64(uint32_t fd, uint32_t size, uint32_t out)
{
    return fd_file(fd) ? put_statfs64(size, out) : -EBADF;
}

/* ---- extended attributes: there are none ---- */

int32_t sys_getxattr(uint32_t path)
{
    int err = exists(path, 0);
    return err ? err : -ENODATA;
}

int32_t sys_lgetxattr(uint32_t path)
{
    int err = exists(path, WALK_NOFOLLOW);
    return err ? err : -ENODATA;
}

int32_t sys_fgetxattr(uint32_t fd)
{
    return fd_file(fd) ? -ENODATA : -EBADF;
}

int32_t sys_listxattr(uint32_t path)
{
    return exists(path, 0);
}

int32_t sys_llistxattr(uint32_t path)
{
    return exists(path, WALK_NOFOLLOW);
}

int32_t sys_flistxattr(uint32_t fd)
{
    return fd_file(fd) ? 0 : -EBADF;
}

int32_t sys_setxattr(void)
{
    return -EOPNOTSUPP;
}
