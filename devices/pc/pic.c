/* SPDX-License-Identifier: MIT */
/*
 * 8259A, after Intel's data sheet. All modes: edge and level, fully and
 * specially nested, automatic and rotating ends, special mask, polling.
 *
 * An edge stays in the request register until it is acknowledged, also when
 * its line falls before: a guest then sees its interrupt instead of the
 * spurious one that real chips deliver.
 *
 * Invariant: `intr` (and the master's input 2 for the slave) is the level that
 * the registers say, after every change (update).
 */
#include "devices/pc/pic.h"

#include <errno.h>
#include <stdlib.h>

struct chip {
    uint8_t irr, imr, isr, lines, elcr;
    uint8_t base;   /* vector of input 0 */
    uint8_t lowest; /* the input of lowest priority */
    uint8_t expect; /* the ICW that port 1 takes next: 2, 3, 4; 0: OCW1 */
    uint8_t wants_icw4, single, level_mode, auto_eoi, rotates, special_nested, special_mask;
    uint8_t reads_isr, polls;
    uint8_t elcr_mask;
};

struct pic {
    struct board_device dev;
    struct chip chip[2];
    struct irq_line intr;
    uint8_t slaves;
};

static struct pic *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct pic, dev);
}

static bool is_level(const struct chip *c, unsigned irq)
{
    return c->level_mode || (c->elcr >> irq & 1);
}

/* The place of the highest of `bits` in the order of priority: 0 is first, 8 is none. */
static unsigned rank(const struct chip *c, uint8_t bits)
{
    for (unsigned i = 0; i < 8; i++) {
        if (bits >> ((c->lowest + 1 + i) & 7) & 1)
            return i;
    }
    return 8;
}

/* The input that asks for service now, or -1. */
static int pending(const struct pic *pic, unsigned which)
{
    const struct chip *c = &pic->chip[which];
    uint8_t blocking = c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr;
    if (c->special_nested && which == 0)
        blocking &= (uint8_t) ~(1u << 2); /* the slave may interrupt itself */
    unsigned wants = rank(c, c->irr & (uint8_t)~c->imr);
    if (wants == 8 || wants >= rank(c, blocking))
        return -1;
    return (int)((c->lowest + 1 + wants) & 7);
}

static void set_input(struct chip *c, unsigned irq, bool level)
{
    uint8_t bit = (uint8_t)(1u << irq);
    bool was = c->lines & bit;
    c->lines = level ? c->lines | bit : c->lines & (uint8_t)~bit;
    if (is_level(c, irq))
        c->irr = level ? c->irr | bit : c->irr & (uint8_t)~bit;
    else if (level && !was)
        c->irr |= bit;
}

static void update(struct pic *pic)
{
    if (pic->slaves)
        set_input(&pic->chip[0], 2, pending(pic, 1) >= 0);
    irq_set(&pic->intr, pending(pic, 0) >= 0);
}

static void line_set(void *opaque, unsigned irq, bool level)
{
    struct pic *pic = opaque;
    set_input(&pic->chip[irq >> 3], irq & 7, level);
    update(pic);
}

struct irq_line pic_line(struct pic *pic, unsigned irq)
{
    return (struct irq_line){line_set, pic, irq & 15};
}

/* The service of an input begins. */
static void begin(struct chip *c, unsigned irq)
{
    uint8_t bit = (uint8_t)(1u << irq);
    if (!is_level(c, irq))
        c->irr &= (uint8_t)~bit;
    if (!c->auto_eoi)
        c->isr |= bit;
    else if (c->rotates)
        c->lowest = (uint8_t)irq;
}

static uint8_t ack_chip(struct pic *pic, unsigned which)
{
    struct chip *c = &pic->chip[which];
    int irq = pending(pic, which);
    if (irq < 0)
        return c->base + 7; /* spurious: nothing is in service */
    begin(c, (unsigned)irq);
    if (which == 0 && irq == 2 && pic->slaves)
        return ack_chip(pic, 1);
    return (uint8_t)(c->base + irq);
}

uint8_t pic_ack(struct pic *pic)
{
    uint8_t vector = ack_chip(pic, 0);
    update(pic);
    return vector;
}

static void init_chip(struct chip *c, uint8_t icw1)
{
    uint8_t elcr = c->elcr, lines = c->lines, mask = c->elcr_mask;
    *c = (struct chip){.elcr = elcr, .lines = lines, .elcr_mask = mask, .lowest = 7, .expect = 2};
    c->wants_icw4 = icw1 & 1;
    c->single = icw1 >> 1 & 1;
    c->level_mode = icw1 >> 3 & 1;
    for (unsigned irq = 0; irq < 8; irq++) {
        if (is_level(c, irq))
            c->irr |= lines & (uint8_t)(1u << irq);
    }
}

/* An end of interrupt; `irq` < 0: the highest in service that is not masked by special mask. */
static void end(struct chip *c, int irq, bool rotate)
{
    if (irq < 0) {
        unsigned first = rank(c, c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr);
        if (first == 8)
            return;
        irq = (int)((c->lowest + 1 + first) & 7);
    }
    c->isr &= (uint8_t) ~(1u << irq);
    if (rotate)
        c->lowest = (uint8_t)irq;
}

