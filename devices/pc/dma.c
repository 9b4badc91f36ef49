/* SPDX-License-Identifier: MIT */
/*
 * 8237A after its data sheet, with the AT's page registers. A transfer happens when the
 * device asks; nothing runs by itself. Addresses wrap within their 64 KiB page.
 */
#include "devices/pc/dma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct channel {
    uint16_t base_address, base_count, address, count;
    uint8_t page, mode;
};

struct chip {
    struct channel channel[4];
    uint8_t flip, command, status, mask, request, temporary;
};

struct dma {
    struct board_device dev;
    struct board *board;
    struct chip chip[2]; /* bytes, words */
    uint8_t spare[16];   /* page registers that belong to no channel */
};

enum { MODE_AUTO = 0x10, MODE_DOWN = 0x20, COMMAND_OFF = 4 };

uint32_t dma_transfer(struct dma *dma, unsigned channel, bool from_device, uint8_t *data,
                      uint32_t len, bool *ended)
{
    struct chip *c = &dma->chip[0];
    struct channel *ch = &c->channel[channel & 3];
    uint32_t done = 0;
    bool checks = !(ch->mode & 0x0c); /* verify: nothing moves */
    *ended = false;
    if ((c->mask >> (channel & 3) & 1) || (c->command & COMMAND_OFF))
        return 0;
    while (done < len && !*ended) {
        uint32_t at = (uint32_t)ch->page << 16 | ch->address;
        if (from_device && !checks)
            bus_write_bytes(dma->board->bus, at, data + done, 1);
        else if (!from_device)
            bus_read_bytes(dma->board->bus, at, data + done, 1);
        done++;
        ch->address = (uint16_t)(ch->mode & MODE_DOWN ? ch->address - 1 : ch->address + 1);
        *ended = ch->count-- == 0;
    }
    if (!*ended)
        return done;
    c->status |= (uint8_t)(1u << (channel & 3));
    if (ch->mode & MODE_AUTO) {
        ch->address = ch->base_address;
        ch->count = ch->base_count;
    } else {
        c->mask |= (uint8_t)(1u << (channel & 3));
    }
    return done;
}

static uint8_t read_half(struct chip *c, uint16_t value)
{
    c->flip ^= 1;
    return (uint8_t)(c->flip ? value : value >> 8);
}

static void write_half(struct chip *c, uint16_t *base, uint16_t *current, uint8_t v)
{
    c->flip ^= 1;
    *base = (uint16_t)(c->flip ? (*base & 0xff00) | v : (*base & 0xff) | v << 8);
    *current = *base;
}

static uint8_t chip_read(struct chip *c, unsigned at)
{
    uint8_t v;
    if (at < 8)
        return read_half(c, at & 1 ? c->channel[at / 2].count : c->channel[at / 2].address);
    switch (at) {
    case 8:
        v = c->status;
        c->status &= 0xf0;
        return v;
    case 13:
        return c->temporary;
    case 15:
        return c->mask | 0xf0;
    default:
        return 0xff;
    }
}

static void clear(struct chip *c)
{
    c->flip = c->command = c->status = c->request = c->temporary = 0;
    c->mask = 15;
}

static void set_bit(uint8_t *bits, uint8_t v)
{
    uint8_t bit = (uint8_t)(1u << (v & 3));
    *bits = v & 4 ? *bits | bit : *bits & (uint8_t)~bit;
}

static void chip_write(struct chip *c, unsigned at, uint8_t v)
{
    struct channel *ch = &c->channel[at / 2 & 3];
    switch (at) {
    case 8:
        c->command = v;
        break;
    case 9:
        set_bit(&c->request, v);
        break;
    case 10:
        set_bit(&c->mask, v);
        break;
    case 11:
        c->channel[v & 3].mode = v;
        break;
    case 12:
        c->flip = 0;
        break;
    case 13:
        clear(c);
        break;
    case 14:
        c->mask = 0;
        break;
    case 15:
        c->mask = v & 15;
        break;
    default:
        if (at & 1)
            write_half(c, &ch->base_count, &ch->count, v);
        else
            write_half(c, &ch->base_address, &ch->address, v);
    }
}

static uint32_t bytes_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return chip_read(&((struct dma *)opaque)->chip[0], offset);
}

static void bytes_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    (void)size;
    chip_write(&((struct dma *)opaque)->chip[0], offset, (uint8_t)v);
}

/* The second chip's registers are two ports apart. */
static uint32_t words_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return chip_read(&((struct dma *)opaque)->chip[1], offset / 2);
}

static void words_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    (void)size;
    chip_write(&((struct dma *)opaque)->chip[1], offset / 2, (uint8_t)v);
}

/* Port 81h on: which channel's page, or none. Port 80h is the POST code's. */
static uint8_t *page(struct dma *dma, uint32_t offset)
{
    static const int8_t channel[15] = {2, 3, 1, -1, -1, -1, 0, -1, 6, 7, 5, -1, -1, -1, 4};
    int n = channel[offset];
    return n < 0 ? &dma->spare[offset] : &dma->chip[n >> 2].channel[n & 3].page;
}

static uint32_t page_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return *page(opaque, offset);
}

static void page_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    (void)size;
    *page(opaque, offset) = (uint8_t)v;
}

static const struct bus_ops bytes_ops = {bytes_read, bytes_write, 1};
static const struct bus_ops words_ops = {words_read, words_write, 1};
static const struct bus_ops page_ops = {page_read, page_write, 1};

static void dma_reset(struct board_device *dev)
{
    struct dma *dma = CONTAINER_OF(dev, struct dma, dev);
    memset(dma->chip, 0, sizeof(dma->chip));
    clear(&dma->chip[0]);
    clear(&dma->chip[1]);
}

static void dma_destroy(struct board_device *dev)
{
    free(CONTAINER_OF(dev, struct dma, dev));
}

static const struct state_field fields[] = {STATE_RAW(struct dma, chip),
                                            STATE_RAW(struct dma, spare)};
static const struct state_list state = {"dma", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "dma", .reset = dma_reset, .destroy = dma_destroy, .state = &state};

int dma_create(struct board *board, struct dma **out)
{
    struct dma *dma = calloc(1, sizeof(*dma));
    if (!dma)
        return -ENOMEM;
    dma->dev.ops = &ops;
    dma->board = board;
    board_add(board, &dma->dev);
    dma_reset(&dma->dev);
    *out = dma;
    int err = bus_add_ports(board->bus, "dma", 0x00, 16, &bytes_ops, dma);
    if (!err)
        err = bus_add_ports(board->bus, "dma2", 0xc0, 32, &words_ops, dma);
    return err ? err : bus_add_ports(board->bus, "dma-page", 0x81, 15, &page_ops, dma);
}
