/* SPDX-License-Identifier: MIT */
/*
 * brk, mmap and their relatives. RAM that no vma covers is zero, so anonymous
 * memory costs one change of rights; a private file mapping is a copy made at
 * once, straight from the disk into its place.
 */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/sys.h"

enum mmap_flags {
    MAP_SHARED = 1,
    MAP_PRIVATE = 2,
    MAP_SHARED_VALIDATE = 3,
    MAP_TYPE = 15,
    MAP_FIXED = 0x10,
    MAP_ANONYMOUS = 0x20,
    MAP_FIXED_NOREPLACE = 0x100000,
};
enum mremap_flags { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2 };

static struct memory_layout layout;

struct memory_layout *memory_layout(void)
{
    return &layout;
}

/* ---- brk ---- */

int32_t sys_brk(uint32_t want)
{
    uint32_t old_end = PAGE_UP(layout.brk), end = PAGE_UP(want);
    if (want < layout.brk_start || want > layout.brk_limit || end < want)
        return (int32_t)layout.brk;
    if (end > old_end) {
        struct vma vma = {old_end, end, PROT_READ | PROT_WRITE, VMA_HEAP, false, NULL, 0};
        if (!vma_is_free(old_end, end) || vma_map(&vma))
            return (int32_t)layout.brk;
    } else if (end < old_end && vma_unmap(end, old_end)) {
        return (int32_t)layout.brk;
    }
    if (want < layout.brk && want < end) /* what grows back must be zero */
        memset((void *)want, 0, (end < layout.brk ? end : layout.brk) - want);
    layout.brk = want;
    return (int32_t)want;
}

/* ---- mmap ---- */

struct mapping {
    uint32_t addr, bytes, prot, flags;
    struct file *file; /* NULL: anonymous */
    uint64_t offset;
};

static bool is_shared(const struct mapping *m)
{
    return (m->flags & MAP_TYPE) != MAP_PRIVATE;
}

/* A shared mapping of a file that this VM may change; others are as good as copies. */
static bool is_live(const struct mapping *m)
{
    if (!m->file || !is_shared(m))
        return false;
    return m->file->dentry->inode->in_memory || (m->file->flags & O_ACCMODE) != O_RDONLY;
}

static int check_file(const struct mapping *m)
{
    uint32_t mode = m->file->flags & O_ACCMODE;
    if (!m->file->dentry || inode_type(m->file->dentry->inode) != S_IFREG)
        return -ENODEV;
    if (mode == O_WRONLY)
        return -EACCES;
    if (is_shared(m) && (m->prot & PROT_WRITE) && mode != O_RDWR)
        return -EACCES;
    return 0;
}

/* Where it goes: the fixed place (emptied), the hint, or the first gap. 0 and an error. */
static uint32_t place(const struct mapping *m, int *err)
{
    uint32_t end = m->addr + m->bytes;
    *err = 0;
    if (m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if ((m->addr & PAGE_MASK) || end < m->addr)
            *err = -EINVAL;
        else if (m->addr < USER_BASE || end > vma_limit())
            *err = -ENOMEM;
        else if ((m->flags & MAP_FIXED_NOREPLACE) && !vma_is_free(m->addr, end))
            *err = -EEXIST;
        else if (m->flags & MAP_FIXED)
            *err = vma_unmap(m->addr, end);
        return *err ? 0 : m->addr;
    }
    uint32_t hint = m->addr & ~PAGE_MASK;
    if (hint && hint + m->bytes > hint && vma_is_free(hint, hint + m->bytes))
        return hint;
    uint32_t addr = vma_gap(layout.mmap_base, vma_limit(), m->bytes, PAGE_SIZE);
    if (!addr)
        addr = vma_gap(USER_BASE, vma_limit(), m->bytes, PAGE_SIZE);
    *err = addr ? 0 : -ENOMEM;
    return addr;
}

static int fill_file(const struct mapping *m, uint32_t addr)
{
    struct inode *inode = m->file->dentry->inode;
    uint32_t page = (uint32_t)(m->offset / PAGE_SIZE), pages = m->bytes / PAGE_SIZE;
    return is_live(m) ? inode_map_shared(inode, page, pages, addr)
                      : inode_read_pages(inode, page, pages, (void *)addr);
}

/* A shared mapping that exists already is given out once more. */
static uint32_t existing(const struct mapping *m)
{
    uint32_t page = (uint32_t)(m->offset / PAGE_SIZE);
    if (!is_live(m) || (m->flags & MAP_FIXED))
        return 0;
    return inode_shared_at(m->file->dentry->inode, page, m->bytes / PAGE_SIZE);
}

