/* SPDX-License-Identifier: MIT */
/*
 * The contents of regular files. A file begins where its inode's operations
 * read it (the packed root); the first write copies it up, and from then on it
 * is an array of pages, NULL being zeroes. Pages that a shared mapping of the
 * program holds lie in the program's part of RAM (content_shared.c) and must
 * not be freed here.
 */
#include "guests/ilwaco/fs/content.h"
#include "guests/ilwaco/memory.h"

#define FILE_PAGES_MAX (1u << 20) /* 4 GiB */

static uint32_t pages_of(uint64_t bytes)
{
    return (uint32_t)((bytes + PAGE_MASK) / PAGE_SIZE);
}

int content_room(struct inode *inode, uint32_t pages)
{
    struct inode_pages *p = &inode->pages;
    if (pages <= p->room)
        return 0;
    if (pages > FILE_PAGES_MAX)
        return -EFBIG;
    uint32_t room = p->room ? p->room * 2 : 4;
    while (room < pages)
        room *= 2;
    void **page = kzalloc(room * sizeof *page);
    if (!page)
        return -ENOSPC;
    if (p->room)
        memcpy(page, p->page, p->room * sizeof *page);
    kfree(p->page);
    p->page = page;
    p->room = room;
    return 0;
}

/* The page, made if it is not there; NULL: no memory. Room must be there. */
static void *page_make(struct inode *inode, uint32_t index)
{
    void **page = &inode->pages.page[index];
    if (!*page && (*page = page_alloc_bulk(1)))
        inode->pages.used++;
    return *page;
}

static void page_drop(struct inode *inode, uint32_t index)
{
    void *page = inode->pages.page[index];
    if (!page)
        return;
    if (content_is_shared(page)) {
        memset(page, 0, PAGE_SIZE); /* the mapping keeps it */
        return;
    }
    page_free(page, 1);
    inode->pages.page[index] = NULL;
    inode->pages.used--;
}

int inode_to_memory(struct inode *inode)
{
    if (inode->in_memory)
        return 0;
    uint32_t pages = pages_of(inode->size);
    int err = content_room(inode, pages);
    for (uint32_t i = 0; !err && i < pages; i++) {
        void *page = page_make(inode, i);
        err = page ? inode->ops->read_pages(inode, i, 1, page) : -ENOSPC;
    }
    inode->in_memory = true;
    if (!err)
        return 0;
    for (uint32_t i = 0; i < pages && i < inode->pages.room; i++)
        page_drop(inode, i);
    inode->in_memory = false;
    return err;
}

static int read_memory(struct inode *inode, struct uio *uio, uint64_t pos, uint32_t n)
{
    while (n) {
        uint32_t index = (uint32_t)(pos / PAGE_SIZE), at = (uint32_t)pos & PAGE_MASK;
        uint32_t part = PAGE_SIZE - at < n ? PAGE_SIZE - at : n;
        const char *page = index < inode->pages.room ? inode->pages.page[index] : NULL;
        if (page ? uio_put(uio, page + at, part) : uio_zero(uio, part))
            return -EFAULT;
        pos += part;
        n -= part;
    }
    return 0;
}

int inode_read(struct inode *inode, struct uio *uio, uint64_t pos)
{
    if (pos >= inode->size || !uio->left)
        return 0;
    uint64_t rest = inode->size - pos;
    uint32_t n = uio->left < rest ? uio->left : (uint32_t)rest, before = uio->left;
    int err =
        inode->in_memory ? read_memory(inode, uio, pos, n) : inode->ops->read(inode, uio, pos, n);
    uint32_t done = before - uio->left;
    return done ? (int)done : err;
}

static void changed(struct inode *inode)
{
    inode->mtime_ns = inode->ctime_ns = time_wall_ns();
}

int inode_write(struct inode *inode, struct uio *uio, uint64_t pos)
{
    uint32_t before = uio->left;
    if (!before)
        return 0;
    if (pos + before > (uint64_t)FILE_PAGES_MAX * PAGE_SIZE)
        return -EFBIG;
    int err = inode_to_memory(inode);
    if (!err)
        err = content_room(inode, pages_of(pos + before));
    while (!err && uio->left) {
        uint32_t at = (uint32_t)pos & PAGE_MASK;
        uint32_t part = PAGE_SIZE - at < uio->left ? PAGE_SIZE - at : uio->left;
        char *page = page_make(inode, (uint32_t)(pos / PAGE_SIZE));
        err = page ? uio_get(uio, page + at, part) : -ENOSPC;
        if (err)
            break;
        pos += part;
        if (pos > inode->size)
            inode->size = pos;
    }
    changed(inode);
    return uio->left < before ? (int)(before - uio->left) : err;
}

/* Zeroes in what a later growth would show. */
static void clear_tail(struct inode *inode, uint64_t size)
{
    uint32_t index = (uint32_t)(size / PAGE_SIZE), at = (uint32_t)size & PAGE_MASK;
    if (at && index < inode->pages.room && inode->pages.page[index])
        memset((char *)inode->pages.page[index] + at, 0, PAGE_SIZE - at);
}

int inode_truncate(struct inode *inode, uint64_t size)
{
    if (size > (uint64_t)FILE_PAGES_MAX * PAGE_SIZE)
        return -EFBIG;
    if (!inode->in_memory && size == 0) {
        inode->size = 0; /* nothing to copy up */
        inode->in_memory = true;
    }
    int err = inode_to_memory(inode);
    if (err)
        return err;
    if (size < inode->size) {
        for (uint32_t i = pages_of(size); i < inode->pages.room; i++)
            page_drop(inode, i);
        clear_tail(inode, size);
    }
    inode->size = size;
    changed(inode);
    return 0;
}

int inode_allocate(struct inode *inode, uint64_t pos, uint64_t n)
{
    int err = inode_to_memory(inode);
    if (!err)
        err = content_room(inode, pages_of(pos + n));
    for (uint32_t i = (uint32_t)(pos / PAGE_SIZE); !err && i < pages_of(pos + n); i++)
        err = page_make(inode, i) ? 0 : -ENOSPC;
    return err;
}

int inode_punch(struct inode *inode, uint64_t pos, uint64_t n)
{
    int err = inode_to_memory(inode);
    uint64_t end = pos + n < inode->size ? pos + n : inode->size;
    while (!err && pos < end) {
        uint32_t at = (uint32_t)pos & PAGE_MASK, index = (uint32_t)(pos / PAGE_SIZE);
        uint32_t part = PAGE_SIZE - at < end - pos ? PAGE_SIZE - at : (uint32_t)(end - pos);
        if (index < inode->pages.room && inode->pages.page[index]) {
            if (part == PAGE_SIZE)
                page_drop(inode, index);
            else
                memset((char *)inode->pages.page[index] + at, 0, part);
        }
        pos += part;
    }
    changed(inode);
    return err;
}

int inode_read_pages(struct inode *inode, uint32_t page, uint32_t n, void *dst)
{
    uint32_t have = pages_of(inode->size);
    if (page >= have)
        return 0;
    n = n < have - page ? n : have - page;
    if (!inode->in_memory)
        return inode->ops->read_pages(inode, page, n, dst);
    for (uint32_t i = 0; i < n && page + i < inode->pages.room; i++)
        if (inode->pages.page[page + i])
            memcpy((char *)dst + i * PAGE_SIZE, inode->pages.page[page + i], PAGE_SIZE);
    return 0;
}
