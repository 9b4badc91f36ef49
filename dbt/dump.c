/* SPDX-License-Identifier: MIT */
/*
 * For people: translations as text, and as a map for perf. Reads an engine
 * that is not running.
 */
#include <stdio.h>

#include <string.h>

#include "dbt/engine_state.h"
#include "dbt/paged/paged.h"
#include "dbt/text.h"
#include "dbt/translate.h"
#include "emu/machine/ram.h"

static void each_block(const struct image *image,
                       void (*fn)(const struct image *image, const struct block *block, FILE *out),
                       FILE *out)
{
    for (unsigned n = 0; n < CACHE_SEGMENTS; n++) {
        const struct block *first = image->blocks + (size_t)n * image->block_cap;
        for (uint32_t i = 0; i < image->segment[n].blocks; i++)
            if (!first[i].dead)
                fn(image, &first[i], out);
    }
}

static void map_line(const struct image *image, const struct block *block, FILE *out)
{
    fprintf(out, "%llx %x guest_%08x\n",
            (unsigned long long)(uintptr_t)(image->cache.rx + block->host), block->host_len,
            block->eip);
}

void dbt_dump_map(struct engine *engine, void *out)
{
    struct dbt *dbt = CONTAINER_OF(engine, struct dbt, engine);
    host_lock_enter(&dbt->lock);
    for (const struct image *image = dbt->images; image; image = image->next)
        each_block(image, map_line, out);
    host_lock_leave(&dbt->lock);
}

static void print_guest(const struct cpu *cpu, uint32_t eip, FILE *out)
{
    uint8_t bytes[ISA_MAX_LENGTH];
    size_t have = sizeof(bytes);
    while (have && ram_read(cpu->ram, eip, bytes, have))
        have--;
    text_print(32, bytes, have, eip, 1, "", out);
}

static void print_block(const struct image *image, const struct block *block, const struct cpu *cpu,
                        FILE *out)
{
    const uint8_t *host = image->cache.rx + block->host;
    for (unsigned i = 0; i < block->sides; i++) {
        uint32_t from = block->side[i].host;
        uint32_t to = i + 1 < block->sides ? block->side[i + 1].host : block->host_len;
        if (!i || block->side[i].eip != block->side[i - 1].eip)
            print_guest(cpu, block->side[i].eip, out);
        text_print(64, host + from, to - from, block->host + from, 0, "          ", out);
    }
}

/* Exact blocks are in no table: any of them that begins at eip. */
static const struct block *find_exact(const struct image *image, uint32_t eip)
{
    for (unsigned n = 0; n < CACHE_SEGMENTS; n++) {
        const struct block *first = image->blocks + (size_t)n * image->block_cap;
        for (uint32_t i = image->segment[n].blocks; i-- > 0;)
            if (!first[i].dead && first[i].eip == eip)
                return &first[i];
    }
    return NULL;
}

/* The newest block at a linear address of a PC; there may be others, of other modes and frames. */
static const struct paged_block *find_paged(const struct paged *p, uint32_t linear)
{
    for (uint32_t i = p->blocks; i-- > 0;)
        if (!p->block[i].dead && p->block[i].mode.cs_base + p->block[i].eip == linear)
            return &p->block[i];
    return NULL;
}

static void print_paged(const struct paged *p, const struct paged_block *block, FILE *out)
{
    const struct paged_side *side = &p->side[block->sides_at];
    unsigned bits = block->mode.bits & PAGED_CODE32 ? 32 : 16;
    const uint8_t *host = p->cache.rx + block->host;
    uint32_t len = block->end - block->host, last = UINT32_MAX;
    uint32_t room = PAGE_SIZE - ((uint32_t)(uintptr_t)block->code & PAGE_MASK);
    uint32_t guest_len = block->guest_len < room ? block->guest_len : room;
    for (uint32_t i = 0; i < block->sides; i++) {
        uint32_t from = side[i].host, to = i + 1 < block->sides ? side[i + 1].host : len;
        uint32_t guest = paged_side_guest(&side[i]);
        if (guest != last && guest < guest_len)
            text_print(bits, block->code + guest, guest_len - guest, block->eip + guest, 1, "",
                       out);
        last = guest;
        text_print(64, host + from, to - from, block->host + from, 0, "          ", out);
    }
}

static void dump_paged(const struct paged *p, uint32_t linear, FILE *out)
{
    const struct paged_block *block = find_paged(p, linear);
    if (block)
        print_paged(p, block, out);
    else
        fprintf(out, "no translation of %08x\n", linear);
}

void dbt_dump_block(struct engine *engine, struct cpu *cpu, uint32_t eip, void *out)
{
    struct dbt_cpu *d = cpu->engine_state;
    if (strcmp(engine->ops->name, "dbt")) {
        fprintf(out, "the %s engine keeps no translations to show\n", engine->ops->name);
        return;
    }
    if (!cpu->flat) {
        dump_paged(cpu->engine_state, eip, out);
        return;
    }
    host_lock_enter(&d->image->lock);
    const struct block *block = image_find(d->image, eip);
    if (!block)
        block = find_exact(d->image, eip);
    if (block)
        print_block(d->image, block, cpu, out);
    else
        fprintf(out, "no translation of %08x\n", eip);
    host_lock_leave(&d->image->lock);
}
