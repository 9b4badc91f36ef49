/* SPDX-License-Identifier: MIT */
/*
 * The list of mapped ranges: a sorted array, binary search. Neighbours that
 * are alike become one, so that a malloc arena grown in many steps stays one
 * range. The array's own memory comes from the kernel's pages; growing it may
 * add an arena, which itself maps a range, so room for two is kept ahead.
 */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/fs/vfs.h"

#define CLEAR_BY_HAND 8 /* pages */
#define FIRST_ROOM 64
#define MAX_RANGES 65000

static struct {
    struct vma *list;
    uint32_t count, room;
    uint32_t start, end;
    bool growing;
    struct vma first[FIRST_ROOM];
} map SELDOM_WRITTEN;

void vma_init(uint32_t start, uint32_t end)
{
    map.start = start;
    map.end = end;
    map.list = map.first;
    map.room = FIRST_ROOM;
    machine_protect(start, end - start, MACHINE_NONE);
}

uint32_t vma_limit(void)
{
    return map.end;
}

/* Index of the first range that ends above addr. */
static uint32_t index_of(uint32_t addr)
{
    uint32_t low = 0, high = map.count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (map.list[mid].end > addr)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

struct vma *vma_at(uint32_t index)
{
    return index < map.count ? &map.list[index] : NULL;
}

struct vma *vma_find(uint32_t addr)
{
    struct vma *vma = vma_at(index_of(addr));
    return vma && vma->start <= addr ? vma : NULL;
}

uint64_t vma_bytes(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < map.count; i++)
        if (map.list[i].prot && map.list[i].kind != VMA_KERNEL)
            bytes += map.list[i].end - map.list[i].start;
    return bytes;
}

void memory_clear(uint32_t start, uint32_t bytes)
{
    if (bytes <= CLEAR_BY_HAND * PAGE_SIZE)
        memset((void *)start, 0, bytes);
    else
        machine_discard(start, bytes);
}

static uint32_t rights_of(uint32_t prot)
{
    if (prot & PROT_WRITE)
        return MACHINE_READ_WRITE;
    return prot ? MACHINE_READ : MACHINE_NONE;
}

/* Room for `more` ranges and two besides. */
static int make_room(uint32_t more)
{
    if (map.count + more + (map.growing ? 0 : 2) <= map.room)
        return 0;
    uint32_t room = map.room * 2;
    if (map.growing || room > MAX_RANGES * 2)
        return -ENOMEM;
    map.growing = true;
    struct vma *list = kmalloc(room * sizeof *list);
    map.growing = false;
    if (!list)
        return -ENOMEM;
    memcpy(list, map.list, map.count * sizeof *list);
    if (map.list != map.first)
        kfree(map.list);
    map.list = list;
    map.room = room;
    return 0;
}

static void insert_at(uint32_t index, const struct vma *vma)
{
    memmove(&map.list[index + 1], &map.list[index], (map.count - index) * sizeof *vma);
    map.list[index] = *vma;
    map.count++;
    if (vma->dentry)
        dentry_hold(vma->dentry);
}

static void remove_at(uint32_t index)
{
    struct dentry *dentry = map.list[index].dentry;
    map.count--;
    memmove(&map.list[index], &map.list[index + 1], (map.count - index) * sizeof map.list[0]);
    if (dentry)
        dentry_release(dentry);
}

static bool mergeable(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->prot == b->prot && a->kind == b->kind &&
           a->kind != VMA_KERNEL && a->kind != VMA_SHARED && a->shared == b->shared &&
           a->dentry == b->dentry && (!a->dentry || a->offset + (a->end - a->start) == b->offset);
}

/* Joins index with the one behind it, if they are alike. */
static void merge_at(uint32_t index)
{
    if (index + 1 >= map.count || !mergeable(&map.list[index], &map.list[index + 1]))
        return;
    map.list[index].end = map.list[index + 1].end;
    remove_at(index + 1);
}

