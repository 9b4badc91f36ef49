/* SPDX-License-Identifier: MIT */
/*
 * Walks a folder by descriptors, so that nothing that happens to its names
 * meanwhile leads the walk outside. What the host's kernel makes up (/proc, /sys)
 * is not gone into.
 */
#include "emu/cli/pack/pack_source.h"

#include "guests/ilwaco/rootfs_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEPTH_MAX 256
#define PROC_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572

/* One entry of the walk: its folder, name and status (of the link itself). */
struct entry {
    int dirfd;
    const char *name;
    struct stat st;
};

/* What a walk does with an entry; *into: what is handed on to a directory's entries. */
typedef int (*visit_fn)(void *opaque, const struct entry *entry, void *dir, void **into);

struct walk {
    visit_fn visit;
    void *opaque;
    struct why *why;
};

static bool is_made_up(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (fs.f_type == PROC_MAGIC || fs.f_type == SYSFS_MAGIC);
}

static int walk_folder(const struct walk *walk, int fd, dev_t dev, void *dir, unsigned depth);

static int walk_entry(const struct walk *walk, int dirfd, const char *name, dev_t dev, void *dir,
                      unsigned depth)
{
    struct entry entry = {.dirfd = dirfd, .name = name};
    void *into = NULL;
    if (fstatat(dirfd, name, &entry.st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : why_fail(walk->why, -errno, "%s: %s", name, strerror(errno));
    int err = walk->visit(walk->opaque, &entry, dir, &into);
    if (err || !S_ISDIR(entry.st.st_mode))
        return err;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : why_fail(walk->why, -errno, "%s: %s", name, strerror(errno));
    if (entry.st.st_dev != dev && is_made_up(fd)) {
        close(fd);
        return 0;
    }
    return walk_folder(walk, fd, entry.st.st_dev, into, depth + 1);
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Takes over the descriptor. */
static int walk_folder(const struct walk *walk, int fd, dev_t dev, void *dir, unsigned depth)
{
    DIR *stream = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    int err = 0;
    if (!stream) {
        close(fd);
        return why_fail(walk->why, -ENAMETOOLONG, "folders are nested too deep, or no memory");
    }
    for (struct dirent *d; !err && (d = readdir(stream));)
        if (!is_dots(d->d_name))
            err = walk_entry(walk, dirfd(stream), d->d_name, dev, dir, depth);
    closedir(stream);
    return err;
}

static int start(const char *path, const struct walk *walk, void *root)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        int err = -errno;
        if (fd >= 0)
            close(fd);
        return why_fail(walk->why, err, "the root %s cannot be read: %s", path, strerror(-err));
    }
    return walk_folder(walk, fd, st.st_dev, root, 0);
}

/* ---- the key ---- */

static uint64_t entry_hash(const struct entry *entry, uint64_t dir)
{
    const struct stat *st = &entry->st;
    const uint64_t words[] = {
        dir,
        st->st_dev,
        st->st_ino,
        st->st_mode,
        (uint64_t)st->st_size,
        (uint64_t)st->st_mtim.tv_sec,
        (uint64_t)st->st_mtim.tv_nsec,
        (uint64_t)st->st_ctim.tv_sec,
        (uint64_t)st->st_ctim.tv_nsec,
        (uint64_t)st->st_uid << 32 | st->st_gid,
    };
    uint64_t hash = rootfs_hash(ROOTFS_HASH_START, words, sizeof(words));
    return rootfs_hash(hash, entry->name, strlen(entry->name));
}

/* A sum, as the order of a folder's entries means nothing. A folder's own number stands for its
 * path. */
static int visit_key(void *opaque, const struct entry *entry, void *dir, void **into)
{
    uint64_t *key = opaque, hash = entry_hash(entry, (uintptr_t)dir);
    *key += hash;
    *into = (void *)(uintptr_t)hash;
    return 0;
}

int pack_folder_key(const char *path, uint64_t *key, struct why *why)
{
    struct walk walk = {visit_key, key, why};
    *key = ROOTFS_VERSION;
    return start(path, &walk, NULL);
}

/* ---- the tree ---- */

/* Inodes with several names, to be found again by device and number. */
struct seen {
    dev_t dev;
    ino_t ino;
    struct pack_inode *inode;
};

struct folder {
    struct pack_writer *writer;
    struct pack_tree *tree;
    struct pack_skips *skips;
    struct why *why;
    struct seen *seen;
    size_t seens, seen_room;
};

static struct pack_inode *find_seen(const struct folder *folder, const struct stat *st)
{
    for (size_t i = 0; i < folder->seens; i++)
        if (folder->seen[i].ino == st->st_ino && folder->seen[i].dev == st->st_dev)
            return folder->seen[i].inode;
    return NULL;
}

static int remember(struct folder *folder, const struct stat *st, struct pack_inode *inode)
{
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return 0;
    if (folder->seens == folder->seen_room) {
        size_t room = folder->seen_room ? folder->seen_room * 2 : 16;
        struct seen *seen = realloc(folder->seen, room * sizeof(*seen));
        if (!seen)
            return -ENOMEM;
        folder->seen = seen;
        folder->seen_room = room;
    }
    folder->seen[folder->seens++] = (struct seen){st->st_dev, st->st_ino, inode};
    return 0;
}

static int copy_contents(struct folder *folder, const struct entry *entry, int fd,
                         struct pack_inode *inode)
{
    struct pack_writer *writer = folder->writer;
    pack_file_begin(writer, inode);
    for (;;) {
        ssize_t n = read(fd, writer->buffer, PACK_BUFFER);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return why_fail(folder->why, -errno, "%s: %s", entry->name, strerror(errno));
        if (n == 0)
            break;
        int err = pack_file_bytes(writer, writer->buffer, (size_t)n);
        if (err)
            return why_fail(folder->why, err, "the packed root cannot be written: %s",
                            strerror(-err));
    }
    pack_file_end(writer, inode);
    return 0;
}

/* 1: left out. */
static int add_contents(struct folder *folder, const struct entry *entry, struct pack_inode *inode)
{
    int fd = openat(entry->dirfd, entry->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (!folder->skips->count++)
            snprintf(folder->skips->first, sizeof(folder->skips->first), "%s", entry->name);
        return 1;
    }
    int err = copy_contents(folder, entry, fd, inode);
    close(fd);
    return err;
}

static int add_target(const struct entry *entry, struct pack_inode *inode)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(entry->dirfd, entry->name, target, sizeof(target) - 1);
    if (n <= 0)
        return 1;
    inode->target = strndup(target, (size_t)n);
    return inode->target ? 0 : -ENOMEM;
}

