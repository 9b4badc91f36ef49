/* SPDX-License-Identifier: MIT */
/*
 * What RAM from one source begins with. The map of what is denied lies in a memory
 * object, which every RAM maps copied on write; so as long as nothing changes, all
 * share it.
 *
 * Code marks that one RAM gets are noted in `code`. A map that some RAM has mapped
 * must never change (pages of it that this RAM has not written would change in
 * it), so RAM that is made after a note gets a new map in a new object.
 *
 * Short gaps between noted pages are marked too: a mark more than needed costs the
 * guest one fault if it ever writes the page; a border between marked and
 * unmarked pages costs the host a mapping in every window.
 */
#include "emu/machine/ram_marks.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GAP_PAGES 16u

struct ram_marks {
    struct host_lock lock;
    uint32_t pages;
    uint8_t *rights;     /* enum ram_denied, by page; without marks */
    uint8_t *code;       /* 1: noted */
    bool changed;        /* since the object was made */
    int fd;              /* -1: none yet */
    struct ram_run *run; /* what is in it */
    uint32_t runs;
};

int ram_marks_create(uint64_t size, struct ram_marks **out)
{
    struct ram_marks *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->fd = -1;
    m->pages = (uint32_t)(size >> PAGE_BITS);
    m->changed = true;
    m->rights = calloc(ram_marks_bytes(size), 1);
    m->code = calloc((size_t)m->pages + 1, 1);
    int err = m->rights && m->code ? host_lock_init(&m->lock) : -ENOMEM;
    if (err) {
        free(m->rights);
        free(m->code);
        free(m);
        return err;
    }
    *out = m;
    return 0;
}

void ram_marks_destroy(struct ram_marks *m)
{
    if (!m)
        return;
    if (m->fd >= 0)
        close(m->fd);
    host_lock_fini(&m->lock);
    free(m->rights);
    free(m->code);
    free(m->run);
    free(m);
}

int ram_marks_set_access(struct ram_marks *m, gpa_t gpa, uint64_t len, unsigned prot)
{
    uint64_t first = gpa >> PAGE_BITS, pages = len >> PAGE_BITS;
    if (gpa % PAGE_SIZE || len % PAGE_SIZE || first > m->pages || pages > m->pages - first)
        return -EINVAL;
    memset(m->rights + first, ram_denied_bits(prot), pages);
    return 0;
}

void ram_marks_note_code(struct ram_marks *m, uint32_t page)
{
    host_lock_enter(&m->lock);
    m->changed |= page < m->pages && !m->code[page];
    if (page < m->pages)
        m->code[page] = 1;
    host_lock_leave(&m->lock);
}

static void mark(uint8_t *map, uint32_t first, uint32_t end)
{
    for (uint32_t page = first; page < end; page++) {
        if (!(map[page] & RAM_DENIED_READ))
            map[page] |= RAM_DENIED_CODE | RAM_SOURCE_CODE;
    }
}

/* The rights, and on top of them the noted pages with what lies closely between them. */
static void fill_map(const struct ram_marks *m, uint8_t *map)
{
    uint32_t last = UINT32_MAX;
    memcpy(map, m->rights, m->pages);
    for (uint32_t page = 0; page < m->pages; page++) {
        if (!m->code[page])
            continue;
        bool near = last != UINT32_MAX && page - last <= GAP_PAGES;
        mark(map, near ? last + 1 : page, page + 1);
        last = page;
    }
}

static bool alike(uint8_t a, uint8_t b)
{
    return !((a ^ b) & (RAM_DENIED_READ | RAM_DENIED_WRITE | RAM_DENIED_CODE));
}

static int find_runs(struct ram_marks *m, const uint8_t *map)
{
    uint32_t runs = 0, at = 0;
    for (uint32_t page = 0; page < m->pages; page++)
        runs += !page || !alike(map[page], map[page - 1]);
    struct ram_run *run = calloc((size_t)runs + 1, sizeof(*run));
    if (!run)
        return -ENOMEM;
    for (uint32_t page = 0; page < m->pages; page++) {
        if (!page || !alike(map[page], map[page - 1]))
            run[at++] = (struct ram_run){.page = page, .denied = map[page]};
        run[at - 1].pages++;
    }
    free(m->run);
    m->run = run;
    m->runs = runs;
    return 0;
}

static int fill_object(struct ram_marks *m, int fd, uint64_t len)
{
    void *map;
    int err = host_reserve(len, PAGE_SIZE, &map);
    if (err)
        return err;
    err = host_map_fd(map, len, HOST_R | HOST_W, fd, 0, true);
    if (!err) {
        fill_map(m, map);
        err = find_runs(m, map);
    }
    host_release(map, len);
    return err;
}

static int make_object(struct ram_marks *m, uint64_t len)
{
    int fd = host_memobj_create("denali-rights", len);
    int err = fd < 0 ? fd : fill_object(m, fd, len);
    if (err) {
        if (fd >= 0)
            close(fd);
        return err;
    }
    if (m->fd >= 0)
        close(m->fd);
    m->fd = fd;
    m->changed = false;
    return 0;
}

int ram_marks_map(struct ram_marks *m, void *addr, struct ram_run **run, uint32_t *runs)
{
    uint64_t len = ram_marks_bytes((uint64_t)m->pages << PAGE_BITS);
    host_lock_enter(&m->lock);
    int err = m->changed ? make_object(m, len) : 0;
    if (!err)
        err = host_map_fd(addr, len, HOST_R | HOST_W, m->fd, 0, false);
    if (!err) {
        *runs = m->runs;
        *run = malloc(((size_t)m->runs + 1) * sizeof(**run));
        err = *run ? 0 : -ENOMEM;
    }
    if (!err)
        memcpy(*run, m->run, m->runs * sizeof(**run));
    host_lock_leave(&m->lock);
    return err;
}
