/* SPDX-License-Identifier: MIT */
/*
 * The loader. Nothing of the file is believed: every header is checked against
 * the file's size and the program's part of memory before it is used.
 */
#include "guests/ilwaco/exec.h"
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/elf.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/memory.h"

#define PHDRS_MAX 128u
#define PIE_BASE ILWACO_PIE_BASE
#define BRK_GAP 0x1000u
#define BRK_SHARE 8 /* of memory, kept free for brk before mmap's part begins */

struct elf_file {
    struct inode *inode;
    struct elf_header header;
    struct elf_phdr *phdr; /* header.phnum */
    uint32_t bias;         /* what is added to its addresses */
    uint32_t low, high;    /* of all segments, page-aligned, without the bias */
};

static int read_at(struct inode *inode, uint64_t pos, void *dst, uint32_t n)
{
    struct uio uio;
    struct uio_part part;
    uio_init(&uio, &part, (uint32_t)dst, n, true);
    int done = inode_read(inode, &uio, pos);
    return done < 0 ? done : (uint32_t)done == n ? 0 : -ENOEXEC;
}

static int check_header(const struct elf_header *h)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    if (memcmp(h->ident, ident, sizeof ident) || h->machine != EM_386 ||
        (h->type != ET_EXEC && h->type != ET_DYN) || h->phentsize != sizeof(struct elf_phdr) ||
        !h->phnum || h->phnum > PHDRS_MAX)
        return -ENOEXEC;
    return 0;
}

/* The span of the loadable segments, and that each is sane. */
static int measure(struct elf_file *elf)
{
    elf->low = UINT32_MAX;
    elf->high = 0;
    for (uint32_t i = 0; i < elf->header.phnum; i++) {
        const struct elf_phdr *p = &elf->phdr[i];
        if (p->type != PT_LOAD || !p->memsz)
            continue;
        uint32_t end = p->vaddr + p->memsz;
        if (p->filesz > p->memsz || end < p->vaddr || PAGE_UP(end) < end ||
            (p->vaddr & PAGE_MASK) != (p->offset & PAGE_MASK) ||
            p->offset + (uint64_t)p->filesz > elf->inode->size)
            return -ENOEXEC;
        if (p->vaddr < elf->low)
            elf->low = p->vaddr & ~PAGE_MASK;
        if (PAGE_UP(end) > elf->high)
            elf->high = PAGE_UP(end);
    }
    return elf->low < elf->high ? 0 : -ENOEXEC;
}

static int open_elf(struct inode *inode, struct elf_file *elf)
{
    memset(elf, 0, sizeof *elf);
    elf->inode = inode;
    if (inode_type(inode) != S_IFREG)
        return -EACCES;
    int err = read_at(inode, 0, &elf->header, sizeof elf->header);
    if (!err)
        err = check_header(&elf->header);
    if (err)
        return err;
    uint32_t bytes = elf->header.phnum * (uint32_t)sizeof *elf->phdr;
    elf->phdr = kmalloc(bytes);
    if (!elf->phdr)
        return -ENOMEM;
    err = read_at(inode, elf->header.phoff, elf->phdr, bytes);
    return err ? err : measure(elf);
}

static uint32_t prot_of(uint32_t flags)
{
    return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
           (flags & PF_X ? PROT_EXEC : 0);
}

/* Maps one segment: the file's pages, zeroes behind. */
static int load_segment(struct elf_file *elf, struct dentry *dentry, const struct elf_phdr *p)
{
    uint32_t start = (p->vaddr & ~PAGE_MASK) + elf->bias;
    uint32_t file_end = p->vaddr + p->filesz + elf->bias;
    uint32_t end = PAGE_UP(p->vaddr + p->memsz + elf->bias);
    uint32_t split = p->filesz ? PAGE_UP(file_end) : start;
    uint32_t offset = p->offset & ~PAGE_MASK;
    struct vma vma = {start, split, PROT_READ | PROT_WRITE, VMA_FILE, false, dentry, offset};
    int err = split > start ? vma_map(&vma) : 0;
    if (!err && split > start)
        err = inode_read_pages(elf->inode, offset / PAGE_SIZE, (split - start) / PAGE_SIZE,
                               (void *)start);
    if (!err && p->filesz && (p->flags & PF_W))
        memset((void *)file_end, 0, split - file_end);
    if (!err && split > start && prot_of(p->flags) != vma.prot)
        err = vma_protect(start, split, prot_of(p->flags));
    struct vma zero = {split, end, (uint8_t)prot_of(p->flags), VMA_ANON, false, NULL, 0};
    return err || end <= split ? err : vma_map(&zero);
}

