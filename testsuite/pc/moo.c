/* SPDX-License-Identifier: MIT */
/* The reader of MOO files: nested chunks of a tag and a length. What is unknown is skipped. */
#include "testsuite/pc/moo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static uint32_t take(struct cursor *c, unsigned bytes)
{
    uint32_t value = 0;
    if ((size_t)(c->end - c->at) < bytes) {
        c->bad = true;
        c->at = c->end;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)c->at[i] << 8 * i;
    c->at += bytes;
    return value;
}

/* The next chunk: its tag, and a cursor over its contents. */
static bool next_chunk(struct cursor *c, char tag[5], struct cursor *inside)
{
    if (c->at == c->end)
        return false;
    for (unsigned i = 0; i < 4; i++)
        tag[i] = (char)take(c, 1);
    tag[4] = '\0';
    uint32_t len = take(c, 4);
    if (len > (size_t)(c->end - c->at))
        c->bad = true;
    if (c->bad)
        return false;
    *inside = (struct cursor){c->at, c->at + len, false};
    c->at += len;
    return true;
}

static void read_text(struct cursor *c, char *out, size_t room)
{
    uint32_t len = take(c, 4);
    for (uint32_t i = 0; i < len && !c->bad; i++) {
        char one = (char)take(c, 1);
        if (i + 1 < room)
            out[i] = one;
    }
    out[len < room ? len : room - 1] = '\0';
}

#define UNUSED MOO_REGS

/* The files' orders of registers. */
static const uint8_t order16[14] = {MOO_AX, MOO_BX, MOO_CX, MOO_DX, MOO_CS, MOO_SS, MOO_DS,
                                    MOO_ES, MOO_SP, MOO_BP, MOO_SI, MOO_DI, MOO_IP, MOO_FLAGS};
static const uint8_t order32[20] = {UNUSED, UNUSED, MOO_AX, MOO_BX,    MOO_CX, MOO_DX, MOO_SI,
                                    MOO_DI, MOO_BP, MOO_SP, MOO_CS,    MOO_DS, MOO_ES, MOO_FS,
                                    MOO_GS, MOO_SS, MOO_IP, MOO_FLAGS, UNUSED, UNUSED};

/* A mask of what is there, then that; into reg[], and which ones into the result. */
static uint32_t read_registers(struct cursor *c, bool wide, uint32_t reg[MOO_REGS])
{
    unsigned bytes = wide ? 4 : 2, count = wide ? sizeof(order32) : sizeof(order16);
    uint32_t there = take(c, bytes), mask = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = wide ? order32[i] : order16[i];
        if (!(there >> i & 1))
            continue;
        uint32_t value = take(c, bytes);
        if (at == UNUSED)
            continue;
        reg[at] = value;
        mask |= 1u << at;
    }
    return mask;
}

static void read_ram(struct cursor *c, struct moo_state *state)
{
    uint32_t count = take(c, 4);
    if (count > (size_t)(c->end - c->at) / 5) {
        c->bad = true;
        return;
    }
    state->byte = calloc(count + 1, sizeof(*state->byte));
    state->count = count;
    for (uint32_t i = 0; i < count; i++) {
        state->byte[i].address = take(c, 4);
        state->byte[i].value = (uint8_t)take(c, 1);
    }
}

static bool read_state(struct cursor *c, struct moo_state *state, struct moo_test *test)
{
    struct cursor inside;
    char tag[5];
    while (next_chunk(c, tag, &inside)) {
        if (!strcmp(tag, "REGS") || !strcmp(tag, "RG32"))
            state->mask = read_registers(&inside, tag[1] == 'G', state->reg);
        else if (!strcmp(tag, "RMSK") || !strcmp(tag, "RM32"))
            read_registers(&inside, tag[2] == '3', test->defined);
        else if (!strcmp(tag, "RAM ") && !state->byte)
            read_ram(&inside, state);
        if (inside.bad)
            return false;
    }
    return !c->bad;
}

static bool read_code(struct cursor *c, struct moo_test *test)
{
    test->code_len = take(c, 4);
    if (test->code_len > sizeof(test->code))
        return false;
    for (uint32_t i = 0; i < test->code_len; i++)
        test->code[i] = (uint8_t)take(c, 1);
    return !c->bad;
}

static bool read_part(const char *tag, struct cursor *c, struct moo_test *test)
{
    if (!strcmp(tag, "NAME"))
        read_text(c, test->name, sizeof(test->name));
    else if (!strcmp(tag, "BYTS"))
        return read_code(c, test);
    else if (!strcmp(tag, "INIT"))
        return read_state(c, &test->before, test);
    else if (!strcmp(tag, "FINA"))
        return read_state(c, &test->after, test);
    else if (!strcmp(tag, "EXCP")) {
        test->faults = true;
        test->vector = (uint8_t)take(c, 1);
        test->flags_at = take(c, 4);
    }
    return !c->bad;
}

static bool read_test(struct cursor *c, const struct moo *moo, struct moo_test *test)
{
    struct cursor inside;
    char tag[5];
    memcpy(test->defined, moo->defined, sizeof(test->defined));
    test->index = take(c, 4);
    while (next_chunk(c, tag, &inside)) {
        if (!read_part(tag, &inside, test))
            return false;
    }
    return !c->bad;
}

static bool read_head(struct cursor *c, struct moo *moo, uint32_t *room)
{
    take(c, 4);
    *room = take(c, 4);
    for (unsigned i = 0; i < 4; i++)
        moo->cpu[i] = (char)take(c, 1);
    if (c->bad || *room > 1000000 || moo->test)
        return false;
    moo->wide = !strncmp(moo->cpu, "386", 3);
    moo->test = calloc(*room + 1, sizeof(*moo->test));
    return moo->test;
}

static bool read_all(struct cursor *c, struct moo *moo)
{
    struct cursor inside;
    uint32_t room = 0;
    char tag[5];
    while (next_chunk(c, tag, &inside)) {
        if (!strcmp(tag, "MOO ") && !read_head(&inside, moo, &room))
            return false;
        if (!strcmp(tag, "RMSK") || !strcmp(tag, "RM32"))
            read_registers(&inside, tag[2] == '3', moo->defined);
        if (!strcmp(tag, "TEST") &&
            (moo->count == room || !read_test(&inside, moo, &moo->test[moo->count++])))
            return false;
    }
    return !c->bad;
}

static uint8_t *slurp(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long end = 0;
    if (file && !fseek(file, 0, SEEK_END) && (end = ftell(file)) > 0) {
        rewind(file);
        bytes = malloc((size_t)end);
        if (bytes && fread(bytes, 1, (size_t)end, file) != (size_t)end) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file)
        fclose(file);
    *len = (size_t)end;
    return bytes;
}

int moo_open(const char *path, struct moo *out)
{
    size_t len;
    *out = (struct moo){.bytes = slurp(path, &len)};
    memset(out->defined, 0xff, sizeof(out->defined));
    if (!out->bytes) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return -1;
    }
    struct cursor c = {out->bytes, out->bytes + len, false};
    bool json = out->bytes[0] == '[';
    if ((json ? moo_read_json((const char *)out->bytes, len, out) : read_all(&c, out)) &&
        out->count)
        return 0;
    fprintf(stderr, "%s: damaged\n", path);
    moo_close(out);
    return -1;
}

void moo_close(struct moo *moo)
{
    for (uint32_t i = 0; i < moo->count; i++) {
        free(moo->test[i].before.byte);
        free(moo->test[i].after.byte);
    }
    free(moo->test);
    free(moo->bytes);
    *moo = (struct moo){0};
}
