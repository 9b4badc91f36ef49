/* SPDX-License-Identifier: MIT */
/*
 * Between a window and bytes. What a VM has of its own is its declared state,
 * access rights that differ from the snapshot's, and the pages that it wrote.
 * Of these, pages equal to the snapshot's are left out; of the others the words
 * that differ are kept, as the exclusive-or with it, or with what another VM of the
 * origin had there (pool_base.h). Through zlib they go later, if
 * memory is short by then: who comes back soon does not need it.
 *
 *     u32 state length, state
 *     u32 runs of rights that differ from the snapshot's; each struct ram_rights
 *     for each page u32 number | base << 20, u64 which lines of 64 bytes, for each of these u8
 * which words, and these words; u32 NO_PAGE
 *
 * The bytes are this process's own, or come back from the swap file under a
 * checksum, so they are trusted.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_PAGE UINT32_MAX
#define BASE_SHIFT 20u
_Static_assert(RAM_WINDOW / PAGE_SIZE == 1u << BASE_SHIFT && POOL_BASES_MAX < 1u << 11,
               "a page and a base are no NO_PAGE");
#define LINE 64u
#define RAW_PAGES 256u /* who has more is squeezed at once */
#define KEEP_PAGES 64u /* of a window's memory, for its next VM */

static uint32_t page_count(const struct slot *slot)
{
    return (uint32_t)(ram_size(vm_ram(slot->vm)) >> PAGE_BITS);
}

static size_t bits_bytes(const struct slot *slot)
{
    return ((size_t)page_count(slot) / 64 + 1) * 8;
}

static uint64_t load64(const uint8_t *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof(x));
    return x;
}

static int prepare(struct scratch *s, const struct slot *slot)
{
    size_t need = bits_bytes(slot);
    if (need > s->changed_room) {
        uint8_t *bigger = realloc(s->changed, need);
        if (!bigger)
            return -ENOMEM;
        s->changed = bigger;
        s->changed_room = need;
    }
    return pack_prepare(&s->pack);
}

void scratch_fini(struct scratch *s)
{
    pack_fini(&s->pack);
    free(s->changed);
    free(s->state);
}

static uint8_t *state_room(struct scratch *s, size_t need)
{
    if (need > s->state_room) {
        free(s->state);
        s->state = malloc(need);
        s->state_room = s->state ? need : 0;
    }
    return s->state;
}

/* Parking. */

static int put_state(struct slot *slot, struct scratch *s)
{
    size_t size = vm_state_size(slot->vm);
    uint8_t *state = state_room(s, size);
    int err = state ? vm_state_save(slot->vm, state) : -ENOMEM;
    if (err)
        return err;
    pack_put32(&s->pack, (uint32_t)size);
    pack_put(&s->pack, state, size);
    return 0;
}

static void put_rights(const struct ram *ram, struct pack *p)
{
    struct ram_rights r = {0};
    uint32_t runs = 0;
    while (ram_changed_rights(ram, r.page + r.pages, &r))
        runs++;
    pack_put32(p, runs);
    r = (struct ram_rights){0};
    while (ram_changed_rights(ram, r.page + r.pages, &r))
        pack_put(p, &r, sizeof(r));
}

/* The words of a line that differ, behind a byte that says which; bytes written, 0: none does. */
static size_t put_line(uint8_t *out, const uint8_t *a, const uint8_t *b)
{
    uint8_t mask = 0;
    size_t at = 1;
    if (!memcmp(a, b, LINE))
        return 0;
    for (unsigned i = 0; i < LINE / 8; i++) {
        uint64_t x = load64(a + 8 * i) ^ load64(b + 8 * i);
        memcpy(out + at, &x, 8);
        mask |= (uint8_t)((x != 0) << i);
        at += x ? 8 : 0;
    }
    out[0] = mask;
    return mask ? at : 0;
}

