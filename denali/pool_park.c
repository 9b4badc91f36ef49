/* SPDX-License-Identifier: MIT */
/*
 * Between a window and bytes. What a VM has of its own is its declared state,
 * access rights that differ from the snapshot's, and the pages that it wrote.
 * Of these, pages equal to the snapshot's are left out; of the others the lines
 * of 64 bytes that differ go, as the exclusive-or with it, through zlib.
 *
 *     u32 state length, state
 *     u32 runs of rights, or ALL_AS_SNAPSHOT; each u32 page, u32 pages, u32 rights
 *     u32 pages, each u32 number; then for each page u64 which lines, and these lines
 *
 * The bytes never leave the process, so they are trusted.
 */
#include "denali/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL_AS_SNAPSHOT UINT32_MAX
#define LEVEL 1
#define LINE 64u
#define KEEP_PAGES 64u /* of a window's memory, for its next VM */
#define PAGE_MOST (PAGE_SIZE + 8u + LINE)

static uint32_t page_count(const struct slot *slot)
{
    return (uint32_t)(ram_size(vm_ram(slot->vm)) >> PAGE_BITS);
}

static size_t bits_bytes(const struct slot *slot)
{
    return page_count(slot) / 8 + 1;
}

/* Bytes under construction. */

static int reserve(struct scratch *s, size_t need)
{
    if (need <= s->raw_room)
        return 0;
    uint8_t *raw = realloc(s->raw, need * 2);
    if (!raw)
        return -ENOMEM;
    s->raw = raw;
    s->raw_room = need * 2;
    return 0;
}

static int reserve_bits(struct scratch *s, size_t need)
{
    if (need <= s->changed_room)
        return 0;
    uint8_t *bigger = realloc(s->changed, need);
    if (!bigger)
        return -ENOMEM;
    s->changed = bigger;
    s->changed_room = need;
    return 0;
}

static int prepare(struct scratch *s, const struct slot *slot)
{
    int err = reserve_bits(s, bits_bytes(slot));
    if (err || s->ready)
        return err;
    if (deflateInit(&s->deflate, LEVEL) != Z_OK)
        return -ENOMEM;
    if (inflateInit(&s->inflate) != Z_OK) {
        deflateEnd(&s->deflate);
        return -ENOMEM;
    }
    s->ready = true;
    return 0;
}

void scratch_fini(struct scratch *s)
{
    if (s->ready) {
        deflateEnd(&s->deflate);
        inflateEnd(&s->inflate);
    }
    free(s->changed);
    free(s->raw);
}

static size_t put32(uint8_t *raw, size_t at, uint32_t value)
{
    memcpy(raw + at, &value, sizeof(value));
    return at + sizeof(value);
}

static uint32_t get32(const uint8_t **at)
{
    uint32_t value;
    memcpy(&value, *at, sizeof(value));
    *at += sizeof(value);
    return value;
}

static size_t put_state(struct slot *slot, struct scratch *s, int *err)
{
    size_t size = vm_state_size(slot->vm);
    *err = reserve(s, size + 64);
    if (!*err)
        *err = vm_state_save(slot->vm, s->raw + 4);
    return *err ? 0 : put32(s->raw, 0, (uint32_t)size) + size;
}

static size_t put_rights(struct slot *slot, struct scratch *s, size_t at, int *err)
{
    struct ram *ram = vm_ram(slot->vm);
    uint32_t pages = page_count(slot), runs = 0;
    size_t count_at = at;
    if (ram_access_changes(ram) == slot->access_changes)
        return put32(s->raw, at, ALL_AS_SNAPSHOT);
    at += 4;
    for (uint32_t page = 0; page < pages; runs++) {
        unsigned rights = ram_access(ram, (gpa_t)page << PAGE_BITS);
        uint32_t end = page + 1;
        while (end < pages && ram_access(ram, (gpa_t)end << PAGE_BITS) == rights)
            end++;
        *err = reserve(s, at + 64);
        if (*err)
            return 0;
        at = put32(s->raw, at, page);
        at = put32(s->raw, at, end - page);
        at = put32(s->raw, at, rights);
        page = end;
    }
    put32(s->raw, count_at, runs);
    return at;
}

/* out = a ^ b, 64 bytes; whether it is not zero. */
static bool xor_line(uint8_t *out, const uint8_t *a, const uint8_t *b)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < LINE; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        x ^= y;
        any |= x;
        memcpy(out + i, &x, 8);
    }
    return any != 0;
}

