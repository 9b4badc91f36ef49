/* SPDX-License-Identifier: MIT */
/* Pointer chasing: each load waits for the one before, in the second-level cache and beyond it. */
#include "../bench.h"

struct node {
    struct node *next;
    uint32_t value, unused[2];
};

/* One cycle through all nodes, in random order (Sattolo's shuffle). */
static struct node *make_ring(size_t count, uint32_t seed)
{
    struct node *nodes = bench_alloc(count * sizeof(*nodes));
    uint32_t *order = bench_alloc(count * sizeof(*order));

    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = bench_random(&seed) % i;
        uint32_t swap = order[i];

        order[i] = order[j];
        order[j] = swap;
    }
    for (size_t i = 0; i < count; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % count]];
        nodes[order[i]].value = (uint32_t)i;
    }
    free(order);
    return nodes;
}

static uint64_t walk(const struct node *node, unsigned long steps)
{
    uint64_t sum = 0;

    while (steps-- > 0) {
        sum += node->value;
        node = node->next;
    }
    return sum;
}

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 40);
    struct node *small = make_ring(1024, 3), *large = make_ring(40000, 5);
    uint64_t sum = 0;

    for (unsigned long n = 0; n < scale; n++)
        sum = sum * 31 + walk(small, 10000000) + walk(large, 3000000);
    return bench_end("chase", sum);
}
