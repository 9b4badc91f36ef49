/* SPDX-License-Identifier: MIT */
/*
 * Reads a tar file: ustar, pax records, GNU long names and base-256 numbers. The
 * file may be hostile: every number is checked before it is used, names stay
 * inside the tree, and a file that ends early is an error. Read through zlib,
 * which passes plain files through and undoes gzip.
 */
#include "emu/cli/pack/pack_source.h"

#include "emu/cli/pack/pack_tar_header.h"
#include "guests/ilwaco/rootfs_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

struct tar {
    gzFile in;
    const char *path;
    struct pack_writer *writer;
    struct pack_tree *tree;
    struct why *why;
    struct tar_entry next; /* what extension headers said about the next entry */
};

int pack_tar_key(const char *path, uint64_t *key, struct why *why)
{
    struct stat st;
    if (stat(path, &st))
        return why_fail(why, -errno, "the root %s cannot be read: %s", path, strerror(errno));
    const uint64_t words[] = {ROOTFS_VERSION,
                              st.st_dev,
                              st.st_ino,
                              (uint64_t)st.st_size,
                              (uint64_t)st.st_mtim.tv_sec,
                              (uint64_t)st.st_mtim.tv_nsec,
                              (uint64_t)st.st_ctim.tv_sec,
                              (uint64_t)st.st_ctim.tv_nsec};
    *key = rootfs_hash(ROOTFS_HASH_START, words, sizeof(words));
    return 0;
}

static int damaged(const struct tar *tar, const char *what)
{
    return why_fail(tar->why, -EINVAL, "%s is not a tar file that can be read: %s", tar->path,
                    what);
}

/* Exactly n bytes; 1: the file ends before the first. */
static int read_bytes(struct tar *tar, void *dst, unsigned n)
{
    int got = gzread(tar->in, dst, n);
    if (got == (int)n)
        return 0;
    return got == 0 ? 1 : damaged(tar, got < 0 ? "it is damaged" : "it ends too early");
}