static int fill(struct folder *folder, const struct entry *entry, struct pack_inode *inode)
{
    const struct stat *st = &entry->st;
    inode->uid = st->st_uid;
    inode->gid = st->st_gid;
    inode->mtime_sec = st->st_mtim.tv_sec;
    inode->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
    inode->rdev_major = major(st->st_rdev);
    inode->rdev_minor = minor(st->st_rdev);
    if (S_ISDIR(st->st_mode))
        inode->size = (uint64_t)st->st_size;
    if (S_ISREG(st->st_mode))
        return add_contents(folder, entry, inode);
    return S_ISLNK(st->st_mode) ? add_target(entry, inode) : S_ISSOCK(st->st_mode);
}

static int visit_pack(void *opaque, const struct entry *entry, void *dir, void **into)
{
    struct folder *folder = opaque;
    struct pack_node *node;
    struct pack_inode *inode = find_seen(folder, &entry->st);
    int err = 0;
    if (!inode) {
        inode = pack_inode_create(folder->tree, entry->st.st_mode);
        err = inode ? fill(folder, entry, inode) : -ENOMEM;
        if (!err)
            err = remember(folder, &entry->st, inode);
    }
    if (!err)
        err = pack_node_add(folder->tree, dir, entry->name, strlen(entry->name), inode, &node);
    if (err == -ENOMEM || err == -EFBIG)
        return why_fail(folder->why, err, "the root has too many files for the memory there is");
    *into = err ? NULL : node;
    return err > 0 ? 0 : err;
}

int pack_folder(const char *path, struct pack_writer *writer, struct pack_tree *tree,
                struct pack_skips *skips, struct why *why)
{
    struct folder folder = {.writer = writer, .tree = tree, .skips = skips, .why = why};
    struct walk walk = {visit_pack, &folder, why};
    struct stat st;
    if (stat(path, &st) == 0) {
        tree->root->inode->mode = st.st_mode;
        tree->root->inode->uid = st.st_uid;
        tree->root->inode->gid = st.st_gid;
        tree->root->inode->size = (uint64_t)st.st_size;
        tree->root->inode->mtime_sec = st.st_mtim.tv_sec;
    }
    int err = start(path, &walk, tree->root);
    free(folder.seen);
    return err;
}
