/* SPDX-License-Identifier: MIT */
/*
 * The memory map, and the program's part of it.
 *
 *   0x0         the register page, never-accessible pages
 *   0x10000     Ilwaco: code, data; then its first arena of pages
 *   USER_BASE   the program's: whatever no vma covers is inaccessible and zero
 *   mem_bytes   the end of RAM; the main thread's stack lies below the program or this
 *
 * Physical and virtual addresses are one. A vma therefore owns the RAM it
 * spans; nothing is shared by two addresses, and RAM not touched costs the
 * host nothing. When the kernel's first arena is used up, further ones are
 * carved out of the program's part as vmas of kind VMA_KERNEL.
 */
#ifndef ILWACO_MEMORY_H
#define ILWACO_MEMORY_H

#include "guests/ilwaco/kernel.h"

#define USER_BASE 0x400000u
#define STACK_BYTES 0x800000u /* RLIMIT_STACK; less in a small VM */
#define STACK_GUARD 0x10000u

enum vma_prot { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };

enum vma_kind {
    VMA_ANON,
    VMA_FILE,   /* a private copy of a file's pages */
    VMA_SHARED, /* the pages of `inode` itself (mm_shared.c) */
    VMA_HEAP,
    VMA_STACK,
    VMA_KERNEL, /* an arena; the program cannot touch it */
};

struct inode;

struct vma {
    uint32_t start, end; /* page-aligned, end excluded */
    uint8_t prot;        /* enum vma_prot bits */
    uint8_t kind;
    bool shared; /* MAP_SHARED, as /proc/self/maps shows it */
    struct dentry *dentry;
    uint64_t offset; /* in the file, of start */
};

/* page.c: at boot; [start, end) is the first arena. */
void page_init(uint32_t start, uint32_t end);
uint64_t page_bytes_used(void);

/* vma.c: the list, sorted by address. */
void vma_init(uint32_t start, uint32_t end);
struct vma *vma_find(uint32_t addr); /* the one that covers addr, or NULL */
struct vma *vma_at(uint32_t index);  /* in order of addresses; NULL: no more */
/* Covers a free range; the RAM there is zero. Merges with equal neighbours. -ENOMEM, -EINVAL. */
int vma_map(const struct vma *vma);
/* Frees what of [start, end) is mapped (kernel arenas: -EINVAL): RAM becomes zero and inaccessible.
 */
int vma_unmap(uint32_t start, uint32_t end);
/* A kernel arena is free for the program again. */
void vma_release_kernel(uint32_t start);
/* -ENOMEM if [start, end) is not wholly mapped. */
int vma_protect(uint32_t start, uint32_t end, uint32_t prot);
bool vma_covered(uint32_t start, uint32_t end); /* wholly mapped by the program */
bool vma_is_free(uint32_t start, uint32_t end);
/* The lowest free range of `bytes` from `low` on; 0: none. */
uint32_t vma_gap(uint32_t low, uint32_t high, uint32_t bytes, uint32_t align);
uint32_t vma_limit(void); /* the end of the program's part */
uint64_t vma_bytes(void); /* mapped, in all, without PROT_NONE */

/* RAM of whole pages becomes zero: by the host if many, by hand if few. */
void memory_clear(uint32_t start, uint32_t bytes);

/* mmap.c */
struct memory_layout {
    uint32_t code_start, code_end, data_start, data_end;
    uint32_t brk_start, brk, brk_limit;
    uint32_t mmap_base; /* where the search for a free range begins */
    uint32_t stack_top;
};
struct memory_layout *memory_layout(void);

/* Whether [addr, addr + n) may be the program's at all: what the copies check before they try. */
static inline bool user_range(uint32_t addr, uint32_t n)
{
    return addr >= USER_BASE && addr + n >= addr;
}

/* user_copy.S */
uint32_t user_copy(void *dst, const void *src, uint32_t n);
uint32_t user_zero(void *dst, uint32_t n);
int32_t user_string(char *dst, const char *src, uint32_t room);
int user_load(uint32_t *dst, const uint32_t *src);
int user_store(uint32_t *dst, uint32_t value);
int user_exchange(uint32_t *at, uint32_t *expect, uint32_t value);

static inline int get_user32(uint32_t *dst, uint32_t src)
{
    return user_range(src, 4) && !user_load(dst, (const uint32_t *)src) ? 0 : -EFAULT;
}
static inline int put_user32(uint32_t dst, uint32_t value)
{
    return user_range(dst, 4) && !user_store((uint32_t *)dst, value) ? 0 : -EFAULT;
}

#endif
