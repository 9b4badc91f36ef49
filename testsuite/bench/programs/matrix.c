/* SPDX-License-Identifier: MIT */
/* Packed SSE2 arithmetic: matrix products, by rows, that the compiler turns into vectors. */
#include "../bench.h"

enum { N = 256 };

static double a[N][N] __attribute__((aligned(16))), b[N][N] __attribute__((aligned(16))),
    c[N][N] __attribute__((aligned(16)));

static void multiply(void)
{
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            double x = a[i][k];

            for (int j = 0; j < N; j++)
                c[i][j] += x * b[k][j];
        }
}

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 160);
    uint32_t seed = 99;
    double trace = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (bench_random(&seed) & 255) / 256.0;
            b[i][j] = (bench_random(&seed) & 255) / 256.0;
        }
    for (unsigned long n = 0; n < scale; n++)
        multiply();
    for (int i = 0; i < N; i++)
        trace += c[i][i];
    return bench_end("matrix", (uint64_t)(trace * 16));
}
