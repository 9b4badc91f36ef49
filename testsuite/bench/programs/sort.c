/* SPDX-License-Identifier: MIT */
/* Branches nobody can foresee: quicksort with an insertion sort for the leaves. */
#include <string.h>

#include "../bench.h"

enum { COUNT = 200000, LEAF = 12 };

static void swap(int *a, int *b)
{
    int t = *a;

    *a = *b;
    *b = t;
}

static void insertion(int *v, long n)
{
    for (long i = 1; i < n; i++)
        for (long j = i; j > 0 && v[j] < v[j - 1]; j--)
            swap(&v[j], &v[j - 1]);
}

static void quicksort(int *v, long n)
{
    while (n > LEAF) {
        int pivot = v[n / 2];
        long i = -1, j = n;

        for (;;) {
            do
                i++;
            while (v[i] < pivot);
            do
                j--;
            while (v[j] > pivot);
            if (i >= j)
                break;
            swap(&v[i], &v[j]);
        }
        quicksort(v, j + 1);
        v += j + 1;
        n -= j + 1;
    }
    insertion(v, n);
}

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 100);
    int *values = bench_alloc(COUNT * sizeof(*values));
    uint32_t seed = 42;
    uint64_t sum = 0;

    for (unsigned long n = 0; n < scale; n++) {
        for (int i = 0; i < COUNT; i++)
            values[i] = (int)bench_random(&seed);
        quicksort(values, COUNT);
        for (int i = 0; i < COUNT; i += 997)
            sum = sum * 31 + (uint32_t)values[i];
    }
    return bench_end("sort", sum);
}
