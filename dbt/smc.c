/* SPDX-License-Identifier: MIT */
/*
 * Code that changes. A page with blocks is write-protected in the RAM of every
 * member that runs them; a write ends up here before it happens.
 *
 * Only a processor's own thread marks pages of its RAM, so that nobody else's
 * write is caught half-way. The first block of a page writes the page into the
 * image's log and its bytes into the image's copy; other members are halted
 * once, and compare the page with the copy before they go in again. Marking
 * comes before copying and comparing, so that a page cannot change in between.
 */
#include <string.h>

#include "dbt/engine_state.h"
#include "emu/machine/ram.h"

static bool mark(struct ram *ram, uint32_t page)
{
    gpa_t gpa = (gpa_t)page << PAGE_BITS;
    return gpa < ram_size(ram) && !ram_mark_code(ram, gpa, true);
}

static const void *page_bytes(const struct ram *ram, uint32_t page)
{
    return ram_code_bytes(ram, (gpa_t)page << PAGE_BITS);
}

static uint8_t *page_copy(const struct image *image, uint32_t page)
{
    return image->page_copy + ((size_t)page << PAGE_BITS);
}

static bool protect_page(struct image *image, struct dbt_cpu *d, uint32_t page)
{
    const void *bytes = page_bytes(d->cpu->ram, page);
    if (!bytes || !mark(d->cpu->ram, page))
        return false;
    if (image->key)
        memcpy(page_copy(image, page), bytes, PAGE_SIZE);
    image_log_page(image, page);
    return true;
}

static bool has_others(const struct image *image, const struct dbt_cpu *d)
{
    return image->members != d || d->next;
}

bool smc_protect(struct image *image, struct dbt_cpu *d, const struct block *block)
{
    uint32_t before = image->log_end;
    for (unsigned i = 0; i < block->pages; i++)
        if (!image_page_has_blocks(image, block->page_number[i]) &&
            !protect_page(image, d, block->page_number[i]))
            return false;
    if (image->log_end == before)
        return true;
    if (has_others(image, d)) {
        member_halt_all(image);
        member_resume_all(image);
    }
    d->checked = image->log_end;
    return true;
}

static bool same_page(const struct image *image, struct ram *ram, uint32_t page)
{
    const void *bytes = mark(ram, page) ? page_bytes(ram, page) : NULL;
    return bytes && !memcmp(bytes, page_copy(image, page), PAGE_SIZE);
}

bool smc_check(const struct image *image, struct dbt_cpu *d)
{
    for (uint32_t i = d->checked; i < image->log_end; i++) {
        uint32_t page = image->log[i];
        if (image_page_has_blocks(image, page) && !same_page(image, d->cpu->ram, page))
            return false;
    }
    d->checked = image->log_end;
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
