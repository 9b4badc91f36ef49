/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM as a window of host address space (the picture is in ram.h).
 *
 * Invariants: the host's protection of a page is the guest's rights, less the
 * write right while the page is marked as code; nothing of the window outside
 * RAM is ever accessible. The map of what is denied is zero for an ordinary page,
 * so that a large RAM that nobody protects costs no memory for it, and the source's
 * for all RAM whose rights are still the source's.
 */
#include "emu/machine/ram_marks.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ram {
    struct ram_view view;
    uint8_t *denied;              /* the same map, if it is this RAM's own; else NULL, */
    const struct ram_map *shared; /* and all RAM of the source reads this one */
    int64_t borders; /* between pages of different host rights, each a mapping of the host's */
    ram_code_write_fn on_code_write;
    void *on_code_write_opaque;
    ram_host_write_fn on_host_write;
    void *on_host_write_opaque;
    const struct ram_source *source; /* NULL: zeroes */
    uint64_t access_changes;
    _Alignas(64) uint8_t context[RAM_CONTEXT];
};
_Static_assert(offsetof(struct ram, view) == 0, "ram_view() casts");

static uint8_t *reservation(const struct ram *ram)
{
    return ram->view.base - RAM_GUARD;
}

/* Window and guards; `base` aligned to RAM_WINDOW, so the unaligned head is given back. */
static int reserve_window(struct ram *ram)
{
    void *raw;
    int err = host_reserve(RAM_WINDOW + RAM_WINDOW + RAM_GUARD, RAM_WINDOW, &raw);
    if (err)
        return err;
    ram->view.base = (uint8_t *)raw + RAM_WINDOW;
    host_release(raw, RAM_WINDOW - RAM_GUARD);
    return 0;
}

static int commit_window(struct ram *ram, uint64_t size)
{
    if (!size)
        return 0;
    return ram->source
               ? host_map_fd(ram->view.base, size, HOST_R | HOST_W, ram->source->fd, 0, false)
               : host_commit(ram->view.base, size, HOST_R | HOST_W);
}

static unsigned host_rights(unsigned denied)
{
    if (denied & RAM_ARMED) {
        denied |= (denied & RAM_WATCH_READ) ? RAM_DENIED_READ : 0;
        denied |= (denied & RAM_WATCHED) ? RAM_DENIED_WRITE : 0;
    }
    unsigned prot = (denied & RAM_DENIED_READ) ? HOST_NONE : HOST_R;
    return (denied & (RAM_DENIED_WRITE | RAM_DENIED_CODE | RAM_DENIED_READ)) ? prot : prot | HOST_W;
}

/* What the source noted is already in the map; now the host hears of it. */
static int apply_noted_rights(struct ram *ram, const struct ram_map *map)
{
    int err = 0;
    for (uint32_t i = 0; !err && i < map->runs; i++) {
        const struct ram_run *run = &map->run[i];
        unsigned prot = host_rights(run->denied);
        if (prot != (HOST_R | HOST_W))
            err = host_protect(ram->view.base + (uint64_t)run->page * PAGE_SIZE,
                               (uint64_t)run->pages * PAGE_SIZE, prot);
        ram->borders += i && prot != host_rights(run[-1].denied);
    }
    return err;
}

static int take_map(struct ram *ram)
{
    const struct ram_source *source = ram->source;
    int err;
    if (source && source->marks) {
        err = ram_marks_take(source->marks, &ram->shared);
        if (err)
            return err;
        ram->view.denied = ram->shared->denied;
        return apply_noted_rights(ram, ram->shared);
    }
    err = ram_map_blank(ram_size(ram), &ram->denied);
    ram->view.denied = ram->denied;
    return err;
}

/* Before the map is written. */
static int own_map(struct ram *ram)
{
    if (ram->denied)
        return 0;
    int err = ram_map_copy(ram->shared, &ram->denied);
    if (!err)
        ram->view.denied = ram->denied;
    return err;
}

