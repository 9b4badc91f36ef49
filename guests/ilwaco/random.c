/* SPDX-License-Identifier: MIT */
/*
 * Random bytes: ChaCha20's block function over a key from the register page, a
 * counter as the block number; every block also gives the next key, so that
 * earlier output cannot be computed from the state.
 */
#include "guests/ilwaco/kernel.h"

static uint32_t key[8];
static uint64_t blocks;
static bool seeded;

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void quarter(uint32_t *s, int a, int b, int c, int d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

static void block(uint32_t out[16])
{
    uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(in + 4, key, sizeof key);
    memcpy(in + 12, &blocks, sizeof blocks);
    blocks++;
    memcpy(out, in, sizeof in);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            quarter(out, i, 4 + i, 8 + i, 12 + i);
        for (int i = 0; i < 4; i++)
            quarter(out, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (int i = 0; i < 16; i++)
        out[i] += in[i];
}

static void seed(void)
{
    uint64_t random[2] = {machine_regs.random[0], machine_regs.random[1]};
    memcpy(key, random, sizeof random);
    seeded = true;
}

void random_renew(void)
{
    if (!seeded)
        return;
    uint32_t fresh[4];
    uint64_t random[2] = {machine_regs.random[0], machine_regs.random[1]};
    memcpy(fresh, random, sizeof fresh);
    for (int i = 0; i < 4; i++)
        key[i] ^= fresh[i];
}

void random_bytes(void *out, size_t n)
{
    uint32_t words[16];
    char *to = out;
    if (!seeded)
        seed();
    while (n) {
        block(words);
        memcpy(key, words, sizeof key);
        size_t part = n < 32 ? n : 32;
        memcpy(to, words + 8, part);
        to += part;
        n -= part;
    }
}
