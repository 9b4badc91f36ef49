/* SPDX-License-Identifier: MIT */
/* The functions a compiler may call of itself; loops are hidden from it so that
 * it does not turn them into calls of themselves. */
#include "guests/lib/guest.h"

void *memcpy(void *dst, const void *src, size_t len)
{
    void *to = dst;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(len) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
    if ((uintptr_t)dst <= (uintptr_t)src)
        return memcpy(dst, src, len);
    char *to = (char *)dst + len - 1;
    const char *from = (const char *)src + len - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
    return dst;
}

void *memset(void *dst, int byte, size_t len)
{
    void *to = dst;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < len; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strlen(const char *s)
{
    size_t len = 0;
    while (s[len])
        len++;
    return len;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}
