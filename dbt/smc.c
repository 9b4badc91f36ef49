/* SPDX-License-Identifier: MIT */
/*
 * Code that changes. A page with blocks is write-protected in the RAM of every
 * member; a write ends up here before it happens. Marking comes before
 * comparing, so that a neighbour cannot change a page between the two.
 */
#include <string.h>

#include "dbt/engine_state.h"
#include "emu/machine/ram.h"

static bool same_page(const struct ram *a, const struct ram *b, uint32_t page)
{
    gpa_t gpa = (gpa_t)page << PAGE_BITS;
    const void *left = ram_span(a, gpa, PAGE_SIZE), *right = ram_span(b, gpa, PAGE_SIZE);
    return left && right && !memcmp(left, right, PAGE_SIZE);
}

static bool mark(struct ram *ram, uint32_t page)
{
    gpa_t gpa = (gpa_t)page << PAGE_BITS;
    return gpa < ram_size(ram) && !ram_mark_code(ram, gpa, true);
}

static bool protect_page(struct image *image, struct dbt_cpu *d, uint32_t page)
{
    if (!mark(d->cpu->ram, page))
        return false;
    for (struct dbt_cpu *other = image->members; other; other = other->next) {
        if (other == d || other->expelled)
            continue;
        if (!mark(other->cpu->ram, page) || !same_page(d->cpu->ram, other->cpu->ram, page))
            member_expel(other);
    }
    return true;
}

bool smc_protect(struct image *image, struct dbt_cpu *d, const struct block *block)
{
    for (unsigned i = 0; i < block->pages; i++)
        if (!image_page_has_blocks(image, block->page_number[i]) &&
            !protect_page(image, d, block->page_number[i]))
            return false;
    return true;
}

bool smc_same_code(const struct image *image, const struct ram *member, struct ram *newcomer)
{
    for (uint32_t i = 0; i < image->code_pages; i++) {
        uint32_t page = image->code_page[i];
        if (image_page_has_blocks(image, page) &&
            (!mark(newcomer, page) || !same_page(member, newcomer, page)))
            return false;
    }
    return true;
}

static bool is_shared(const struct image *image)
{
    unsigned members = 0;
    for (const struct dbt_cpu *d = image->members; d; d = d->next)
        members += !d->expelled;
    return members > 1;
}

static void forget_pages(struct image *image, struct dbt_cpu *d, uint32_t first, uint32_t last)
{
    bool any = false;
    for (uint32_t page = first; page <= last; page++)
        any |= image_page_has_blocks(image, page);
    if (!any || d->expelled)
        return;
    if (is_shared(image)) {
        member_expel(d);
        return;
    }
    member_halt_all(image);
    for (uint32_t page = first; page <= last; page++)
        image_remove_page(image, page);
    member_resume_all(image);
}

void smc_forget(struct dbt_cpu *d, gpa_t gpa, uint64_t len)
{
    uint64_t size = ram_size(d->cpu->ram);
    if (!len || gpa >= size)
        return;
    uint64_t last = len - 1 < size - 1 - gpa ? gpa + len - 1 : size - 1;

    host_lock_enter(&d->dbt->lock);
    struct image *image = d->image;
    if (image) {
        host_lock_enter(&image->lock);
        forget_pages(image, d, (uint32_t)(gpa >> PAGE_BITS), (uint32_t)(last >> PAGE_BITS));
        host_lock_leave(&image->lock);
    }
    host_lock_leave(&d->dbt->lock);
}
