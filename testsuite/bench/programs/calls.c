/* SPDX-License-Identifier: MIT */
/* Calls of many shapes: three-way recursion, functions that only call, calls through pointers. */
#include "../bench.h"

#define NOINLINE __attribute__((noinline, noclone))

static NOINLINE int tak(int x, int y, int z)
{
    return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

static NOINLINE uint32_t is_odd(uint32_t n);
static NOINLINE uint32_t is_even(uint32_t n)
{
    return n == 0 ? 1 : is_odd(n - 1) ^ (n & 2);
}

static NOINLINE uint32_t is_odd(uint32_t n)
{
    return n == 0 ? 0 : is_even(n - 1) + 1;
}

static NOINLINE uint32_t add(uint32_t a, uint32_t b)
{
    return a + b;
}

static NOINLINE uint32_t mix(uint32_t a, uint32_t b)
{
    return (a ^ b) * 31;
}

static NOINLINE uint32_t turn(uint32_t a, uint32_t b)
{
    return a << 3 | (a ^ b) >> 29;
}

static NOINLINE uint32_t apply(uint32_t (*const *f)(uint32_t, uint32_t), uint32_t n)
{
    uint32_t value = n;

    for (uint32_t i = 0; i < 300; i++)
        value = f[i % 3](value, f[(value >> 4) & 1](i, n));
    return value;
}

int main(int argc, char **argv)
{
    static uint32_t (*const functions[])(uint32_t, uint32_t) = {add, mix, turn};
    unsigned long scale = bench_scale(argc, argv, 15);
    uint64_t sum = 0;

    for (unsigned long i = 0; i < scale; i++) {
        sum = sum * 31 + (uint64_t)tak(18, 12, (int)(i & 3));
        for (uint32_t n = 0; n < 2000; n++)
            sum += is_even(200 + (n & 63));
        for (uint32_t n = 0; n < 5000; n++)
            sum ^= apply(functions, n);
    }
    return bench_end("calls", sum);
}
