/* SPDX-License-Identifier: MIT */
/*
 * Blocks of a paged guest and how they are found: by what decides the code
 * (hash), by EIP (dispatch tables), by host address (blocks lie in address
 * order), by frame of RAM.
 *
 * Room is taken from the bottom up, for code and for records alike; when any
 * is used up all blocks go. A dropped block stays where it is until then, so
 * control may be in one; only nothing leads to it any more. Chains need no
 * undoing: they stay within a page, and its blocks go together.
 */
#include "dbt/paged/paged.h"

#include <errno.h>

#include "emu/base/host.h"
#include "emu/machine/ram.h"

#define MAX_BLOCKS (1u << 20)
#define MAX_SIDES (1u << 23)
#define MAX_EXITS (1u << 21)
#define MAX_CALLS (1u << 19)
#define HASH_BUCKETS (1u << 16)
#define BLOCK_ALIGN 16u

/* The arrays, as reservations that take memory only as far as they are used. */
struct array {
    size_t place; /* of the pointer in struct paged */
    uint64_t bytes;
};

static const struct array arrays[] = {
    {offsetof(struct paged, block), MAX_BLOCKS * sizeof(struct paged_block)},
    {offsetof(struct paged, side), MAX_SIDES * sizeof(struct paged_side)},
    {offsetof(struct paged, exit_at), MAX_EXITS * sizeof(struct paged_exit)},
    {offsetof(struct paged, call), MAX_CALLS * sizeof(struct paged_call)},
    {offsetof(struct paged, hash), HASH_BUCKETS * sizeof(struct paged_block *)},
    {offsetof(struct paged, page), (1u << 20) * sizeof(struct paged_block *)},
    {offsetof(struct paged, page_heat), 1u << 20},
    {offsetof(struct paged, refusals), PAGED_REFUSAL_BYTES},
    {offsetof(struct paged, device_heat), PAGED_DEVICE_HEATS},
    {offsetof(struct paged, touches), PAGED_TOUCH_BYTES},
    {offsetof(struct paged, dispatch[0].block), PAGED_SLOTS * sizeof(struct paged_block *)},
    {offsetof(struct paged, dispatch[1].block), PAGED_SLOTS * sizeof(struct paged_block *)},
    {offsetof(struct paged, dispatch[0].filled), PAGED_SLOTS * sizeof(uint16_t)},
    {offsetof(struct paged, dispatch[1].filled), PAGED_SLOTS * sizeof(uint16_t)},
};

static void **array_of(struct paged *p, const struct array *array)
{
    return (void **)(void *)((uint8_t *)p + array->place);
}

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
}

static int make_array(struct paged *p, const struct array *array)
{
    void **at = array_of(p, array);
    uint64_t bytes = round_up(array->bytes);
    int err = host_reserve(bytes, PAGE_SIZE, at);
    if (err)
        *at = NULL;
    return err ? err : host_commit(*at, bytes, HOST_R | HOST_W);
}

static uint64_t host_of(const struct paged *p, uint32_t offset)
{
    return (uint64_t)(uintptr_t)p->cache.rx + offset;
}

static int init_dispatch(struct paged *p, unsigned user)
{
    struct paged_dispatch *d = &p->dispatch[user];
    d->table = mmu_engine_table(p->cpu->pc.mmu, user);
    for (uint32_t i = 0; i < PAGED_SLOTS; i++)
        d->table[i] = host_of(p, p->stubs.miss);
    uint8_t *tlb = (uint8_t *)mmu_table(p->cpu->pc.mmu, user, 0);
    int err = host_protect(tlb + PAGED_RAMP + PAGED_RAMP_BYTES, PAGE_SIZE, HOST_NONE);
    return err ? err : host_protect(tlb + PAGED_COUNT_RAMP - PAGE_SIZE, PAGE_SIZE, HOST_NONE);
}

int paged_cache_init(struct paged *p)
{
    int err = cache_init(&p->cache, p->options.cache_bytes);
    for (unsigned i = 0; !err && i < ARRAY_LEN(arrays); i++)
        err = make_array(p, &arrays[i]);
    if (err)
        return err;
    paged_emit_stubs(p);
    p->at = CACHE_STUB_BYTES;
    p->limit = p->cache.size;
    p->frames = (uint32_t)(ram_size(p->cpu->ram) >> PAGE_BITS);
    err = init_dispatch(p, 0);
    return err ? err : init_dispatch(p, 1);
}

void paged_cache_fini(struct paged *p)
{
    for (unsigned i = 0; i < ARRAY_LEN(arrays); i++) {
        void **at = array_of(p, &arrays[i]);
        if (*at)
            host_release(*at, round_up(arrays[i].bytes));
    }
    if (p->cache.rx)
        cache_fini(&p->cache);
}

/* Dispatch */

static void empty_slot(struct paged *p, struct paged_dispatch *d, uint32_t slot)
{
    d->table[slot] = host_of(p, p->stubs.miss);
    d->block[slot] = NULL;
}