int ram_create(uint64_t size, struct ram **out)
{
    return ram_create_from(size, NULL, out);
}

int ram_create_from(uint64_t size, const struct ram_source *source, struct ram **out)
{
    if (size % PAGE_SIZE || size > RAM_WINDOW - 64 * KIB)
        return -EINVAL;
    struct ram *ram = aligned_alloc(_Alignof(struct ram), sizeof(*ram));
    if (!ram)
        return -ENOMEM;

    memset(ram, 0, sizeof(*ram));
    ram->source = source;
    ram->view.pages = (uint32_t)(size >> PAGE_BITS);
    int err = reserve_window(ram);
    if (!err)
        err = commit_window(ram, size);
    if (!err)
        err = take_map(ram);
    if (err) {
        ram_destroy(ram);
        return err;
    }
    *out = ram;
    return 0;
}

void ram_destroy(struct ram *ram)
{
    if (!ram)
        return;
    if (ram->view.base)
        host_release(reservation(ram), RAM_GUARD + RAM_WINDOW + RAM_GUARD);
    if (ram->denied)
        host_release(ram->denied, ram_map_bytes(ram_size(ram)));
    if (ram->shared)
        ram_marks_give_back(ram->source->marks, ram->shared);
    free(ram);
}

uint8_t *ram_base(const struct ram *ram)
{
    return ram->view.base;
}

uint64_t ram_size(const struct ram *ram)
{
    return (uint64_t)ram->view.pages << PAGE_BITS;
}

void *ram_context(const struct ram *ram)
{
    return (void *)(uintptr_t)ram->context;
}

static bool inside(const struct ram *ram, gpa_t gpa, uint64_t len)
{
    uint64_t size = ram_size(ram);
    return gpa <= size && len <= size - gpa;
}

/* What page `page` would be denied if `bits` were set on [first, end), code marks kept. */
struct change {
    uint64_t first, end;
    uint8_t keep, bits;
};

static uint8_t changed(const struct ram *ram, const struct change *c, uint64_t page)
{
    uint8_t now = ram->view.denied[page];
    return page >= c->first && page < c->end ? (now & c->keep) | c->bits : now;
}

/* How many more borders between pages of different rights the host would have to keep. */
static int64_t more_borders(const struct ram *ram, const struct change *c)
{
    int64_t more = 0;
    for (uint64_t page = c->first ? c->first : 1; page <= c->end && page < ram->view.pages;
         page++) {
        more += host_rights(changed(ram, c, page - 1)) != host_rights(changed(ram, c, page));
        more -= host_rights(ram->view.denied[page - 1]) != host_rights(ram->view.denied[page]);
    }
    return more;
}

static bool changes_nothing(const struct ram *ram, const struct change *c)
{
    uint64_t at = c->first;
    while (at < c->end && changed(ram, c, at) == ram->view.denied[at])
        at++;
    return at >= c->end;
}

/*
 * The host's protection first, then `denied`, run by run of equal pages: they
 * agree also when the host refuses in the middle.
 */
static int apply_runs(struct ram *ram, const struct change *c)
{
    int err = changes_nothing(ram, c) ? 0 : own_map(ram);
    if (err)
        return err;
    for (uint64_t at = c->first; at < c->end;) {
        unsigned prot = host_rights(changed(ram, c, at));
        uint64_t run = at + 1;
        while (run < c->end && host_rights(changed(ram, c, run)) == prot)
            run++;
        err = host_protect(ram->view.base + at * PAGE_SIZE, (run - at) * PAGE_SIZE, prot);
        if (err)
            return err;
        for (; at < run; at++) {
            uint8_t now = changed(ram, c, at);
            if (ram->view.denied[at] != now) /* a page of the map may still be the source's */
                ram->denied[at] = now;
        }
    }
    return 0;
}

/* A change that takes the number of borders over `limit` is refused; one that lowers it never is.
 */
