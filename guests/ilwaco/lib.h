/* SPDX-License-Identifier: MIT */
/* What a freestanding program misses: strings, formatting, the log, assertions, byte order. */
#ifndef ILWACO_LIB_H
#define ILWACO_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
/* Data that is large, or that a VM at work seldom writes: it lies apart from what is written all
 * the time, so that a clone needs few pages of its own. Zero at the start. */
#define SELDOM_WRITTEN __attribute__((section(".bss.SELDOM")))
/* Between the two: of the last object only the beginning is written all the time. */
#define WRITTEN_LAST __attribute__((section(".bss.LAST")))
#define PAGE_SIZE 4096u
#define PAGE_MASK 4095u
#define PAGE_UP(x) (((x) + PAGE_MASK) & ~PAGE_MASK)

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/* %d %u %x %o %s %c %%, with 0, width, - and the l, ll, z lengths. Always ends with a NUL when
 * size > 0; returns the length that the whole text has. */
int ksnprintf(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int kvsnprintf(char *out, size_t size, const char *fmt, va_list args);

/* One line on the console's error stream; "ilwaco: " and the newline are added. */
void klog(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Our own bug: says where, and ends the VM as a fault does. */
NORETURN void kernel_bug(const char *file, int line, const char *message);
#define BUG_ON(cond, message)                                                                      \
    do {                                                                                           \
        if (__builtin_expect(!!(cond), 0))                                                         \
            kernel_bug(__FILE__, __LINE__, (message));                                             \
    } while (0)

/* 64-bit division by 32 bits without libgcc: returns the quotient. */
uint64_t div_u64(uint64_t dividend, uint32_t divisor, uint32_t *remainder);

static inline uint16_t be16(uint16_t x)
{
    return __builtin_bswap16(x);
}
static inline uint32_t be32(uint32_t x)
{
    return __builtin_bswap32(x);
}

/* Doubly linked list with a head; an empty list points at itself. */
struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
/* Adds `item` at the end of the list `head`. */
static inline void list_append(struct list *head, struct list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}
/* Takes the item out and leaves it an empty list, so that a second removal is harmless. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}
#define LIST_ITEM(ptr, type, member) CONTAINER_OF(ptr, type, member)

#endif