bool vma_is_free(uint32_t start, uint32_t end)
{
    struct vma *vma = vma_at(index_of(start));
    return start >= map.start && end <= map.end && start < end && (!vma || vma->start >= end);
}

int vma_map(const struct vma *vma)
{
    if (make_room(1))
        return -ENOMEM;
    if (!vma_is_free(vma->start, vma->end))
        return -EINVAL;
    if (vma->prot && machine_protect(vma->start, vma->end - vma->start, rights_of(vma->prot)))
        return -ENOMEM;
    uint32_t index = index_of(vma->start);
    insert_at(index, vma);
    merge_at(index);
    if (index)
        merge_at(index - 1);
    return 0;
}

/* Makes `addr` a border between ranges. Room must be there. */
static void split_at(uint32_t addr)
{
    uint32_t index = index_of(addr);
    struct vma *vma = vma_at(index);
    if (!vma || vma->start >= addr)
        return;
    struct vma upper = *vma;
    upper.start = addr;
    upper.offset += addr - vma->start;
    vma->end = addr;
    insert_at(index + 1, &upper);
}

static bool touches_kernel(uint32_t start, uint32_t end)
{
    for (uint32_t i = index_of(start); i < map.count && map.list[i].start < end; i++)
        if (map.list[i].kind == VMA_KERNEL)
            return true;
    return false;
}

int vma_unmap(uint32_t start, uint32_t end)
{
    if (touches_kernel(start, end))
        return -EINVAL;
    if (make_room(2))
        return -ENOMEM;
    split_at(start);
    split_at(end);
    uint32_t index = index_of(start);
    while (index < map.count && map.list[index].start < end) {
        struct vma vma = map.list[index];
        if (vma.kind != VMA_SHARED || !inode_unmap_shared(vma.start, vma.end)) {
            if (vma.prot & PROT_WRITE)
                memory_clear(vma.start, vma.end - vma.start);
            else
                machine_discard(vma.start, vma.end - vma.start);
        }
        machine_protect(vma.start, vma.end - vma.start, MACHINE_NONE);
        remove_at(index);
    }
    return 0;
}

void vma_release_kernel(uint32_t start)
{
    uint32_t index = index_of(start);
    struct vma vma = map.list[index];
    BUG_ON(vma.start != start || vma.kind != VMA_KERNEL, "not an arena of the kernel");
    machine_discard(vma.start, vma.end - vma.start);
    machine_protect(vma.start, vma.end - vma.start, MACHINE_NONE);
    remove_at(index);
}

bool vma_covered(uint32_t start, uint32_t end)
{
    for (uint32_t i = index_of(start); start < end; i++) {
        struct vma *vma = vma_at(i);
        if (!vma || vma->start > start || vma->kind == VMA_KERNEL)
            return false;
        start = vma->end;
    }
    return true;
}

int vma_protect(uint32_t start, uint32_t end, uint32_t prot)
{
    if (!vma_covered(start, end) || make_room(2))
        return -ENOMEM;
    split_at(start);
    split_at(end);
    uint32_t first = index_of(start), index = first;
    for (; index < map.count && map.list[index].start < end; index++)
        map.list[index].prot = (uint8_t)prot;
    int err = machine_protect(start, end - start, rights_of(prot)) ? -ENOMEM : 0;
    while (index-- > first)
        merge_at(index);
    if (first)
        merge_at(first - 1);
    return err;
}

uint32_t vma_gap(uint32_t low, uint32_t high, uint32_t bytes, uint32_t align)
{
    uint32_t at = (low + align - 1) & ~(align - 1);
    for (uint32_t i = index_of(low); at < high && bytes <= high - at; i++) {
        struct vma *vma = vma_at(i);
        if (!vma || vma->start >= at + bytes)
            return at;
        at = (vma->end + align - 1) & ~(align - 1);
    }
    return 0;
}
