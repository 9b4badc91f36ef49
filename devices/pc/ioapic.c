/* SPDX-License-Identifier: MIT */
/*
 * 82093AA: 24 inputs, each with a redirection entry. Polarity is ignored: a
 * raised line is an active one. Level inputs that are still up after the end of their
 * interrupt are sent again.
 */
#include "devices/pc/apic.h"

#include <errno.h>
#include <stdlib.h>

#define BASE 0xfec00000u
#define INPUTS 24u

enum { MASKED = 1 << 16, LEVEL = 1 << 15, REMOTE_IRR = 1 << 14, LOGICAL = 1 << 11 };

struct ioapic {
    struct board_device dev;
    struct lapic *lapic;
    uint64_t entry[INPUTS];
    uint32_t lines, id;
    uint8_t select;
};

static void send(struct ioapic *io, unsigned i)
{
    uint64_t e = io->entry[i];
    bool level = e & LEVEL;
    if ((e & MASKED) || (level && (e & REMOTE_IRR)))
        return;
    if (level)
        io->entry[i] |= REMOTE_IRR;
    lapic_deliver(io->lapic, (uint8_t)e, e >> 8 & 7, level, (uint8_t)(e >> 56), e & LOGICAL);
}

static void serve_level(struct ioapic *io, unsigned i)
{
    if ((io->lines >> i & 1) && (io->entry[i] & LEVEL))
        send(io, i);
}

static void line_set(void *opaque, unsigned i, bool level)
{
    struct ioapic *io = opaque;
    bool rises = level && !(io->lines >> i & 1);
    io->lines = level ? io->lines | 1u << i : io->lines & ~(1u << i);
    if (rises)
        send(io, i);
}

struct irq_line ioapic_line(struct ioapic *io, unsigned input)
{
    return (struct irq_line){line_set, io, input};
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
    for (unsigned i = 0; i < INPUTS; i++) {
        if ((io->entry[i] & REMOTE_IRR) && (uint8_t)io->entry[i] == vector) {
            io->entry[i] &= ~(uint64_t)REMOTE_IRR;
            serve_level(io, i);
        }
    }
}

static uint32_t read_register(const struct ioapic *io)
{
    unsigned at = io->select;
    if (at >= 0x10 && at < 0x10 + 2 * INPUTS)
        return (uint32_t)(io->entry[(at - 0x10) / 2] >> (at & 1 ? 32 : 0));
    if (at == 1)
        return (INPUTS - 1) << 16 | 0x11;
    return at == 0 || at == 2 ? io->id : 0;
}

static void write_entry(struct ioapic *io, unsigned i, bool high, uint32_t v)
{
    uint64_t old = io->entry[i];
    uint32_t read_only = REMOTE_IRR | 1u << 12;
    if (high)
        io->entry[i] = (old & UINT32_MAX) | (uint64_t)(v & 0xff000000) << 32;
    else
        io->entry[i] =
            (old & 0xffffffff00000000u) | (v & 0x1ffff & ~read_only) | ((uint32_t)old & read_only);
    if (!(io->entry[i] & LEVEL))
        io->entry[i] &= ~(uint64_t)REMOTE_IRR;
    serve_level(io, i);
}

static void write_register(struct ioapic *io, uint32_t v)
{
    unsigned at = io->select;
    if (at == 0)
        io->id = v & 0x0f000000;
    else if (at >= 0x10 && at < 0x10 + 2 * INPUTS)
        write_entry(io, (at - 0x10) / 2, at & 1, v);
}

static uint32_t ioapic_read(void *opaque, uint32_t offset, unsigned size)
{
    const struct ioapic *io = opaque;
    (void)size;
    if (offset == 0)
        return io->select;
    return offset == 0x10 ? read_register(io) : 0;
}

static void ioapic_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct ioapic *io = opaque;
    (void)size;
    if (offset == 0)
        io->select = (uint8_t)value;
    else if (offset == 0x10)
        write_register(io, value);
    else if (offset == 0x40)
        ioapic_eoi(io, (uint8_t)value);
}

static const struct bus_ops ioapic_ops = {ioapic_read, ioapic_write, 4};

static void ioapic_reset(struct board_device *dev)
{
    struct ioapic *io = CONTAINER_OF(dev, struct ioapic, dev);
    for (unsigned i = 0; i < INPUTS; i++)
        io->entry[i] = MASKED;
    io->id = io->select = 0;
}

static void ioapic_destroy(struct board_device *dev)
{
    free(CONTAINER_OF(dev, struct ioapic, dev));
}

static const struct state_field fields[] = {
    STATE_U_ARRAY(struct ioapic, entry), STATE_U(struct ioapic, lines), STATE_U(struct ioapic, id),
    STATE_U(struct ioapic, select)};
static const struct state_list state = {"ioapic", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "ioapic", .reset = ioapic_reset, .destroy = ioapic_destroy, .state = &state};

int ioapic_create(struct board *board, struct lapic *lapic, struct ioapic **out)
{
    struct ioapic *io = calloc(1, sizeof(*io));
    struct bus_region *region;
    if (!io)
        return -ENOMEM;
    io->dev.ops = &ops;
    io->lapic = lapic;
    board_add(board, &io->dev);
    ioapic_reset(&io->dev);
    lapic_set_ioapic(lapic, io);
    *out = io;
    struct bus_region_config config = {.name = "ioapic",
                                       .space = BUS_MEMORY,
                                       .len = PAGE_SIZE,
                                       .ops = &ioapic_ops,
                                       .opaque = io,
                                       .priority = BUS_HIGH};
    int err = bus_region_create(board->bus, &config, &region);
    if (!err)
        bus_region_map(region, BASE);
    return err;
}
