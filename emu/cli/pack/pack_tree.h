/* SPDX-License-Identifier: MIT */
/*
 * The file tree that is being packed, in memory: names and inodes. Contents are
 * in the image already when a file is added (pack_write.h).
 */
#ifndef DENALI_PACK_TREE_H
#define DENALI_PACK_TREE_H

#include "emu/base/base.h"

struct pack_inode {
    struct pack_inode *next; /* of all, the newest first */
    uint32_t number;         /* given when the tree is written; 0 before */
    uint32_t mode, nlink, uid, gid;
    uint64_t size, offset; /* regular: contents in the image; directory: size as stat tells it */
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    uint32_t rdev_major, rdev_minor;
    char *target; /* symbolic link */
};

struct pack_node {
    char *name;
    struct pack_node *parent;
    struct pack_inode *inode;
    struct pack_node **child; /* sorted by name; directories only */
    uint32_t children, room;
    uint32_t index; /* in its parent's `child`, when the tree is written */
    uint32_t place; /* grows with every name added: the order of listings */
};

struct pack_tree {
    struct pack_node *root;
    struct pack_inode *inodes;
    uint32_t nodes;
    uint32_t places;
};

/* At most this many names: a bound for hostile archives. */
#define PACK_NODES_MAX (1u << 22)

/* An empty tree: a root directory of mode 0755. -ENOMEM. */
MUST_CHECK int pack_tree_init(struct pack_tree *tree);
void pack_tree_fini(struct pack_tree *tree);

/* A new inode of the tree, zeroed but for its mode; NULL: no memory. */
struct pack_inode *pack_inode_create(struct pack_tree *tree, uint32_t mode);

/* The child of that name; NULL: none. */
struct pack_node *pack_node_child(const struct pack_node *dir, const char *name, size_t len);

/* Adds a name. An older one is replaced, unless both are directories: then the inode is taken over
 * and the children stay. -ENOMEM, -EFBIG (too many names), -ENOTDIR. */
MUST_CHECK int pack_node_add(struct pack_tree *tree, struct pack_node *dir, const char *name,
                             size_t len, struct pack_inode *inode, struct pack_node **out);

/*
 * The node of a path of an archive, lexically inside the tree: leading slashes
 * and "." are dropped, links on the way are followed, missing directories made
 * if `make`. The last component goes to *name and *len (NULL: of the root
 * itself) and is not looked up. -EINVAL for "..", names too long or too deep, -ENOENT, -ENOTDIR,
 * -ELOOP, and as pack_node_add.
 */
MUST_CHECK int pack_tree_parent(struct pack_tree *tree, const char *path, bool make,
                                struct pack_node **dir, const char **name, size_t *len);

#endif