/* The lines of a page that differ, behind a mask that says which; how far they reach. */
static size_t put_page(uint8_t *raw, size_t at, const uint8_t *bytes, const uint8_t *origin)
{
    uint64_t mask = 0;
    size_t mask_at = at;
    at += sizeof(mask);
    for (unsigned i = 0; i < PAGE_SIZE / LINE; i++) {
        if (xor_line(raw + at, bytes + i * LINE, origin + i * LINE)) {
            mask |= (uint64_t)1 << i;
            at += LINE;
        }
    }
    memcpy(raw + mask_at, &mask, sizeof(mask));
    return at;
}

static const uint8_t *take_page(uint8_t *page, const uint8_t *at)
{
    uint64_t mask;
    memcpy(&mask, at, sizeof(mask));
    at += sizeof(mask);
    for (unsigned i = 0; mask; i++, mask >>= 1) {
        if (mask & 1) {
            xor_line(page + i * LINE, page + i * LINE, at);
            at += LINE;
        }
    }
    return at;
}

/* All rights for the whole RAM. */
static int open_rights(struct slot *slot)
{
    struct ram *ram = vm_ram(slot->vm);
    return ram_set_access(ram, 0, ram_size(ram), HOST_R | HOST_W);
}

static const uint8_t *peek(const struct slot *slot, size_t offset, uint8_t copy[PAGE_SIZE],
                           int *err)
{
    const uint8_t *bytes = ram_peek(vm_ram(slot->vm), offset, copy);
    *err = bytes ? 0 : -ENOMEM;
    return bytes;
}

/* The numbers of pages that differ, behind a count. */
static size_t put_page_numbers(struct slot *slot, struct scratch *s, size_t at, int *err)
{
    const struct ram_source *source = snapshot_source(slot->origin->snapshot);
    uint32_t pages = page_count(slot), count = 0;
    uint8_t copy[PAGE_SIZE];
    size_t count_at = at;
    at += 4;
    for (uint32_t page = 0; page < pages; page++) {
        if (!s->changed[page >> 3]) {
            page |= 7;
            continue;
        }
        if (!(s->changed[page >> 3] >> (page & 7) & 1))
            continue;
        size_t offset = (size_t)page << PAGE_BITS;
        const uint8_t *bytes = peek(slot, offset, copy, err);
        if (*err || (*err = reserve(s, at + 64)))
            return 0;
        if (!memcmp(bytes, source->bytes + offset, PAGE_SIZE))
            continue;
        at = put32(s->raw, at, page);
        count++;
    }
    put32(s->raw, count_at, count);
    return at;
}

static size_t put_pages(struct slot *slot, struct scratch *s, size_t numbers, size_t at, int *err)
{
    const struct ram_source *source = snapshot_source(slot->origin->snapshot);
    size_t count = (at - numbers) / 4;
    uint8_t copy[PAGE_SIZE];
    *err = reserve(s, at + count * PAGE_MOST);
    for (size_t i = 0; !*err && i < count; i++) {
        const uint8_t *number = s->raw + numbers + 4 * i;
        size_t offset = (size_t)get32(&number) << PAGE_BITS;
        const uint8_t *bytes = peek(slot, offset, copy, err);
        if (!*err)
            at = put_page(s->raw, at, bytes, source->bytes + offset);
    }
    return at;
}

/* The raw bytes in `scratch`; their length, and how many pages they hold. */
static size_t put_all(struct slot *slot, struct scratch *s, size_t *pages, int *err)
{
    memset(s->changed, 0, bits_bytes(slot));
    *err = ram_find_changed(vm_ram(slot->vm), s->changed);
    size_t at = *err ? 0 : put_state(slot, s, err);
    if (!*err)
        at = put_rights(slot, s, at, err);
    size_t numbers = at + 4;
    if (!*err)
        at = put_page_numbers(slot, s, at, err);
    *pages = (at - numbers) / 4;
    if (!*err)
        at = put_pages(slot, s, numbers, at, err);
    return at;
}

static struct pool_bytes *compress_raw(struct scratch *s, size_t len)
{
    size_t bound = deflateBound(&s->deflate, len);
    if (reserve(s, len + bound))
        return NULL;
    deflateReset(&s->deflate);
    s->deflate.next_in = s->raw;
    s->deflate.avail_in = (uInt)len;
    s->deflate.next_out = s->raw + len;
    s->deflate.avail_out = (uInt)bound;
    if (deflate(&s->deflate, Z_FINISH) != Z_STREAM_END)
        return NULL;
    size_t packed = bound - s->deflate.avail_out;
    struct pool_bytes *bytes = malloc(sizeof(*bytes) + packed);
    if (!bytes)
        return NULL;
    bytes->len = (uint32_t)packed;
    bytes->raw_len = (uint32_t)len;
    memcpy(bytes->data, s->raw + len, packed);
    return bytes;
}

