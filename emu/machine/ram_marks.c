/* SPDX-License-Identifier: MIT */
/*
 * What RAM from one source begins with. The map of what is denied lies in a memory
 * object and is mapped once; all RAM reads it there until its own rights change, and
 * then has a copy on write.
 *
 * Code marks that one RAM gets are noted in `code`. A map that some RAM has taken
 * must never change, so RAM that is made after a note gets a new one; the old one
 * lives as long as somebody has it. Where the host refuses a new one the old one
 * serves: marks are only there to be found early.
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

struct map {
    struct ram_map map;
    uint8_t *bytes; /* map.denied */
    uint64_t len;
    struct ram_run *run; /* map.run */
    int fd;
    uint32_t users;
};

struct ram_marks {
    struct host_lock lock;
    uint32_t pages;
    uint8_t *rights;     /* enum ram_denied, by page; without marks */
    uint8_t *code;       /* 1: noted */
    bool changed;        /* since the map was made */
    struct map *current; /* NULL: none yet; the marks are one of its users */
};

static void map_destroy(struct map *map)
{
    if (map->bytes)
        host_release(map->bytes, map->len);
    if (map->fd >= 0)
        close(map->fd);
    free(map->run);
    free(map);
}

static void map_put(struct map *map)
{
    if (map && !--map->users)
        map_destroy(map);
}

int ram_marks_create(uint64_t size, struct ram_marks **out)
{
    struct ram_marks *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->pages = (uint32_t)(size >> PAGE_BITS);
    m->changed = true;
    m->rights = calloc(ram_map_bytes(size), 1);
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
    BUG_ON(m->current && m->current->users != 1, "a source outlives its RAM");
    map_put(m->current);
    host_lock_fini(&m->lock);
    free(m->rights);
    free(m->code);
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

const uint8_t *ram_marks_rights(const struct ram_marks *m)
{
    return m->rights;
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

static int find_runs(struct map *map, uint32_t pages)
{
    const uint8_t *denied = map->bytes;
    uint32_t runs = 0, at = 0;
    for (uint32_t page = 0; page < pages; page++)
        runs += !page || !alike(denied[page], denied[page - 1]);
    map->run = calloc((size_t)runs + 1, sizeof(*map->run));
    if (!map->run)
        return -ENOMEM;
    for (uint32_t page = 0; page < pages; page++) {
        if (!page || !alike(denied[page], denied[page - 1]))
            map->run[at++] = (struct ram_run){.page = page, .denied = denied[page]};
        map->run[at - 1].pages++;
    }
    map->map = (struct ram_map){.denied = map->bytes, .run = map->run, .runs = runs};
    return 0;
}

static int reserve(uint64_t len, uint8_t **out)
{
    void *at;
    int err = host_reserve(len, PAGE_SIZE, &at);
    if (!err)
        *out = at;
    return err;
}

static int map_fill(struct map *map, const struct ram_marks *m)
{
    map->fd = host_memobj_create("denali-rights", map->len);
    int err = map->fd < 0 ? map->fd : reserve(map->len, &map->bytes);
    if (!err)
        err = host_map_fd(map->bytes, map->len, HOST_R | HOST_W, map->fd, 0, true);
    if (!err) {
        fill_map(m, map->bytes);
        err = find_runs(map, m->pages);
    }
    return err ? err : host_protect(map->bytes, map->len, HOST_R);
}

static int renew(struct ram_marks *m)
{
    struct map *map = calloc(1, sizeof(*map));
    if (!map)
        return -ENOMEM;
    *map = (struct map){.users = 1, .len = ram_map_bytes((uint64_t)m->pages << PAGE_BITS)};
    int err = map_fill(map, m);
    if (err) {
        map_destroy(map);
        return err;
    }
    map_put(m->current);
    m->current = map;
    m->changed = false;
    return 0;
}

int ram_marks_take(struct ram_marks *m, const struct ram_map **out)
{
    host_lock_enter(&m->lock);
    int err = m->changed ? renew(m) : 0;
    if (m->current) {
        m->current->users++;
        *out = &m->current->map;
        err = 0;
    }
    host_lock_leave(&m->lock);
    return err;
}

void ram_marks_give_back(struct ram_marks *m, const struct ram_map *map)
{
    host_lock_enter(&m->lock);
    map_put(CONTAINER_OF((struct ram_map *)(uintptr_t)map, struct map, map));
    host_lock_leave(&m->lock);
}

int ram_map_blank(uint64_t size, uint8_t **out)
{
    uint64_t len = ram_map_bytes(size);
    int err = reserve(len, out);
    if (!err && host_commit(*out, len, HOST_R | HOST_W)) {
        host_release(*out, len);
        *out = NULL;
        err = -ENOMEM;
    }
    return err;
}

int ram_map_copy(const struct ram_map *from, uint8_t **out)
{
    const struct map *map = CONTAINER_OF((struct ram_map *)(uintptr_t)from, struct map, map);
    int err = reserve(map->len, out);
    if (!err && host_map_fd(*out, map->len, HOST_R | HOST_W, map->fd, 0, false)) {
        host_release(*out, map->len);
        *out = NULL;
        err = -ENOMEM;
    }
    return err;
}
