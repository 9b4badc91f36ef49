/* SPDX-License-Identifier: MIT */
/*
 * Virtio over PCI, the legacy interface (virtio 0.9.5, and what 1.0 calls
 * transitional): what the devices share. A queue is memory of the guest; nothing in it
 * is believed: lengths, indices and chains are bounded here.
 */
#ifndef DENALI_PC_VIRTIO_H
#define DENALI_PC_VIRTIO_H

#include "devices/medium.h"
#include "devices/net.h"
#include "devices/pc/pci.h"
#include "devices/serial.h"

enum { VIRTIO_QUEUES = 2, VIRTIO_QUEUE_LEN = 256 };

struct virtio;

struct virtio_ops {
    uint16_t type; /* 1 network, 2 block, 3 console */
    uint32_t class_code, features;
    /* The guest has put buffers into a queue. */
    void (*notified)(struct virtio *v, unsigned queue);
    /* Of the device's own configuration, byte by byte. */
    uint8_t (*config)(const struct virtio *v, uint32_t offset);
};

struct virtio_queue {
    uint32_t pfn;
    uint16_t seen, used; /* of the available ring; of the used one */
};

/* Devices begin with struct board_device and have this. */
struct virtio {
    struct board *board;
    const struct virtio_ops *ops;
    struct pci_function function;
    struct bus_region *ports;
    struct virtio_queue queue[VIRTIO_QUEUES];
    uint32_t features;
    uint16_t selected;
    uint8_t status, isr;
};

#define VIRTIO_FIELDS(type, member)                                                                \
    {"config", offsetof(type, member.function.config), 256, 1, STATE_BYTES, 0},                    \
        STATE_RAW(type, member.queue), STATE_U(type, member.features),                             \
        STATE_U(type, member.selected), STATE_U(type, member.status), STATE_U(type, member.isr)

/* A chain of buffers: `out` ones to be read come before `in` ones to be written. */
struct virtio_buffer {
    uint64_t gpa;
    uint32_t len;
};
struct virtio_chain {
    uint16_t head;
    unsigned out, in;
    struct virtio_buffer buffer[VIRTIO_QUEUE_LEN];
};

MUST_CHECK int virtio_init(struct virtio *v, struct board *board, struct pci *pci, unsigned devfn,
                           const struct virtio_ops *ops);
void virtio_reset(struct virtio *v);

/* The next chain, or false: none waits. */
bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *chain);
bool virtio_has_buffers(struct virtio *v, unsigned queue);
/* Gives it back, with `len` bytes written; the guest is told. */
void virtio_push(struct virtio *v, unsigned queue, const struct virtio_chain *chain, uint32_t len);

/* Bytes of all out (in) buffers, and copies from (to) them at an offset; the number copied. */
uint64_t virtio_out_bytes(const struct virtio_chain *chain);
uint64_t virtio_in_bytes(const struct virtio_chain *chain);
size_t virtio_read(struct virtio *v, const struct virtio_chain *chain, uint64_t offset, void *to,
                   size_t len);
size_t virtio_write(struct virtio *v, const struct virtio_chain *chain, uint64_t offset,
                    const void *from, size_t len);

/* The devices. Back ends outlive the board. */
MUST_CHECK int virtio_net_create(struct board *board, struct pci *pci, unsigned devfn,
                                 struct net_backend *net, const uint8_t mac[6]);
MUST_CHECK int virtio_block_create(struct board *board, struct pci *pci, unsigned devfn,
                                   struct medium *medium);
MUST_CHECK int virtio_console_create(struct board *board, struct pci *pci, unsigned devfn,
                                     struct serial_backend *serial);

#endif
