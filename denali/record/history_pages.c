/* SPDX-License-Identifier: MIT */
/*
 * Which pages changed is found by looking: those that can hold anything are compared with
 * the tree that is shared with. That costs less than write protection for the few tens of
 * megabytes that guests touch, and cannot miss a writer.
 *
 * A leaf or page is shared as long as its count says so, and is never changed then. A page of the
 * tree is never all zero.
 */
#include "denali/record/history_pages.h"
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_BITS 9u
#define LEAF (1u << LEAF_BITS)

struct page {
    uint32_t shares;
    uint8_t bytes[PAGE_SIZE];
};

struct leaf {
    uint32_t shares;
    struct page *page[LEAF];
};

struct run {
    uint32_t page, pages;
    unsigned prot;
};

struct rights {
    uint32_t shares;
    uint64_t changes; /* of ram_access_changes, when it was made */
    size_t runs;
    struct run run[];
};

struct pages {
    struct pages_meter *meter;
    uint32_t pages, leaves;
    uint64_t own_bytes;
    struct rights *rights;
    struct leaf *leaf[];
};

static void unshare_page(struct pages *t, struct page *page)
{
    if (page && --page->shares == 0) {
        free(page);
        t->meter->bytes -= sizeof(*page);
    }
}

static void unshare_leaf(struct pages *t, struct leaf *leaf)
{
    if (!leaf || --leaf->shares)
        return;
    for (unsigned i = 0; i < LEAF; i++)
        unshare_page(t, leaf->page[i]);
    t->meter->bytes -= sizeof(*leaf);
    free(leaf);
}

void pages_free(struct pages *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < t->leaves; i++)
        unshare_leaf(t, t->leaf[i]);
    if (t->rights && --t->rights->shares == 0)
        free(t->rights);
    free(t);
}

/* The leaf of a page for itself. */
static struct leaf *own_leaf(struct pages *t, uint32_t page)
{
    struct leaf **at = &t->leaf[page >> LEAF_BITS], *old = *at;
    if (old && old->shares == 1)
        return old;
    struct leaf *leaf = calloc(1, sizeof(*leaf));
    if (!leaf)
        return NULL;
    t->meter->bytes += sizeof(*leaf);
    leaf->shares = 1;
    for (unsigned i = 0; old && i < LEAF; i++) {
        leaf->page[i] = old->page[i];
        if (leaf->page[i])
            leaf->page[i]->shares++;
    }
    unshare_leaf(t, old);
    *at = leaf;
    return leaf;
}

/* `bytes`: NULL for zeroes. */
static int set_page(struct pages *t, uint32_t page, const uint8_t *bytes)
{
    struct leaf *leaf = own_leaf(t, page);
    struct page *fresh = leaf && bytes ? malloc(sizeof(*fresh)) : NULL;
    if (!leaf || (bytes && !fresh))
        return -ENOMEM;
    struct page **at = &leaf->page[page & (LEAF - 1)];
    unshare_page(t, *at);
    *at = fresh;
    if (!fresh)
        return 0;
    fresh->shares = 1;
    memcpy(fresh->bytes, bytes, PAGE_SIZE);
    t->meter->bytes += sizeof(*fresh);
    t->own_bytes += sizeof(*fresh);
    return 0;
}

const uint8_t *pages_at(const struct pages *t, uint32_t page)
{
    const struct leaf *leaf = page < t->pages ? t->leaf[page >> LEAF_BITS] : NULL;
    const struct page *p = leaf ? leaf->page[page & (LEAF - 1)] : NULL;
    return p ? p->bytes : NULL;
}

uint64_t pages_own_bytes(const struct pages *t)
{
    return t->own_bytes;
}

static bool is_zero(const uint8_t *bytes)
{
    return !bytes[0] && !memcmp(bytes, bytes + 1, PAGE_SIZE - 1);
}

/* Going over all pages that may differ from the tree. */
struct walk {
    struct vm *vm;
    uint8_t *bits;
    uint32_t page;
    const uint8_t *now; /* of the page found; NULL: zeroes */
    uint8_t copy[PAGE_SIZE];
};

static int walk_begin(struct walk *w, struct vm *vm, uint32_t page)
{
    w->vm = vm;
    w->page = page;
    w->bits = malloc(vm_page_bits(vm));
    return w->bits ? vm_find_pages(vm, w->bits) : -ENOMEM;
}

/* 1: `page` differs, and `now` is what it is; 0: there are no more. */
static int walk_next(struct walk *w, const struct pages *t)
{
    for (; w->page < t->pages; w->page++) {
        const uint8_t *was = t->leaf[w->page >> LEAF_BITS] ? pages_at(t, w->page) : NULL;
        w->now = NULL;
        if (w->bits[w->page >> 3] >> (w->page & 7) & 1) {
            w->now = ram_peek(w->vm->ram, (gpa_t)w->page << PAGE_BITS, w->copy);
            if (!w->now)
                return -ENOMEM;
            if (was ? !memcmp(was, w->now, PAGE_SIZE) : is_zero(w->now))
                continue;
            if (was && is_zero(w->now))
                w->now = NULL;
            return 1;
        }
        if (was)
            return 1;
    }
    return 0;
}

