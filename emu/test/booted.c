/* SPDX-License-Identifier: MIT */
/* Few places, as each holds a machine's memory. */
#include "emu/test/booted.h"

#include <string.h>

struct booted *booted_find(struct booted_shelf *shelf, const struct buffer *key)
{
    for (unsigned i = 0; i < BOOTED_SHELF; i++) {
        struct booted *b = &shelf->place[i];
        if (b->key.len == key->len && key->len && !memcmp(b->key.data, key->data, key->len)) {
            b->used = ++shelf->asked;
            return b;
        }
    }
    return NULL;
}

struct booted *booted_new(struct booted_shelf *shelf)
{
    struct booted *oldest = &shelf->place[0];
    for (unsigned i = 1; i < BOOTED_SHELF; i++) {
        if (shelf->place[i].used < oldest->used)
            oldest = &shelf->place[i];
    }
    booted_drop(oldest);
    oldest->used = ++shelf->asked;
    return oldest;
}

void booted_drop(struct booted *b)
{
    buffer_free(&b->key);
    buffer_free(&b->state);
    buffer_free(&b->rest);
    b->used = 0;
}

void booted_fini(struct booted_shelf *shelf)
{
    for (unsigned i = 0; i < BOOTED_SHELF; i++)
        booted_drop(&shelf->place[i]);
}
