/* SPDX-License-Identifier: MIT */
/*
 * Registers and queues. A queue of n entries lies at its page: n descriptors of
 * 16 bytes, the available ring, and at the next page's begin the used ring.
 */
#include "devices/pc/virtio.h"

#include <errno.h>
#include <string.h>

enum { DESC_NEXT = 1, DESC_IN = 2 };
enum { NO_INTERRUPT = 1 };
enum {
    HOST_FEATURES = 0,
    GUEST_FEATURES = 4,
    QUEUE_PFN = 8,
    QUEUE_LEN = 12,
    QUEUE_SELECT = 14,
    QUEUE_NOTIFY = 16,
    STATUS = 18,
    ISR = 19,
    CONFIG = 20
};

static uint64_t desc_at(const struct virtio_queue *q)
{
    return (uint64_t)q->pfn << PAGE_BITS;
}

static uint64_t avail_at(const struct virtio_queue *q)
{
    return desc_at(q) + 16 * VIRTIO_QUEUE_LEN;
}

static uint64_t used_at(const struct virtio_queue *q)
{
    uint64_t end = avail_at(q) + 6 + 2 * VIRTIO_QUEUE_LEN;
    return (end + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
}

static uint16_t get16(struct virtio *v, uint64_t gpa)
{
    uint8_t raw[2];
    bus_read_bytes(v->board->bus, gpa, raw, 2);
    return (uint16_t)(raw[0] | raw[1] << 8);
}

static void put(struct virtio *v, uint64_t gpa, uint64_t value, unsigned bytes)
{
    uint8_t raw[8];
    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (uint8_t)(value >> (8 * i));
    bus_write_bytes(v->board->bus, gpa, raw, bytes);
}

struct descriptor {
    uint64_t gpa;
    uint32_t len;
    uint16_t flags, next;
};

static uint64_t little(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static struct descriptor read_descriptor(struct virtio *v, const struct virtio_queue *q,
                                         uint16_t index)
{
    uint8_t raw[16];
    bus_read_bytes(v->board->bus, desc_at(q) + 16 * (index % VIRTIO_QUEUE_LEN), raw, 16);
    return (struct descriptor){little(raw, 8), (uint32_t)little(raw + 8, 4),
                               (uint16_t)little(raw + 12, 2), (uint16_t)little(raw + 14, 2)};
}

/* A loop ends when there are as many buffers as descriptors; a buffer has at most 64 MiB. */
static void read_chain(struct virtio *v, const struct virtio_queue *q, struct virtio_chain *chain)
{
    uint16_t index = chain->head;
    chain->out = chain->in = 0;
    for (unsigned n = 0; n < VIRTIO_QUEUE_LEN; n++) {
        struct descriptor d = read_descriptor(v, q, index);
        if (d.len > 64 * MIB)
            return;
        if (d.flags & DESC_IN)
            chain->in++;
        else if (chain->in)
            return; /* a buffer to be read behind one to be written */
        else
            chain->out++;
        chain->buffer[n] = (struct virtio_buffer){d.gpa, d.len};
        if (!(d.flags & DESC_NEXT))
            return;
        index = d.next;
    }
}

bool virtio_has_buffers(struct virtio *v, unsigned queue)
{
    struct virtio_queue *q = &v->queue[queue];
    return q->pfn && (v->status & 4) && get16(v, avail_at(q) + 2) != q->seen;
}

bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *chain)
{
    struct virtio_queue *q = &v->queue[queue];
    if (!virtio_has_buffers(v, queue))
        return false;
    chain->head = get16(v, avail_at(q) + 4 + 2 * (q->seen % VIRTIO_QUEUE_LEN));
    q->seen++;
    read_chain(v, q, chain);
    return true;
}

static void update_irq(struct virtio *v)
{
    pci_set_intx(&v->function, v->isr);
}

void virtio_push(struct virtio *v, unsigned queue, const struct virtio_chain *chain, uint32_t len)
{
    struct virtio_queue *q = &v->queue[queue];
    uint64_t entry = used_at(q) + 4 + 8 * (q->used % VIRTIO_QUEUE_LEN);
    put(v, entry, chain->head | (uint64_t)len << 32, 8);
    q->used++;
    put(v, used_at(q) + 2, q->used, 2);
    if (get16(v, avail_at(q)) & NO_INTERRUPT)
        return;
    v->isr |= 1;
    update_irq(v);
}

static uint64_t sum(const struct virtio_buffer *b, unsigned count)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += b[i].len;
    return bytes;
}

uint64_t virtio_out_bytes(const struct virtio_chain *c)
{
    return sum(c->buffer, c->out);
}

uint64_t virtio_in_bytes(const struct virtio_chain *c)
{
    return sum(c->buffer + c->out, c->in);
}

