/* SPDX-License-Identifier: MIT */
/*
 * From a path to a dentry. One loop over components with an explicit rest of
 * the path, so a symbolic link costs no recursion: its target is put in front
 * of what is left.
 */
#include "guests/ilwaco/fs/vfs.h"

#define PATH_SHORT 192u

static struct dentry *cwd;

struct dentry *vfs_cwd(void)
{
    return cwd;
}

void vfs_set_cwd(struct dentry *dir)
{
    dentry_hold(dir);
    if (cwd)
        dentry_release(cwd);
    cwd = dir;
}

/* The state of one walk; `at` is held. */
struct walker {
    struct dentry *at;
    char *buffer, *rest; /* rest is what is left of it */
    uint32_t flags;
    int links;
};

static void step_to(struct walker *walker, struct dentry *to)
{
    dentry_release(walker->at);
    walker->at = to;
}

static void step_up(struct walker *walker)
{
    struct dentry *parent = walker->at->parent;
    if (parent) {
        dentry_hold(parent);
        step_to(walker, parent);
    }
}

/* Puts the link's target before the rest. */
static int prepend(struct walker *walker, const char *target, uint32_t len)
{
    uint32_t rest = strlen(walker->rest);
    if (len + rest + 2 > PATH_MAX)
        return -ENAMETOOLONG;
    char *whole = kmalloc(len + rest + 2);
    if (!whole)
        return -ENOMEM;
    memcpy(whole, target, len);
    whole[len] = rest ? '/' : 0;
    memcpy(whole + len + 1, walker->rest, rest + 1);
    kfree(walker->buffer);
    walker->buffer = walker->rest = whole;
    return 0;
}

/* Puts the link's target before the rest and goes to where it begins. */
static int follow(struct walker *walker, struct dentry *link)
{
    struct inode *inode = link->inode;
    if (++walker->links > LINK_DEPTH_MAX)
        return -ELOOP;
    if (inode->ops->jump) {
        struct dentry *to = inode->ops->jump(inode);
        if (!to)
            return -ENOENT;
        step_to(walker, to);
        return 0;
    }
    char *target = kmalloc(PATH_MAX);
    if (!target)
        return -ENOMEM;
    int len = inode->ops->readlink ? inode->ops->readlink(inode, target, PATH_MAX) : -EINVAL;
    int err = len > 0 ? prepend(walker, target, (uint32_t)len) : len < 0 ? len : -ENOENT;
    if (!err && *target == '/') {
        dentry_hold(vfs_root());
        step_to(walker, vfs_root());
    }
    kfree(target);
    return err;
}

/* Cuts the next component off the rest: its length, 0 at the end. */
static uint32_t next_name(struct walker *walker, char **name)
{
    while (*walker->rest == '/')
        walker->rest++;
    *name = walker->rest;
    while (*walker->rest && *walker->rest != '/')
        walker->rest++;
    return (uint32_t)(walker->rest - *name);
}

static bool only_slashes(const char *s)
{
    while (*s == '/')
        s++;
    return !*s;
}

/* The last component's result: takes over walker->at as the parent. */
static void finish(struct walker *walker, struct walk *walk, const char *name, uint32_t len,
                   struct dentry *found)
{
    walk->parent = walker->at;
    walk->dentry = found;
    walker->at = NULL;
    memcpy(walk->name, name, len);
    walk->name[len] = 0;
    walk->len = len;
}

static int step_dots(struct walker *walker, uint32_t len)
{
    if (len == 2)
        step_up(walker);
    return 0;
}

/* One name. 1: the walk is finished; 0: go on; or an error. */
static int step_name(struct walker *walker, struct walk *walk, char *name, uint32_t len)
{
    struct dentry *found;
    bool last = only_slashes(walker->rest);
    bool slash = *walker->rest == '/';
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    int err = dentry_lookup(walker->at, name, len, &found);
    if (err)
        return err;
    if (found && !found->inode) {
        dentry_release(found);
        found = NULL;
    }
    if (!found && !(last && (walker->flags & WALK_PARENT)))
        return -ENOENT;
    bool link = found && inode_type(found->inode) == S_IFLNK;
    if (link && !(last && !slash && (walker->flags & WALK_NOFOLLOW))) {
        err = follow(walker, found);
        dentry_release(found);
        return err;
    }
    if (last) {
        walk->slash = slash;
        finish(walker, walk, name, len, found);
        return 1;
    }
    step_to(walker, found);
    return 0;
}

