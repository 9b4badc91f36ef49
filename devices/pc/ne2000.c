/* SPDX-License-Identifier: MIT */
/*
 * DP8390 after National's data sheet, on the board that made it common: 32 bytes of
 * address PROM and 16 KiB of memory at 4000h, reached through the data port
 * by "remote DMA". Received frames go into a ring of 256-byte pages between PSTART
 * and PSTOP, each behind four bytes of status, next page and length.
 */
#include "devices/pc/ne2000.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_AT 0x4000u
#define MEMORY 0x4000u
#define PAGE 256u

enum { CR_STOP = 1, CR_START = 2, CR_TX = 4, CR_READ = 8, CR_WRITE = 0x10, CR_ABORT = 0x20 };
enum { ISR_RX = 1, ISR_TX = 2, ISR_OVERFLOW = 0x10, ISR_DMA = 0x40, ISR_RESET = 0x80 };
enum { RCR_BROADCAST = 4, RCR_MULTICAST = 8, RCR_ALL = 0x10, RCR_MONITOR = 0x20 };

struct ne2000 {
    struct board_device dev;
    struct board *board;
    struct pci_function function;
    struct bus_region *ports;
    struct net_backend *net;
    uint8_t cr, isr, imr, rcr, tcr, dcr, tsr, rsr;
    uint8_t pstart, pstop, boundary, current, tpsr;
    uint16_t tbcr, rsar, rbcr;
    uint8_t station[6], multicast[8];
    uint8_t prom[32];
    uint8_t gone;
    uint8_t memory[MEMORY];
};

static struct ne2000 *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct ne2000, dev);
}

static void update_irq(struct ne2000 *n)
{
    pci_set_intx(&n->function, n->isr & n->imr & 0x7f);
}

static uint8_t load(const struct ne2000 *n, uint16_t at)
{
    if (at < 32)
        return n->prom[at];
    return at >= MEMORY_AT && at < MEMORY_AT + MEMORY ? n->memory[at - MEMORY_AT] : 0xff;
}

static void store(struct ne2000 *n, uint16_t at, uint8_t v)
{
    if (at >= MEMORY_AT && at < MEMORY_AT + MEMORY)
        n->memory[at - MEMORY_AT] = v;
}

/* Bytes of the ring that a frame may take: up to the page before the boundary. */
static unsigned ring_room(const struct ne2000 *n)
{
    unsigned pages = n->pstop > n->pstart ? (unsigned)n->pstop - n->pstart : 0u;
    if (!pages || n->current < n->pstart || n->current >= n->pstop)
        return 0;
    unsigned used = (n->current + pages - n->boundary % pages) % pages;
    return (pages - used - 1) * PAGE;
}

static uint32_t crc_of(const uint8_t *mac)
{
    uint32_t crc = UINT32_MAX;
    for (unsigned i = 0; i < 48; i++) {
        bool bit = (crc >> 31) ^ (mac[i / 8] >> (i % 8) & 1u);
        crc = crc << 1 ^ (bit ? 0x04c11db7 : 0);
    }
    return crc;
}

static bool wants(const struct ne2000 *n, const uint8_t *frame)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (n->rcr & RCR_MONITOR)
        return false;
    if (n->rcr & RCR_ALL)
        return true;
    if (!memcmp(frame, all, 6))
        return n->rcr & RCR_BROADCAST;
    if (frame[0] & 1) {
        unsigned hash = crc_of(frame) >> 26;
        return (n->rcr & RCR_MULTICAST) && (n->multicast[hash >> 3] >> (hash & 7) & 1);
    }
    return !memcmp(frame, n->station, 6);
}

static bool is_running(const struct ne2000 *n)
{
    return (n->cr & (CR_STOP | CR_START)) == CR_START && !(n->tcr & 6);
}

static bool can_receive(const struct ne2000 *n)
{
    return is_running(n) && !n->gone && ring_room(n) >= NET_FRAME_MAX + 8;
}

static void put_in_ring(struct ne2000 *n, const uint8_t *frame, unsigned len)
{
    unsigned total = len + 4 + 4, pages = (total + PAGE - 1) / PAGE;
    unsigned next = n->current + pages;
    if (next >= n->pstop)
        next -= n->pstop - n->pstart;
    uint8_t head[4] = {(uint8_t)(frame[0] & 1 ? 0x21 : 0x01), (uint8_t)next, (uint8_t)(len + 4),
                       (uint8_t)((len + 4) >> 8)};
    uint32_t at = n->current * PAGE;
    for (unsigned i = 0; i < len + 4; i++) {
        store(n, (uint16_t)at, i < 4 ? head[i] : frame[i - 4]);
        if (++at >= (uint32_t)n->pstop * PAGE)
            at = n->pstart * PAGE;
    }
    n->rsr = head[0];
    n->current = (uint8_t)next;
    n->isr |= ISR_RX;
}

