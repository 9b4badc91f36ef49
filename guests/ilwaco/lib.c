/* SPDX-License-Identifier: MIT */
/* Strings and division for a program without a C library. Copies use the string instructions: they
 * are short and the processor does them well. */
#include "guests/ilwaco/lib.h"

void *memcpy(void *dst, const void *src, size_t n)
{
    void *to = dst;
    size_t words = n >> 2;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
    size_t bytes = n & 3;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(bytes) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    char *to = dst;
    const char *from = src;
    if (to <= from || to >= from + n)
        return memcpy(dst, src, n);
    while (n--)
        to[n] = from[n];
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    void *to = dst;
    uint32_t fill = (uint8_t)byte * 0x01010101u;
    size_t words = n >> 2;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(fill) : "memory");
    size_t bytes = n & 3;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(fill) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] || !a[i])
            return (uint8_t)a[i] - (uint8_t)b[i];
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;
    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (!*s)
            return (char *)last;
    }
}

/* Two divisions in hardware: the high word first, its remainder leads the low word. */
uint64_t div_u64(uint64_t dividend, uint32_t divisor, uint32_t *remainder)
{
    uint32_t high = (uint32_t)(dividend >> 32), low = (uint32_t)dividend, rest = high % divisor;
    uint32_t quotient_high = high / divisor, quotient_low;
    __asm__("divl %4" : "=a"(quotient_low), "=d"(rest) : "0"(low), "1"(rest), "rm"(divisor) : "cc");
    if (remainder)
        *remainder = rest;
    return (uint64_t)quotient_high << 32 | quotient_low;
}
