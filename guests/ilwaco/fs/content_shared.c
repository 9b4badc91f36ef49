/* SPDX-License-Identifier: MIT */
/*
 * Shared mappings of files without an MMU: a page has one address. Mapping a
 * range therefore moves the file's own pages into the mapped range (and
 * unmapping moves them back), so that read, write and the mapping see the same
 * bytes. A second mapping of pages that are mapped already is given the address
 * of the first, if the program left the choice to us; a range counts how often it
 * was given out.
 */
#include "guests/ilwaco/fs/content.h"
#include "guests/ilwaco/memory.h"

struct shared_range {
    struct shared_range *next;
    struct inode *inode;
    uint32_t start, pages; /* where it lies */
    uint32_t page;         /* of the file */
    uint32_t maps;         /* how often it was given out */
};

static struct shared_range *ranges;

bool content_is_shared(const void *page)
{
    const struct vma *vma = (uint32_t)page >= USER_BASE ? vma_find((uint32_t)page) : NULL;
    return vma && vma->kind != VMA_KERNEL;
}

/* The range that holds exactly these pages, mapped once more: its address; 0: none. */
uint32_t inode_shared_at(struct inode *inode, uint32_t page, uint32_t n)
{
    for (struct shared_range *range = ranges; range; range = range->next) {
        if (range->inode != inode || page < range->page || page - range->page + n > range->pages)
            continue;
        range->maps++;
        return range->start + (page - range->page) * PAGE_SIZE;
    }
    return 0;
}

static bool any_shared(struct inode *inode, uint32_t page, uint32_t n)
{
    for (struct shared_range *range = ranges; range; range = range->next)
        if (range->inode == inode && page < range->page + range->pages && range->page < page + n)
            return true;
    return false;
}

/* Moves n pages of the file to `at`, which the caller has mapped readable and writable. */
int inode_map_shared(struct inode *inode, uint32_t page, uint32_t n, uint32_t at)
{
    if (any_shared(inode, page, n))
        return -EBUSY; /* a part is mapped elsewhere: it cannot be in two places */
    int err = inode_to_memory(inode);
    if (!err)
        err = content_room(inode, page + n);
    struct shared_range *range = err ? NULL : kmalloc(sizeof *range);
    if (!range)
        return err ? err : -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        void **slot = &inode->pages.page[page + i], *to = (void *)(at + i * PAGE_SIZE);
        if (*slot) {
            memcpy(to, *slot, PAGE_SIZE);
            page_free(*slot, 1);
        } else {
            inode->pages.used++;
        }
        *slot = to;
    }
    *range = (struct shared_range){ranges, inode, at, n, page, 1};
    ranges = range;
    inode_hold(inode);
    return 0;
}

static struct shared_range **range_of(uint32_t addr)
{
    struct shared_range **link = &ranges;
    while (*link && (addr < (*link)->start || addr - (*link)->start >= (*link)->pages * PAGE_SIZE))
        link = &(*link)->next;
    return link;
}

/* The pages of [start, end) go back to kernel memory; zero pages become holes beyond the size. */
static void move_back(struct shared_range *range, uint32_t start, uint32_t end)
{
    for (uint32_t addr = start; addr < end; addr += PAGE_SIZE) {
        uint32_t index = range->page + (addr - range->start) / PAGE_SIZE;
        void *page = (uint64_t)index * PAGE_SIZE < range->inode->size ? page_alloc(1) : NULL;
        if (page)
            memcpy(page, (void *)addr, PAGE_SIZE);
        else
            range->inode->pages.used--;
        range->inode->pages.page[index] = page;
    }
}

bool inode_shared_release(uint32_t start)
{
    struct shared_range *range = *range_of(start);
    return range && --range->maps > 0;
}

/* Cuts [start, end) out of its range; what is left on either side stays mapped. */
int inode_unmap_shared(uint32_t start, uint32_t end)
{
    struct shared_range **link = range_of(start), *range = *link;
    if (!range)
        return -EINVAL;
    struct shared_range *upper = NULL;
    uint32_t range_end = range->start + range->pages * PAGE_SIZE;
    if (end < range_end && !(upper = kmalloc(sizeof *upper)))
        return -ENOMEM;
    machine_protect(start, end - start, MACHINE_READ_WRITE);
    move_back(range, start, end);
    memory_clear(start, end - start);
    if (upper) {
        *upper = *range;
        upper->start = end;
        upper->page += (end - range->start) / PAGE_SIZE;
        upper->pages = (range_end - end) / PAGE_SIZE;
        upper->next = range->next;
        range->next = upper;
        inode_hold(range->inode);
    }
    range->pages = (start - range->start) / PAGE_SIZE;
    if (!range->pages) {
        struct inode *inode = range->inode;
        *link = range->next;
        kfree(range);
        inode_release(inode);
    }
    return 0;
}