static int apply(struct ram *ram, const struct change *c, int64_t limit)
{
    int64_t more = more_borders(ram, c);
    if (more > 0 && ram->borders + more > limit)
        return -ENOMEM;
    int err = apply_runs(ram, c);
    if (!err)
        ram->borders += more;
    return err;
}

unsigned ram_access(const struct ram *ram, gpa_t gpa)
{
    if (!inside(ram, gpa, 1))
        return HOST_NONE;
    return host_rights(ram->view.denied[gpa >> PAGE_BITS] & (RAM_DENIED_READ | RAM_DENIED_WRITE));
}

/* Changes the bits of `mask` on one page. */
static int change_page(struct ram *ram, gpa_t page, unsigned mask, unsigned bits)
{
    if (page % PAGE_SIZE || !inside(ram, page, PAGE_SIZE))
        return -EINVAL;
    uint64_t index = page >> PAGE_BITS;
    struct change change = {index, index + 1, (uint8_t)~mask, (uint8_t)bits};
    if (changed(ram, &change, index) == ram->view.denied[index])
        return 0;
    return apply(ram, &change, 2 * RAM_MAX_BORDERS);
}

/* What is the source's in this RAM is in others too. */
static void note_code(const struct ram *ram, gpa_t page)
{
    const struct ram_source *s = ram->source;
    if (s && s->marks && !(ram->view.denied[page >> PAGE_BITS] & (RAM_DENIED_READ | RAM_ARMED)) &&
        !memcmp(ram->view.base + page, s->bytes + page, PAGE_SIZE))
        ram_marks_note_code(s->marks, (uint32_t)(page >> PAGE_BITS));
}

int ram_mark_code(struct ram *ram, gpa_t page, bool code)
{
    if (code && ram_is_code(ram, page))
        return 0;
    int err = change_page(ram, page, code ? RAM_DENIED_CODE : RAM_DENIED_CODE | RAM_SOURCE_CODE,
                          code ? RAM_DENIED_CODE : 0);
    if (!err && code)
        note_code(ram, page);
    return err;
}

const void *ram_code_bytes(const struct ram *ram, gpa_t page)
{
    if (inside(ram, page, PAGE_SIZE) && (ram->view.denied[page >> PAGE_BITS] & RAM_SOURCE_CODE))
        return ram->source->bytes + page;
    return ram_span(ram, page, PAGE_SIZE);
}

int ram_watch(struct ram *ram, gpa_t page, unsigned marks)
{
    return change_page(ram, page, RAM_WATCHED, marks & RAM_WATCHED);
}

int ram_arm(struct ram *ram, gpa_t page, bool armed)
{
    return change_page(ram, page, RAM_ARMED, armed ? RAM_ARMED : 0);
}

bool ram_is_code(const struct ram *ram, gpa_t page)
{
    return inside(ram, page, 1) && (ram->view.denied[page >> PAGE_BITS] & RAM_DENIED_CODE);
}

void ram_on_code_write(struct ram *ram, ram_code_write_fn fn, void *opaque)
{
    ram->on_code_write = fn;
    ram->on_code_write_opaque = opaque;
}

void ram_on_host_write(struct ram *ram, ram_host_write_fn fn, void *opaque)
{
    ram->on_host_write = fn;
    ram->on_host_write_opaque = opaque;
}

/* The union of what is denied on the pages of a range inside RAM. */
static unsigned range_denied(const struct ram *ram, gpa_t gpa, uint64_t len)
{
    unsigned denied = 0;
    for (gpa_t page = gpa >> PAGE_BITS; len && page <= (gpa + len - 1) >> PAGE_BITS; page++)
        denied |= ram->view.denied[page];
    return denied;
}

const void *ram_span(const struct ram *ram, gpa_t gpa, uint64_t len)
{
    if (!inside(ram, gpa, len) || (range_denied(ram, gpa, len) & RAM_DENIED_READ))
        return NULL;
    return ram->view.base + gpa;
}

