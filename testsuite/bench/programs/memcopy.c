/* SPDX-License-Identifier: MIT */
/* Memory: the C library's copy, set and compare on blocks from a line to four megabytes. */
#include <string.h>

#include "../bench.h"

enum { LARGE = 4 << 20 };

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 300);
    unsigned char *a = bench_alloc(LARGE), *b = bench_alloc(LARGE);
    uint64_t sum = 0;

    for (size_t i = 0; i < LARGE; i++)
        a[i] = (unsigned char)(i * 7 + (i >> 9));
    for (unsigned long n = 0; n < scale; n++) {
        for (size_t block = 48; block <= LARGE; block = block * 3 + 5)
            for (size_t at = 0; at + block <= LARGE; at += block)
                memcpy(b + at, a + at, block);
        sum = sum * 31 + (unsigned)(memcmp(a, b, LARGE - 4096) == 0);
        memset(b + (n & 1023), (int)n, LARGE / 2);
        sum += b[n * 4099 % LARGE];
    }
    return bench_end("memcopy", sum);
}
