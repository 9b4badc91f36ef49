/* SPDX-License-Identifier: MIT */
/* A hash table of strings with chains, filled, looked up and emptied again. */
#include <string.h>

#include "../bench.h"

enum { BUCKETS = 16384, KEYS = 50000 };

struct entry {
    struct entry *next;
    uint32_t hash, count;
    char key[20];
};

static struct entry *table[BUCKETS];

static uint32_t hash_of(const char *key)
{
    uint32_t hash = 2166136261u;

    while (*key)
        hash = (hash ^ (unsigned char)*key++) * 16777619u;
    return hash;
}

static struct entry *find(const char *key, uint32_t hash)
{
    struct entry *e = table[hash % BUCKETS];

    while (e && (e->hash != hash || strcmp(e->key, key) != 0))
        e = e->next;
    return e;
}

static void count(const char *key)
{
    uint32_t hash = hash_of(key);
    struct entry *e = find(key, hash);

    if (!e) {
        e = bench_alloc(sizeof(*e));
        e->hash = hash;
        e->count = 0;
        strcpy(e->key, key);
        e->next = table[hash % BUCKETS];
        table[hash % BUCKETS] = e;
    }
    e->count++;
}

static uint64_t empty(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < BUCKETS; i++)
        while (table[i]) {
            struct entry *e = table[i];

            sum = sum * 31 + e->count;
            table[i] = e->next;
            free(e);
        }
    return sum;
}

static void make_key(char *out, uint32_t n)
{
    unsigned len = 0;

    do
        out[len++] = (char)('a' + n % 26);
    while ((n /= 26) != 0);
    strcpy(out + len, "-key");
}

int main(int argc, char **argv)
{
    unsigned long scale = bench_scale(argc, argv, 60);
    uint32_t seed = 23;
    uint64_t sum = 0;
    char key[20];

    for (unsigned long n = 0; n < scale; n++) {
        for (int i = 0; i < 400000; i++) {
            make_key(key, bench_random(&seed) % KEYS);
            count(key);
        }
        sum = sum * 31 + empty();
    }
    return bench_end("hash", sum);
}