/* The hook first, then nothing in the range stays marked. */
static int unmark_range(struct ram *ram, gpa_t gpa, uint64_t len)
{
    if (ram->on_code_write)
        ram->on_code_write(ram->on_code_write_opaque, gpa, len);
    for (gpa_t page = gpa & ~(gpa_t)PAGE_MASK; page < gpa + len; page += PAGE_SIZE) {
        int err = ram_mark_code(ram, page, false);
        if (err)
            return err;
    }
    return 0;
}

static int set_access(struct ram *ram, gpa_t gpa, uint64_t len, unsigned prot, int64_t limit)
{
    if (gpa % PAGE_SIZE || len % PAGE_SIZE || !inside(ram, gpa, len))
        return -EINVAL;
    uint64_t first = gpa >> PAGE_BITS, end = (gpa + len) >> PAGE_BITS;
    struct change change = {first, end, (uint8_t) ~(RAM_DENIED_READ | RAM_DENIED_WRITE),
                            ram_denied_bits(prot)};
    ram->access_changes++;
    int err = 0;
    if (!(prot & HOST_R) && (range_denied(ram, gpa, len) & RAM_DENIED_CODE))
        err = unmark_range(ram, gpa, len); /* what cannot be read cannot be executed */
    return err ? err : apply(ram, &change, limit);
}

int ram_set_access(struct ram *ram, gpa_t gpa, uint64_t len, unsigned prot)
{
    return set_access(ram, gpa, len, prot, RAM_MAX_BORDERS);
}

/* Rights against the source's. */

#define RIGHTS (RAM_DENIED_READ | RAM_DENIED_WRITE)

/* NULL: all rights for all pages. */
static const uint8_t *source_map(const struct ram *ram)
{
    return ram->source && ram->source->marks ? ram_marks_rights(ram->source->marks) : NULL;
}

static uint8_t rights_in(const uint8_t *map, uint32_t page)
{
    return map ? map[page] & RIGHTS : 0;
}

/* Eight pages at a time, from a multiple of eight; maps are longer than the RAM. */
static bool eight_alike(const uint8_t *denied, const uint8_t *map, uint32_t page)
{
    uint64_t here, source = 0;
    memcpy(&here, denied + page, 8);
    if (map)
        memcpy(&source, map + page, 8);
    return !((here ^ source) & RIGHTS * (uint64_t)0x0101010101010101);
}

bool ram_changed_rights(const struct ram *ram, uint32_t from, struct ram_rights *out)
{
    const uint8_t *denied = ram->view.denied, *map = source_map(ram);
    uint32_t page = from, pages = ram->view.pages;
    if (ram->shared && !ram->denied)
        return false; /* it reads the source's map */
    while (page < pages && (denied[page] & RIGHTS) == rights_in(map, page)) {
        page++;
        while (page % 8 == 0 && page < pages && eight_alike(denied, map, page))
            page += 8;
    }
    if (page >= pages)
        return false;
    uint8_t rights = denied[page] & RIGHTS;
    uint32_t end = page + 1;
    while (end < pages && (denied[end] & RIGHTS) == rights && rights != rights_in(map, end))
        end++;
    *out = (struct ram_rights){page, end - page, host_rights(rights)};
    return true;
}

/* On the way from one set of rights to another there may be more borders than in either. */
int ram_put_rights(struct ram *ram, const struct ram_rights *r)
{
    return set_access(ram, (gpa_t)r->page << PAGE_BITS, (uint64_t)r->pages << PAGE_BITS, r->prot,
                      2 * RAM_MAX_BORDERS);
}

/* What is alike in the source at once. */
static int reset_rights_run(struct ram *ram, uint32_t page, uint32_t end)
{
    const uint8_t *map = source_map(ram);
    int err = 0;
    while (!err && page < end) {
        uint8_t rights = rights_in(map, page);
        struct ram_rights r = {.page = page, .prot = host_rights(rights)};
        while (page < end && rights_in(map, page) == rights)
            page++;
        r.pages = page - r.page;
        err = ram_put_rights(ram, &r);
    }
    return err;
}