/* Where `offset` lies: the bytes that can be moved there, at most `len`; 0: behind the end. */
static size_t find(const struct virtio_buffer *b, unsigned count, uint64_t offset, size_t len,
                   uint64_t *gpa)
{
    for (unsigned i = 0; i < count; i++) {
        if (offset < b[i].len) {
            uint64_t room = b[i].len - offset;
            *gpa = b[i].gpa + offset;
            return len < room ? len : (size_t)room;
        }
        offset -= b[i].len;
    }
    return 0;
}

size_t virtio_read(struct virtio *v, const struct virtio_chain *c, uint64_t offset, void *to,
                   size_t len)
{
    size_t done = 0;
    while (done < len) {
        uint64_t gpa;
        size_t n = find(c->buffer, c->out, offset + done, len - done, &gpa);
        if (!n)
            break;
        bus_read_bytes(v->board->bus, gpa, (uint8_t *)to + done, n);
        done += n;
    }
    return done;
}

size_t virtio_write(struct virtio *v, const struct virtio_chain *c, uint64_t offset,
                    const void *from, size_t len)
{
    size_t done = 0;
    while (done < len) {
        uint64_t gpa;
        size_t n = find(c->buffer + c->out, c->in, offset + done, len - done, &gpa);
        if (!n)
            break;
        bus_write_bytes(v->board->bus, gpa, (const uint8_t *)from + done, n);
        done += n;
    }
    return done;
}

void virtio_reset(struct virtio *v)
{
    memset(v->queue, 0, sizeof(v->queue));
    v->features = 0;
    v->selected = 0;
    v->status = v->isr = 0;
    update_irq(v);
}

static const struct virtio_queue *selected(const struct virtio *v)
{
    static const struct virtio_queue none;
    return v->selected < VIRTIO_QUEUES ? &v->queue[v->selected] : &none;
}

static uint8_t read_isr(struct virtio *v)
{
    uint8_t isr = v->isr;
    v->isr = 0;
    update_irq(v);
    return isr;
}

static uint32_t read_register(struct virtio *v, uint32_t at)
{
    switch (at) {
    case HOST_FEATURES:
        return v->ops->features;
    case GUEST_FEATURES:
        return v->features;
    case QUEUE_PFN:
        return selected(v)->pfn;
    case QUEUE_LEN:
        return v->selected < VIRTIO_QUEUES ? VIRTIO_QUEUE_LEN : 0;
    case QUEUE_SELECT:
        return v->selected;
    case STATUS:
        return v->status;
    default:
        return 0;
    }
}

/* Registers begin at multiples of 4 or 2; an access reads from there on. */
static uint32_t ports_read(void *opaque, uint32_t offset, unsigned size)
{
    struct virtio *v = opaque;
    uint32_t value = 0;
    if (offset == ISR)
        return read_isr(v);
    if (offset < CONFIG)
        return read_register(v, offset);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)v->ops->config(v, offset - CONFIG + i) << (8 * i);
    return value;
}

static void set_pfn(struct virtio *v, uint32_t pfn)
{
    if (v->selected >= VIRTIO_QUEUES)
        return;
    v->queue[v->selected] = (struct virtio_queue){.pfn = pfn};
}

static void ports_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct virtio *v = opaque;
    (void)size;
    switch (offset) {
    case GUEST_FEATURES:
        v->features = value & v->ops->features;
        break;
    case QUEUE_PFN:
        set_pfn(v, value);
        break;
    case QUEUE_SELECT:
        v->selected = (uint16_t)value;
        break;
    case QUEUE_NOTIFY:
        if (value < VIRTIO_QUEUES)
            v->ops->notified(v, value);
        break;
    case STATUS:
        if (value & 0xff)
            v->status = (uint8_t)value;
        else
            virtio_reset(v);
        break;
    }
}

static const struct bus_ops ports_ops = {ports_read, ports_write, 7};

int virtio_init(struct virtio *v, struct board *board, struct pci *pci, unsigned devfn,
                const struct virtio_ops *ops)
{
    static const uint32_t len = 64;
    struct pci_identity identity = {.vendor = 0x1af4,
                                    .device = (uint16_t)(0x1000 + ops->type - 1),
                                    .subsystem_vendor = 0x1af4,
                                    .subsystem = ops->type,
                                    .class_code = ops->class_code,
                                    .pin = 1};
    struct bus_region_config config = {.name = "virtio",
                                       .space = BUS_PORTS,
                                       .len = len,
                                       .ops = &ports_ops,
                                       .opaque = v,
                                       .priority = BUS_NORMAL};
    if (ops->type == 3)
        identity.device = 0x1003;
    v->board = board;
    v->ops = ops;
    int err = bus_region_create(board->bus, &config, &v->ports);
    if (err)
        return err;
    pci_function_init(&v->function, &identity);
    pci_function_set_bar(&v->function, 0, true, len, v->ports);
    pci_add(pci, devfn, &v->function);
    return 0;
}