/* The lines of a page that differ, behind a mask that says which. */
static void put_page(struct pack *p, uint32_t number, const uint8_t *bytes, const uint8_t *base)
{
    uint8_t raw[4 + 8 + PAGE_SIZE + PAGE_SIZE / LINE + LINE];
    uint64_t mask = 0;
    size_t at = 12;
    for (unsigned i = 0; i < PAGE_SIZE / LINE; i++) {
        size_t len = put_line(raw + at, bytes + i * LINE, base + i * LINE);
        mask |= (uint64_t)(len != 0) << i;
        at += len;
    }
    memcpy(raw, &number, 4);
    memcpy(raw + 4, &mask, 8);
    pack_put(p, raw, at);
}

/* False: it is the snapshot's. */
static bool put_if_changed(struct slot *slot, struct pack *p, uint32_t page, const uint8_t *bytes)
{
    const uint8_t *snapshot =
        snapshot_source(slot->origin->snapshot)->bytes + ((size_t)page << PAGE_BITS);
    uint32_t base;
    if (!memcmp(bytes, snapshot, PAGE_SIZE))
        return false;
    const uint8_t *nearest =
        pool_bases_nearest(slot->origin->bases, page, bytes, snapshot, !p->squeezed, &base);
    put_page(p, page | base << BASE_SHIFT, bytes, nearest);
    return true;
}

/* How many pages differ, and how many the window has of its own; a negative errno. */
static int put_pages(struct slot *slot, struct scratch *s, uint32_t *differ, uint32_t *own)
{
    uint32_t pages = page_count(slot);
    uint8_t copy[PAGE_SIZE];
    for (uint32_t page = 0; page < pages && !s->pack.err; page++) {
        if (page % 64 == 0 && !load64(s->changed + (page >> 3))) {
            page |= 63;
            continue;
        }
        if (!(s->changed[page >> 3] >> (page & 7) & 1))
            continue;
        size_t offset = (size_t)page << PAGE_BITS;
        const uint8_t *bytes = ram_peek(vm_ram(slot->vm), offset, copy);
        if (!bytes)
            return -ENOMEM;
        ++*own;
        *differ += put_if_changed(slot, &s->pack, page, bytes);
    }
    pack_put32(&s->pack, NO_PAGE);
    return 0;
}

static uint32_t count_bits(const uint8_t *bits, size_t bytes)
{
    uint32_t n = 0;
    for (size_t i = 0; i < bytes; i += 8)
        n += (unsigned)__builtin_popcountll(load64(bits + i));
    return n;
}

static int put_all(struct slot *slot, struct scratch *s, uint32_t *differ, uint32_t *own)
{
    memset(s->changed, 0, bits_bytes(slot));
    int err = ram_find_changed(vm_ram(slot->vm), s->changed);
    pack_begin(&s->pack, count_bits(s->changed, bits_bytes(slot)) > RAW_PAGES);
    if (!err)
        err = put_state(slot, s);
    if (!err)
        put_rights(vm_ram(slot->vm), &s->pack);
    if (!err)
        err = put_pages(slot, s, differ, own);
    return err ? err : pack_end(&s->pack);
}

static int keep_packed(struct pool *pool, const struct pack *p, struct pool_kept *out)
{
    struct pool_kept kept = {.len = (uint32_t)p->out_len, .squeezed = p->squeezed};
    int err = pool_store_put(pool->store, p->out, p->out_len, &kept.block);
    if (!err)
        *out = kept;
    return err;
}

int pool_load_kept(struct pool *pool, struct pool_kept kept, struct scratch *s)
{
    int err = pack_reserve(&s->pack, kept.len);
    if (!err)
        pool_store_get(pool->store, kept.block, s->pack.out, kept.len);
    return err;
}

void pool_free_kept(struct pool *pool, struct pool_kept *kept)
{
    if (kept->len)
        pool_store_free(pool->store, kept->block);
    kept->len = 0;
}

int pool_squeeze(struct pool *pool, struct pool_kept raw, struct scratch *s, struct pool_kept *out)
{
    uint8_t *bytes = malloc(raw.len);
    int err = bytes ? pack_prepare(&s->pack) : -ENOMEM;
    if (!err) {
        pool_store_get(pool->store, raw.block, bytes, raw.len);
        pack_begin(&s->pack, true);
        pack_put(&s->pack, bytes, raw.len);
        err = pack_end(&s->pack);
    }
    free(bytes);
    if (!err)
        err = keep_packed(pool, &s->pack, out);
    pack_rest(&s->pack);
    return err;
}

