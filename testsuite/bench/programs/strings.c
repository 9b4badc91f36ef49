/* SPDX-License-Identifier: MIT */
/* String instructions with repeat prefixes, short and long: MOVS, STOS, CMPS, SCAS, LODS. */
#include <string.h>

#include "../bench.h"

enum { SIZE = 65536 };

static unsigned char text[SIZE + 64], copy[SIZE + 64];

static void move(void *to, const void *from, size_t bytes)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void move_words(void *to, const void *from, size_t words)
{
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static void fill(void *to, unsigned char value, size_t bytes)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}

/* Bytes up to the first `value`. */
static size_t scan(const void *from, unsigned char value, size_t bytes)
{
    size_t left = bytes;

    __asm__ volatile("repne scasb" : "+D"(from), "+c"(left) : "a"(value) : "cc", "memory");
    return bytes - left;
}

/* Bytes up to the first difference. */
static size_t compare(const void *a, const void *b, size_t bytes)
{
    size_t left = bytes;

    __asm__ volatile("repe cmpsb" : "+D"(a), "+S"(b), "+c"(left) : : "cc", "memory");
    return bytes - left;
}

static uint32_t load_all(const unsigned char *from, size_t bytes)
{
    uint32_t sum = 0, value = 0;

    for (size_t i = 0; i < bytes; i++) {
        __asm__ volatile("lodsb" : "+S"(from), "+a"(value) : : "memory");
        sum += value & 255;
    }
    return sum;
}

/* Short pieces, as programs with inline string functions have them. */
static uint64_t words(void)
{
    uint64_t sum = 0;

    for (size_t at = 0; at + 64 < SIZE;) {
        size_t len = scan(text + at, ' ', 64);

        move(copy + at, text + at, len);
        sum += compare(copy + at, text + at, len + 3);
        at += len;
    }
    return sum;
}

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 8000);
    uint32_t seed = 7;
    uint64_t sum = 0;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = bench_random(&seed) % 8 ? 'a' + bench_random(&seed) % 26 : ' ';
    for (unsigned long n = 0; n < scale; n++) {
        fill(copy, (unsigned char)n, SIZE);
        sum = sum * 31 + words();
        move_words(copy, text, SIZE / 4);
        copy[n % SIZE] ^= 1;
        sum += compare(copy, text, SIZE);
        sum += load_all(copy, 4096);
    }
    return bench_end("strings", sum);
}