static int load_segments(struct elf_file *elf, struct dentry *dentry)
{
    struct memory_layout *layout = memory_layout();
    if (!vma_is_free(elf->low + elf->bias, elf->high + elf->bias))
        return -ENOMEM;
    for (uint32_t i = 0; i < elf->header.phnum; i++) {
        const struct elf_phdr *p = &elf->phdr[i];
        if (p->type != PT_LOAD || !p->memsz)
            continue;
        int err = load_segment(elf, dentry, p);
        if (err)
            return err;
        if ((p->flags & PF_X) && !layout->code_start) {
            layout->code_start = p->vaddr + elf->bias;
            layout->code_end = layout->code_start + p->memsz;
        }
    }
    return 0;
}

/* Where the program finds its own headers: in the segment that covers them. */
static uint32_t phdr_address(const struct elf_file *elf)
{
    for (uint32_t i = 0; i < elf->header.phnum; i++) {
        const struct elf_phdr *p = &elf->phdr[i];
        if (p->type == PT_LOAD && p->offset <= elf->header.phoff &&
            elf->header.phoff - p->offset < p->filesz)
            return p->vaddr + (elf->header.phoff - p->offset) + elf->bias;
    }
    return 0;
}

static int load_interpreter(const struct elf_file *program, const struct elf_phdr *p,
                            struct exec_image *image)
{
    char path[256];
    struct walk walk;
    struct elf_file elf = {0};
    if (p->filesz < 2 || p->filesz > sizeof path)
        return -ENOEXEC;
    int err = read_at(program->inode, p->offset, path, p->filesz);
    if (err || path[p->filesz - 1])
        return err ? err : -ENOEXEC;
    err = walk_path(vfs_root(), path, 0, &walk);
    if (err) {
        klog("the program's interpreter %s is not in the root", path);
        return err;
    }
    err = open_elf(walk.dentry->inode, &elf);
    if (!err) {
        uint32_t bytes = elf.high - elf.low;
        uint32_t at = vma_gap(memory_layout()->mmap_base, vma_limit(), bytes, PAGE_SIZE);
        elf.bias = elf.header.type == ET_DYN ? at - elf.low : 0;
        image->base = elf.bias + elf.low;
        image->entry = elf.header.entry + elf.bias;
        err = at ? load_segments(&elf, walk.dentry) : -ENOMEM;
    }
    kfree(elf.phdr);
    walk_done(&walk);
    return err;
}

static void set_layout(const struct elf_file *elf)
{
    struct memory_layout *layout = memory_layout();
    uint32_t end = elf->high + elf->bias, limit = vma_limit();
    layout->brk_start = layout->brk = end + BRK_GAP;
    layout->data_end = end;
    layout->mmap_base = PAGE_UP(end + (limit - end) / BRK_SHARE);
    layout->brk_limit = limit;
}

static int load_program(struct elf_file *elf, struct dentry *dentry, struct exec_image *image)
{
    if (elf->header.type == ET_DYN)
        elf->bias = PIE_BASE - elf->low;
    int err = load_segments(elf, dentry);
    if (err)
        return err;
    image->program_entry = image->entry = elf->header.entry + elf->bias;
    image->phdr = phdr_address(elf);
    image->phnum = elf->header.phnum;
    set_layout(elf);
    for (uint32_t i = 0; i < elf->header.phnum && !err; i++)
        if (elf->phdr[i].type == PT_INTERP)
            err = load_interpreter(elf, &elf->phdr[i], image);
    return err;
}

int exec_load(struct dentry *dentry, struct exec_image *image)
{
    struct elf_file elf;
    *image = (struct exec_image){0};
    int err = open_elf(dentry->inode, &elf);
    if (!err)
        err = load_program(&elf, dentry, image);
    kfree(elf.phdr);
    return err;
}
