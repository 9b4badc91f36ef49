/* SPDX-License-Identifier: MIT */
/* The metadata is made in memory as a whole: it is small (about 100 bytes a name), and its
 * checksum goes into the superblock. */
#include "emu/cli/pack/pack_write.h"

#include "guests/ilwaco/rootfs_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t align(uint64_t x, uint64_t to)
{
    return (x + to - 1) / to * to;
}

int pack_writer_init(struct pack_writer *writer, int fd)
{
    memset(writer, 0, sizeof(*writer));
    writer->fd = fd;
    writer->end = ROOTFS_BLOCK;
    writer->buffer = malloc(PACK_BUFFER);
    return writer->buffer ? 0 : -ENOMEM;
}

void pack_writer_fini(struct pack_writer *writer)
{
    free(writer->buffer);
    writer->buffer = NULL;
}

static int write_at(int fd, const void *data, size_t n, uint64_t at)
{
    const uint8_t *from = data;
    while (n) {
        ssize_t done = pwrite(fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done ? -errno : -EIO;
        from += done;
        at += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

static bool all_zero(const uint8_t *data, size_t n)
{
    return !n || (!data[0] && !memcmp(data, data + 1, n - 1));
}

void pack_file_begin(struct pack_writer *writer, struct pack_inode *inode)
{
    inode->offset = writer->at = writer->end;
    inode->size = 0;
}

int pack_file_bytes(struct pack_writer *writer, const void *data, size_t n)
{
    int err = all_zero(data, n) ? 0 : write_at(writer->fd, data, n, writer->at);
    writer->at += n;
    return err;
}

void pack_file_end(struct pack_writer *writer, struct pack_inode *inode)
{
    inode->size = writer->at - inode->offset;
    writer->file_bytes += inode->size;
    writer->end = align(writer->at, ROOTFS_BLOCK);
}

/* ---- the tree ---- */

struct meta {
    uint8_t *data;
    uint64_t used, room;
    uint64_t offset; /* in the image */
    uint32_t inodes;
    int err;
};

/* n bytes, aligned to 8, zeroed; their place. Memory may move. */
static uint64_t reserve(struct meta *meta, uint64_t n)
{
    uint64_t at = align(meta->used, 8), end = at + n;
    if (meta->err)
        return 0;
    if (end > meta->room) {
        uint64_t room = end * 2;
        uint8_t *data = realloc(meta->data, room);
        if (!data) {
            meta->err = -ENOMEM;
            return 0;
        }
        memset(data + meta->room, 0, room - meta->room);
        meta->data = data;
        meta->room = room;
    }
    meta->used = end;
    return at;
}

/* Numbers inodes in the order of a walk, so that what lies together is numbered together; counts
 * links. */
static void number(struct pack_node *node, uint32_t *next)
{
    struct pack_inode *inode = node->inode;
    if (!inode->number) {
        inode->number = (*next)++;
        inode->nlink = S_ISDIR(inode->mode) ? 1 : 0;
    }
    inode->nlink++;
    for (uint32_t i = 0; i < node->children; i++)
        if (!node->child[i]->inode->number)
            number(node->child[i], next);
        else
            node->child[i]->inode->nlink++;
    for (uint32_t i = 0; i < node->children; i++)
        inode->nlink += S_ISDIR(node->child[i]->inode->mode) ? 1 : 0;
}

static struct rootfs_inode *entry(struct meta *meta, uint32_t inode_number)
{
    return (struct rootfs_inode *)(void *)meta->data + (inode_number - 1);
}

static void put_inode(struct meta *meta, const struct pack_inode *inode, uint64_t size,
                      uint64_t offset, uint32_t count)
{
    *entry(meta, inode->number) = (struct rootfs_inode){
        .mode = inode->mode,
        .nlink = inode->nlink,
        .uid = inode->uid,
        .gid = inode->gid,
        .size = size,
        .offset = offset,
        .mtime_sec = inode->mtime_sec,
        .mtime_nsec = inode->mtime_nsec,
        .rdev_major = inode->rdev_major,
        .rdev_minor = inode->rdev_minor,
        .count = count,
        .shown_size = S_ISDIR(inode->mode) ? inode->size : size,
    };
}

static uint64_t directory_bytes(const struct pack_node *dir)
{
    uint64_t n = dir->children * sizeof(struct rootfs_dirent);
    for (uint32_t i = 0; i < dir->children; i++)
        n += strlen(dir->child[i]->name);
    return n;
}

static int by_place(const void *a, const void *b)
{
    const struct pack_node *x = *(struct pack_node *const *)a, *y = *(struct pack_node *const *)b;
    return (x->place > y->place) - (x->place < y->place);
}

/* The order of a listing: the children by place, told as their indices in the sorted array. */
static int put_order(const struct pack_node *dir, struct rootfs_dirent *out)
{
    struct pack_node **order = malloc(dir->children * sizeof(*order) + 1);
    if (!order)
        return -ENOMEM;
    for (uint32_t i = 0; i < dir->children; i++) {
        dir->child[i]->index = i;
        order[i] = dir->child[i];
    }
    qsort(order, dir->children, sizeof(*order), by_place);
    for (uint32_t i = 0; i < dir->children; i++)
        out[i].listed = order[i]->index;
    free(order);
    return 0;
}

static void put_directory(struct meta *meta, const struct pack_node *dir)
{
    uint64_t bytes = directory_bytes(dir), at = reserve(meta, bytes);
    uint32_t name_at = dir->children * (uint32_t)sizeof(struct rootfs_dirent);
    if (bytes > UINT32_MAX)
        meta->err = -EFBIG;
    if (meta->err)
        return;
    struct rootfs_dirent *out = (struct rootfs_dirent *)(void *)(meta->data + at);
    for (uint32_t i = 0; i < dir->children; i++) {
        const struct pack_node *child = dir->child[i];
        uint16_t len = (uint16_t)strlen(child->name);
        out[i] = (struct rootfs_dirent){.inode = child->inode->number,
                                        .name_offset = name_at,
                                        .name_len = len,
                                        .type = (uint8_t)(child->inode->mode >> 12)};
        memcpy(meta->data + at + name_at, child->name, len);
        name_at += len;
    }
    meta->err = put_order(dir, out);
    put_inode(meta, dir->inode, bytes, meta->offset + at, dir->children);
}

static void put_node(struct meta *meta, const struct pack_node *node)
{
    const struct pack_inode *inode = node->inode;
    if (S_ISDIR(inode->mode)) {
        put_directory(meta, node);
    } else if (S_ISLNK(inode->mode)) {
        size_t len = strlen(inode->target);
        uint64_t at = reserve(meta, len);
        if (!meta->err) {
            memcpy(meta->data + at, inode->target, len);
            put_inode(meta, inode, len, meta->offset + at, 0);
        }
    } else {
        put_inode(meta, inode, inode->size, inode->offset, 0);
    }
    for (uint32_t i = 0; i < node->children && !meta->err; i++)
        put_node(meta, node->child[i]);
}

static int write_super(const struct pack_writer *writer, const struct meta *meta,
                       uint64_t source_key)
{
    struct rootfs_super super = {
        .magic = ROOTFS_MAGIC,
        .version = ROOTFS_VERSION,
        .inode_count = meta->inodes,
        .meta_offset = meta->offset,
        .meta_bytes = meta->used,
        .image_bytes = align(meta->offset + meta->used, ROOTFS_BLOCK),
        .meta_checksum = rootfs_hash(ROOTFS_HASH_START, meta->data, meta->used),
        .source_key = source_key,
        .file_bytes = writer->file_bytes,
    };
    super.super_checksum =
        rootfs_hash(ROOTFS_HASH_START, &super, offsetof(struct rootfs_super, super_checksum));
    if (ftruncate(writer->fd, (off_t)super.image_bytes))
        return -errno;
    return write_at(writer->fd, &super, sizeof(super), 0);
}

int pack_write_tree(struct pack_writer *writer, struct pack_tree *tree, uint64_t source_key)
{
    struct meta meta = {.offset = writer->end};
    uint32_t next = ROOTFS_ROOT;
    number(tree->root, &next);
    meta.inodes = next - ROOTFS_ROOT;
    reserve(&meta, meta.inodes * sizeof(struct rootfs_inode));
    if (!meta.err)
        put_node(&meta, tree->root);
    int err = meta.err;
    if (!err)
        err = write_at(writer->fd, meta.data, meta.used, meta.offset);
    if (!err)
        err = write_super(writer, &meta, source_key);
    free(meta.data);
    return err;
}
