/* SPDX-License-Identifier: MIT */
/* What the benchmark programs share: their one argument, a generator, the last line. */
#ifndef DENALI_BENCH_H
#define DENALI_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The scale: the program's work grows in proportion. Each takes about a second at its default. */
static inline unsigned long bench_scale(int argc, char **argv, unsigned long usual)
{
    unsigned long scale = argc > 1 ? strtoul(argv[1], NULL, 0) : usual;

    return scale ? scale : 1;
}

static inline uint32_t bench_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Prints the checksum, the program's only output. */
static inline int bench_end(const char *name, uint64_t checksum)
{
    printf("%s %016llx\n", name, (unsigned long long)checksum);
    return 0;
}

static inline void *bench_alloc(size_t bytes)
{
    void *memory = malloc(bytes);

    if (!memory) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

#endif