static void receive_frames(struct ne2000 *n)
{
    uint8_t frame[NET_FRAME_MAX];
    while (can_receive(n)) {
        int len = n->net->ops->receive(n->net, frame, sizeof(frame));
        n->gone |= len == -EPIPE;
        if (len < 14)
            break;
        if (len < 60) {
            memset(frame + len, 0, 60 - (size_t)len);
            len = 60;
        }
        if (wants(n, frame))
            put_in_ring(n, frame, (unsigned)len);
    }
    update_irq(n);
}

static void transmit(struct ne2000 *n)
{
    uint8_t frame[NET_FRAME_MAX];
    unsigned len = n->tbcr < sizeof(frame) ? n->tbcr : (unsigned)sizeof(frame);
    for (unsigned i = 0; i < len; i++)
        frame[i] = load(n, (uint16_t)(n->tpsr * PAGE + i));
    if (len >= 14 && !(n->tcr & 6) && !n->gone && n->net->ops->send(n->net, frame, len) == -EPIPE)
        n->gone = 1;
    n->tsr = 1;
    n->isr |= ISR_TX;
    n->cr &= (uint8_t)~CR_TX;
}

/* A command with neither START nor STOP, as drivers give to turn a page, leaves the chip as it is.
 */
static void write_command(struct ne2000 *n, uint8_t v)
{
    if (!(v & (CR_STOP | CR_START)))
        v |= n->cr & (CR_STOP | CR_START);
    n->cr = v;
    if (v & CR_STOP)
        n->isr |= ISR_RESET;
    else
        n->isr &= (uint8_t)~ISR_RESET;
    if ((v & (CR_READ | CR_WRITE)) && !(v & CR_ABORT) && !n->rbcr)
        n->isr |= ISR_DMA;
    if ((v & CR_TX) && !(v & CR_STOP))
        transmit(n);
}

/* Page 0, as it is read and as it is written. */
static uint8_t read_page0(const struct ne2000 *n, unsigned at)
{
    switch (at) {
    case 1:
        return (uint8_t)n->rsar;
    case 2:
        return (uint8_t)(n->rsar >> 8);
    case 3:
        return n->boundary;
    case 4:
        return n->tsr;
    case 7:
        return n->isr;
    case 8:
        return (uint8_t)n->rsar;
    case 9:
        return (uint8_t)(n->rsar >> 8);
    case 10:
        return 0x50; /* an RTL8029 tells itself so */
    case 11:
        return 0x43;
    case 12:
        return n->rsr;
    default:
        return 0;
    }
}

static void write_page0(struct ne2000 *n, unsigned at, uint8_t v)
{
    switch (at) {
    case 1:
        n->pstart = v;
        break;
    case 2:
        n->pstop = v;
        break;
    case 3:
        n->boundary = v;
        break;
    case 4:
        n->tpsr = v;
        break;
    case 5:
        n->tbcr = (uint16_t)((n->tbcr & 0xff00) | v);
        break;
    case 6:
        n->tbcr = (uint16_t)((n->tbcr & 0xff) | v << 8);
        break;
    case 7:
        n->isr &= (uint8_t) ~(v & 0x7f);
        break;
    case 8:
        n->rsar = (uint16_t)((n->rsar & 0xff00) | v);
        break;
    case 9:
        n->rsar = (uint16_t)((n->rsar & 0xff) | v << 8);
        break;
    case 10:
        n->rbcr = (uint16_t)((n->rbcr & 0xff00) | v);
        break;
    case 11:
        n->rbcr = (uint16_t)((n->rbcr & 0xff) | v << 8);
        break;
    case 12:
        n->rcr = v;
        break;
    case 13:
        n->tcr = v;
        break;
    case 14:
        n->dcr = v;
        break;
    case 15:
        n->imr = v & 0x7f;
        break;
    }
}

static uint8_t read_page1(const struct ne2000 *n, unsigned at)
{
    if (at >= 1 && at <= 6)
        return n->station[at - 1];
    return at == 7 ? n->current : at >= 8 ? n->multicast[at - 8] : 0;
}

static void write_page1(struct ne2000 *n, unsigned at, uint8_t v)
{
    if (at >= 1 && at <= 6)
        n->station[at - 1] = v;
    else if (at == 7)
        n->current = v;
    else if (at >= 8)
        n->multicast[at - 8] = v;
}

static uint8_t read_page2(const struct ne2000 *n, unsigned at)
{
    const uint8_t reg[16] = {0, n->pstart, n->pstop, 0, n->tpsr, 0,      0,      0,
                             0, 0,         0,        0, n->rcr,  n->tcr, n->dcr, n->imr};
    return reg[at];
}

/* Remote DMA: the address runs through the ring, too. */
static void advance(struct ne2000 *n, unsigned bytes)
{
    n->rsar = (uint16_t)(n->rsar + bytes);
    if (n->rsar == n->pstop * PAGE)
        n->rsar = (uint16_t)(n->pstart * PAGE);
    n->rbcr = n->rbcr > bytes ? (uint16_t)(n->rbcr - bytes) : 0;
    if (!n->rbcr)
        n->isr |= ISR_DMA;
}