int ram_reset_rights(struct ram *ram)
{
    struct ram_rights r = {0};
    int err = 0;
    while (!err && ram_changed_rights(ram, r.page + r.pages, &r))
        err = reset_rights_run(ram, r.page, r.page + r.pages);
    return err;
}

/* Its runs, the guards between it and the next window, and a map of its own. */
uint32_t ram_mappings(const struct ram *ram)
{
    return (uint32_t)ram->borders + 2 + (ram->denied ? 1 : 0);
}

/* A page of the source is cleared, for its contents would come back; a zero one is dropped. */
static int discard_copied(struct ram *ram, uint64_t page, uint64_t end)
{
    int err = 0;
    while (!err && page < end) {
        uint8_t *at = ram->view.base + page * PAGE_SIZE;
        unsigned prot = host_rights(ram->view.denied[page]);
        if (!ram_source_filled(ram->source, (uint32_t)page)) {
            uint64_t run = page + 1;
            while (run < end && !ram_source_filled(ram->source, (uint32_t)run))
                run++;
            err = host_refresh(at, (run - page) * PAGE_SIZE);
            page = run;
            continue;
        }
        if (prot != (HOST_R | HOST_W))
            err = host_protect(at, PAGE_SIZE, HOST_R | HOST_W);
        if (!err)
            memset(at, 0, PAGE_SIZE);
        if (!err && prot != (HOST_R | HOST_W))
            err = host_protect(at, PAGE_SIZE, prot);
        page++;
    }
    return err;
}

/* Fresh memory instead of a request to drop it: a page may be mapped from an image's file, whose
 * contents would come back. */
int ram_discard(struct ram *ram, gpa_t gpa, uint64_t len)
{
    if (gpa % PAGE_SIZE || len % PAGE_SIZE || !inside(ram, gpa, len))
        return -EINVAL;
    int err = 0;
    if (range_denied(ram, gpa, len) & RAM_DENIED_CODE)
        err = unmark_range(ram, gpa, len);
    uint64_t page = gpa >> PAGE_BITS, end = (gpa + len) >> PAGE_BITS;
    if (!err && ram->source)
        return discard_copied(ram, page, end);
    while (!err && page < end) {
        unsigned prot = host_rights(ram->view.denied[page]);
        uint64_t run = page + 1;
        while (run < end && host_rights(ram->view.denied[run]) == prot)
            run++;
        err = host_commit(ram->view.base + page * PAGE_SIZE, (run - page) * PAGE_SIZE, prot);
        page = run;
    }
    return err;
}

static void *span_write(struct ram *ram, gpa_t gpa, const void *bytes, uint64_t len)
{
    if (!inside(ram, gpa, len))
        return NULL;
    unsigned denied = range_denied(ram, gpa, len);
    if (denied & (RAM_DENIED_READ | RAM_DENIED_WRITE))
        return NULL;
    if (ram->on_host_write)
        ram->on_host_write(ram->on_host_write_opaque, gpa, bytes, len);
    if ((denied & RAM_DENIED_CODE) && unmark_range(ram, gpa, len))
        return NULL;
    return ram->view.base + gpa;
}

void *ram_span_write(struct ram *ram, gpa_t gpa, uint64_t len)
{
    return span_write(ram, gpa, NULL, len);
}

int ram_read(const struct ram *ram, gpa_t gpa, void *dst, uint64_t len)
{
    const void *from = ram_span(ram, gpa, len);
    if (!from)
        return -EFAULT;
    memcpy(dst, from, len);
    return 0;
}

int ram_write(struct ram *ram, gpa_t gpa, const void *src, uint64_t len)
{
    void *to = span_write(ram, gpa, src, len);
    if (!to)
        return -EFAULT;
    memcpy(to, src, len);
    return 0;
}

