/* SPDX-License-Identifier: MIT */
/*
 * Several tracefiles of lcov as one: every record becomes an item, items are sorted, and those of
 * the same place become one with the sum of their counts.
 */
#include "emu/test/cover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { FUNCTION, CALLS, LINE, BRANCH };

struct item {
    const char *file; /* one string for each name */
    enum kind kind;
    int line, block, way;
    char *name; /* FUNCTION, CALLS */
    long long count;
    bool never; /* BRANCH: "-": its block did not run */
};

struct merge {
    struct item *item;
    size_t count, room;
    char **file;
    unsigned files;
    const char *current;
};

static const char *file_of(struct merge *m, const char *name)
{
    for (unsigned i = 0; i < m->files; i++) {
        if (!strcmp(m->file[i], name))
            return m->file[i];
    }
    char **bigger = realloc(m->file, (m->files + 1) * sizeof(*bigger));
    if (!bigger)
        return NULL;
    m->file = bigger;
    m->file[m->files] = strdup(name);
    return m->file[m->files] ? m->file[m->files++] : NULL;
}

static int add(struct merge *m, const struct item *item)
{
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 4096;
        struct item *bigger = realloc(m->item, room * sizeof(*bigger));
        if (!bigger)
            return -ENOMEM;
        m->item = bigger;
        m->room = room;
    }
    m->item[m->count] = *item;
    m->item[m->count].file = m->current;
    if (item->name && !(m->item[m->count].name = strdup(item->name)))
        return -ENOMEM;
    m->count++;
    return 0;
}

/* One line of a tracefile; what is not known (totals) is made anew. */
static int read_line(struct merge *m, char *line)
{
    struct item i = {0};
    char taken[32], name[512];
    if (!strncmp(line, "SF:", 3)) {
        m->current = file_of(m, line + 3);
        return m->current ? 0 : -ENOMEM;
    }
    if (!m->current)
        return 0;
    if (sscanf(line, "DA:%d,%lld", &i.line, &i.count) == 2) {
        i.kind = LINE;
    } else if (sscanf(line, "BRDA:%d,%d,%d,%31s", &i.line, &i.block, &i.way, taken) == 4) {
        i.kind = BRANCH;
        i.never = !strcmp(taken, "-");
        i.count = i.never ? 0 : atoll(taken);
    } else if (sscanf(line, "FN:%d,%511s", &i.line, name) == 2) {
        i.kind = FUNCTION;
        i.name = name;
    } else if (sscanf(line, "FNDA:%lld,%511s", &i.count, name) == 2) {
        i.kind = CALLS;
        i.name = name;
    } else {
        return 0;
    }
    return add(m, &i);
}

static int read_part(void *opaque, const struct buffer *text)
{
    struct merge *m = opaque;
    int err = 0;
    m->current = NULL;
    for (char *at = text->data, *next; !err && at && *at; at = next) {
        next = at + strcspn(at, "\n");
        if (*next)
            *next++ = 0;
        err = read_line(m, at);
    }
    return err;
}

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    if (order || x->kind != y->kind)
        return order ? order : x->kind < y->kind ? -1 : 1;
    if (x->name && y->name && (x->kind == CALLS || x->line == y->line))
        return strcmp(x->name, y->name);
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    return x->way < y->way ? -1 : x->way > y->way;
}

static void join(struct merge *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct item *to = kept ? &m->item[kept - 1] : NULL;
        if (to && !compare(to, &m->item[i])) {
            to->count += m->item[i].count;
            to->never = to->never && m->item[i].never;
            free(m->item[i].name);
        } else {
            m->item[kept++] = m->item[i];
        }
    }
    m->count = kept;
}

struct totals {
    unsigned found[BRANCH + 1], hit[BRANCH + 1];
};

static void write_item(const struct item *i, FILE *out)
{
    switch (i->kind) {
    case FUNCTION:
        fprintf(out, "FN:%d,%s\n", i->line, i->name);
        break;
    case CALLS:
        fprintf(out, "FNDA:%lld,%s\n", i->count, i->name);
        break;
    case LINE:
        fprintf(out, "DA:%d,%lld\n", i->line, i->count);
        break;
    case BRANCH:
        fprintf(out, "BRDA:%d,%d,%d,", i->line, i->block, i->way);
        if (i->never)
            fputs("-\n", out);
        else
            fprintf(out, "%lld\n", i->count);
    }
}

static void write_file(const struct item *i, size_t n, FILE *out)
{
    struct totals t = {0};
    fprintf(out, "TN:\nSF:%s\n", i->file);
    for (size_t k = 0; k < n; k++) {
        write_item(&i[k], out);
        t.found[i[k].kind]++;
        t.hit[i[k].kind] += i[k].count > 0;
    }
    fprintf(out, "FNF:%u\nFNH:%u\nLF:%u\nLH:%u\nBRF:%u\nBRH:%u\nend_of_record\n", t.found[CALLS],
            t.hit[CALLS], t.found[LINE], t.hit[LINE], t.found[BRANCH], t.hit[BRANCH]);
}

static void write_all(const struct merge *m, FILE *out)
{
    for (size_t i = 0, n; i < m->count; i += n) {
        for (n = 1; i + n < m->count && m->item[i + n].file == m->item[i].file;)
            n++;
        write_file(&m->item[i], n, out);
    }
}

int cover_merge_lcov(const char *folder, const char *path, struct why *why)
{
    struct merge m = {0};
    int err = cover_each_part(folder, "lcov-", read_part, &m);
    FILE *out = err ? NULL : fopen(path, "we");
    if (!err && !out)
        err = -errno;
    if (!err) {
        if (m.count)
            qsort(m.item, m.count, sizeof(m.item[0]), compare);
        join(&m);
        write_all(&m, out);
    }
    if (out && fclose(out) && !err)
        err = -errno;
    for (size_t i = 0; i < m.count; i++)
        free(m.item[i].name);
    for (unsigned i = 0; i < m.files; i++)
        free(m.file[i]);
    free(m.item);
    free(m.file);
    return err ? why_fail(why, err, "%s cannot be written: %s", path, strerror(-err)) : 0;
}
