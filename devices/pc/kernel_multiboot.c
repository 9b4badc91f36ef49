/* SPDX-License-Identifier: MIT */
/*
 * Multiboot 1 (the specification 0.6.96). Segments go where the kernel says,
 * anywhere in RAM; what the loader adds (information, strings, map, modules) goes
 * where they are not: behind them above 1 MiB.
 */
#include "devices/pc/kernel.h"

#include <errno.h>
#include <string.h>

#define SEARCH 8192u
#define MAGIC 0x1badb002u
#define ANSWER 0x2badb002u

enum { WANTS_ALIGN = 1, WANTS_MEMORY = 2, WANTS_VIDEO = 4, HAS_ADDRESSES = 0x10000 };
enum {
    INFO_MEMORY = 1,
    INFO_DEVICE = 2,
    INFO_TEXT = 4,
    INFO_MODULES = 8,
    INFO_SECTIONS = 0x20,
    INFO_MAP = 0x40,
    INFO_NAME = 0x200
};
#define INFO_LEN 120u

struct load {
    const struct kernel_config *c;
    struct ram *ram;
    struct why *why;
    uint64_t end; /* of what lies above 1 MiB */
    uint32_t entry;
    uint32_t sections, section_count, section_size, section_names; /* what was put where */
};

int64_t kernel_find_multiboot(const struct kernel_config *c)
{
    for (size_t at = 0; at + 12 <= c->len && at < SEARCH; at += 4) {
        const uint8_t *h = c->data + at;
        if (kernel_get(h, 4) == MAGIC &&
            kernel_get(h, 4) + kernel_get(h + 4, 4) + kernel_get(h + 8, 4) == 0)
            return (int64_t)at;
    }
    return -1;
}

static int bad(struct load *l, const char *what)
{
    return why_fail(l->why, -ENOEXEC, "the Multiboot kernel %s is damaged: %s", l->c->name, what);
}

/* File bytes and zeroes behind them, at a physical address. */
static int put_segment(struct load *l, uint64_t to, uint64_t from, uint64_t file_len, uint64_t len)
{
    if (from > l->c->len || file_len > l->c->len - from || file_len > len)
        return bad(l, "a segment lies outside the file");
    if (!len)
        return 0;
    if (to >= ram_size(l->ram) || len > ram_size(l->ram) - to)
        return why_fail(l->why, -ENOEXEC,
                        "%s wants %llu bytes at %#llx, and the machine has memory up to %#llx",
                        l->c->name, (unsigned long long)len, (unsigned long long)to,
                        (unsigned long long)ram_size(l->ram));
    uint8_t *at = ram_span_write(l->ram, to, len);
    BUG_ON(!at, "inside RAM");
    memcpy(at, l->c->data + from, file_len);
    memset(at + file_len, 0, len - file_len);
    if (to + len > l->end)
        l->end = to + len;
    return 0;
}

/* The header's own addresses (flag 16). */
static int load_by_addresses(struct load *l, size_t at)
{
    const uint8_t *h = l->c->data + at;
    if (l->c->len < at + 32)
        return bad(l, "its header is cut off");
    uint32_t header = kernel_get(h + 12, 4), load = kernel_get(h + 16, 4);
    uint32_t load_end = kernel_get(h + 20, 4), bss_end = kernel_get(h + 24, 4);
    l->entry = kernel_get(h + 28, 4);
    if (load > header || header - load > at)
        return bad(l, "its load address lies behind its header");
    uint64_t from = at - (header - load);
    uint64_t file_len = load_end ? (uint64_t)load_end - load : l->c->len - from;
    if (load_end && load_end < load)
        return bad(l, "it ends before it begins");
    uint64_t len = bss_end ? (uint64_t)bss_end - load : file_len;
    if ((bss_end && bss_end < load) || len < file_len)
        return bad(l, "its memory ends before its contents");
    return put_segment(l, load, from, file_len, len);
}

