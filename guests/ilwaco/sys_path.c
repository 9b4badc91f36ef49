/* SPDX-License-Identifier: MIT */
/* System calls on names: opening, making, removing, moving, listing. */
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/linux_abi.h"
#include "guests/ilwaco/sys.h"

/* ---- opening ---- */

int32_t sys_openat(uint32_t dirfd, uint32_t user_path, uint32_t flags, uint32_t mode)
{
    int err;
    struct file *file;
    struct dentry *base = vfs_cwd();
    char *path = path_from_user(user_path, &err);
    if (!path)
        return err;
    if ((int32_t)dirfd != AT_FDCWD && *path != '/') {
        struct file *dir = fd_file(dirfd);
        err = !dir                                                        ? -EBADF
              : !dir->dentry || inode_type(dir->dentry->inode) != S_IFDIR ? -ENOTDIR
                                                                          : 0;
        base = err ? base : dir->dentry;
    }
    if (!err)
        err = vfs_open(base, path, flags, mode, &file);
    kfree(path);
    return err ? err : fd_install(file, 0, flags);
}

int32_t sys_open(uint32_t path, uint32_t flags, uint32_t mode)
{
    return sys_openat((uint32_t)AT_FDCWD, path, flags, mode);
}

int32_t sys_creat(uint32_t path, uint32_t mode)
{
    return sys_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int32_t sys_openat2(uint32_t dirfd, uint32_t path, uint32_t how, uint32_t size)
{
    uint64_t fields[3]; /* flags, mode, resolve */
    if (size < sizeof fields)
        return -EINVAL;
    if (copy_from_user(fields, how, sizeof fields))
        return -EFAULT;
    return fields[2] ? -EINVAL : sys_openat(dirfd, path, (uint32_t)fields[0], (uint32_t)fields[1]);
}

int32_t sys_memfd_create(uint32_t user_name, uint32_t flags)
{
    char name[64 + NAME_MAX] = "/memfd:";
    int len = copy_string_from_user(name + 7, user_name, 250);
    if (len < 0 || (flags & ~7u))
        return len == -EFAULT ? len : -EINVAL;
    memcpy(name + 7 + len, " (deleted)", 11);
    struct inode *inode = inode_create(&memory_ops, S_IFREG | 0777);
    if (!inode)
        return -ENOMEM;
    inode->in_memory = true;
    struct dentry *dentry = dentry_anonymous(inode, name);
    struct file *file = NULL;
    int err = dentry ? vfs_open_dentry(dentry, O_RDWR, &file) : -ENOMEM;
    dentry_release(dentry);
    return err ? err : fd_install(file, 0, flags & 1 ? O_CLOEXEC : 0);
}

/* ---- making ---- */

/* A place for a new name: its parent exists, the name is free. */
static int walk_new(uint32_t dirfd, uint32_t path, struct walk *walk)
{
    int err = walk_user((int32_t)dirfd, path, WALK_PARENT | WALK_NOFOLLOW, walk);
    if (err)
        return err;
    if (walk->dentry)
        err = -EEXIST;
    else if (walk->parent->unlinked)
        err = -ENOENT;
    else if (walk->parent->inode->fixed)
        err = -EPERM;
    if (err)
        walk_done(walk);
    return err;
}

static int link_new(struct walk *walk, struct inode *inode)
{
    struct dentry *dentry = inode ? dentry_link(walk->parent, walk->name, walk->len, inode) : NULL;
    if (dentry)
        dentry_release(dentry);
    walk_done(walk);
    return dentry ? 0 : -ENOSPC;
}

int32_t sys_mkdirat(uint32_t dirfd, uint32_t path, uint32_t mode)
{
    struct walk walk;
    int err = walk_new(dirfd, path, &walk);
    if (err)
        return err;
    walk.parent->inode->nlink++;
    return link_new(&walk, inode_create(&memory_ops, S_IFDIR | (mode & 01777 & ~vfs_umask())));
}

int32_t sys_mkdir(uint32_t path, uint32_t mode)
{
    return sys_mkdirat((uint32_t)AT_FDCWD, path, mode);
}

int32_t sys_mknodat(uint32_t dirfd, uint32_t path, uint32_t mode, uint32_t dev)
{
    struct walk walk;
    uint32_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
    if (type == S_IFDIR || type == S_IFLNK)
        return -EPERM;
    int err = walk_new(dirfd, path, &walk);
    if (err)
        return err;
    struct inode *inode = inode_create(&memory_ops, type | (mode & 07777 & ~vfs_umask()));
    if (inode) {
        inode->in_memory = type == S_IFREG;
        inode->rdev = dev;
    }
    return link_new(&walk, inode);
}

int32_t sys_mknod(uint32_t path, uint32_t mode, uint32_t dev)
{
    return sys_mknodat((uint32_t)AT_FDCWD, path, mode, dev);
}

int32_t sys_symlinkat(uint32_t user_target, uint32_t dirfd, uint32_t path)
{
    struct walk walk;
    int err;
    char *target = path_from_user(user_target, &err);
    if (!target)
        return err;
    err = *target ? walk_new(dirfd, path, &walk) : -ENOENT;
    if (!err)
        err = link_new(&walk, memory_symlink(target, strlen(target)));
    kfree(target);
    return err;
}

int32_t sys_symlink(uint32_t target, uint32_t path)
{
    return sys_symlinkat(target, (uint32_t)AT_FDCWD, path);
}

/* The dentry of an existing path, or of a descriptor with AT_EMPTY_PATH. */
static int existing(uint32_t dirfd, uint32_t path, uint32_t walk_flags, uint32_t flags,
                    struct dentry **out)
{
    char first = 0;
    if ((flags & AT_EMPTY_PATH) && !copy_from_user(&first, path, 1) && !first) {
        struct file *file = fd_file(dirfd);
        if ((int32_t)dirfd != AT_FDCWD && !file)
            return -EBADF;
        *out = file ? file->dentry : vfs_cwd();
        if (!*out)
            return -ENOENT;
        dentry_hold(*out);
        return 0;
    }
    return walk_user_dentry((int32_t)dirfd, path, walk_flags, out);
}

int32_t sys_linkat(uint32_t old_dirfd, uint32_t old_path, uint32_t dirfd, uint32_t path,
                   uint32_t flags)
{
    struct walk walk;
    struct dentry *old;
    uint32_t follow = flags & AT_SYMLINK_FOLLOW ? 0 : WALK_NOFOLLOW;
    int err = existing(old_dirfd, old_path, follow, flags, &old);
    if (err)
        return err;
    if (inode_type(old->inode) == S_IFDIR)
        err = -EPERM;
    else
        err = walk_new(dirfd, path, &walk);
    if (!err) {
        inode_hold(old->inode);
        old->inode->nlink++;
        old->inode->ctime_ns = time_wall_ns();
        err = link_new(&walk, old->inode);
    }
    dentry_release(old);
    return err;
}

int32_t sys_link(uint32_t old_path, uint32_t path)
{
    return sys_linkat((uint32_t)AT_FDCWD, old_path, (uint32_t)AT_FDCWD, path, 0);
}

/* ---- removing ---- */

static int may_remove(const struct walk *walk, bool directory)
{
    if (!walk->parent)
        return directory ? -EBUSY : -EISDIR;
    if (walk->parent->inode->fixed)
        return -EPERM;
    bool is_dir = inode_type(walk->dentry->inode) == S_IFDIR;
    if (is_dir != directory)
        return is_dir ? -EISDIR : -ENOTDIR;
    if (is_dir && (walk->dentry->inode->fixed || !dentry_dir_empty(walk->dentry)))
        return walk->dentry->inode->fixed ? -EBUSY : -ENOTEMPTY;
    return 0;
}

static int remove_walked(struct walk *walk)
{
    struct inode *inode = walk->dentry->inode;
    int err = dentry_unlink(walk->dentry);
    if (err)
        return err;
    bool directory = inode_type(inode) == S_IFDIR;
    inode->nlink -= directory ? inode->nlink : 1;
    inode->ctime_ns = time_wall_ns();
    if (directory)
        walk->parent->inode->nlink--;
    return 0;
}

int32_t sys_unlinkat(uint32_t dirfd, uint32_t path, uint32_t flags)
{
    struct walk walk;
    if (flags & ~(uint32_t)AT_REMOVEDIR)
        return -EINVAL;
    int err = walk_user((int32_t)dirfd, path, WALK_NOFOLLOW, &walk);
    if (err)
        return err;
    err = may_remove(&walk, flags & AT_REMOVEDIR);
    if (!err)
        err = remove_walked(&walk);
    walk_done(&walk);
    return err;
}

int32_t sys_unlink(uint32_t path)
{
    return sys_unlinkat((uint32_t)AT_FDCWD, path, 0);
}

int32_t sys_rmdir(uint32_t path)
{
    return sys_unlinkat((uint32_t)AT_FDCWD, path, AT_REMOVEDIR);
}

/* ---- moving ---- */

enum rename_flags { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };

static int may_rename(const struct walk *from, const struct walk *to, uint32_t flags)
{
    if (!from->parent || !to->parent)
        return -EBUSY;
    if (from->parent->inode->fixed || to->parent->inode->fixed)
        return -EPERM;
    bool directory = inode_type(from->dentry->inode) == S_IFDIR;
    if (directory && dentry_is_below(to->parent, from->dentry))
        return -EINVAL;
    if (!to->dentry) {
        if (to->slash && !directory)
            return -ENOTDIR;
        return flags & RENAME_EXCHANGE ? -ENOENT : 0;
    }
    if (flags & RENAME_NOREPLACE)
        return -EEXIST;
    bool onto_dir = inode_type(to->dentry->inode) == S_IFDIR;
    if (flags & RENAME_EXCHANGE)
        return directory || onto_dir ? -EINVAL : 0;
    if (directory != onto_dir)
        return directory ? -ENOTDIR : -EISDIR;
    return onto_dir && !dentry_dir_empty(to->dentry) ? -ENOTEMPTY : 0;
}

static int rename_walked(struct walk *from, struct walk *to, uint32_t flags)
{
    int err = may_rename(from, to, flags);
    if (err)
        return err;
    if (to->dentry && to->dentry->inode == from->dentry->inode)
        return 0; /* two names of one file: nothing happens */
    if (flags & RENAME_EXCHANGE)
        return dentry_exchange(from->dentry, to->dentry);
    if (to->dentry)
        err = remove_walked(to);
    if (err)
        return err;
    if (inode_type(from->dentry->inode) == S_IFDIR) {
        from->parent->inode->nlink--;
        to->parent->inode->nlink++;
    }
    from->dentry->inode->ctime_ns = time_wall_ns();
    return dentry_rename(from->dentry, to->parent, to->name, to->len);
}

int32_t sys_renameat2(uint32_t old_dirfd, uint32_t old_path, uint32_t dirfd, uint32_t path,
                      uint32_t flags)
{
    struct walk from, to;
    if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int err = walk_user((int32_t)old_dirfd, old_path, WALK_NOFOLLOW, &from);
    if (err)
        return err;
    err = walk_user((int32_t)dirfd, path, WALK_PARENT | WALK_NOFOLLOW, &to);
    if (!err) {
        err = rename_walked(&from, &to, flags);
        walk_done(&to);
    }
    walk_done(&from);
    return err;
}

int32_t sys_renameat(uint32_t old_dirfd, uint32_t old_path, uint32_t dirfd, uint32_t path)
{
    return sys_renameat2(old_dirfd, old_path, dirfd, path, 0);
}

int32_t sys_rename(uint32_t old_path, uint32_t path)
{
    return sys_renameat2((uint32_t)AT_FDCWD, old_path, (uint32_t)AT_FDCWD, path, 0);
}

/* ---- links, rights, sizes ---- */

int32_t sys_readlinkat(uint32_t dirfd, uint32_t path, uint32_t out, uint32_t room)
{
    struct dentry *dentry;
    if ((int32_t)room <= 0)
        return -EINVAL;
    int len = existing(dirfd, path, WALK_NOFOLLOW, AT_EMPTY_PATH, &dentry);
    if (len)
        return len;
    struct inode *inode = dentry->inode;
    char *target = kmalloc(PATH_MAX);
    len = inode_type(inode) != S_IFLNK ? -EINVAL
          : target                     ? inode->ops->readlink(inode, target, PATH_MAX)
                                       : -ENOMEM;
    if (len > (int)room)
        len = (int)room;
    if (len > 0 && copy_to_user(out, target, (uint32_t)len))
        len = -EFAULT;
    kfree(target);
    dentry_release(dentry);
    return len;
}

int32_t sys_readlink(uint32_t path, uint32_t out, uint32_t room)
{
    return sys_readlinkat((uint32_t)AT_FDCWD, path, out, room);
}

/* Everything may be read and written by the one user; a file without an x bit may not be run. */
static int32_t do_access(uint32_t dirfd, uint32_t path, uint32_t mode, uint32_t flags)
{
    struct dentry *dentry;
    if (mode & ~7u)
        return -EINVAL;
    int err =
        existing(dirfd, path, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0, flags, &dentry);
    if (err)
        return err;
    uint32_t bits = dentry->inode->mode;
    if ((mode & 1) && (bits & S_IFMT) == S_IFREG && !(bits & 0111))
        err = -EACCES;
    dentry_release(dentry);
    return err;
}

int32_t sys_faccessat(uint32_t dirfd, uint32_t path, uint32_t mode)
{
    return do_access(dirfd, path, mode, 0);
}

int32_t sys_faccessat2(uint32_t dirfd, uint32_t path, uint32_t mode, uint32_t flags)
{
    return do_access(dirfd, path, mode, flags);
}

int32_t sys_access(uint32_t path, uint32_t mode)
{
    return do_access((uint32_t)AT_FDCWD, path, mode, 0);
}

static int32_t truncate_path(uint32_t path, uint64_t size)
{
    struct dentry *dentry;
    if ((int64_t)size < 0)
        return -EINVAL;
    int err = walk_user_dentry(AT_FDCWD, path, 0, &dentry);
    if (err)
        return err;
    uint32_t type = inode_type(dentry->inode);
    if (type != S_IFREG)
        err = type == S_IFDIR ? -EISDIR : -EINVAL;
    else
        err = inode_truncate(dentry->inode, size);
    dentry_release(dentry);
    return err;
}

int32_t sys_truncate(uint32_t path, uint32_t size)
{
    return truncate_path(path, (uint64_t)(int32_t)size);
}

int32_t sys_truncate64(uint32_t path, uint32_t low, uint32_t high)
{
    return truncate_path(path, (uint64_t)high << 32 | low);
}

static void set_mode(struct inode *inode, uint32_t mode)
{
    inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
    inode->ctime_ns = time_wall_ns();
}

int32_t sys_fchmodat(uint32_t dirfd, uint32_t path, uint32_t mode)
{
    struct dentry *dentry;
    int err = walk_user_dentry((int32_t)dirfd, path, 0, &dentry);
    if (err)
        return err;
    set_mode(dentry->inode, mode);
    dentry_release(dentry);
    return 0;
}

int32_t sys_chmod(uint32_t path, uint32_t mode)
{
    return sys_fchmodat((uint32_t)AT_FDCWD, path, mode);
}

int32_t sys_fchmod(uint32_t fd, uint32_t mode)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (file->dentry)
        set_mode(file->dentry->inode, mode);
    return 0;
}

