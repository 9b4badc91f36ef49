/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM as a window of host address space (the picture is in ram.h).
 *
 * Invariants: the host's protection of a page is the guest's rights, less the
 * write right while the page is marked as code; nothing of the window outside
 * RAM is ever accessible. `denied` is zero for an ordinary page, so that a
 * large RAM that nobody protects costs no memory for it.
 */
#include "emu/machine/ram.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ram {
    struct ram_view view;
    uint8_t *denied;
    ram_code_write_fn on_code_write;
    void *on_code_write_opaque;
};
_Static_assert(offsetof(struct ram, view) == 0, "ram_view() casts");

static uint8_t *reservation(const struct ram *ram)
{
    return ram->view.base - RAM_GUARD;
}

/* Window, guards and context; `base` aligned to RAM_WINDOW, so the unaligned head is given back. */
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
    int err = host_commit(ram_context(ram), RAM_CONTEXT, HOST_R | HOST_W);
    if (!err && size)
        err = host_commit(ram->view.base, size, HOST_R | HOST_W);
    return err;
}

int ram_create(uint64_t size, struct ram **out)
{
    if (size % PAGE_SIZE || size > RAM_WINDOW - 64 * KIB)
        return -EINVAL;
    struct ram *ram = calloc(1, sizeof(*ram));
    if (!ram)
        return -ENOMEM;

    int err = -ENOMEM;
    ram->view.pages = (uint32_t)(size >> PAGE_BITS);
    ram->denied = calloc(ram->view.pages + 1u, 1);
    ram->view.denied = ram->denied;
    if (ram->denied)
        err = reserve_window(ram);
    if (!err)
        err = commit_window(ram, size);
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
    free(ram->denied);
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
    return reservation(ram);
}

static bool inside(const struct ram *ram, gpa_t gpa, uint64_t len)
{
    uint64_t size = ram_size(ram);
    return gpa <= size && len <= size - gpa;
}

static unsigned host_rights(unsigned denied)
{
    unsigned prot = (denied & RAM_DENIED_READ) ? HOST_NONE : HOST_R;
    return (denied & (RAM_DENIED_WRITE | RAM_DENIED_CODE | RAM_DENIED_READ)) ? prot : prot | HOST_W;
}

/* Brings the host's protection in line with `denied`, one call for each run of equal pages. */
static int apply_rights(struct ram *ram, uint64_t first, uint64_t end)
{
    while (first < end) {
        unsigned prot = host_rights(ram->denied[first]);
        uint64_t run = first + 1;
        while (run < end && host_rights(ram->denied[run]) == prot)
            run++;
        int err = host_protect(ram->view.base + first * PAGE_SIZE, (run - first) * PAGE_SIZE, prot);
        if (err)
            return err;
        first = run;
    }
    return 0;
}

static uint8_t denied_bits(unsigned prot)
{
    if (!(prot & HOST_R))
        return RAM_DENIED_READ | RAM_DENIED_WRITE;
    return (prot & HOST_W) ? 0 : RAM_DENIED_WRITE;
}

int ram_set_access(struct ram *ram, gpa_t gpa, uint64_t len, unsigned prot)
{
    if (gpa % PAGE_SIZE || len % PAGE_SIZE || !inside(ram, gpa, len))
        return -EINVAL;
    uint64_t first = gpa >> PAGE_BITS, end = (gpa + len) >> PAGE_BITS;
    uint8_t bits = denied_bits(prot);
    for (uint64_t page = first; page < end; page++)
        ram->denied[page] = (ram->denied[page] & RAM_DENIED_CODE) | bits;
    return apply_rights(ram, first, end);
}

unsigned ram_access(const struct ram *ram, gpa_t gpa)
{
    if (!inside(ram, gpa, 1))
        return HOST_NONE;
    return host_rights(ram->denied[gpa >> PAGE_BITS] & ~(unsigned)RAM_DENIED_CODE);
}

int ram_mark_code(struct ram *ram, gpa_t page, bool code)
{
    if (page % PAGE_SIZE || !inside(ram, page, PAGE_SIZE))
        return -EINVAL;
    uint64_t index = page >> PAGE_BITS;
    uint8_t bits = ram->denied[index] & (RAM_DENIED_READ | RAM_DENIED_WRITE);
    if (code)
        bits |= RAM_DENIED_CODE;
    if (bits == ram->denied[index])
        return 0;
    ram->denied[index] = bits;
    return apply_rights(ram, index, index + 1);
}

bool ram_is_code(const struct ram *ram, gpa_t page)
{
    return inside(ram, page, 1) && (ram->denied[page >> PAGE_BITS] & RAM_DENIED_CODE);
}

void ram_on_code_write(struct ram *ram, ram_code_write_fn fn, void *opaque)
{
    ram->on_code_write = fn;
    ram->on_code_write_opaque = opaque;
}

/* The union of what is denied on the pages of a range inside RAM. */
static unsigned range_denied(const struct ram *ram, gpa_t gpa, uint64_t len)
{
    unsigned denied = 0;
    for (gpa_t page = gpa >> PAGE_BITS; len && page <= (gpa + len - 1) >> PAGE_BITS; page++)
        denied |= ram->denied[page];
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
    while (!err && page < end) {
        unsigned prot = host_rights(ram->denied[page]);
        uint64_t run = page + 1;
        while (run < end && host_rights(ram->denied[run]) == prot)
            run++;
        err = host_commit(ram->view.base + page * PAGE_SIZE, (run - page) * PAGE_SIZE, prot);
        page = run;
    }
    return err;
}

void *ram_span_write(struct ram *ram, gpa_t gpa, uint64_t len)
{
    if (!inside(ram, gpa, len))
        return NULL;
    unsigned denied = range_denied(ram, gpa, len);
    if (denied & (RAM_DENIED_READ | RAM_DENIED_WRITE))
        return NULL;
    if ((denied & RAM_DENIED_CODE) && unmark_range(ram, gpa, len))
        return NULL;
    return ram->view.base + gpa;
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
    void *to = ram_span_write(ram, gpa, len);
    if (!to)
        return -EFAULT;
    memcpy(to, src, len);
    return 0;
}