static int load_segments(struct load *l, const uint8_t *elf)
{
    uint32_t table = kernel_get(elf + 28, 4), size = kernel_get(elf + 42, 2);
    uint32_t count = kernel_get(elf + 44, 2);
    bool entered = false;
    if (size < 32 || table > l->c->len || (uint64_t)size * count > l->c->len - table)
        return bad(l, "its program headers lie outside the file");
    l->entry = kernel_get(elf + 24, 4);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = elf + table + i * size;
        uint32_t offset = kernel_get(p + 4, 4), virt = kernel_get(p + 8, 4);
        uint32_t phys = kernel_get(p + 12, 4), file_len = kernel_get(p + 16, 4);
        uint32_t len = kernel_get(p + 20, 4), entry = kernel_get(elf + 24, 4);
        if (kernel_get(p, 4) != 1)
            continue;
        int err = put_segment(l, phys, offset, file_len, len);
        if (err)
            return err;
        if (!entered && entry - virt < len && (entry - phys >= len)) { /* a virtual entry */
            l->entry = entry - virt + phys;
            entered = true;
        }
    }
    return 0;
}

static int load_elf(struct load *l)
{
    const uint8_t *elf = l->c->data;
    if (l->c->len < 52 || memcmp(elf, "\177ELF", 4))
        return bad(l, "it is no ELF file, and its header has no addresses");
    if (elf[4] != 1 || elf[5] != 1 || kernel_get(elf + 18, 2) != 3)
        return why_fail(l->why, -ENOEXEC, "%s is not an ELF file for the 32-bit PC", l->c->name);
    return load_segments(l, elf);
}

/* Room above 1 MiB, behind everything; 0: none. */
static uint32_t take(struct load *l, uint64_t len, uint64_t align)
{
    uint64_t at = (l->end + align - 1) & ~(align - 1);
    if (at > ram_size(l->ram) || len > ram_size(l->ram) - at) {
        why_fail(l->why, -ENOEXEC, "the machine's memory is too small for %s and its modules",
                 l->c->name);
        return 0;
    }
    l->end = at + len;
    return (uint32_t)at;
}

static uint32_t put_bytes(struct load *l, const void *data, size_t len, uint64_t align)
{
    uint32_t at = take(l, len, align);
    return at && !ram_write(l->ram, at, data, len) ? at : 0;
}

/* `a`, and `b` behind a blank. */
static uint32_t put_string(struct load *l, const char *a, const char *b)
{
    size_t n = strlen(a), m = b ? strlen(b) : 0;
    uint32_t at = take(l, n + m + 2, 4);
    int err = at ? ram_write(l->ram, at, a, n + 1) : -ENOSPC;
    if (!err && b)
        err = ram_write(l->ram, at + n, " ", 1);
    if (!err && b)
        err = ram_write(l->ram, at + n + 1, b, m + 1);
    return err ? 0 : at;
}

static bool put_modules(struct load *l, uint8_t *info)
{
    uint8_t list[16 * KERNEL_MAX_MODULES] = {0};
    for (unsigned i = 0; i < l->c->modules; i++) {
        const struct kernel_module *m = &l->c->module[i];
        uint32_t text = put_string(l, m->text ? m->text : "", NULL);
        uint32_t at = put_bytes(l, m->data, m->len, PAGE_SIZE);
        if (!text || !at)
            return false;
        kernel_put(list + 16 * i, 4, at);
        kernel_put(list + 16 * i + 4, 4, at + m->len);
        kernel_put(list + 16 * i + 8, 4, text);
    }
    if (!l->c->modules)
        return true;
    uint32_t at = put_bytes(l, list, 16 * l->c->modules, 16);
    kernel_put(info + 20, 4, l->c->modules);
    kernel_put(info + 24, 4, at);
    return at;
}

static bool put_map(struct load *l, uint8_t *info)
{
    struct kernel_range range[8];
    uint8_t map[8 * 24];
    unsigned n = kernel_memory_map(ram_size(l->ram), range);
    for (unsigned i = 0; i < n; i++) {
        kernel_put(map + 24 * i, 4, 20);
        kernel_put(map + 24 * i + 4, 8, range[i].base);
        kernel_put(map + 24 * i + 12, 8, range[i].len);
        kernel_put(map + 24 * i + 20, 4, range[i].type);
    }
    uint32_t at = put_bytes(l, map, 24 * n, 16);
    kernel_put(info + 44, 4, 24 * n);
    kernel_put(info + 48, 4, at);
    return at;
}