static void ocw2(struct chip *c, uint8_t value)
{
    int irq = value & 7;
    switch (value >> 5) {
    case 0: /* rotate in automatic EOI mode: clear */
    case 4: /* set */
        c->rotates = value >> 7;
        break;
    case 1: /* non-specific EOI */
    case 5: /* and rotate */
        end(c, -1, value >> 7);
        break;
    case 3: /* specific EOI */
    case 7: /* and rotate */
        end(c, irq, value >> 7);
        break;
    case 6: /* set priority */
        c->lowest = (uint8_t)irq;
        break;
    }
}

static void ocw3(struct chip *c, uint8_t value)
{
    if (value & 0x04)
        c->polls = 1;
    else if (value & 0x02)
        c->reads_isr = value & 1;
    if (value & 0x40)
        c->special_mask = value >> 5 & 1;
}

static void write_command(struct chip *c, uint8_t value)
{
    if (value & 0x10)
        init_chip(c, value);
    else if (value & 0x08)
        ocw3(c, value);
    else
        ocw2(c, value);
}

static void write_data(struct chip *c, uint8_t value)
{
    switch (c->expect) {
    case 0:
        c->imr = value;
        return;
    case 2:
        c->base = value & 0xf8;
        c->expect = !c->single ? 3 : c->wants_icw4 ? 4 : 0;
        return;
    case 3: /* the wiring is known */
        c->expect = c->wants_icw4 ? 4 : 0;
        return;
    default:
        c->auto_eoi = value >> 1 & 1;
        c->special_nested = value >> 4 & 1;
        c->expect = 0;
    }
}

static void chip_write(struct pic *pic, unsigned which, uint32_t offset, uint32_t value)
{
    if (offset == 0)
        write_command(&pic->chip[which], (uint8_t)value);
    else
        write_data(&pic->chip[which], (uint8_t)value);
    update(pic);
}

static uint32_t poll(struct pic *pic, unsigned which)
{
    struct chip *c = &pic->chip[which];
    int irq = pending(pic, which);
    c->polls = 0;
    if (irq < 0)
        return 0;
    begin(c, (unsigned)irq);
    update(pic);
    return 0x80u | (unsigned)irq;
}

static uint32_t chip_read(struct pic *pic, unsigned which, uint32_t offset)
{
    struct chip *c = &pic->chip[which];
    if (c->polls)
        return poll(pic, which);
    if (offset == 1)
        return c->imr;
    return c->reads_isr ? c->isr : c->irr;
}

static uint32_t master_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return chip_read(opaque, 0, offset);
}

static void master_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)size;
    chip_write(opaque, 0, offset, value);
}

static uint32_t slave_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return chip_read(opaque, 1, offset);
}

static void slave_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)size;
    chip_write(opaque, 1, offset, value);
}

static uint32_t elcr_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return ((struct pic *)opaque)->chip[offset].elcr;
}

static void elcr_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct pic *pic = opaque;
    (void)size;
    pic->chip[offset].elcr = (uint8_t)value & pic->chip[offset].elcr_mask;
    update(pic);
}

static const struct bus_ops master_ops = {master_read, master_write, 1};
static const struct bus_ops slave_ops = {slave_read, slave_write, 1};
static const struct bus_ops elcr_ops = {elcr_read, elcr_write, 1};

static void pic_reset(struct board_device *dev)
{
    struct pic *pic = self(dev);
    for (unsigned i = 0; i < 2; i++) {
        struct chip *c = &pic->chip[i];
        uint8_t lines = c->lines;
        *c = (struct chip){.lines = lines, .lowest = 7};
        /* The timer, the keyboard, the cascade, the clock and the coprocessor are edges for good.
         */
        c->elcr_mask = i ? 0xde : 0xf8;
    }
    update(pic);
}

static void pic_destroy(struct board_device *dev)
{
    free(self(dev));
}

static const struct state_field fields[] = {STATE_RAW(struct pic, chip)};
static const struct state_list state = {"pic", 1, ARRAY_LEN(fields), fields};
static void pic_loaded(struct board_device *dev)
{
    update(self(dev));
}

static const struct board_device_ops ops = {.name = "pic",
                                            .reset = pic_reset,
                                            .destroy = pic_destroy,
                                            .state = &state,
                                            .loaded = pic_loaded};

int pic_create(struct board *board, bool with_slave, struct irq_line intr, struct pic **out)
{
    struct pic *pic = calloc(1, sizeof(*pic));
    if (!pic)
        return -ENOMEM;
    pic->dev.ops = &ops;
    pic->intr = intr;
    pic->slaves = with_slave;
    board_add(board, &pic->dev);
    pic_reset(&pic->dev);
    *out = pic;
    int err = bus_add_ports(board->bus, "pic", 0x20, 2, &master_ops, pic);
    if (!err && with_slave)
        err = bus_add_ports(board->bus, "pic2", 0xa0, 2, &slave_ops, pic);
    if (!err && with_slave)
        err = bus_add_ports(board->bus, "elcr", 0x4d0, 2, &elcr_ops, pic);
    return err;
}
