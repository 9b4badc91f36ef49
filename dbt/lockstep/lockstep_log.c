/* SPDX-License-Identifier: MIT */
/*
 * Undoing the interpreter's writes. A page is copied before its first write;
 * whole pages are put back and compared, so a byte that the tried engine
 * writes beside the right one is seen, if it is in one of these pages.
 */
#include "dbt/lockstep/lockstep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

MUST_CHECK static bool make_room(struct lockstep_log *log)
{
    if (log->count < log->room)
        return true;
    uint32_t room = log->room ? log->room * 2 : 16;
    struct lockstep_page *page = realloc(log->page, room * sizeof(*page));
    if (!page)
        return false;
    log->page = page;
    log->room = room;
    return true;
}

static void note_page(struct lockstep_log *log, gpa_t gpa)
{
    uint32_t number = (uint32_t)(gpa >> PAGE_BITS);
    const void *now = ram_span(log->ram, (gpa_t)number << PAGE_BITS, PAGE_SIZE);
    if (!now || log->index[number])
        return;
    if (!make_room(log)) {
        log->lost = true;
        return;
    }
    struct lockstep_page *page = &log->page[log->count++];
    page->page = (gpa_t)number << PAGE_BITS;
    lockstep_mirror_look(log->mirror, page->page);
    memcpy(page->before, now, PAGE_SIZE);
    log->index[number] = log->count;
}

void lockstep_log_note(struct lockstep_log *log, gpa_t gpa, uint64_t len)
{
    for (gpa_t page = gpa & ~(gpa_t)PAGE_MASK; page < gpa + len; page += PAGE_SIZE)
        note_page(log, page);
}

void lockstep_log_note_subject(struct lockstep_log *log, gpa_t gpa)
{
    uint32_t count = log->count;
    note_page(log, gpa);
    if (log->count > count)
        memcpy(log->page[count].reference, log->page[count].before, PAGE_SIZE);
}

static void before_write(struct cpu_write_log *base, gpa_t gpa, uint32_t len)
{
    (void)len; /* within the page */
    note_page(CONTAINER_OF(base, struct lockstep_log, log), gpa);
}

int lockstep_log_init(struct lockstep_log *log, struct ram *ram, struct lockstep_mirror *mirror)
{
    *log = (struct lockstep_log){.log = {before_write}, .ram = ram, .mirror = mirror};
    log->index = calloc((ram_size(ram) >> PAGE_BITS) + 1, sizeof(*log->index));
    return log->index ? 0 : -ENOMEM;
}

void lockstep_log_fini(struct lockstep_log *log)
{
    free(log->page);
    free(log->index);
}

void lockstep_log_begin(struct lockstep_log *log)
{
    for (uint32_t i = 0; i < log->count; i++)
        log->index[log->page[i].page >> PAGE_BITS] = 0;
    log->count = 0;
    log->lost = false;
}

static void put_page(struct lockstep_log *log, const struct lockstep_page *page,
                     const uint8_t *contents)
{
    int err = ram_write(log->ram, page->page, contents, PAGE_SIZE);
    BUG_ON(err, "a page that was written refuses to be restored");
}

void lockstep_log_undo(struct lockstep_log *log)
{
    for (uint32_t i = 0; i < log->count; i++) {
        struct lockstep_page *page = &log->page[i];
        memcpy(page->reference, ram_base(log->ram) + page->page, PAGE_SIZE);
        put_page(log, page, page->before);
    }
}

void lockstep_log_restore(struct lockstep_log *log)
{
    for (uint32_t i = 0; i < log->count; i++)
        put_page(log, &log->page[i], log->page[i].before);
}

void lockstep_log_accept(const struct lockstep_log *log)
{
    for (uint32_t i = 0; i < log->count; i++)
        lockstep_mirror_take(log->mirror, log->page[i].page);
}

gpa_t lockstep_log_compare(const struct lockstep_log *log)
{
    for (uint32_t i = 0; i < log->count; i++) {
        const struct lockstep_page *page = &log->page[i];
        const uint8_t *now = ram_base(log->ram) + page->page;
        if (!memcmp(now, page->reference, PAGE_SIZE))
            continue;
        for (uint32_t at = 0; at < PAGE_SIZE; at++) {
            if (now[at] != page->reference[at])
                return page->page + at;
        }
    }
    return UINT64_MAX;
}

/* Accessed and dirty: bits 5 and 6 of the first byte of a word. */
#define PAGE_TABLE_MARKS 0x60u

bool lockstep_log_differs_in_marks(const struct lockstep_log *log)
{
    for (uint32_t i = 0; i < log->count; i++) {
        const struct lockstep_page *page = &log->page[i];
        const uint8_t *now = ram_base(log->ram) + page->page;
        for (uint32_t at = 0; at < PAGE_SIZE; at++) {
            uint32_t bits = now[at] ^ page->reference[at];
            if (bits & ~(at % 4 ? 0u : PAGE_TABLE_MARKS))
                return false;
        }
    }
    return true;
}
