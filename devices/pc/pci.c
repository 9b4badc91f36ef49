/* SPDX-License-Identifier: MIT */
/*
 * Configuration space, BARs and interrupt wires of PCI bus 0.
 *
 * Invariant: a BAR's region is mapped exactly while the command register
 * enables its space (a ROM: and its own bit) and it has an address.
 */
#include "devices/pc/pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pci {
    struct board_device dev;
    struct board *board;
    struct pci_function *function[256]; /* by devfn */
    uint32_t address;                   /* of CF8 */
    uint8_t reset_control;
    void (*set_pirq)(void *opaque, unsigned pirq, bool level);
    void *router;
};

static struct pci *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct pci, dev);
}

uint32_t pci_get(const struct pci_function *f, unsigned at, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)f->config[(at + i) & 255] << (8 * i);
    return value;
}

void pci_put(struct pci_function *f, unsigned at, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++)
        f->config[(at + i) & 255] = (uint8_t)(value >> (8 * i));
}

static void put_mask(struct pci_function *f, unsigned at, unsigned size, uint32_t mask)
{
    for (unsigned i = 0; i < size; i++)
        f->writable[(at + i) & 255] = (uint8_t)(mask >> (8 * i));
}

void pci_function_init(struct pci_function *f, const struct pci_identity *id)
{
    pci_put(f, 0x00, 2, id->vendor);
    pci_put(f, 0x02, 2, id->device);
    pci_put(f, 0x08, 1, id->revision);
    pci_put(f, 0x09, 3, id->class_code);
    pci_put(f, 0x0e, 1, id->header_type);
    pci_put(f, 0x2c, 2, id->subsystem_vendor);
    pci_put(f, 0x2e, 2, id->subsystem);
    pci_put(f, 0x3d, 1, id->pin);
    put_mask(f, PCI_COMMAND, 2,
             PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
    put_mask(f, 0x0c, 2, 0xffff); /* cache line, latency */
    put_mask(f, PCI_LINE, 1, 0xff);
}

static unsigned bar_register(unsigned bar)
{
    return bar == PCI_ROM ? 0x30 : 0x10 + 4 * bar;
}

void pci_function_set_bar(struct pci_function *f, unsigned bar, bool io, uint32_t len,
                          struct bus_region *region)
{
    unsigned at = bar_register(bar);
    BUG_ON(len & (len - 1), "a BAR's length is a power of two");
    f->bar[bar] = (struct pci_bar){len, io, region};
    pci_put(f, at, 4, io);
    put_mask(f, at, 4, ~(len - 1) | (bar == PCI_ROM));
}

static void map_bar(struct pci_function *f, unsigned bar)
{
    const struct pci_bar *b = &f->bar[bar];
    uint32_t value = pci_get(f, bar_register(bar), 4), base = value & ~(b->len - 1);
    bool on = f->config[PCI_COMMAND] & (b->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
    if (bar == PCI_ROM && !(value & 1))
        on = false;
    if (on && base && base != ~(b->len - 1))
        bus_region_map(b->region, base);
    else
        bus_region_unmap(b->region);
}

static void map_bars(struct pci_function *f)
{
    for (unsigned bar = 0; bar < PCI_BARS; bar++) {
        if (f->bar[bar].len)
            map_bar(f, bar);
    }
}

/* A wire of the bus is up while any function holds it up. */
static void update_pirq(struct pci *pci, unsigned pirq)
{
    bool level = false;
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        const struct pci_function *f = pci->function[devfn];
        if (!f || !f->intx || (pci_get(f, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX))
            continue;
        level |= ((devfn >> 3) - 1 + f->config[0x3d] - 1u) % 4 == pirq;
    }
    if (pci->set_pirq)
        pci->set_pirq(pci->router, pirq, level);
}

static void update_intx(struct pci_function *f)
{
    update_pirq(f->pci, ((f->devfn >> 3) - 1 + f->config[0x3d] - 1u) % 4);
}

void pci_set_intx(struct pci_function *f, bool level)
{
    if (f->intx == level)
        return;
    f->intx = level;
    f->config[PCI_STATUS] = (uint8_t)((f->config[PCI_STATUS] & ~8) | level << 3);
    update_intx(f);
}

bool pci_is_master(const struct pci_function *f)
{
    return f->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

void pci_write(struct pci_function *f, unsigned at, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++) {
        unsigned b = (at + i) & 255;
        uint8_t mask = f->writable[b];
        f->config[b] = (uint8_t)((f->config[b] & ~mask) | (value >> (8 * i) & mask));
    }
    map_bars(f);
    if (f->intx)
        update_intx(f);
    if (f->written)
        f->written(f, at, size);
}

void pci_add(struct pci *pci, unsigned devfn, struct pci_function *f)
{
    f->pci = pci;
    f->devfn = devfn;
    pci->function[devfn] = f;
    memcpy(f->initial, f->config, sizeof(f->initial));
}

void pci_set_router(struct pci *pci, void (*set_pirq)(void *opaque, unsigned pirq, bool level),
                    void *opaque)
{
    pci->set_pirq = set_pirq;
    pci->router = opaque;
}

/* The function that CF8 selects, or NULL. */
static struct pci_function *selected(const struct pci *pci)
{
    bool bus0 = (pci->address >> 16 & 0xff) == 0;
    return (pci->address >> 31) && bus0 ? pci->function[pci->address >> 8 & 255] : NULL;
}

static uint32_t address_read(void *opaque, uint32_t offset, unsigned size)
{
    struct pci *pci = opaque;
    if (size == 4 && offset == 0)
        return pci->address;
    return size == 1 && offset == 1 ? pci->reset_control : UINT32_MAX;
}

/* CF9 is the reset control register: bit 2 rising resets. */
static void address_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct pci *pci = opaque;
    if (size == 4 && offset == 0)
        pci->address = value & 0x80fffffc;
    if (size != 1 || offset != 1)
        return;
    if ((value & 4) && !(pci->reset_control & 4))
        board_ask(pci->board, BOARD_RESET, 0);
    pci->reset_control = value & 2;
}

static uint32_t data_read(void *opaque, uint32_t offset, unsigned size)
{
    struct pci *pci = opaque;
    const struct pci_function *f = selected(pci);
    return f ? pci_get(f, (pci->address & 0xfc) + offset, size) : UINT32_MAX;
}

static void data_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct pci *pci = opaque;
    struct pci_function *f = selected(pci);
    if (f)
        pci_write(f, (pci->address & 0xfc) + offset, size, value);
}