/* The ELF file's sections that are not loaded anyhow (symbols), as debuggers in kernels want them.
 * What is odd about them only costs them. */
static void put_sections(struct load *l, uint8_t *info)
{
    const uint8_t *elf = l->c->data;
    uint32_t table = kernel_get(elf + 32, 4), size = kernel_get(elf + 46, 2);
    uint32_t count = kernel_get(elf + 48, 2);
    if (size < 40 || !count || table > l->c->len || (uint64_t)size * count > l->c->len - table)
        return;
    uint32_t headers = put_bytes(l, elf + table, (size_t)size * count, 16);
    for (uint32_t i = 0; headers && i < count; i++) {
        const uint8_t *s = elf + table + i * size;
        uint32_t address = kernel_get(s + 12, 4), from = kernel_get(s + 16, 4);
        uint32_t len = kernel_get(s + 20, 4), type = kernel_get(s + 4, 4);
        if (address || !len || type == 8 || from > l->c->len || len > l->c->len - from)
            continue;
        uint32_t at = put_bytes(l, elf + from, len, 16);
        uint8_t raw[4];
        kernel_put(raw, 4, at);
        if (!at || ram_write(l->ram, headers + i * size + 12, raw, 4))
            return;
    }
    if (!headers)
        return;
    kernel_put(info, 4, kernel_get(info, 4) | INFO_SECTIONS);
    kernel_put(info + 28, 4, count);
    kernel_put(info + 32, 4, size);
    kernel_put(info + 36, 4, headers);
    kernel_put(info + 40, 4, kernel_get(elf + 50, 2));
}

static int put_information(struct load *l, bool elf, struct kernel_start *out)
{
    uint8_t info[INFO_LEN] = {0};
    uint32_t flags = INFO_MEMORY | INFO_TEXT | INFO_MAP | INFO_NAME;
    uint64_t upper = (ram_size(l->ram) - MIB) >> 10;
    flags |= l->c->has_disk ? INFO_DEVICE : 0;
    flags |= l->c->modules ? INFO_MODULES : 0;
    kernel_put(info, 4, flags);
    kernel_put(info + 4, 4, KERNEL_LOW_END >> 10);
    kernel_put(info + 8, 4, upper);
    kernel_put(info + 12, 4, l->c->has_disk ? 0x80ffffff : 0);
    uint32_t text = put_string(l, l->c->name, l->c->append);
    uint32_t name = put_string(l, "denali", NULL);
    kernel_put(info + 16, 4, text);
    kernel_put(info + 64, 4, name);
    if (!text || !name || !put_map(l, info) || !put_modules(l, info))
        return -ENOEXEC;
    if (elf)
        put_sections(l, info);
    out->ebx = put_bytes(l, info, sizeof(info), 16);
    return out->ebx ? 0 : -ENOEXEC;
}

int kernel_load_multiboot(const struct kernel_config *c, struct ram *ram, struct kernel_start *out,
                          struct why *why)
{
    struct load l = {.c = c, .ram = ram, .why = why, .end = MIB};
    size_t at = (size_t)kernel_find_multiboot(c);
    uint32_t flags = kernel_get(c->data + at + 4, 4);
    if (flags & 0xffff & ~(WANTS_ALIGN | WANTS_MEMORY | WANTS_VIDEO))
        return why_fail(why, -ENOEXEC, "%s wants what this Multiboot loader lacks (flags %#x)",
                        c->name, flags);
    bool by_addresses = flags & HAS_ADDRESSES;
    int err = by_addresses ? load_by_addresses(&l, at) : load_elf(&l);
    if (!err)
        err = put_information(&l, !by_addresses, out);
    if (err)
        return err;
    out->eip = l.entry;
    out->eax = ANSWER;
    out->esp = 0; /* the kernel sets its own */
    return 0;
}