static int32_t map(const struct mapping *m)
{
    int err;
    uint32_t addr = existing(m);
    if (addr)
        return vma_protect(addr, addr + m->bytes, m->prot) ? -ENOMEM : (int32_t)addr;
    addr = place(m, &err);
    if (!addr)
        return err;
    struct vma vma = {
        .start = addr,
        .end = addr + m->bytes,
        .prot = (uint8_t)(m->file ? PROT_READ | PROT_WRITE : m->prot),
        .kind = !m->file     ? VMA_ANON
                : is_live(m) ? VMA_SHARED
                             : VMA_FILE,
        .shared = is_shared(m),
        .dentry = m->file ? m->file->dentry : NULL,
        .offset = m->offset,
    };
    err = vma_map(&vma);
    if (err)
        return err;
    if (m->file) {
        err = fill_file(m, addr);
        if (!err && m->prot != (PROT_READ | PROT_WRITE))
            err = vma_protect(addr, addr + m->bytes, m->prot);
        if (err) {
            vma_unmap(addr, addr + m->bytes);
            return err;
        }
    }
    return (int32_t)addr;
}

static int32_t do_mmap(uint32_t addr, uint32_t bytes, uint32_t prot, uint32_t flags, uint32_t fd,
                       uint64_t offset)
{
    struct mapping m = {addr, PAGE_UP(bytes), prot & 7, flags, NULL, offset};
    uint32_t type = flags & MAP_TYPE;
    if (!bytes || (offset & PAGE_MASK) || !type || type > MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (m.bytes < bytes)
        return -ENOMEM;
    if (!(flags & MAP_ANONYMOUS)) {
        m.file = fd_file(fd);
        int err = m.file ? check_file(&m) : -EBADF;
        if (err)
            return err;
    }
    if (m.file)
        file_hold(m.file);
    int32_t result = map(&m);
    if (m.file)
        file_release(m.file);
    return result;
}

int32_t sys_mmap2(uint32_t addr, uint32_t bytes, uint32_t prot, uint32_t flags, uint32_t fd,
                  uint32_t page)
{
    return do_mmap(addr, bytes, prot, flags, fd, (uint64_t)page * PAGE_SIZE);
}

int32_t sys_old_mmap(uint32_t args)
{
    uint32_t a[6];
    if (copy_from_user(a, args, sizeof a))
        return -EFAULT;
    return do_mmap(a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int check_range(uint32_t addr, uint32_t *bytes)
{
    if ((addr & PAGE_MASK) || PAGE_UP(*bytes) < *bytes)
        return -EINVAL;
    *bytes = PAGE_UP(*bytes);
    return addr + *bytes < addr ? -EINVAL : 0;
}

int32_t sys_munmap(uint32_t addr, uint32_t bytes)
{
    int err = check_range(addr, &bytes);
    if (err || !bytes)
        return err ? err : -EINVAL;
    struct vma *vma = vma_find(addr);
    if (vma && vma->kind == VMA_SHARED && vma->start == addr && inode_shared_release(addr))
        return 0;
    return vma_unmap(addr, addr + bytes);
}

int32_t sys_mprotect(uint32_t addr, uint32_t bytes, uint32_t prot)
{
    int err = check_range(addr, &bytes);
    if (err || !bytes)
        return err;
    return vma_protect(addr, addr + bytes, prot & 7);
}

/* ---- mremap ---- */

static int grow_in_place(const struct vma *vma, uint32_t end, uint32_t new_end)
{
    if (vma->end != end || !vma_is_free(end, new_end))
        return -ENOMEM;
    struct vma more = *vma;
    more.start = end;
    more.end = new_end;
    more.offset += end - vma->start;
    int err = vma_map(&more);
    if (!err && more.kind == VMA_FILE)
        inode_read_pages(more.dentry->inode, (uint32_t)(more.offset / PAGE_SIZE),
                         (new_end - end) / PAGE_SIZE, (void *)end);
    return err;
}

static int32_t move_range(struct vma vma, uint32_t addr, uint32_t old_bytes, uint32_t bytes,
                          uint32_t to)
{
    uint32_t keep = old_bytes < bytes ? old_bytes : bytes;
    struct vma moved = vma;
    moved.start = to;
    moved.end = to + bytes;
    moved.prot = PROT_READ | PROT_WRITE;
    moved.offset += addr - vma.start;
    int err = vma_map(&moved);
    if (err)
        return err;
    if (!vma.prot)
        machine_protect(addr, keep, MACHINE_READ);
    memcpy((void *)to, (const void *)addr, keep);
    if (vma.prot != moved.prot)
        err = vma_protect(to, to + bytes, vma.prot);
    if (!err)
        err = vma_unmap(addr, addr + old_bytes);
    return err ? err : (int32_t)to;
}

/* A grown block is likely to grow again: leave it room where memory is plenty. */
static uint32_t room_to_grow(uint32_t bytes)
{
    uint32_t roomy = bytes < 0x08000000 ? bytes * 2 : bytes;
    uint32_t to = vma_gap(layout.mmap_base, vma_limit(), roomy, PAGE_SIZE);
    return to ? to : vma_gap(USER_BASE, vma_limit(), bytes, PAGE_SIZE);
}

int32_t sys_mremap(uint32_t addr, uint32_t old_bytes, uint32_t bytes, uint32_t flags, uint32_t to)
{
    if ((addr & PAGE_MASK) || !bytes || PAGE_UP(bytes) < bytes ||
        (flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED)))
        return -EINVAL;
    old_bytes = PAGE_UP(old_bytes);
    bytes = PAGE_UP(bytes);
    struct vma *vma = vma_find(addr);
    if (!vma || vma->kind == VMA_KERNEL || !old_bytes || addr + old_bytes > vma->end)
        return -EFAULT;
    if (flags & MREMAP_FIXED) {
        if ((to & PAGE_MASK) || to < USER_BASE || to + bytes > vma_limit() ||
            (to < addr + old_bytes && addr < to + bytes))
            return -EINVAL;
        struct vma copy = *vma;
        int err = vma_unmap(to, to + bytes);
        return err ? err : move_range(copy, addr, old_bytes, bytes, to);
    }
    if (bytes <= old_bytes) {
        int err = bytes < old_bytes ? vma_unmap(addr + bytes, addr + old_bytes) : 0;
        return err ? err : (int32_t)addr;
    }
    if (!grow_in_place(vma, addr + old_bytes, addr + bytes))
        return (int32_t)addr;
    vma = vma_find(addr);
    if (!(flags & MREMAP_MAYMOVE) || vma->kind == VMA_SHARED)
        return -ENOMEM;
    to = room_to_grow(bytes);
    return to ? move_range(*vma, addr, old_bytes, bytes, to) : -ENOMEM;
}

/* ---- advice ---- */

enum madvise_advice {
    MADV_DONTNEED = 4,
    MADV_FREE = 8,
    MADV_REMOVE = 9,
    MADV_DONTNEED_LOCKED = 24
};

static int drop_contents(uint32_t start, uint32_t end)
{
    while (start < end) {
        struct vma *vma = vma_find(start);
        if (!vma || vma->kind == VMA_KERNEL)
            return -ENOMEM;
        uint32_t stop = vma->end < end ? vma->end : end;
        if (vma->kind == VMA_FILE) {
            machine_protect(start, stop - start, MACHINE_READ_WRITE);
            memory_clear(start, stop - start);
            inode_read_pages(vma->dentry->inode,
                             (uint32_t)((vma->offset + start - vma->start) / PAGE_SIZE),
                             (stop - start) / PAGE_SIZE, (void *)start);
            vma_protect(start, stop, vma->prot);
        } else if (vma->kind != VMA_SHARED && !vma->shared) {
            if (vma->prot & PROT_WRITE)
                memory_clear(start, stop - start);
            else
                machine_discard(start, stop - start);
        }
        start = stop;
    }
    return 0;
}

int32_t sys_madvise(uint32_t addr, uint32_t bytes, uint32_t advice)
{
    int err = check_range(addr, &bytes);
    if (err || !bytes)
        return err;
    if (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED)
        return drop_contents(addr, addr + bytes);
    if (advice > 25)
        return -EINVAL;
    return vma_covered(addr, addr + bytes) ? 0 : -ENOMEM;
}

int32_t sys_msync(uint32_t addr, uint32_t bytes, uint32_t flags)
{
    int err = check_range(addr, &bytes);
    (void)flags;
    if (err || !bytes)
        return err;
    return vma_covered(addr, addr + bytes) ? 0 : -ENOMEM;
}

int32_t sys_mincore(uint32_t addr, uint32_t bytes, uint32_t vector)
{
    uint8_t resident[64];
    int err = check_range(addr, &bytes);
    if (err)
        return err;
    if (!vma_covered(addr, addr + bytes))
        return -ENOMEM;
    memset(resident, 1, sizeof resident);
    for (uint32_t left = bytes / PAGE_SIZE; left && !err;) {
        uint32_t n = left < sizeof resident ? left : sizeof resident;
        err = copy_to_user(vector, resident, n);
        vector += n;
        left -= n;
    }
    return err;
}