static void set_owner(struct inode *inode, uint32_t uid, uint32_t gid)
{
    inode->uid = uid == UINT32_MAX ? inode->uid : uid;
    inode->gid = gid == UINT32_MAX ? inode->gid : gid;
    inode->ctime_ns = time_wall_ns();
}

int32_t sys_fchownat(uint32_t dirfd, uint32_t path, uint32_t uid, uint32_t gid, uint32_t flags)
{
    struct dentry *dentry;
    int err =
        existing(dirfd, path, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0, flags, &dentry);
    if (err)
        return err;
    set_owner(dentry->inode, uid, gid);
    dentry_release(dentry);
    return 0;
}

int32_t sys_chown32(uint32_t path, uint32_t uid, uint32_t gid)
{
    return sys_fchownat((uint32_t)AT_FDCWD, path, uid, gid, 0);
}

int32_t sys_lchown32(uint32_t path, uint32_t uid, uint32_t gid)
{
    return sys_fchownat((uint32_t)AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int32_t sys_fchown32(uint32_t fd, uint32_t uid, uint32_t gid)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (file->dentry)
        set_owner(file->dentry->inode, uid, gid);
    return 0;
}

/* ---- directories ---- */

int32_t sys_chdir(uint32_t path)
{
    struct dentry *dentry;
    int err = walk_user_dentry(AT_FDCWD, path, 0, &dentry);
    if (err)
        return err;
    if (inode_type(dentry->inode) != S_IFDIR)
        err = -ENOTDIR;
    else
        vfs_set_cwd(dentry);
    dentry_release(dentry);
    return err;
}

int32_t sys_fchdir(uint32_t fd)
{
    struct file *file = fd_file(fd);
    if (!file)
        return -EBADF;
    if (!file->dentry || inode_type(file->dentry->inode) != S_IFDIR)
        return -ENOTDIR;
    vfs_set_cwd(file->dentry);
    return 0;
}

int32_t sys_getcwd(uint32_t out, uint32_t room)
{
    char *path = kmalloc(PATH_MAX);
    if (!path)
        return -ENOMEM;
    int len = dentry_path(vfs_cwd(), path, PATH_MAX);
    if (len >= 0)
        len = len + 1 > (int)room ? -ERANGE : len + 1;
    if (len > 0 && copy_to_user(out, path, (uint32_t)len))
        len = -EFAULT;
    kfree(path);
    return len;
}

int32_t sys_chroot(uint32_t path)
{
    (void)path;
    return -EPERM;
}