static void empty_dispatch(struct paged *p, struct paged_dispatch *d)
{
    for (uint32_t i = 0; i < d->filled_count; i++)
        empty_slot(p, d, d->filled[i]);
    d->filled_count = d->settled = 0;
}

/* Is the code that a block was made from still at its linear address? The TLB knows. */
static bool is_mapped(const struct paged *p, const struct paged_block *block)
{
    uint32_t linear = block->mode.cs_base + block->eip, page = linear >> PAGE_BITS;
    const uint64_t *tlb = p->cpu->pc.tlb[MMU_EXEC];
    return !block->second && tlb[page] &&
           tlb[page] + p->cpu->pc.tlb_bias + linear == (uint64_t)(uintptr_t)block->code;
}

static bool is_global(const struct paged *p, const struct paged_dispatch *d, uint16_t slot)
{
    const struct paged_block *block = d->block[slot];
    return mmu_code_is_global(p->cpu->pc.mmu, block->mode.cs_base + block->eip,
                              d == &p->dispatch[1]);
}

/*
 * Drops what is no longer where it was; looks only from the place `from` on, and moves to the front
 * of these what lies in global pages: settled, it needs no look when only the others went. (That a
 * page is there again after these went does not make it one that stays.)
 */
static void sift_dispatch(struct paged *p, struct paged_dispatch *d, uint32_t from)
{
    uint32_t kept = from;
    d->settled = from;
    for (uint32_t i = from; i < d->filled_count; i++) {
        uint16_t slot = d->filled[i];
        if (!d->block[slot] || !is_mapped(p, d->block[slot])) {
            empty_slot(p, d, slot);
        } else if (is_global(p, d, slot)) {
            d->filled[kept++] = d->filled[d->settled];
            d->filled[d->settled++] = slot;
        } else {
            d->filled[kept++] = slot;
        }
    }
    d->filled_count = kept;
}

struct paged_dispatch *paged_dispatch_now(struct paged *p, const struct paged_mode *mode)
{
    struct paged_dispatch *d = &p->dispatch[p->cpu->cpl == 3];
    const struct mmu_code_changes *changes = mmu_code_changes(p->cpu->pc.mmu);
    if (!paged_mode_same(&d->mode, mode)) {
        empty_dispatch(p, d);
    } else if (d->all_changes != changes->all) {
        sift_dispatch(p, d, 0);
    } else if (d->local_changes != changes->local) {
        sift_dispatch(p, d, d->settled);
    }
    d->mode = *mode;
    d->local_changes = changes->local;
    d->all_changes = changes->all;
    return d;
}

void paged_dispatch_set(struct paged *p, struct paged_dispatch *d, struct paged_block *block)
{
    uint32_t slot = paged_slot(block->eip);
    if (d->filled_count == PAGED_SLOTS)
        empty_dispatch(p, d);
    d->filled[d->filled_count++] = (uint16_t)slot;
    d->block[slot] = block;
    d->table[slot] = host_of(p, block->host);
}

/* Finding */

static struct paged_block **bucket(const struct paged *p, const uint8_t *code, uint32_t eip,
                                   uint32_t mode)
{
    uint64_t key = (uint64_t)(uintptr_t)code * 0x9e3779b97f4a7c15u ^
                   (eip ^ mode << 20) * UINT64_C(0xc2b2ae3d27d4eb4f);
    return &p->hash[key >> 48 & (HASH_BUCKETS - 1)];
}

struct paged_block *paged_find(struct paged *p, const uint8_t *code, const uint8_t *second,
                               uint32_t eip, const struct paged_mode *mode)
{
    struct paged_block *block = *bucket(p, code, eip, mode->bits);
    while (block && (block->code != code || block->eip != eip || block->second != second ||
                     !paged_mode_same(&block->mode, mode)))
        block = block->in_hash;
    return block;
}

struct paged_block *paged_block_at(const struct paged *p, uint32_t host)
{
    uint32_t low = 0, high = p->blocks;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (p->block[mid].host <= host)
            low = mid + 1;
        else
            high = mid;
    }
    return low && host < p->block[low - 1].end ? &p->block[low - 1] : NULL;
}

const struct paged_side *paged_side_at(const struct paged *p, const struct paged_block *block,
                                       uint32_t host)
{
    const struct paged_side *side = &p->side[block->sides_at];
    uint32_t at = host - block->host, low = 0, high = block->sides;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (side[mid].host <= at)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? &side[low - 1] : NULL;
}

/* Making */

struct paged_block *paged_block_open(struct paged *p, struct emit *emit)
{
    uint32_t at = (p->at + BLOCK_ALIGN - 1) & ~(BLOCK_ALIGN - 1);
    if (p->blocks == MAX_BLOCKS || p->sides + PAGED_MAX_INSNS > MAX_SIDES ||
        p->exits + PAGED_MAX_EXITS > MAX_EXITS || p->calls + PAGED_MAX_INSNS > MAX_CALLS ||
        at >= p->limit)
        return NULL;
    struct paged_block *block = &p->block[p->blocks];
    *block = (struct paged_block){.host = at, .sides_at = p->sides, .calls_at = p->calls};
    emit_begin(emit, p->cache.rw, at, p->limit);
    return block;
}