static uint64_t padding(uint64_t size)
{
    return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

/* Hands `size` bytes and their padding to the image, or to nobody. */
static int take_contents(struct tar *tar, uint64_t size, bool keep)
{
    uint64_t left = size + padding(size), keep_left = keep ? size : 0;
    while (left) {
        unsigned n = left < PACK_BUFFER ? (unsigned)left : PACK_BUFFER;
        int err = read_bytes(tar, tar->writer->buffer, n);
        if (err)
            return err > 0 ? damaged(tar, "it ends too early") : err;
        size_t part = keep_left < n ? (size_t)keep_left : n;
        err = pack_file_bytes(tar->writer, tar->writer->buffer, part);
        if (err)
            return why_fail(tar->why, err, "the packed root cannot be written: %s", strerror(-err));
        keep_left -= part;
        left -= n;
    }
    return 0;
}

/* The contents of an extension header, NUL-ended. */
static int read_extension(struct tar *tar, uint64_t size, char **out)
{
    if (size > TAR_EXTENSION_MAX)
        return damaged(tar, "an extension header is too long");
    unsigned n = (unsigned)(size + padding(size));
    char *data = malloc(n + 1);
    if (!data)
        return why_fail(tar->why, -ENOMEM, "no memory");
    int err = n ? read_bytes(tar, data, n) : 0;
    if (err) {
        free(data);
        return err > 0 ? damaged(tar, "it ends too early") : err;
    }
    data[size] = 0;
    *out = data;
    return 0;
}

/* L, K, x, g: about the entry that follows (g: about all; nothing of it matters here). */
static int extension(struct tar *tar, const struct tar_entry *entry)
{
    char *data = NULL;
    int err = read_extension(tar, entry->size, &data);
    if (err)
        return err;
    if (entry->type == 'L')
        tar_set_string(&tar->next.name, data);
    else if (entry->type == 'K')
        tar_set_string(&tar->next.link, data);
    else if (entry->type == 'x' && tar_parse_pax(&tar->next, data, (size_t)entry->size))
        err = damaged(tar, "a pax header is malformed, or has a sparse file");
    free(data);
    return err;
}

static int add_failed(const struct tar *tar, const struct tar_entry *entry, int err)
{
    const char *what = err == -EINVAL    ? "its name leads out of the root or is too long"
                       : err == -ENOTDIR ? "a part of its name is not a folder"
                       : err == -ENOENT  ? "a part of its name is a link that leads nowhere"
                                         : strerror(-err);
    return why_fail(tar->why, err, "%s: entry %.120s: %s", tar->path, entry->name, what);
}

/* A further name of what is in the tree already. */
static int hard_link(struct tar *tar, const struct tar_entry *entry, struct pack_inode **out)
{
    struct pack_node *dir, *node;
    const char *name;
    size_t len;
    int err = pack_tree_parent(tar->tree, entry->link, false, &dir, &name, &len);
    node = !err && name ? pack_node_child(dir, name, len) : NULL;
    if (!node || S_ISDIR(node->inode->mode))
        return -ENOENT;
    *out = node->inode;
    return 0;
}

static int make_inode(struct tar *tar, const struct tar_entry *entry, struct pack_inode **out)
{
    uint32_t type = tar_mode_type(entry->type);
    if (entry->type == '1')
        return hard_link(tar, entry, out);
    struct pack_inode *inode = pack_inode_create(tar->tree, type | (entry->mode & 07777));
    if (!inode)
        return -ENOMEM;
    inode->uid = entry->uid;
    inode->gid = entry->gid;
    inode->mtime_sec = entry->mtime;
    inode->size = S_ISDIR(type) ? ROOTFS_BLOCK : 0;
    inode->rdev_major = entry->major;
    inode->rdev_minor = entry->minor;
    if (S_ISLNK(type) && !(inode->target = strdup(entry->link ? entry->link : "")))
        return -ENOMEM;
    *out = inode;
    return S_ISLNK(type) && !*inode->target ? -EINVAL : 0;
}

/* The entry's name enters the tree; its contents the image. */
static int add(struct tar *tar, const struct tar_entry *entry)
{
    struct pack_node *dir;
    struct pack_inode *inode = NULL;
    const char *name;
    size_t len;
    int err = make_inode(tar, entry, &inode);
    if (!err)
        err = pack_tree_parent(tar->tree, entry->name, true, &dir, &name, &len);
    if (err)
        return add_failed(tar, entry, err);
    bool regular = S_ISREG(inode->mode) && entry->type != '1';
    if (regular)
        pack_file_begin(tar->writer, inode);
    err = take_contents(tar, entry->type == '1' || regular ? entry->size : 0, regular);
    if (err)
        return err;
    if (regular)
        pack_file_end(tar->writer, inode);
    if (!name) { /* "./" */
        if (S_ISDIR(inode->mode))
            tar->tree->root->inode = inode;
        return 0;
    }
    err = pack_node_add(tar->tree, dir, name, len, inode, NULL);
    return err ? add_failed(tar, entry, err) : 0;
}

/* One header and what belongs to it. 1: the end. */
static int one(struct tar *tar)
{
    uint8_t block[TAR_BLOCK];
    struct tar_entry entry = {0};
    int err = read_bytes(tar, block, sizeof(block));
    if (err)
        return err;
    if (tar_block_is_zero(block))
        return 1;
    if (tar_parse_header(block, &entry))
        return damaged(tar, "a header's checksum or a number in it is wrong");
    if (tar_is_extension(entry.type)) {
        err = extension(tar, &entry);
    } else {
        tar_entry_override(&entry, &tar->next);
        if (entry.type == 'S')
            err = damaged(tar, "it has a sparse file in GNU's old form");
        else if (!tar_mode_type(entry.type) && entry.type != '1')
            err = take_contents(tar, entry.size, false); /* volume labels and the like */
        else
            err = add(tar, &entry);
        tar_entry_clear(&tar->next);
    }
    tar_entry_clear(&entry);
    return err;
}

int pack_tar(const char *path, struct pack_writer *writer, struct pack_tree *tree,
             struct pack_skips *skips, struct why *why)
{
    struct tar tar = {.path = path, .writer = writer, .tree = tree, .why = why};
    bool any = false;
    int err;
    skips->count = 0;
    tar.in = gzopen(path, "rbe");
    if (!tar.in)
        return why_fail(why, errno ? -errno : -ENOMEM, "the root %s cannot be read: %s", path,
                        strerror(errno ? errno : ENOMEM));
    gzbuffer(tar.in, PACK_BUFFER);
    while ((err = one(&tar)) == 0)
        any = true;
    gzclose(tar.in);
    tar_entry_clear(&tar.next);
    if (err == 1)
        err = any ? 0 : damaged(&tar, "it is empty");
    return err;
}
