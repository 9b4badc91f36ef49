/* SPDX-License-Identifier: MIT */
/* Machines with names: kept until they are forgotten, however the history goes on. */
#include "denali/record/history_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct machine *find(const struct history *h, const char *name)
{
    for (size_t i = 0; i < h->names; i++) {
        if (!strcmp(h->named[i].name, name))
            return &h->named[i];
    }
    return NULL;
}

static int no_such(const char *name, struct why *why)
{
    return why_fail(why, -ENOENT, "there is no snapshot \"%s\"", name);
}

int history_forget(struct history *h, const char *name, struct why *why)
{
    struct machine *m = find(h, name);
    if (!m)
        return no_such(name, why);
    machine_free(h, m);
    h->names--;
    memmove(m, m + 1, (size_t)(&h->named[h->names] - m) * sizeof(*m));
    return 0;
}

static int make_room(struct history *h)
{
    if (h->names < h->names_room)
        return 0;
    size_t room = h->names_room ? 2 * h->names_room : 8;
    struct machine *bigger = realloc(h->named, room * sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    h->named = bigger;
    h->names_room = room;
    return 0;
}

/* A name that is given again means the new machine. */
int history_save(struct history *h, const char *name, struct why *why)
{
    struct machine m = {.state = NULL};
    int err = history_settle_change(h);
    if (!err)
        err = make_room(h);
    if (!err)
        err = machine_take(h, &m);
    if (!err && !(m.name = strdup(name))) {
        machine_free(h, &m);
        err = -ENOMEM;
    }
    if (err)
        return why_fail(why, err, "cannot keep a snapshot: %s", strerror(-err));
    if (find(h, name) && history_forget(h, name, why))
        return -ENOENT;
    h->named[h->names++] = m;
    return 0;
}

/* One of this history is a place in it; another one is where a new future begins. */
int history_restore(struct history *h, const char *name, struct why *why)
{
    struct machine *m = find(h, name);
    if (!m)
        return no_such(name, why);
    bool mine = m->age == h->age && m->icount <= h->last && m->icount >= history_first(h);
    int err = history_settle_change(h);
    if (!err)
        err = mine ? machine_put_back(h, m) : machine_put_other(h, m);
    h->seam_icount = m->icount;
    return err ? why_fail(why, err, "cannot restore \"%s\": %s", name, strerror(-err)) : 0;
}

bool history_saved(const struct history *h, unsigned n, struct history_saved *out)
{
    if (n >= h->names)
        return false;
    const struct machine *m = &h->named[n];
    *out = (struct history_saved){m->name, m->icount, pages_own_bytes(m->pages)};
    return true;
}

int history_read(const struct history *h, const char *name, gpa_t gpa, void *out, uint64_t len)
{
    const struct machine *m = find(h, name);
    uint8_t *to = out;
    if (!m)
        return -ENOENT;
    if (gpa > h->vm->mem_bytes || len > h->vm->mem_bytes - gpa)
        return -EFAULT;
    while (len) {
        uint64_t at = gpa & PAGE_MASK, n = len < PAGE_SIZE - at ? len : PAGE_SIZE - at;
        const uint8_t *page = pages_at(m->pages, (uint32_t)(gpa >> PAGE_BITS));
        if (page)
            memcpy(to, page + at, n);
        else
            memset(to, 0, n);
        gpa += n;
        to += n;
        len -= n;
    }
    return 0;
}

int history_read_cpu(const struct history *h, const char *name, struct cpu *out)
{
    const struct machine *m = find(h, name);
    memset(out, 0, sizeof(*out));
    return m ? vm_state_read_cpu(m->state, h->state_bytes, out) : -ENOENT;
}

int history_diff(struct history *h, const char *name, gpa_t *page)
{
    const struct machine *m = find(h, name);
    uint32_t number = (uint32_t)(*page >> PAGE_BITS);
    int err = m ? pages_differ(m->pages, h->vm, &number) : -ENOENT;
    *page = (gpa_t)number << PAGE_BITS;
    return err;
}