static uint32_t read_data(struct ne2000 *n, unsigned size)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < size && n->rbcr; i++) {
        v |= (uint32_t)load(n, n->rsar) << (8 * i);
        advance(n, 1);
    }
    return v;
}

static void write_data(struct ne2000 *n, unsigned size, uint32_t v)
{
    for (unsigned i = 0; i < size && n->rbcr; i++) {
        store(n, n->rsar, (uint8_t)(v >> (8 * i)));
        advance(n, 1);
    }
}

static void chip_reset(struct ne2000 *n)
{
    n->cr = CR_STOP | CR_ABORT;
    n->isr = ISR_RESET;
    n->imr = n->tsr = n->rsr = 0;
}

static uint8_t read_chip(struct ne2000 *n, unsigned at)
{
    if (at == 0)
        return n->cr;
    switch (n->cr >> 6) {
    case 0:
        return read_page0(n, at);
    case 1:
        return read_page1(n, at);
    default:
        return n->cr >> 6 == 2 ? read_page2(n, at) : 0;
    }
}

/* 0 to 15 the chip, 16 to 23 data, 24 to 31 reset (by reading; writing ends it). */
static uint32_t ports_read(void *opaque, uint32_t offset, unsigned size)
{
    struct ne2000 *n = opaque;
    uint32_t v = UINT32_MAX;
    if (offset >= 24)
        chip_reset(n);
    else if (offset >= 16)
        v = read_data(n, size);
    else
        v = read_chip(n, offset);
    update_irq(n);
    return v;
}

static void ports_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct ne2000 *n = opaque;
    uint8_t v = (uint8_t)value;
    if (offset >= 24)
        return;
    if (offset >= 16)
        write_data(n, size, value);
    else if (offset == 0)
        write_command(n, v);
    else if (n->cr >> 6 == 0)
        write_page0(n, offset, v);
    else if (n->cr >> 6 == 1)
        write_page1(n, offset, v);
    update_irq(n);
}

static const struct bus_ops ports_ops = {ports_read, ports_write, 7};

static void ne_reset(struct board_device *dev)
{
    struct ne2000 *n = self(dev);
    chip_reset(n);
    update_irq(n);
}

static void ne_destroy(struct board_device *dev)
{
    free(self(dev));
}

static int ne_poll_fd(const struct board_device *dev, unsigned which, short *events)
{
    const struct ne2000 *n = CONTAINER_OF(dev, const struct ne2000, dev);
    *events = POLLIN;
    return which || !can_receive(n) ? -1 : n->net->ops->fd(n->net);
}

static void ne_ready(struct board_device *dev)
{
    receive_frames(self(dev));
}

#define FIELD(member) STATE_U(struct ne2000, member)
static const struct state_field fields[] = {
    {"config", offsetof(struct ne2000, function.config), 256, 1, STATE_BYTES, 0},
    FIELD(cr),
    FIELD(isr),
    FIELD(imr),
    FIELD(rcr),
    FIELD(tcr),
    FIELD(dcr),
    FIELD(tsr),
    FIELD(rsr),
    FIELD(pstart),
    FIELD(pstop),
    FIELD(boundary),
    FIELD(current),
    FIELD(tpsr),
    FIELD(tbcr),
    FIELD(rsar),
    FIELD(rbcr),
    STATE_RAW(struct ne2000, station),
    STATE_RAW(struct ne2000, multicast),
    STATE_RAW(struct ne2000, memory)};
static const struct state_list state = {"ne2000", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "ne2000",
                                            .reset = ne_reset,
                                            .destroy = ne_destroy,
                                            .state = &state,
                                            .poll_fd = ne_poll_fd,
                                            .ready = ne_ready};

/* Each byte of the address twice, then the mark of a 16-bit card. */
static void fill_prom(struct ne2000 *n, const uint8_t mac[6])
{
    for (unsigned i = 0; i < 32; i++)
        n->prom[i] = i < 12 ? mac[i / 2] : 0x57;
    memcpy(n->station, mac, 6);
}

int ne2000_create(struct board *board, struct pci *pci, unsigned devfn, struct net_backend *net,
                  const uint8_t mac[6])
{
    static const struct pci_identity identity = {.vendor = 0x10ec,
                                                 .device = 0x8029,
                                                 .subsystem_vendor = 0x1af4,
                                                 .subsystem = 0x1100,
                                                 .class_code = 0x020000,
                                                 .pin = 1};
    static const uint32_t len = 32;
    struct ne2000 *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->dev.ops = &ops;
    n->board = board;
    n->net = net;
    fill_prom(n, mac);
    board_add(board, &n->dev);
    struct bus_region_config config = {.name = "ne2000",
                                       .space = BUS_PORTS,
                                       .len = len,
                                       .ops = &ports_ops,
                                       .opaque = n,
                                       .priority = BUS_NORMAL};
    int err = bus_region_create(board->bus, &config, &n->ports);
    if (err)
        return err;
    pci_function_init(&n->function, &identity);
    pci_function_set_bar(&n->function, 0, true, len, n->ports);
    pci_add(pci, devfn, &n->function);
    chip_reset(n);
    return 0;
}