static int take_changes(struct pages *t, struct vm *vm)
{
    struct walk w;
    int err = walk_begin(&w, vm, 0), more = 0;
    while (!err && (more = walk_next(&w, t)) > 0)
        err = set_page(t, w.page++, w.now);
    free(w.bits);
    return err ? err : more;
}

/* Rights. */

static uint32_t run_end(const struct vm *vm, uint32_t page, unsigned prot)
{
    uint32_t pages = (uint32_t)(vm->mem_bytes >> PAGE_BITS);
    while (page < pages && ram_access(vm->ram, (gpa_t)page << PAGE_BITS) == prot)
        page++;
    return page;
}

static int take_rights(struct pages *t, struct vm *vm)
{
    size_t room = 16;
    struct rights *r = calloc(1, sizeof(*r) + room * sizeof(r->run[0]));
    for (uint32_t page = 0, end; r && page < t->pages; page = end) {
        unsigned prot = ram_access(vm->ram, (gpa_t)page << PAGE_BITS);
        end = run_end(vm, page, prot);
        if (prot == (HOST_R | HOST_W))
            continue;
        if (r->runs == room) {
            room *= 2;
            struct rights *bigger = realloc(r, sizeof(*r) + room * sizeof(r->run[0]));
            if (!bigger)
                free(r);
            r = bigger;
        }
        if (r)
            r->run[r->runs++] = (struct run){page, end - page, prot};
    }
    if (!r)
        return -ENOMEM;
    r->shares = 1;
    r->changes = ram_access_changes(vm->ram);
    t->rights = r;
    return 0;
}

static int set_rights(struct vm *vm, uint32_t page, uint32_t end, unsigned prot)
{
    int err = 0;
    while (!err && page < end) {
        unsigned now = ram_access(vm->ram, (gpa_t)page << PAGE_BITS);
        uint32_t run = run_end(vm, page, now);
        run = run < end ? run : end;
        if (now != prot)
            err = ram_set_access(vm->ram, (gpa_t)page << PAGE_BITS,
                                 (uint64_t)(run - page) * PAGE_SIZE, prot);
        page = run;
    }
    return err;
}

static int restore_rights(const struct pages *t, struct vm *vm)
{
    uint32_t page = 0;
    int err = 0;
    for (size_t i = 0; !err && i < t->rights->runs; i++) {
        const struct run *run = &t->rights->run[i];
        err = set_rights(vm, page, run->page, HOST_R | HOST_W);
        if (!err)
            err = set_rights(vm, run->page, run->page + run->pages, run->prot);
        page = run->page + run->pages;
    }
    return err ? err : set_rights(vm, page, t->pages, HOST_R | HOST_W);
}

/* Taking and giving back. */

static void share_all(struct pages *t, const struct pages *base)
{
    for (uint32_t i = 0; i < t->leaves; i++) {
        t->leaf[i] = base->leaf[i];
        if (t->leaf[i])
            t->leaf[i]->shares++;
    }
}

int pages_take(struct vm *vm, const struct pages *base, struct pages_meter *meter,
               struct pages **out)
{
    uint32_t pages = (uint32_t)(vm->mem_bytes >> PAGE_BITS), leaves = (pages + LEAF - 1) / LEAF;
    struct pages *t = calloc(1, sizeof(*t) + leaves * sizeof(struct leaf *));
    if (!t)
        return -ENOMEM;
    t->meter = meter;
    t->pages = pages;
    t->leaves = leaves;
    if (base)
        share_all(t, base);
    int err = take_changes(t, vm);
    if (!err && base && base->rights->changes == ram_access_changes(vm->ram)) {
        t->rights = base->rights;
        t->rights->shares++;
    } else if (!err) {
        err = take_rights(t, vm);
    }
    if (err)
        pages_free(t);
    else
        *out = t;
    return err;
}

/* The page is opened for the moment; restore_rights closes it again. */
static int put_page(struct vm *vm, uint32_t page, const uint8_t *bytes)
{
    static const uint8_t zeroes[PAGE_SIZE];
    gpa_t gpa = (gpa_t)page << PAGE_BITS;
    int err = 0;
    if (ram_access(vm->ram, gpa) != (HOST_R | HOST_W))
        err = ram_set_access(vm->ram, gpa, PAGE_SIZE, HOST_R | HOST_W);
    return err ? err : ram_write(vm->ram, gpa, bytes ? bytes : zeroes, PAGE_SIZE);
}

int pages_restore(const struct pages *t, struct vm *vm)
{
    struct walk w;
    int err = walk_begin(&w, vm, 0), more = 0;
    while (!err && (more = walk_next(&w, t)) > 0) {
        err = put_page(vm, w.page, pages_at(t, w.page));
        w.page++;
    }
    free(w.bits);
    err = err ? err : more;
    return err ? err : restore_rights(t, vm);
}

int pages_differ(const struct pages *t, struct vm *vm, uint32_t *page)
{
    struct walk w;
    int err = walk_begin(&w, vm, *page), more = err ? err : walk_next(&w, t);
    *page = w.page;
    free(w.bits);
    return more < 0 ? more : more ? 0 : -ENOENT;
}
