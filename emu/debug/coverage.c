/* SPDX-License-Identifier: MIT */
/* Collecting, and drcov. */
#include "emu/debug/coverage_private.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct coverage_set *set, struct coverage_pair pair)
{
    uint64_t hash = ((uint64_t)pair.a << 32 | pair.b) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(hash >> 32) & (set->room - 1);
    while ((set->pair[i].a || set->pair[i].b) &&
           (set->pair[i].a != pair.a || set->pair[i].b != pair.b))
        i = (i + 1) & (set->room - 1);
    return i;
}

static int grow(struct coverage_set *set)
{
    struct coverage_set bigger = {.room = set->room ? 2 * set->room : 4096, .count = set->count};
    bigger.pair = calloc(bigger.room, sizeof(bigger.pair[0]));
    if (!bigger.pair)
        return -ENOMEM;
    for (size_t i = 0; i < set->room; i++) {
        if (set->pair[i].a || set->pair[i].b)
            bigger.pair[slot_of(&bigger, set->pair[i])] = set->pair[i];
    }
    free(set->pair);
    *set = bigger;
    return 0;
}

static void add(struct coverage *c, struct coverage_set *set, uint32_t a, uint32_t b)
{
    struct coverage_pair pair = {a, b};
    host_lock_enter(&c->lock);
    if (2 * set->count >= set->room && grow(set)) {
        c->lost = true;
    } else if (a || b) {
        struct coverage_pair *at = &set->pair[slot_of(set, pair)];
        set->count += !at->a && !at->b;
        *at = pair;
    }
    host_lock_leave(&c->lock);
}

static void on_block(struct engine_coverage *engine, uint32_t eip, uint32_t len)
{
    struct coverage *c = CONTAINER_OF(engine, struct coverage, engine);
    add(c, &c->blocks, eip, len);
}

static void on_edge(struct engine_coverage *engine, uint32_t end, uint32_t to)
{
    struct coverage *c = CONTAINER_OF(engine, struct coverage, engine);
    add(c, &c->edges, end, to);
}

int coverage_create(struct coverage **out)
{
    struct coverage *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->engine.block = on_block;
    c->engine.edge = on_edge;
    int err = host_lock_init(&c->lock);
    if (err)
        free(c);
    else
        *out = c;
    return err;
}

void coverage_destroy(struct coverage *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->files; i++)
        fclose(c->file[i].in);
    for (unsigned i = 0; i < COVERAGE_FORMATS; i++) {
        if (c->out[i])
            fclose(c->out[i]);
    }
    host_lock_fini(&c->lock);
    free(c->blocks.pair);
    free(c->edges.pair);
    free(c);
}

struct engine_coverage *coverage_engine(struct coverage *c)
{
    return &c->engine;
}

bool coverage_has_edge(const struct coverage *c, uint32_t end, uint32_t to)
{
    const struct coverage_pair pair = {end, to};
    if (!c->edges.room)
        return false;
    const struct coverage_pair *at = &c->edges.pair[slot_of(&c->edges, pair)];
    return at->a || at->b;
}

/* The file's place in memory, from its loadable segments. */
static int read_extent(FILE *in, struct coverage_file *f)
{
    Elf32_Ehdr h;
    Elf32_Phdr ph;
    f->begin = UINT32_MAX;
    if (fread(&h, sizeof(h), 1, in) != 1 || memcmp(h.e_ident, ELFMAG, SELFMAG) ||
        h.e_ident[EI_CLASS] != ELFCLASS32 || h.e_phentsize != sizeof(ph))
        return -EINVAL;
    f->entry = h.e_entry + f->offset;
    for (unsigned i = 0; i < h.e_phnum; i++) {
        if (fseek(in, (long)(h.e_phoff + i * sizeof(ph)), SEEK_SET) ||
            fread(&ph, sizeof(ph), 1, in) != 1)
            return -EINVAL;
        uint32_t begin = ph.p_vaddr + f->offset, end = begin + ph.p_memsz;
        if (ph.p_type != PT_LOAD || end <= begin)
            continue;
        f->begin = begin < f->begin ? begin : f->begin;
        f->end = end > f->end ? end : f->end;
    }
    f->begin &= ~(uint32_t)PAGE_MASK;
    return f->begin < f->end ? 0 : -EINVAL;
}

