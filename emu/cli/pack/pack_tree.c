/* SPDX-License-Identifier: MIT */
/* Children are kept sorted: the image wants them so, and looking up by halving is quick enough. */
#include "emu/cli/pack/pack_tree.h"

#include "guests/ilwaco/rootfs_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINKS_MAX 40
#define DEPTH_MAX 512

int pack_tree_init(struct pack_tree *tree)
{
    memset(tree, 0, sizeof(*tree));
    tree->root = calloc(1, sizeof(*tree->root));
    struct pack_inode *inode = pack_inode_create(tree, S_IFDIR | 0755);
    if (!tree->root || !inode || !(tree->root->name = strdup(""))) {
        pack_tree_fini(tree);
        return -ENOMEM;
    }
    tree->root->inode = inode;
    tree->nodes = 1;
    return 0;
}

/* Depth is bounded by DEPTH_MAX, so recursion is. */
static void node_free(struct pack_node *node)
{
    if (!node)
        return;
    for (uint32_t i = 0; i < node->children; i++)
        node_free(node->child[i]);
    free(node->child);
    free(node->name);
    free(node);
}

void pack_tree_fini(struct pack_tree *tree)
{
    node_free(tree->root);
    for (struct pack_inode *inode = tree->inodes, *next; inode; inode = next) {
        next = inode->next;
        free(inode->target);
        free(inode);
    }
    memset(tree, 0, sizeof(*tree));
}

struct pack_inode *pack_inode_create(struct pack_tree *tree, uint32_t mode)
{
    struct pack_inode *inode = calloc(1, sizeof(*inode));
    if (!inode)
        return NULL;
    inode->mode = mode;
    inode->next = tree->inodes;
    tree->inodes = inode;
    return inode;
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* Index of the name, or of the place where it belongs. */
static uint32_t position(const struct pack_node *dir, const char *name, size_t len, bool *found)
{
    uint32_t low = 0, high = dir->children;
    *found = false;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = compare(name, len, dir->child[mid]->name, strlen(dir->child[mid]->name));
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

struct pack_node *pack_node_child(const struct pack_node *dir, const char *name, size_t len)
{
    bool found;
    uint32_t at = position(dir, name, len, &found);
    return found ? dir->child[at] : NULL;
}

static int make_room(struct pack_node *dir)
{
    if (dir->children < dir->room)
        return 0;
    uint32_t room = dir->room ? dir->room * 2 : 4;
    struct pack_node **child = realloc(dir->child, room * sizeof(*child));
    if (!child)
        return -ENOMEM;
    dir->child = child;
    dir->room = room;
    return 0;
}

static int insert(struct pack_tree *tree, struct pack_node *dir, uint32_t at, const char *name,
                  size_t len, struct pack_node **out)
{
    if (tree->nodes >= PACK_NODES_MAX)
        return -EFBIG;
    struct pack_node *node = calloc(1, sizeof(*node));
    if (!node || !(node->name = strndup(name, len)) || make_room(dir)) {
        node_free(node);
        return -ENOMEM;
    }
    memmove(&dir->child[at + 1], &dir->child[at], (dir->children - at) * sizeof(node));
    dir->child[at] = node;
    dir->children++;
    node->parent = dir;
    node->place = tree->places++;
    tree->nodes++;
    *out = node;
    return 0;
}

/* The children of a directory that is replaced by something else go with it. */
static void drop_children(struct pack_tree *tree, struct pack_node *node)
{
    for (uint32_t i = 0; i < node->children; i++) {
        drop_children(tree, node->child[i]);
        node_free(node->child[i]);
        tree->nodes--;
    }
    free(node->child);
    node->child = NULL;
    node->children = node->room = 0;
}

int pack_node_add(struct pack_tree *tree, struct pack_node *dir, const char *name, size_t len,
                  struct pack_inode *inode, struct pack_node **out)
{
    bool found;
    if (!S_ISDIR(dir->inode->mode))
        return -ENOTDIR;
    uint32_t at = position(dir, name, len, &found);
    struct pack_node *node = found ? dir->child[at] : NULL;
    if (!node) {
        int err = insert(tree, dir, at, name, len, &node);
        if (err)
            return err;
    } else if (!S_ISDIR(inode->mode)) {
        drop_children(tree, node);
    }
    node->inode = inode;
    if (out)
        *out = node;
    return 0;
}

/* ---- paths of archives ---- */

static size_t component(const char **path)
{
    for (;;) {
        while (**path == '/')
            (*path)++;
        size_t len = strcspn(*path, "/");
        if (len != 1 || **path != '.')
            return len;
        (*path)++;
    }
}

static bool is_last(const char *rest)
{
    return component(&rest) == 0;
}

static int step(struct pack_tree *tree, struct pack_node **at, const char *name, size_t len,
                bool make, int *links, unsigned depth);

/* Walks a link's target from where the link lies; ".." stays inside the root. */
static int follow(struct pack_tree *tree, struct pack_node **at, const char *target, int *links,
                  unsigned depth)
{
    if (++*links > LINKS_MAX)
        return -ELOOP;
    if (*target == '/')
        *at = tree->root;
    for (size_t len; (len = component(&target)); target += len) {
        int err = step(tree, at, target, len, false, links, depth);
        if (err)
            return err;
    }
    return 0;
}

static int step(struct pack_tree *tree, struct pack_node **at, const char *name, size_t len,
                bool make, int *links, unsigned depth)
{
    if (len == 2 && !memcmp(name, "..", 2)) {
        *at = (*at)->parent ? (*at)->parent : *at;
        return 0;
    }
    struct pack_node *next = pack_node_child(*at, name, len);
    if (next && S_ISLNK(next->inode->mode))
        return follow(tree, at, next->inode->target, links, depth);
    if (!next && make) {
        struct pack_inode *inode = pack_inode_create(tree, S_IFDIR | 0755);
        int err = inode ? pack_node_add(tree, *at, name, len, inode, &next) : -ENOMEM;
        if (err)
            return err;
    }
    if (!next)
        return -ENOENT;
    *at = next;
    return S_ISDIR(next->inode->mode) ? 0 : -ENOTDIR;
}

int pack_tree_parent(struct pack_tree *tree, const char *path, bool make, struct pack_node **dir,
                     const char **name, size_t *len)
{
    int links = 0;
    *dir = tree->root;
    *name = NULL;
    *len = 0;
    for (unsigned depth = 0;; depth++) {
        size_t n = component(&path);
        if (!n)
            return 0;
        if (n > ROOTFS_NAME_MAX || depth > DEPTH_MAX || (n == 2 && !memcmp(path, "..", 2)))
            return -EINVAL;
        if (is_last(path + n)) {
            *name = path;
            *len = n;
            return 0;
        }
        int err = step(tree, dir, path, n, make, &links, depth);
        if (err)
            return err;
        path += n;
    }
}
