/* SPDX-License-Identifier: MIT */
/*
 * ACPI 1.0 tables (RSDP, RSDT, FACP, FACS, DSDT, APIC), and the few words of
 * AML that a kernel needs: \_S5 for power-off, the PCI root with its windows
 * and its interrupt routing to fixed inputs.
 */
#include "devices/pc/acpi_tables.h"

#include "devices/pc/chipset.h"

#include <string.h>

struct blob {
    uint8_t *data;
    size_t len, room;
};

static void put(struct blob *b, const void *data, size_t len)
{
    if (b->len + len <= b->room)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void put8(struct blob *b, uint8_t v)
{
    put(b, &v, 1);
}

static void put16(struct blob *b, uint16_t v)
{
    put8(b, (uint8_t)v);
    put8(b, (uint8_t)(v >> 8));
}

static void put32(struct blob *b, uint32_t v)
{
    put16(b, (uint16_t)v);
    put16(b, (uint16_t)(v >> 16));
}

static void fix32(struct blob *b, size_t at, uint32_t v)
{
    struct blob patch = {b->data, at, b->room};
    put32(&patch, v);
}

static void align(struct blob *b, size_t to)
{
    while (b->len % to)
        put8(b, 0);
}

/* The bytes [from, end) add up to zero with the one at `at`. */
static void fix_checksum(struct blob *b, size_t from, size_t end, size_t at)
{
    uint8_t sum = 0;
    if (end > b->room)
        return;
    b->data[at] = 0;
    for (size_t i = from; i < end; i++)
        sum = (uint8_t)(sum + b->data[i]);
    b->data[at] = (uint8_t)-sum;
}

static size_t begin_table(struct blob *b, const char *signature, uint8_t revision)
{
    align(b, 16);
    size_t at = b->len;
    put(b, signature, 4);
    put32(b, 0);
    put8(b, revision);
    put8(b, 0);
    put(b, "DENALI", 6);
    put(b, "DENALIPC", 8);
    put32(b, 1);
    put(b, "DNLI", 4);
    put32(b, 1);
    return at;
}

static void end_table(struct blob *b, size_t at)
{
    fix32(b, at + 4, (uint32_t)(b->len - at));
    fix_checksum(b, at, b->len, at + 9);
}

/* AML. A package length of two bytes: the low 4 bits, then the next 8; it counts itself. */
static size_t begin_package(struct blob *b)
{
    put16(b, 0);
    return b->len - 2;
}

static void end_package(struct blob *b, size_t at)
{
    size_t len = b->len - at;
    BUG_ON(len >= 1u << 12, "a package length of two bytes");
    if (at + 2 > b->room)
        return;
    b->data[at] = (uint8_t)(0x40 | (len & 15));
    b->data[at + 1] = (uint8_t)(len >> 4);
}

static void aml_name(struct blob *b, const char *name)
{
    put8(b, 0x08);
    put(b, name, 4);
}

static void aml_byte(struct blob *b, uint8_t v)
{
    put8(b, 0x0a);
    put8(b, v);
}

static void aml_dword(struct blob *b, uint32_t v)
{
    put8(b, 0x0c);
    put32(b, v);
}

static size_t aml_package(struct blob *b, uint8_t elements)
{
    put8(b, 0x12);
    size_t at = begin_package(b);
    put8(b, elements);
    return at;
}

static void aml_s5(struct blob *b)
{
    aml_name(b, "_S5_");
    size_t package = aml_package(b, 4);
    for (unsigned i = 0; i < 4; i++)
        aml_byte(b, 0);
    end_package(b, package);
}

static void aml_route(struct blob *b, unsigned slot, unsigned pin, uint8_t irq)
{
    size_t package = aml_package(b, 4);
    aml_dword(b, slot << 16 | 0xffff);
    aml_byte(b, (uint8_t)pin);
    aml_byte(b, 0);
    aml_byte(b, irq);
    end_package(b, package);
}

enum { ROUTED_SLOTS = 12 };

static void aml_prt(struct blob *b, const struct acpi_config *c)
{
    aml_name(b, "_PRT");
    size_t package = aml_package(b, ROUTED_SLOTS * 4);
    for (unsigned slot = 1; slot <= ROUTED_SLOTS; slot++) {
        for (unsigned pin = 0; pin < 4; pin++)
            aml_route(b, slot, pin, c->pirq_irq[(slot - 1 + pin) & 3]);
    }
    end_package(b, package);
}

/* Address space descriptors: words for buses and ports, double words for memory. */
static void word_space(struct blob *b, uint8_t type, uint8_t flags, uint16_t first, uint16_t last)
{
    put8(b, 0x88);
    put16(b, 13);
    put8(b, type);
    put8(b, 0x0c);
    put8(b, flags);
    put16(b, 0);
    put16(b, first);
    put16(b, last);
    put16(b, 0);
    put16(b, (uint16_t)(last - first + 1));
}

static void dword_space(struct blob *b, uint32_t first, uint32_t last)
{
    put8(b, 0x87);
    put16(b, 23);
    put8(b, 0);
    put8(b, 0x0c);
    put8(b, 1);
    put32(b, 0);
    put32(b, first);
    put32(b, last);
    put32(b, 0);
    put32(b, last - first + 1);
}

static void aml_crs(struct blob *b)
{
    uint8_t raw[256];
    struct blob r = {raw, 0, sizeof(raw)};
    word_space(&r, 2, 0, 0, 0xff);
    word_space(&r, 1, 3, 0, 0x0cf7);
    word_space(&r, 1, 3, 0x0d00, 0xffff);
    dword_space(&r, 0xa0000, 0xbffff);
    dword_space(&r, 0xe0000000, 0xfebfffff);
    put8(&r, 0x79); /* end, no checksum */
    put8(&r, 0);
    aml_name(b, "_CRS");
    put8(b, 0x11);
    size_t buffer = begin_package(b);
    aml_byte(b, (uint8_t)r.len);
    put(b, raw, r.len);
    end_package(b, buffer);
}

static void aml_pci(struct blob *b, const struct acpi_config *c)
{
    put8(b, 0x10); /* Scope */
    size_t scope = begin_package(b);
    put(b, "\\_SB_", 5);
    put(b, "\x5b\x82", 2); /* Device */
    size_t device = begin_package(b);
    put(b, "PCI0", 4);
    aml_name(b, "_HID");
    aml_dword(b, 0x030ad041); /* PNP0A03 */
    aml_name(b, "_ADR");
    aml_byte(b, 0);
    aml_crs(b);
    aml_prt(b, c);
    end_package(b, device);
    end_package(b, scope);
}

static size_t build_dsdt(struct blob *b, const struct acpi_config *c)
{
    size_t at = begin_table(b, "DSDT", 1);
    aml_s5(b);
    aml_pci(b, c);
    end_table(b, at);
    return at;
}

static size_t build_facs(struct blob *b)
{
    align(b, 64);
    size_t at = b->len;
    put(b, "FACS", 4);
    put32(b, 64);
    while (b->len < at + 64)
        put8(b, 0);
    return at;
}

static size_t build_fadt(struct blob *b, const struct acpi_config *c, size_t facs, size_t dsdt)
{
    size_t at = begin_table(b, "FACP", 1);
    put32(b, c->base + (uint32_t)facs);
    put32(b, c->base + (uint32_t)dsdt);
    put16(b, 0x0001); /* dual PIC */
    put16(b, PM_SCI);
    put32(b, 0xb2);
    put8(b, 0xf1);
    put8(b, 0xf0);
    put16(b, 0);
    put32(b, PM_BASE); /* PM1a event, -b, control, -b, PM2, timer, GPE0, GPE1 */
    put32(b, 0);
    put32(b, PM_BASE + 4);
    put32(b, 0);
    put32(b, 0);
    put32(b, PM_BASE + 8);
    put32(b, 0xafe0);
    put32(b, 0);
    put(b, "\x04\x02\x00\x04\x04\x00\x00\x00", 8); /* their lengths */
    put16(b, 0xfff);                               /* no C2, no C3 */
    put16(b, 0xfff);
    put32(b, 0);
    put16(b, 0);                           /* duty */
    put(b, "\x00\x00\x32\x00\x00\x00", 6); /* alarm bytes, century at 32h */
    put32(b, 1u << 0 | 1u << 2 | 1u << 5); /* WBINVD, C1, no sleep button */
    end_table(b, at);
    return at;
}

/* An ISA interrupt that is wired otherwise: the timer to input 2, PCI's as active high levels. */
static void put_override(struct blob *b, uint8_t irq, uint32_t input, uint16_t flags)
{
    put8(b, 2);
    put8(b, 10);
    put8(b, 0);
    put8(b, irq);
    put32(b, input);
    put16(b, flags);
}

static size_t build_madt(struct blob *b)
{
    static const uint8_t level[] = {5, 9, 10, 11};
    size_t at = begin_table(b, "APIC", 1);
    put32(b, 0xfee00000);
    put32(b, 1);                                   /* with PICs */
    put(b, "\x00\x08\x00\x00\x01\x00\x00\x00", 8); /* processor 0, APIC 0, enabled */
    put(b, "\x01\x0c\x00\x00", 4);
    put32(b, 0xfec00000);
    put32(b, 0);
    put_override(b, 0, 2, 0);
    for (unsigned i = 0; i < ARRAY_LEN(level); i++)
        put_override(b, level[i], level[i], 0x0d);
    put(b, "\x04\x06\xff\x00\x00\x01", 6); /* NMI at LINT1 */
    end_table(b, at);
    return at;
}

size_t acpi_build(const struct acpi_config *c, uint8_t *out, size_t room)
{
    struct blob b = {out, 36, room};
    size_t facs = build_facs(&b), dsdt = build_dsdt(&b, c);
    size_t fadt = build_fadt(&b, c, facs, dsdt), madt = c->apic ? build_madt(&b) : 0;
    size_t rsdt = begin_table(&b, "RSDT", 1);
    put32(&b, c->base + (uint32_t)fadt);
    if (madt)
        put32(&b, c->base + (uint32_t)madt);
    end_table(&b, rsdt);
    size_t len = b.len;
    b.len = 0;
    put(&b, "RSD PTR ", 8);
    put8(&b, 0);
    put(&b, "DENALI", 6);
    put8(&b, 0);
    put32(&b, c->base + (uint32_t)rsdt);
    if (len > room)
        return 0;
    fix_checksum(&b, 0, 20, 8);
    return len;
}