/* What the VM was is in safety: a window that cannot be put in order is the pool's to drop. */
static void reset_window(struct slot *slot, const struct scratch *s)
{
    struct ram *ram = vm_ram(slot->vm);
    slot->broken = ram_reset(ram, s->changed, KEEP_PAGES) || ram_reset_rights(ram);
}

/* A large VM, while memory is short, goes to the swap file at once. */
static int keep(struct pool_vm *vm, const struct pack *p)
{
    struct pool *pool = vm->pool;
    if (p->squeezed && pool->swap && atomic_load(&pool->tight) &&
        !swap_write(pool->swap, p->out, (uint32_t)p->out_len, &vm->swapped)) {
        atomic_fetch_add(&pool->swapped_directly, 1);
        return 0;
    }
    vm->swapped.len = 0;
    return keep_packed(pool, p, &vm->kept);
}

int slot_park(struct slot *slot, struct pool_vm *vm, struct scratch *s)
{
    uint32_t differ = 0, own = 0;
    int err = prepare(s, slot);
    if (!err)
        err = put_all(slot, s, &differ, &own);
    if (!err)
        err = keep(vm, &s->pack);
    pack_rest(&s->pack);
    if (err) {
        pool_forget_kept(vm);
        return err;
    }
    reset_window(slot, s);
    vm->resident_pages = differ;
    slot->own_pages = own < KEEP_PAGES ? own : KEEP_PAGES;
    return 0;
}

/* Waking. */

/* Rights that differ from the snapshot's. */
struct rights {
    uint32_t runs;
    struct ram_rights *run;
};

static int get_rights(struct pack *p, struct rights *r)
{
    *r = (struct rights){.runs = pack_get32(p)};
    if (!r->runs || p->err)
        return p->err;
    r->run = malloc((size_t)r->runs * sizeof(r->run[0]));
    if (!r->run)
        return -ENOMEM;
    pack_get(p, r->run, (size_t)r->runs * sizeof(r->run[0]));
    return p->err;
}

/* Those that open pages come before the pages' contents, the others afterwards. */
static int set_rights(struct slot *slot, const struct rights *r, bool opening)
{
    int err = 0;
    for (uint32_t i = 0; !err && i < r->runs; i++) {
        if ((r->run[i].prot == (HOST_R | HOST_W)) == opening)
            err = ram_put_rights(vm_ram(slot->vm), &r->run[i]);
    }
    return err;
}

static void get_line(struct pack *p, uint8_t *line)
{
    uint8_t mask;
    uint64_t words[LINE / 8];
    pack_get(p, &mask, 1);
    pack_get(p, words, 8 * (size_t)__builtin_popcount(mask));
    for (unsigned i = 0, from = 0; i < LINE / 8; i++) {
        if (mask >> i & 1) {
            uint64_t x = load64(line + 8 * i) ^ words[from++];
            memcpy(line + 8 * i, &x, 8);
        }
    }
}

static void get_page(struct pack *p, uint8_t *page)
{
    uint64_t mask;
    pack_get(p, &mask, sizeof(mask));
    for (unsigned i = 0; mask; i++, mask >>= 1) {
        if (mask & 1)
            get_line(p, page + i * LINE);
    }
}

/* A page that the VM may not write now is opened for a moment. NULL `base`: the snapshot's. */
static int fill_page(struct ram *ram, uint32_t page, const uint8_t *base, struct pack *p)
{
    struct ram_rights open = {page, 1, HOST_R | HOST_W};
    unsigned prot = ram_access(ram, (gpa_t)page << PAGE_BITS);
    int err = prot == open.prot ? 0 : ram_put_rights(ram, &open);
    uint8_t *to = err ? NULL : ram_span_write(ram, (gpa_t)page << PAGE_BITS, PAGE_SIZE);
    if (!to)
        return -ENOMEM;
    if (base)
        memcpy(to, base, PAGE_SIZE);
    get_page(p, to);
    open.prot = prot;
    return prot == (HOST_R | HOST_W) ? 0 : ram_put_rights(ram, &open);
}

