/* SPDX-License-Identifier: MIT */
/* A list of blocks: specifications are small, and are not freed in parts. */
#include "emu/test/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    max_align_t data[];
};

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct arena_block *block = calloc(1, sizeof(*block) + bytes);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

char *arena_print(struct arena *arena, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    char *out = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (out)
        memcpy(out, text, (size_t)len + 1);
    if (len >= 0)
        free(text);
    return out;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *at = arena->blocks, *next; at; at = next) {
        next = at->next;
        free(at);
    }
    arena->blocks = NULL;
}
