/* SPDX-License-Identifier: MIT */
/*
 * Linux by its 32-bit boot protocol (Documentation/x86/boot.rst):
 *
 *      1000h   GDT          20000h  command line     1 MiB  kernel
 *     10000h   boot_params                            top    initrd
 */
#include "devices/pc/kernel.h"

#include <errno.h>
#include <string.h>

#define GDT_AT 0x1000u
#define PARAMS_AT 0x10000u
#define TEXT_AT 0x20000u
#define TEXT_MAX 0x10000u
#define CODE_AT 0x100000u
#define HEADER_END 0x300u /* in the file: no field of the header lies behind it */

bool kernel_is_linux(const struct kernel_config *c)
{
    return c->len >= 0x206 && !memcmp(c->data + 0x202, "HdrS", 4);
}

struct header {
    uint32_t setup_bytes, version, flags, text_max, pref, init_size, initrd_max;
};

static int read_header(const struct kernel_config *c, struct header *h, struct why *why)
{
    const uint8_t *d = c->data;
    if (c->len < HEADER_END)
        return why_fail(why, -ENOEXEC, "the kernel %s is cut off", c->name);
    uint32_t sectors = d[0x1f1] ? d[0x1f1] : 4;
    h->setup_bytes = (sectors + 1) * 512;
    h->version = kernel_get(d + 0x206, 2);
    h->flags = d[0x211];
    if (c->len < h->setup_bytes + 512)
        return why_fail(why, -ENOEXEC, "the kernel %s is cut off", c->name);
    if (h->version < 0x202)
        return why_fail(why, -ENOEXEC,
                        "the kernel %s has boot protocol %u.%02u; 2.02 or later is needed", c->name,
                        h->version >> 8, h->version & 255);
    if (!(h->flags & 1))
        return why_fail(why, -ENOEXEC, "the kernel %s is a zImage; a bzImage is needed", c->name);
    if (h->version >= 0x204) {
        uint64_t want = (uint64_t)kernel_get(d + 0x1f4, 4) * 16;
        if (c->len - h->setup_bytes + 15 < want) /* it is told in whole paragraphs */
            return why_fail(why, -ENOEXEC, "the kernel %s is cut off: %zu bytes of code, not %llu",
                            c->name, c->len - h->setup_bytes, (unsigned long long)want);
    }
    h->initrd_max = h->version >= 0x203 ? kernel_get(d + 0x22c, 4) : 0x37ffffff;
    h->text_max = h->version >= 0x206 ? kernel_get(d + 0x238, 4) : 255;
    h->pref = h->version >= 0x20a ? kernel_get(d + 0x258, 4) : CODE_AT;
    h->init_size = h->version >= 0x20a ? kernel_get(d + 0x260, 4) : (uint32_t)c->len * 4;
    return 0;
}

static int put_text(const struct kernel_config *c, const struct header *h, struct ram *ram,
                    struct why *why)
{
    const char *text = c->append ? c->append : "";
    size_t len = strlen(text);
    if (len > h->text_max || len >= TEXT_MAX)
        return why_fail(why, -ENOEXEC, "the kernel takes a command line of %u bytes, not %zu",
                        h->text_max, len);
    return ram_write(ram, TEXT_AT, text, len + 1);
}

/* As high as the kernel can reach. */
static int put_initrd(const struct kernel_config *c, const struct header *h, struct ram *ram,
                      uint8_t *params, struct why *why)
{
    uint64_t top = ram_size(ram), end = (uint64_t)h->pref + h->init_size;
    if (!c->modules)
        return 0;
    if (top > (uint64_t)h->initrd_max + 1)
        top = (uint64_t)h->initrd_max + 1;
    size_t len = c->module[0].len;
    uint64_t at = len < top ? (top - len) & ~(uint64_t)PAGE_MASK : 0;
    if (at < end)
        return why_fail(why, -ENOEXEC, "the kernel and its initrd need more memory than %llu MiB",
                        (unsigned long long)(ram_size(ram) >> 20));
    kernel_put(params + 0x218, 4, at);
    kernel_put(params + 0x21c, 4, len);
    return ram_write(ram, at, c->module[0].data, len);
}

static void put_memory_map(uint8_t *params, uint64_t ram_bytes)
{
    struct kernel_range range[8];
    unsigned n = kernel_memory_map(ram_bytes, range);
    params[0x1e8] = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *e = params + 0x2d0 + 20 * i;
        kernel_put(e, 8, range[i].base);
        kernel_put(e + 8, 8, range[i].len);
        kernel_put(e + 16, 4, range[i].type);
    }
    uint64_t high = (ram_bytes - MIB) >> 10;
    kernel_put(params + 0x02, 2, high > 0xffff ? 0xffff : high);
    kernel_put(params + 0x1e0, 4, high);
}

/* A VGA in text mode 3, 80 by 25. */
static void put_screen(uint8_t *params)
{
    params[0x06] = 3;
    params[0x07] = 80;
    params[0x0e] = 25;
    params[0x0f] = 1;
    kernel_put(params + 0x10, 2, 16);
}

static void put_header(const struct kernel_config *c, const struct header *h, uint8_t *params)
{
    size_t end = 0x202u + c->data[0x201];
    end = end > 0x290 ? 0x290 : end;
    memcpy(params + 0x1f1, c->data + 0x1f1, end - 0x1f1);
    params[0x210] = 0xff; /* a loader without a number */
    params[0x211] = (uint8_t)(h->flags & ~0x20u);
    kernel_put(params + 0x214, 4, CODE_AT);
    kernel_put(params + 0x228, 4, TEXT_AT);
}

static int put_segments(struct ram *ram)
{
    static const uint8_t gdt[32] = {[16] = 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0,
                                    0xff,        0xff, 0, 0, 0, 0x93, 0xcf, 0};
    return ram_write(ram, GDT_AT, gdt, sizeof(gdt));
}

int kernel_load_linux(const struct kernel_config *c, struct ram *ram, struct kernel_start *out,
                      struct why *why)
{
    static const size_t params_len = 4096;
    struct header h = {0};
    int err = read_header(c, &h, why);
    if (err)
        return err;
    size_t code = c->len - h.setup_bytes;
    uint64_t need = (uint64_t)h.pref + h.init_size, plain = CODE_AT + (uint64_t)code;
    need = need > plain ? need : plain;
    if (need > ram_size(ram))
        return why_fail(why, -ENOEXEC, "the kernel %s needs at least %llu MiB of memory", c->name,
                        (unsigned long long)((need + MIB - 1) >> 20));
    uint8_t *params = ram_span_write(ram, PARAMS_AT, params_len);
    BUG_ON(!params, "a PC has more than 1 MiB");
    memset(params, 0, params_len);
    put_header(c, &h, params);
    put_screen(params);
    put_memory_map(params, ram_size(ram));
    err = put_text(c, &h, ram, why);
    if (!err)
        err = put_initrd(c, &h, ram, params, why);
    if (!err)
        err = ram_write(ram, CODE_AT, c->data + h.setup_bytes, code);
    if (!err)
        err = put_segments(ram);
    *out = (struct kernel_start){.eip = CODE_AT, .esi = PARAMS_AT, .esp = 0x90000, .gdt = GDT_AT};
    return err;
}