static const struct bus_ops address_ops = {address_read, address_write, 7};
static const struct bus_ops data_ops = {data_read, data_write, 7};

static void pci_reset(struct board_device *dev)
{
    struct pci *pci = self(dev);
    pci->address = 0;
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        struct pci_function *f = pci->function[devfn];
        if (!f)
            continue;
        memcpy(f->config, f->initial, sizeof(f->config));
        map_bars(f);
        pci_set_intx(f, false);
        if (f->written)
            f->written(f, 0, 256);
    }
}

static void pci_destroy(struct board_device *dev)
{
    free(self(dev));
}

void pci_reload(struct pci *pci)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        struct pci_function *f = pci->function[devfn];
        if (!f)
            continue;
        f->intx = f->config[PCI_STATUS] & 8;
        map_bars(f);
        if (f->written)
            f->written(f, 0, 256);
    }
    for (unsigned pirq = 0; pirq < 4; pirq++)
        update_pirq(pci, pirq);
}

static const struct state_field fields[] = {STATE_U(struct pci, address),
                                            STATE_U(struct pci, reset_control)};
static const struct state_list state = {"pci", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "pci", .reset = pci_reset, .destroy = pci_destroy, .state = &state};

int pci_create(struct board *board, struct pci **out)
{
    struct pci *pci = calloc(1, sizeof(*pci));
    if (!pci)
        return -ENOMEM;
    pci->dev.ops = &ops;
    pci->board = board;
    board_add(board, &pci->dev);
    *out = pci;
    int err = bus_add_ports(board->bus, "pci-address", 0xcf8, 4, &address_ops, pci);
    return err ? err : bus_add_ports(board->bus, "pci-data", 0xcfc, 4, &data_ops, pci);
}

/* Places for BARs where no firmware runs; the windows that the ACPI tables describe. */
struct places {
    uint32_t io, memory;
};

static void assign_bar(struct pci_function *f, unsigned bar, struct places *p)
{
    const struct pci_bar *b = &f->bar[bar];
    uint32_t *at = b->io ? &p->io : &p->memory;
    *at = (*at + b->len - 1) & ~(b->len - 1);
    pci_write(f, bar_register(bar), 4, *at);
    *at += b->len;
}

void pci_assign(struct pci *pci, const uint8_t pirq_irq[4])
{
    struct places places = {0xc000, 0xe0000000};
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        struct pci_function *f = pci->function[devfn];
        if (!f)
            continue;
        for (unsigned bar = 0; bar < PCI_ROM; bar++) {
            if (f->bar[bar].len)
                assign_bar(f, bar, &places);
        }
        if (f->config[0x3d])
            pci_write(f, PCI_LINE, 1, pirq_irq[((devfn >> 3) - 1 + f->config[0x3d] - 1u) % 4]);
        pci_write(f, PCI_COMMAND, 2,
                  pci_get(f, PCI_COMMAND, 2) | PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    }
}
