/* SPDX-License-Identifier: MIT */
/* x87 arithmetic in registers: the Mandelbrot set in extended precision. */
#include "../bench.h"

static unsigned escape(long double cr, long double ci)
{
    long double zr = 0, zi = 0;
    unsigned n = 0;

    while (n < 256 && zr * zr + zi * zi < 4) {
        long double next = zr * zr - zi * zi + cr;

        zi = 2 * zr * zi + ci;
        zr = next;
        n++;
    }
    return n;
}

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 10);
    const int size = 600;
    uint64_t sum = 0;

    for (unsigned long i = 0; i < scale; i++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                sum = sum * 33 + escape(3.0L * x / size - 2.25L, 2.5L * y / size - 1.25L);
    return bench_end("mandel", sum);
}
