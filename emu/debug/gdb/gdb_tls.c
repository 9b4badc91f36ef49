/* SPDX-License-Identifier: MIT */
/*
 * Where a thread-local variable of a Linux program lies. The C library (glibc)
 * keeps a table per thread, the DTV, with the block of each module that has such
 * variables; modules are numbered in the order in which they were loaded, which
 * is that of the dynamic linker's list (struct link_map). All is the guest's
 * memory and may be nonsense: every walk is bounded.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define MAX_MODULES 512u
#define MAX_SEGMENTS 64u
#define NOT_ALLOCATED UINT32_MAX /* the thread has not touched the module's variables yet */
#define LINK_MAP_NEXT 12u
#define LINK_MAP_PREVIOUS 16u

struct tls {
    struct gdb *gdb;
    struct target *target;
};

static bool word(const struct tls *t, uint32_t at, uint32_t *out)
{
    return t->target->ops->read(t->target, TARGET_LINEAR, at, out, sizeof(*out)) == 0;
}

static bool thread_pointer(const struct tls *t, uint32_t tid, uint32_t *out)
{
    const struct target_thread *thread = gdb_find_thread(t->gdb, t->target, tid);
    const struct cpu *cpu = target_cpu(t->target);
    if (thread && !thread->running) {
        *out = thread->gs_base;
        return *out != 0;
    }
    return cpu->flat &&
           !t->target->ops->read(t->target, TARGET_PHYSICAL, cpu->flat->gs_base, out, 4) && *out;
}

/* Whether program headers in memory name a thread-local segment. */
static bool has_segment(const struct tls *t, uint32_t headers, uint32_t count)
{
    Elf32_Phdr ph;
    for (uint32_t i = 0; i < count && i < MAX_SEGMENTS; i++) {
        uint64_t at = headers + (uint64_t)i * sizeof(ph);
        if (t->target->ops->read(t->target, TARGET_LINEAR, at, &ph, sizeof(ph)))
            return false;
        if (ph.p_type == PT_TLS)
            return true;
    }
    return false;
}

/* Of a library, by the file header at its beginning. */
static bool library_has_segment(const struct tls *t, uint32_t base)
{
    Elf32_Ehdr h;
    return !t->target->ops->read(t->target, TARGET_LINEAR, base, &h, sizeof(h)) &&
           !memcmp(h.e_ident, ELFMAG, SELFMAG) && h.e_phentsize == sizeof(Elf32_Phdr) &&
           has_segment(t, base + h.e_phoff, h.e_phnum);
}

/* Of the program itself, by what the kernel told it of its headers. */
static bool program_has_segment(const struct tls *t)
{
    uint32_t headers, count;
    return gdb_auxv_word(t->gdb, t->target, AT_PHDR, &headers) &&
           gdb_auxv_word(t->gdb, t->target, AT_PHNUM, &count) && has_segment(t, headers, count);
}

static bool module_has_segment(const struct tls *t, uint32_t map, bool first)
{
    uint32_t base;
    if (first)
        return program_has_segment(t);
    return word(t, map, &base) && library_has_segment(t, base);
}

/* The number of the module whose link_map is given; 0: it has no such variables. */
static uint32_t module_number(const struct tls *t, uint32_t map)
{
    uint32_t head = map, at, number = 0;
    for (unsigned n = 0; n < MAX_MODULES && word(t, head + LINK_MAP_PREVIOUS, &at) && at; n++)
        head = at;
    for (unsigned n = 0; head && n < MAX_MODULES; n++) {
        bool has = module_has_segment(t, head, n == 0);
        number += has;
        if (head == map)
            return has ? number : 0;
        if (!word(t, head + LINK_MAP_NEXT, &head))
            break;
    }
    return 0;
}

static int find(const struct tls *t, uint32_t tid, uint32_t map, uint32_t *out)
{
    uint32_t pointer, table;
    uint32_t number = map ? module_number(t, map) : 1; /* a static program is its only one */
    if (!thread_pointer(t, tid, &pointer) || !number)
        return -ENOENT;
    if (!word(t, pointer + 4, &table) || !table || !word(t, table + 8 * number, out) || !*out ||
        *out == NOT_ALLOCATED)
        return -ENOENT;
    return 0;
}

/* qGetTLSAddr:THREAD,OFFSET,LINK-MAP */
void gdb_handle_tls(struct gdb *gdb, const char *packet)
{
    const char *at = packet + strlen("qGetTLSAddr:");
    struct gdb_thread_id id;
    uint64_t offset, map;
    uint32_t block;
    int err = -EINVAL;
    if (gdb_take_thread(gdb, &at, &id) && id.target && gdb_take_char(&at, ',') &&
        gdb_take_hex(&at, &offset) && gdb_take_char(&at, ',') && gdb_take_hex(&at, &map)) {
        const struct tls t = {gdb, id.target};
        err = gdb_is_linux(id.target) ? find(&t, id.tid, (uint32_t)map, &block) : -ENOTSUP;
    }
    if (err)
        gdb_put_error(gdb, err);
    else
        gdb_put_format(gdb, "%x", block + (uint32_t)offset);
}