int coverage_add_file(struct coverage *c, const char *path, const char *place, uint32_t offset,
                      struct why *why)
{
    struct coverage_file f = {.path = path, .offset = offset};
    if (c->files == COVERAGE_FILES)
        return why_fail(why, -ENOSPC, "coverage of more than %u files", COVERAGE_FILES);
    FILE *in = fopen(place, "rbe");
    int err = in ? read_extent(in, &f) : -errno;
    f.in = in;
    if (err && in)
        fclose(in);
    if (err)
        return why_fail(why, err, "no coverage of %s: %s", path, strerror(-err));
    c->file[c->files++] = f;
    return 0;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct coverage_pair *x = a, *y = b;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

/* All blocks, sorted; for the caller to free. */
static struct coverage_pair *sorted_blocks(const struct coverage *c)
{
    struct coverage_pair *out = calloc(c->blocks.count + 1, sizeof(*out));
    size_t n = 0;
    for (size_t i = 0; out && i < c->blocks.room; i++) {
        if (c->blocks.pair[i].a || c->blocks.pair[i].b)
            out[n++] = c->blocks.pair[i];
    }
    if (out)
        qsort(out, n, sizeof(*out), compare_pairs);
    return out;
}

int coverage_runs(const struct coverage *c, struct coverage_run **out, size_t *count)
{
    struct coverage_pair *blocks = sorted_blocks(c);
    struct coverage_run *run = blocks ? calloc(c->blocks.count + 1, sizeof(*run)) : NULL;
    size_t n = 0;
    for (size_t i = 0; run && i < c->blocks.count; i++) {
        uint32_t begin = blocks[i].a, end = begin + blocks[i].b;
        if (n && begin <= run[n - 1].end)
            run[n - 1].end = end > run[n - 1].end ? end : run[n - 1].end;
        else
            run[n++] = (struct coverage_run){begin, end};
    }
    free(blocks);
    *out = run;
    *count = n;
    return run ? 0 : -ENOMEM;
}

bool coverage_ran(const struct coverage_run *run, size_t count, uint32_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (run[mid].end <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && run[low].begin <= address;
}

/* drcov. What lies in no file belongs to the last module, which is all of memory. */

static unsigned module_of(const struct coverage *c, uint32_t address)
{
    unsigned i = 0;
    while (i < c->files && (address < c->file[i].begin || address >= c->file[i].end))
        i++;
    return i;
}

static void write_modules(const struct coverage *c, FILE *out)
{
    fprintf(out, "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\nModule Table: version 2, count %u\n",
            c->files + 1);
    fprintf(out, "Columns: id, base, end, entry, path\n");
    for (unsigned i = 0; i < c->files; i++)
        fprintf(out, "%3u, 0x%08x, 0x%08x, 0x%08x, %s\n", i, c->file[i].begin, c->file[i].end,
                c->file[i].entry, c->file[i].path);
    fprintf(out, "%3u, 0x%08x, 0x%08x, 0x%08x, %s\n", c->files, 0u, UINT32_MAX, 0u, "[elsewhere]");
}

/* Sizes have 16 bits; blocks are of at most 64 instructions. */
static void write_blocks(const struct coverage *c, const struct coverage_pair *block, FILE *out)
{
    fprintf(out, "BB Table: %zu bbs\n", c->blocks.count);
    for (size_t i = 0; i < c->blocks.count; i++) {
        unsigned module = module_of(c, block[i].a);
        uint32_t start = block[i].a - (module < c->files ? c->file[module].begin : 0);
        uint8_t raw[8] = {(uint8_t)start,         (uint8_t)(start >> 8), (uint8_t)(start >> 16),
                          (uint8_t)(start >> 24), (uint8_t)block[i].b,   (uint8_t)(block[i].b >> 8),
                          (uint8_t)module,        (uint8_t)(module >> 8)};
        fwrite(raw, sizeof(raw), 1, out);
    }
}

static int write_drcov(struct coverage *c, FILE *out)
{
    struct coverage_pair *blocks = sorted_blocks(c);
    if (!blocks)
        return -ENOMEM;
    write_modules(c, out);
    write_blocks(c, blocks, out);
    free(blocks);
    return 0;
}

int coverage_open(struct coverage *c, enum coverage_format format, const char *path,
                  struct why *why)
{
    if (format == COVERAGE_LCOV && !coverage_has_lcov)
        return why_fail(why, -ENOTSUP,
                        "lcov needs libdw (libdw-dev), which this build lacks; there is drcov");
    c->out[format] = fopen(path, "we");
    c->out_path[format] = path;
    return c->out[format] ? 0 : why_fail(why, -errno, "cannot write %s: %s", path, strerror(errno));
}

static int write_one(struct coverage *c, enum coverage_format format, struct why *why)
{
    FILE *out = c->out[format];
    if (!out)
        return 0;
    int err = format == COVERAGE_LCOV ? coverage_lcov(c, out) : write_drcov(c, out);
    if (!err && fflush(out))
        err = -errno;
    fclose(out);
    c->out[format] = NULL;
    if (!err && c->lost)
        err = -ENOMEM;
    return err ? why_fail(why, err, "%s is not whole: %s", c->out_path[format], strerror(-err)) : 0;
}

int coverage_write(struct coverage *c, struct why *why)
{
    int drcov = write_one(c, COVERAGE_DRCOV, why);
    int lcov = write_one(c, COVERAGE_LCOV, why);
    return drcov ? drcov : lcov;
}
