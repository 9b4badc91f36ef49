/* SPDX-License-Identifier: MIT */
/* Several files of drcov, version 2, as one: modules by their paths, blocks once each. */
#include "emu/test/cover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MODULES_MAX 600u

struct module {
    unsigned base, end, entry;
    char *path;
};

struct block {
    uint32_t start;
    uint16_t size, module;
};

struct merge {
    struct module module[MODULES_MAX];
    unsigned modules;
    struct block *block;
    size_t count, room;
};

static int module_of(struct merge *m, const struct module *wanted)
{
    for (unsigned i = 0; i < m->modules; i++) {
        if (!strcmp(m->module[i].path, wanted->path) && m->module[i].base == wanted->base)
            return (int)i;
    }
    if (m->modules == MODULES_MAX)
        return -ENOSPC;
    m->module[m->modules] = *wanted;
    m->module[m->modules].path = strdup(wanted->path);
    return m->module[m->modules].path ? (int)m->modules++ : -ENOMEM;
}

static int add_block(struct merge *m, const uint8_t raw[8], const uint16_t *ids, unsigned known)
{
    unsigned id = (unsigned)(raw[6] | raw[7] << 8);
    if (id >= known)
        return -EINVAL;
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 4096;
        struct block *bigger = realloc(m->block, room * sizeof(*bigger));
        if (!bigger)
            return -ENOMEM;
        m->block = bigger;
        m->room = room;
    }
    m->block[m->count++] = (struct block){(uint32_t)raw[0] | (uint32_t)raw[1] << 8 |
                                              (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24,
                                          (uint16_t)(raw[4] | raw[5] << 8), ids[id]};
    return 0;
}

static int read_module(struct merge *m, const char *line, uint16_t *ids)
{
    struct module module;
    unsigned id;
    char path[4096];
    if (sscanf(line, "%u, %x, %x, %x, %4095[^\n]", &id, &module.base, &module.end, &module.entry,
               path) != 5 ||
        id >= MODULES_MAX)
        return -EINVAL;
    module.path = path;
    int number = module_of(m, &module);
    if (number >= 0)
        ids[id] = (uint16_t)number;
    return number < 0 ? number : 0;
}

static const char *next_line(const char *at, const char *end)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    return stop ? stop + 1 : end;
}

static int read_part(void *opaque, const struct buffer *text)
{
    struct merge *m = opaque;
    uint16_t ids[MODULES_MAX] = {0};
    const char *at = text->data, *end = text->data + text->len;
    unsigned modules = 0, known = 0;
    size_t blocks = 0;
    int err = 0;
    for (; !err && at < end && sscanf(at, "BB Table: %zu bbs", &blocks) != 1;
         at = next_line(at, end)) {
        if (modules > known && *at == ' ')
            err = read_module(m, at, ids), known++;
        else if (sscanf(at, "Module Table: version 2, count %u", &modules) == 1)
            continue;
    }
    if (err || at == end)
        return err;
    at = next_line(at, end);
    for (; !err && blocks && end - at >= 8; at += 8, blocks--)
        err = add_block(m, (const uint8_t *)at, ids, known);
    return err;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct block));
}

static void write_all(struct merge *m, FILE *out)
{
    size_t kept = 0;
    if (m->count)
        qsort(m->block, m->count, sizeof(m->block[0]), compare);
    for (size_t i = 0; i < m->count; i++) {
        if (!kept || compare(&m->block[kept - 1], &m->block[i]))
            m->block[kept++] = m->block[i];
    }
    fprintf(out, "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\nModule Table: version 2, count %u\n",
            m->modules);
    fprintf(out, "Columns: id, base, end, entry, path\n");
    for (unsigned i = 0; i < m->modules; i++)
        fprintf(out, "%3u, 0x%08x, 0x%08x, 0x%08x, %s\n", i, m->module[i].base, m->module[i].end,
                m->module[i].entry, m->module[i].path);
    fprintf(out, "BB Table: %zu bbs\n", kept);
    for (size_t i = 0; i < kept; i++) {
        const struct block *b = &m->block[i];
        uint8_t raw[8] = {(uint8_t)b->start,         (uint8_t)(b->start >> 8),
                          (uint8_t)(b->start >> 16), (uint8_t)(b->start >> 24),
                          (uint8_t)b->size,          (uint8_t)(b->size >> 8),
                          (uint8_t)b->module,        (uint8_t)(b->module >> 8)};
        fwrite(raw, sizeof(raw), 1, out);
    }
}

int cover_merge_drcov(const char *folder, const char *path, struct why *why)
{
    struct merge *m = calloc(1, sizeof(*m));
    int err = m ? cover_each_part(folder, "drcov-", read_part, m) : -ENOMEM;
    FILE *out = err ? NULL : fopen(path, "wbe");
    if (!err && !out)
        err = -errno;
    if (!err)
        write_all(m, out);
    if (out && fclose(out) && !err)
        err = -errno;
    for (unsigned i = 0; m && i < m->modules; i++)
        free(m->module[i].path);
    if (m)
        free(m->block);
    free(m);
    return err ? why_fail(why, err, "%s cannot be written: %s", path, strerror(-err)) : 0;
}
