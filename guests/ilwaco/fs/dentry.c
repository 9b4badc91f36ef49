/* SPDX-License-Identifier: MIT */
/*
 * The tree of names. A global hash finds a name in a directory; a list per
 * directory finds its children for listings. Every linked dentry has one
 * reference for being linked, and one from each child it has.
 */
#include "guests/ilwaco/fs/vfs.h"

#define BUCKETS 512u

static struct dentry *buckets[BUCKETS] SELDOM_WRITTEN;
static struct dentry *root;
static uint32_t next_serial = 1;

static uint32_t name_hash(const struct dentry *dir, const char *name, uint32_t len)
{
    uint32_t hash = (uint32_t)dir >> 4;
    for (uint32_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

void dentry_hold(struct dentry *dentry)
{
    dentry->refs++;
}

void dentry_release(struct dentry *dentry)
{
    while (dentry && --dentry->refs == 0) {
        struct dentry *parent = dentry->parent;
        if (dentry->inode)
            inode_release(dentry->inode);
        kfree(dentry);
        dentry = parent;
    }
}

static struct dentry *dentry_create(const char *name, uint32_t len, struct inode *inode)
{
    size_t bytes = sizeof(struct dentry) + len + 1;
    /* Every walk counts the root. */
    struct dentry *dentry = root ? kzalloc(bytes) : kzalloc_lively(bytes);
    if (!dentry)
        return NULL;
    dentry->refs = 1;
    dentry->inode = inode;
    list_init(&dentry->children);
    list_init(&dentry->sibling);
    memcpy(dentry->name, name, len);
    return dentry;
}

/* Puts it into the tree; the reference of being linked is the caller's gift. */
static void attach(struct dentry *dir, struct dentry *dentry)
{
    dentry->hash = name_hash(dir, dentry->name, strlen(dentry->name));
    dentry->parent = dir;
    dentry_hold(dir);
    dentry->hash_next = buckets[dentry->hash % BUCKETS];
    buckets[dentry->hash % BUCKETS] = dentry;
    dentry->serial = next_serial++;
    list_append(&dir->children, &dentry->sibling);
}

/* Out of hash and list; the parent stays known to holders. */
static void detach(struct dentry *dentry)
{
    struct dentry **link = &buckets[dentry->hash % BUCKETS];
    while (*link != dentry)
        link = &(*link)->hash_next;
    *link = dentry->hash_next;
    list_remove(&dentry->sibling);
}

void vfs_init(struct inode *inode)
{
    root = dentry_create("", 0, inode);
    BUG_ON(!root, "no memory for the root");
    vfs_set_cwd(root);
}

struct dentry *vfs_root(void)
{
    return root;
}

struct dentry *dentry_peek(struct dentry *dir, const char *name, uint32_t len)
{
    uint32_t hash = name_hash(dir, name, len);
    struct dentry *dentry = buckets[hash % BUCKETS];
    while (dentry && (dentry->hash != hash || dentry->parent != dir ||
                      strncmp(dentry->name, name, len) || dentry->name[len]))
        dentry = dentry->hash_next;
    return dentry;
}

/* A name of a directory that changes by itself: known to its holder alone. */
static int uncached_child(struct dentry *dir, const char *name, uint32_t len, struct inode *inode,
                          struct dentry **out)
{
    *out = dentry_create(name, len, inode);
    if (!*out) {
        inode_release(inode);
        return -ENOMEM;
    }
    (*out)->parent = dir;
    dentry_hold(dir);
    return 0;
}

int dentry_lookup(struct dentry *dir, const char *name, uint32_t len, struct dentry **out)
{
    struct inode *inode;
    *out = dentry_peek(dir, name, len);
    if (!*out && dir->inode->ops->lookup) {
        int err = dir->inode->ops->lookup(dir->inode, name, len, &inode);
        if (err == -ENOENT)
            return 0;
        if (err)
            return err;
        if (dir->inode->uncached)
            return uncached_child(dir, name, len, inode, out);
        *out = dentry_peek(dir, name, len); /* another thread may have come first while we waited */
        if (*out) {
            inode_release(inode);
        } else {
            *out = dentry_create(name, len, inode);
            if (!*out) {
                inode_release(inode);
                return -ENOMEM;
            }
            attach(dir, *out);
        }
    }
    if (*out)
        dentry_hold(*out);
    return 0;
}

struct dentry *dentry_link(struct dentry *dir, const char *name, uint32_t len, struct inode *inode)
{
    struct dentry *dentry = dentry_peek(dir, name, len);
    if (dentry) {
        BUG_ON(dentry->inode, "dentry_link: the name is taken");
        detach(dentry);
        dentry_release(dentry);
    }
    dentry = dentry_create(name, len, inode);
    if (!dentry) {
        inode_release(inode);
        return NULL;
    }
    dentry->upper = true;
    attach(dir, dentry);
    dir->inode->mtime_ns = dir->inode->ctime_ns = time_wall_ns();
    dentry_hold(dentry);
    return dentry;
}

/* Leaves a whiteout where the lower part may have the name. */
static int cover(struct dentry *dir, const char *name)
{
    if (!dir->inode->ops->lookup)
        return 0;
    struct dentry *whiteout = dentry_create(name, strlen(name), NULL);
    if (!whiteout)
        return -ENOSPC;
    attach(dir, whiteout);
    return 0;
}

int dentry_unlink(struct dentry *dentry)
{
    struct dentry *dir = dentry->parent;
    detach(dentry);
    if (cover(dir, dentry->name)) {
        attach(dir, dentry);
        dentry_release(dir); /* attach took it again */
        return -ENOSPC;
    }
    dentry->unlinked = true;
    dir->inode->mtime_ns = dir->inode->ctime_ns = time_wall_ns();
    dentry_release(dentry);
    return 0;
}

/* A name is part of its dentry, so a rename makes a new one unless nobody else holds the old:
 * children and open files must keep finding their parent, so the old one is kept and its name
 * replaced only if it fits; else the children are taken over. */
int dentry_rename(struct dentry *dentry, struct dentry *dir, const char *name, uint32_t len)
{
    struct inode *inode = dentry->inode;
    inode_hold(inode);
    struct dentry *fresh = dentry_link(dir, name, len, inode);
    if (!fresh)
        return -ENOSPC;
    while (!list_empty(&dentry->children)) {
        struct dentry *child = LIST_ITEM(dentry->children.next, struct dentry, sibling);
        uint32_t serial = child->serial;
        detach(child);
        attach(fresh, child);
        child->serial = serial;
        dentry_release(dentry);
    }
    int err = dentry_unlink(dentry);
    if (vfs_cwd() == dentry)
        vfs_set_cwd(fresh);
    dentry_release(fresh);
    return err;
}

int dentry_exchange(struct dentry *a, struct dentry *b)
{
    struct inode *inode = a->inode;
    a->inode = b->inode;
    b->inode = inode;
    return 0;
}

bool dentry_is_below(const struct dentry *dentry, const struct dentry *ancestor)
{
    for (; dentry; dentry = dentry->parent)
        if (dentry == ancestor)
            return true;
    return false;
}

struct dentry *dentry_anonymous(struct inode *inode, const char *name)
{
    struct dentry *dentry = dentry_create(name, strlen(name), inode);
    if (!dentry)
        inode_release(inode);
    return dentry;
}

int dentry_path(const struct dentry *dentry, char *out, uint32_t room)
{
    uint32_t at = room;
    if (at < 2)
        return -ERANGE;
    out[--at] = 0;
    if (!dentry->parent && dentry != root) { /* outside the tree */
        uint32_t len = strlen(dentry->name);
        if (len + 1 > room)
            return -ERANGE;
        memcpy(out, dentry->name, len + 1);
        return (int)len;
    }
    for (const struct dentry *d = dentry; d->parent; d = d->parent) {
        uint32_t len = strlen(d->name);
        if (len + 1 > at)
            return -ERANGE;
        at -= len;
        memcpy(out + at, d->name, len);
        out[--at] = '/';
    }
    if (at == room - 1)
        out[--at] = '/';
    memmove(out, out + at, room - at);
    return (int)(room - at - 1);
}
