/* SPDX-License-Identifier: MIT */
/* Indirect calls and jumps: objects with methods, and an interpreter's dispatch. */
#include "../bench.h"

struct shape {
    uint32_t (*area)(const struct shape *);
    uint32_t a, b;
};

static uint32_t square(const struct shape *s)
{
    return s->a * s->a;
}

static uint32_t rectangle(const struct shape *s)
{
    return s->a * s->b;
}

static uint32_t triangle(const struct shape *s)
{
    return s->a * s->b / 2;
}

static uint32_t ring(const struct shape *s)
{
    return 3 * (s->a * s->a - s->b);
}

enum { SHAPES = 1000, CODE = 1024 };

static uint32_t areas(const struct shape *shapes)
{
    uint32_t sum = 0;

    for (int i = 0; i < SHAPES; i++)
        sum += shapes[i].area(&shapes[i]);
    return sum;
}

/* A machine with an accumulator; the switch becomes a jump table. */
static uint32_t interpret(const uint8_t *code, uint32_t acc)
{
    for (;;) {
        switch (*code++) {
        case 0:
            acc += 7;
            break;
        case 1:
            acc ^= acc << 3;
            break;
        case 2:
            acc -= 1;
            break;
        case 3:
            acc = acc >> 1 | acc << 31;
            break;
        case 4:
            acc *= 5;
            break;
        case 5:
            acc |= 1;
            break;
        case 6:
            acc = ~acc;
            break;
        case 7:
            acc += acc >> 16;
            break;
        default:
            return acc;
        }
    }
}

int main(int argc, char **argv)
{
    static uint32_t (*const methods[4])(const struct shape *) = {square, rectangle, triangle, ring};
    static struct shape shapes[SHAPES];
    static uint8_t code[CODE + 1];
    unsigned long scale = bench_scale(argc, argv, 120);
    uint32_t seed = 17, acc = 1;
    uint64_t sum = 0;

    for (int i = 0; i < SHAPES; i++)
        shapes[i] = (struct shape){methods[bench_random(&seed) & 3], bench_random(&seed) & 1023,
                                   bench_random(&seed) & 1023};
    for (int i = 0; i < CODE; i++)
        code[i] = bench_random(&seed) & 7;
    code[CODE] = 255;
    for (unsigned long n = 0; n < scale * 1000; n++) {
        sum += areas(shapes);
        acc = interpret(code, acc);
    }
    return bench_end("virtual", sum * 31 + acc);
}