/* Calls fn for each run of pages that are this process's own. */
static int each_own_run(const struct ram *ram, int (*fn)(void *opaque, uint64_t at, uint64_t len),
                        void *opaque)
{
    struct host_run run[64];
    uint64_t at = 0, size = ram_size(ram);
    int err = 0;
    while (!err && at < size) {
        uint64_t looked = 0;
        int n = host_own_pages(ram->view.base + at, size - at, run, ARRAY_LEN(run), &looked);
        if (n < 0)
            return n;
        for (int i = 0; !err && i < n; i++)
            err = fn(opaque, at + run[i].at, run[i].len);
        if (!looked)
            break;
        at += looked;
    }
    return err;
}

static int set_bits(void *opaque, uint64_t at, uint64_t len)
{
    uint8_t *bits = opaque;
    for (uint64_t page = at / PAGE_SIZE; page < (at + len) / PAGE_SIZE; page++)
        bits[page >> 3] |= (uint8_t)(1u << (page & 7));
    return 0;
}

int ram_find_changed(const struct ram *ram, uint8_t *bits)
{
    return each_own_run(ram, set_bits, bits);
}

/* What is marked as code is told first: its contents go. */
static int reset_run(struct ram *ram, uint64_t at, uint64_t len)
{
    int err = 0;
    if (range_denied(ram, at, len) & RAM_DENIED_CODE)
        err = unmark_range(ram, at, len);
    return err ? err : host_refresh(ram->view.base + at, len);
}

static bool bit(const uint8_t *bits, uint32_t page)
{
    return bits[page >> 3] >> (page & 7) & 1;
}

/* A page that the host lets us write gets the source's bytes, if it has others. */
static int restore_page(struct ram *ram, uint32_t page)
{
    uint8_t *at = ram->view.base + (uint64_t)page * PAGE_SIZE;
    const uint8_t *from = ram->source->bytes + (uint64_t)page * PAGE_SIZE;
    if (!memcmp(at, from, PAGE_SIZE))
        return 0;
    int err = ram->view.denied[page] ? unmark_range(ram, (gpa_t)page * PAGE_SIZE, PAGE_SIZE) : 0;
    if (!err)
        memcpy(at, from, PAGE_SIZE);
    return err;
}

static bool may_restore(const struct ram *ram, uint32_t page)
{
    return !(ram->view.denied[page] & (RAM_DENIED_READ | RAM_DENIED_WRITE | RAM_ARMED));
}

/* The first page from `page` on whose bit is set, or `pages`: most bits are not. */
static uint32_t next_set(const uint8_t *bits, uint32_t page, uint32_t pages)
{
    while (page < pages && !bit(bits, page)) {
        uint64_t word = 1;
        if (page % 64 == 0 && page + 64 <= pages)
            memcpy(&word, bits + (page >> 3), sizeof(word));
        page += word ? 1 : 64;
    }
    return page;
}

int ram_reset(struct ram *ram, const uint8_t *bits, uint32_t keep)
{
    BUG_ON(!ram->source, "only RAM with a source can be reset to it");
    int err = 0;
    uint32_t page = next_set(bits, 0, ram->view.pages);
    while (!err && page < ram->view.pages) {
        uint32_t end = page + 1;
        if (keep && may_restore(ram, page)) {
            err = restore_page(ram, page);
            keep--;
        } else {
            while (end < ram->view.pages && bit(bits, end))
                end++;
            err = reset_run(ram, (uint64_t)page << PAGE_BITS, (uint64_t)(end - page) << PAGE_BITS);
        }
        page = next_set(bits, end, ram->view.pages);
    }
    return err;
}

const uint8_t *ram_peek(const struct ram *ram, gpa_t page, uint8_t copy[PAGE_SIZE])
{
    uint8_t *at = ram->view.base + page;
    if (ram_access(ram, page) & HOST_R)
        return at;
    if (host_protect(at, PAGE_SIZE, HOST_R))
        return NULL;
    memcpy(copy, at, PAGE_SIZE);
    return host_protect(at, PAGE_SIZE, HOST_NONE) ? NULL : copy;
}

uint64_t ram_access_changes(const struct ram *ram)
{
    return ram->access_changes;
}