static int run(struct walker *walker, struct walk *walk)
{
    for (;;) {
        char *name;
        uint32_t len = next_name(walker, &name);
        if (!len)
            break;
        if (inode_type(walker->at->inode) != S_IFDIR)
            return -ENOTDIR;
        bool dots = name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
        int result = dots ? step_dots(walker, len) : step_name(walker, walk, name, len);
        if (result)
            return result < 0 ? result : 0;
    }
    walk->dentry = walker->at; /* "/", ".", "..": no parent */
    walker->at = NULL;
    return 0;
}

int walk_path(struct dentry *base, const char *path, uint32_t flags, struct walk *walk)
{
    uint32_t len = strlen(path);
    struct walker walker = {.at = *path == '/' ? vfs_root() : base, .flags = flags};
    memset(walk, 0, offsetof(struct walk, name));
    walk->slash = false;
    walk->len = 0;
    if (!len)
        return -ENOENT;
    if (len >= PATH_MAX)
        return -ENAMETOOLONG;
    walker.buffer = kmalloc(len + 1);
    if (!walker.buffer)
        return -ENOMEM;
    memcpy(walker.buffer, path, len + 1);
    walker.rest = walker.buffer;
    dentry_hold(walker.at);
    int err = run(&walker, walk);
    if (!err && walk->slash && walk->dentry && inode_type(walk->dentry->inode) != S_IFDIR)
        err = -ENOTDIR;
    if (walker.at)
        dentry_release(walker.at);
    kfree(walker.buffer);
    if (err)
        walk_done(walk);
    return err;
}

void walk_done(struct walk *walk)
{
    if (walk->parent)
        dentry_release(walk->parent);
    if (walk->dentry)
        dentry_release(walk->dentry);
    walk->parent = walk->dentry = NULL;
}

/* Most paths are short: two fresh pages for each would be written, and stay, in every VM. */
char *path_from_user(uint32_t path, int *err)
{
    char *copy = kmalloc(PATH_SHORT);
    *err = copy ? copy_string_from_user(copy, path, PATH_SHORT) : -ENOMEM;
    if (*err == -ENAMETOOLONG) {
        kfree(copy);
        copy = kmalloc(PATH_MAX);
        *err = copy ? copy_string_from_user(copy, path, PATH_MAX) : -ENOMEM;
    }
    if (*err >= 0) {
        *err = 0;
        return copy;
    }
    kfree(copy);
    return NULL;
}

static int base_of(int32_t dirfd, const char *path, struct dentry **base)
{
    *base = cwd;
    if (dirfd == AT_FDCWD || *path == '/')
        return 0;
    struct file *file = fd_file((uint32_t)dirfd);
    if (!file)
        return -EBADF;
    if (!file->dentry || (*path && inode_type(file->dentry->inode) != S_IFDIR))
        return -ENOTDIR;
    *base = file->dentry;
    return 0;
}

int walk_user(int32_t dirfd, uint32_t path, uint32_t flags, struct walk *walk)
{
    int err;
    struct dentry *base;
    char *copy = path_from_user(path, &err);
    if (!copy)
        return err;
    err = base_of(dirfd, copy, &base);
    if (!err)
        err = walk_path(base, copy, flags, walk);
    kfree(copy);
    return err;
}

int walk_user_dentry(int32_t dirfd, uint32_t path, uint32_t flags, struct dentry **out)
{
    struct walk walk;
    int err = walk_user(dirfd, path, flags, &walk);
    if (err)
        return err;
    *out = walk.dentry;
    dentry_hold(*out);
    walk_done(&walk);
    return 0;
}
