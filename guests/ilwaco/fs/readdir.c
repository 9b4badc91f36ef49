/* SPDX-License-Identifier: MIT */
/*
 * Listings of a directory: ".", "..", the lower part's names that no whiteout
 * or newer name covers, then what the program made, in the order it was made.
 * The cookie is 0, 1, 2 + index in the lower part, or UPPER + a serial number, so
 * a listing survives changes between its steps.
 */
#include "guests/ilwaco/fs/vfs.h"

#define LOWER_START 2u
#define UPPER_START 0x40000000u

/* Whether the lower part's name shows through. */
static bool shows(struct dentry *dir, struct dir_entry *entry)
{
    struct dentry *known = dentry_peek(dir, entry->name, strlen(entry->name));
    return !known || (known->inode && !known->upper);
}

static bool emit_dots(struct dentry *dir, struct dir_sink *sink)
{
    struct dir_entry entry = {.type = S_IFDIR >> 12};
    struct dentry *parent = dir->parent ? dir->parent : dir;
    for (; sink->pos < LOWER_START;) {
        bool first = sink->pos == 0;
        memcpy(entry.name, first ? ".\0" : "..", 3);
        entry.ino = first ? dir->inode->ino : parent->inode->ino;
        if (!sink->emit(sink, &entry, sink->pos + 1))
            return false;
        sink->pos++;
    }
    return true;
}

static bool emit_lower(struct dentry *dir, struct dir_sink *sink)
{
    struct dir_entry entry;
    struct inode *inode = dir->inode;
    if (!inode->ops->list)
        return true;
    for (; inode->ops->list(inode, (uint32_t)sink->pos - LOWER_START, &entry); sink->pos++)
        if (shows(dir, &entry) && !sink->emit(sink, &entry, sink->pos + 1))
            return false;
    return true;
}

static bool emit_upper(struct dentry *dir, struct dir_sink *sink)
{
    struct dir_entry entry;
    for (struct list *at = dir->children.next; at != &dir->children; at = at->next) {
        struct dentry *child = LIST_ITEM(at, struct dentry, sibling);
        if (!child->upper || !child->inode || child->serial < sink->pos - UPPER_START)
            continue;
        memcpy(entry.name, child->name, strlen(child->name) + 1);
        entry.ino = child->inode->ino;
        entry.type = child->inode->mode >> 12;
        uint64_t next = (uint64_t)UPPER_START + child->serial + 1;
        if (!sink->emit(sink, &entry, next))
            return false;
        sink->pos = next;
    }
    return true;
}

int dentry_list(struct dentry *dir, struct dir_sink *sink)
{
    if (!emit_dots(dir, sink))
        return 0;
    if (sink->pos < UPPER_START) {
        if (!emit_lower(dir, sink))
            return 0;
        sink->pos = UPPER_START;
    }
    emit_upper(dir, sink);
    return 0;
}

static bool count_entry(struct dir_sink *sink, const struct dir_entry *entry, uint64_t next)
{
    (void)sink;
    (void)entry;
    (void)next;
    return false;
}

bool dentry_dir_empty(struct dentry *dir)
{
    struct dir_sink sink = {.pos = LOWER_START, .emit = count_entry};
    if (!emit_lower(dir, &sink))
        return false;
    sink.pos = UPPER_START;
    return emit_upper(dir, &sink);
}