static struct paged_block **page_list(struct paged *p, const uint8_t *code)
{
    uint64_t gpa = (uint64_t)(code - ram_base(p->cpu->ram));
    return gpa < ram_size(p->cpu->ram) ? &p->page[gpa >> PAGE_BITS] : &p->others;
}

static void list_in_page(struct paged *p, struct paged_block *block, unsigned which)
{
    struct paged_block **list = page_list(p, which ? block->second : block->code);
    block->in_page[which] = *list;
    *list = block;
}

void paged_publish(struct paged *p, struct paged_block *block)
{
    struct paged_block **hash = bucket(p, block->code, block->eip, block->mode.bits);
    block->in_hash = *hash;
    *hash = block;
    list_in_page(p, block, 0);
    if (block->second && page_list(p, block->second) != page_list(p, block->code))
        list_in_page(p, block, 1);
    p->blocks++;
    p->sides += block->sides;
    p->at = block->end;
    p->counters.blocks++;
    p->counters.guest_bytes += block->guest_len;
    p->counters.host_bytes += block->end - block->host;
}

/* Removing */

static void remove_block(struct paged *p, struct paged_block *block)
{
    struct paged_block **at = bucket(p, block->code, block->eip, block->mode.bits);
    uint32_t slot = paged_slot(block->eip);
    if (block->dead)
        return;
    block->dead = true;
    p->removals++;
    p->counters.smc++;
    while (*at != block)
        at = &(*at)->in_hash;
    *at = block->in_hash;
    for (unsigned user = 0; user < 2; user++)
        if (p->dispatch[user].block[slot] == block)
            p->dispatch[user].table[slot] = host_of(p, p->stubs.miss);
}

/* A block in two pages' lists stays, dead, in the other. */
static void drop_list(struct paged *p, struct paged_block **list)
{
    struct paged_block *block = *list, *next;
    *list = NULL;
    for (; block; block = next) {
        bool by_first = page_list(p, block->code) == list;
        next = block->in_page[by_first ? 0 : 1];
        remove_block(p, block);
    }
}

void paged_drop_frame(struct paged *p, uint32_t frame)
{
    if (frame >= p->frames || !p->page[frame])
        return;
    drop_list(p, &p->page[frame]);
    if (p->running && p->page_heat[frame] < UINT8_MAX)
        p->page_heat[frame]++;
}

/*
 * It stays in its page's list, dead, and others of the page are chained to its body: which becomes
 * the way to the table, or where it is short the one to C. It has no sides any more: a kick there
 * steps on until it is out.
 */
#define TABLE_WAY_BYTES 14u
void paged_drop_block(struct paged *p, struct paged_block *block)
{
    bool has_table = !(block->mode.bits & PAGED_DOWN) && !paged_exact(&block->mode) &&
                     block->end - block->body >= TABLE_WAY_BYTES;
    struct emit_mem entry = emit_at(EMIT_R14, PAGED_DISPATCH + (int32_t)paged_slot(block->eip) * 8);
    struct emit e;
    if (block->dead)
        return;
    remove_block(p, block);
    block->sides = 0;
    emit_begin(&e, p->cache.rw, block->body, block->end);
    emit_mov_imm32(&e, EMIT_R9, block->eip);
    if (has_table)
        emit_jmp_mem(&e, &entry);
    else
        emit_jmp(&e, p->stubs.miss);
    BUG_ON(e.full, "the block is too short");
}

void paged_drop_others(struct paged *p)
{
    drop_list(p, &p->others);
}

/* They stay in their pages' lists, dead. */
void paged_drop_linear(struct paged *p, uint32_t linear, uint32_t len)
{
    uint32_t first = linear >> PAGE_BITS, last = (linear + len - 1) >> PAGE_BITS;
    for (uint32_t i = 0; i < p->blocks; i++) {
        struct paged_block *block = &p->block[i];
        uint32_t page = (block->mode.cs_base + block->eip) >> PAGE_BITS;
        uint32_t end = block->second ? page + 1 : page;
        if (end >= first && page <= last)
            remove_block(p, block);
    }
}

void paged_drop_all(struct paged *p)
{
    for (uint32_t i = 0; i < p->blocks; i++) {
        remove_block(p, &p->block[i]);
        *page_list(p, p->block[i].code) = NULL;
        if (p->block[i].second)
            *page_list(p, p->block[i].second) = NULL;
    }
    empty_dispatch(p, &p->dispatch[0]);
    empty_dispatch(p, &p->dispatch[1]);
    p->counters.evictions++;
    p->blocks = p->sides = p->exits = p->calls = 0;
    p->at = CACHE_STUB_BYTES;
}
