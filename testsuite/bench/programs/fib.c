/* SPDX-License-Identifier: MIT */
/* Recursion: nothing but calls, returns and a stack. */
#include "../bench.h"

__attribute__((noinline, noclone,
               optimize("no-optimize-sibling-calls", "no-inline"))) static unsigned
fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 40);
    uint64_t sum = 0;

    for (unsigned long i = 0; i < scale; i++)
        sum = sum * 31 + fib(34 + (unsigned)(i & 1));
    return bench_end("fib", sum);
}