static int get_pages(struct slot *slot, struct pack *p)
{
    uint32_t number;
    int err = 0;
    while (!err && (number = pack_get32(p)) != NO_PAGE && !p->err) {
        const uint8_t *base = pool_bases_get(slot->origin->bases, number >> BASE_SHIFT);
        err = fill_page(vm_ram(slot->vm), number & ((1u << BASE_SHIFT) - 1), base, p);
    }
    return err ? err : p->err;
}

static int get_memory(struct slot *slot, struct pack *p)
{
    struct rights r;
    int err = get_rights(p, &r);
    if (!err)
        err = set_rights(slot, &r, true);
    if (!err)
        err = get_pages(slot, p);
    if (!err)
        err = set_rights(slot, &r, false);
    free(r.run);
    return err;
}

/* What is in memory, or comes back from the swap file, to the pack's buffer. */
static int fetch(struct pool_vm *vm, struct scratch *s)
{
    struct pool *pool = vm->pool;
    if (vm->kept.len) {
        int err = pool_load_kept(pool, vm->kept, s);
        if (!err)
            pack_open(&s->pack, s->pack.out, vm->kept.len, vm->kept.squeezed);
        return err;
    }
    int err = pack_reserve(&s->pack, vm->swapped.len);
    if (!err)
        err = swap_read(pool->swap, vm->swapped, s->pack.out);
    if (!err)
        pack_open(&s->pack, s->pack.out, vm->swapped.len, true);
    return err;
}

static int unpack(struct slot *slot, struct pool_vm *vm, struct scratch *s)
{
    struct pack *p = &s->pack;
    uint32_t size = pack_get32(p);
    uint8_t *state = p->err ? NULL : state_room(s, size);
    if (!state)
        return p->err ? p->err : -ENOMEM;
    pack_get(p, state, size);
    int err = get_memory(slot, p);
    if (!err)
        err = vm_state_load(slot->vm, state, size, host_monotonic_ns() - vm->start_ns);
    return err ? err : slot_bind(slot, vm, false);
}

static int wake_parked(struct slot *slot, struct pool_vm *vm, struct scratch *s)
{
    int err = prepare(s, slot);
    if (!err)
        err = fetch(vm, s);
    if (!err)
        err = unpack(slot, vm, s);
    pack_rest(&s->pack);
    if (!err)
        pool_forget_kept(vm);
    return err;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* A NIC that is plugged in nowhere has an address too. */
static void choose_mac(const struct pool_vm *vm, uint8_t mac[6])
{
    if (vm->port.lan) {
        lan_port_mac(&vm->port, mac);
        return;
    }
    mac[0] = 2;
    for (unsigned i = 0; i < 4; i++)
        mac[2 + i] = (uint8_t)(vm->id >> (24 - 8 * i));
}

/* The first time: the snapshot under a name of its own. */
static int wake_fresh(struct slot *slot, struct pool_vm *vm)
{
    const struct pool_config *c = &slot->pool->config;
    const struct pool_extra *extra = vm->extra;
    char text[DENALI_IDENTITY_MAX] = {0};
    int err = snapshot_load_state(slot->origin->snapshot, slot->vm, VM_TIME_SAVED);
    if (!err)
        err = slot_bind(slot, vm, true);
    if (err)
        return err;
    struct vm_identity identity = {.fresh = slot->origin->fresh, .text = text};
    choose_mac(vm, identity.mac);
    identity.seed[0] = mix(c->seed ^ mix(2 * (uint64_t)vm->port.number + 1) ^ mix(vm->id));
    identity.seed[1] = mix(identity.seed[0] + c->seed);
    if (extra && extra->text_len)
        memcpy(text, extra->text, identity.text_len = extra->text_len);
    else if (c->identify)
        identity.text_len = c->identify(c->opaque, vm->id, text);
    err = vm_identify(slot->vm, &identity);
    if (!err)
        vm->start_ns = host_monotonic_ns() - vm_now_ns(slot->vm);
    return err;
}

int slot_wake(struct slot *slot, struct pool_vm *vm, struct scratch *s)
{
    return vm->kept.len || vm->swapped.len ? wake_parked(slot, vm, s) : wake_fresh(slot, vm);
}
