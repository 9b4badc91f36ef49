/* SPDX-License-Identifier: MIT */
/*
 * Widths, address types and the three failure idioms of the whole program.
 *
 *   a guest's fault    a must-check status (enum in the header of its floor);
 *   a host failure     a negative errno, one exit path (`goto out`);
 *   our own bug        BUG_ON(cond, "message"), kept in release builds.
 *
 * Library code never calls exit(). There are no mutable globals: two VMs have
 * two of everything.
 */
#ifndef DENALI_BASE_H
#define DENALI_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Guest physical address (36 bits with PAE) and guest virtual (linear) address. */
typedef uint64_t gpa_t;
typedef uint32_t gva_t;

#define PAGE_BITS 12u
#define PAGE_SIZE 4096u
#define PAGE_MASK 4095u

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Prints "denali: bug: FILE:LINE: message" on stderr and aborts. */
NORETURN void base_bug(const char *file, int line, const char *message);

/* Our own bug: the invariant in `message` does not hold. Stays in release builds. */
#define BUG_ON(cond, message)                                                                      \
    do {                                                                                           \
        if (__builtin_expect(!!(cond), 0))                                                         \
            base_bug(__FILE__, __LINE__, (message));                                               \
    } while (0)

#endif