static int reset_window(struct slot *slot, const struct scratch *s)
{
    struct ram *ram = vm_ram(slot->vm);
    int err = ram_reset(ram, s->changed, KEEP_PAGES);
    if (err || ram_access_changes(ram) == slot->access_changes)
        return err;
    err = open_rights(slot);
    if (!err)
        err = snapshot_set_rights(slot->origin->snapshot, ram);
    slot->access_changes = ram_access_changes(ram);
    return err;
}

int slot_park(struct slot *slot, struct pool_vm *vm, struct scratch *s)
{
    int err = prepare(s, slot);
    size_t pages = 0;
    size_t len = err ? 0 : put_all(slot, s, &pages, &err);
    struct pool_bytes *bytes = err ? NULL : compress_raw(s, len);
    if (!err && !bytes)
        err = -ENOMEM;
    if (!err)
        err = reset_window(slot, s);
    if (err) {
        free(bytes);
        return err;
    }
    vm->bytes = bytes;
    slot->held_bytes = pages * PAGE_SIZE;
    return 0;
}

/* Back. */

static int inflate_raw(struct scratch *s, const struct pool_bytes *bytes)
{
    int err = reserve(s, bytes->raw_len);
    if (err)
        return err;
    inflateReset(&s->inflate);
    s->inflate.next_in = (uint8_t *)(uintptr_t)bytes->data;
    s->inflate.avail_in = bytes->len;
    s->inflate.next_out = s->raw;
    s->inflate.avail_out = bytes->raw_len;
    return inflate(&s->inflate, Z_FINISH) == Z_STREAM_END ? 0 : -EIO;
}

static int take_pages(struct ram *ram, const uint8_t *at)
{
    uint32_t count = get32(&at);
    const uint8_t *page = at + (size_t)count * 4;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = ram_span_write(ram, (gpa_t)get32(&at) << PAGE_BITS, PAGE_SIZE);
        if (!to)
            return -ENOMEM;
        page = take_page(to, page);
    }
    return 0;
}

static int take_rights(struct ram *ram, const uint8_t *at, uint32_t runs)
{
    int err = 0;
    for (uint32_t i = 0; !err && i < runs; i++) {
        gpa_t gpa = (gpa_t)get32(&at) << PAGE_BITS;
        uint64_t len = (uint64_t)get32(&at) << PAGE_BITS;
        err = ram_set_access(ram, gpa, len, get32(&at));
    }
    return err;
}

static bool page_needs_rights(const struct ram *ram, const uint8_t *at)
{
    uint32_t count = get32(&at);
    for (uint32_t i = 0; i < count; i++) {
        if (ram_access(ram, (gpa_t)get32(&at) << PAGE_BITS) != (HOST_R | HOST_W))
            return true;
    }
    return false;
}

/* Pages first, with all rights where any is missing, then the rights as they were. */
static int take_memory(struct slot *slot, const uint8_t *at)
{
    struct ram *ram = vm_ram(slot->vm);
    uint32_t runs = get32(&at);
    const uint8_t *rights = at;
    if (runs != ALL_AS_SNAPSHOT)
        at += (size_t)runs * 12;
    bool opened = runs != ALL_AS_SNAPSHOT || page_needs_rights(ram, at);
    int err = opened ? open_rights(slot) : 0;
    if (!err)
        err = take_pages(ram, at);
    if (!err && runs != ALL_AS_SNAPSHOT)
        return take_rights(ram, rights, runs);
    if (!err && opened) {
        err = snapshot_set_rights(slot->origin->snapshot, ram);
        slot->access_changes = ram_access_changes(ram);
    }
    return err;
}

static int wake_parked(struct slot *slot, struct pool_vm *vm, struct scratch *s)
{
    int err = prepare(s, slot);
    if (!err)
        err = inflate_raw(s, vm->bytes);
    if (err)
        return err;
    const uint8_t *at = s->raw;
    uint32_t size = get32(&at);
    err = take_memory(slot, at + size);
    if (!err)
        err = vm_state_load(slot->vm, at, size, host_monotonic_ns() - vm->start_ns);
    if (!err)
        err = slot_bind(slot, vm, false);
    if (err)
        return err;
    free(vm->bytes);
    vm->bytes = NULL;
    return 0;
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
    return vm->bytes ? wake_parked(slot, vm, s) : wake_fresh(slot, vm);
}
