/* SPDX-License-Identifier: MIT */
/* A disk: a request is 16 bytes of head, the data, and a byte for the outcome. */
#include "devices/pc/virtio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 16, SECTOR = 512, PIECE = 65536 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8 };
enum { OK = 0, IO_ERROR = 1, UNSUPPORTED = 2 };
enum { F_SEG_MAX = 1 << 2, F_READ_ONLY = 1 << 5, F_FLUSH = 1 << 9 };

struct virtio_block {
    struct board_device dev;
    struct virtio v;
    struct virtio_ops ops; /* features follow the medium */
    struct medium *medium;
    uint8_t piece[PIECE];
};

static struct virtio_block *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct virtio_block, dev);
}

struct request {
    uint32_t type;
    uint64_t at;  /* on the medium */
    uint64_t len; /* of the data */
};

static uint8_t read_medium(struct virtio_block *b, const struct virtio_chain *chain,
                           const struct request *r)
{
    for (uint64_t done = 0; done < r->len;) {
        size_t n = r->len - done < PIECE ? (size_t)(r->len - done) : PIECE;
        if (medium_read(b->medium, r->at + done, b->piece, n))
            return IO_ERROR;
        virtio_write(&b->v, chain, done, b->piece, n);
        done += n;
    }
    return OK;
}

static uint8_t write_medium(struct virtio_block *b, const struct virtio_chain *chain,
                            const struct request *r)
{
    for (uint64_t done = 0; done < r->len;) {
        size_t n = r->len - done < PIECE ? (size_t)(r->len - done) : PIECE;
        virtio_read(&b->v, chain, HEAD + done, b->piece, n);
        if (medium_write(b->medium, r->at + done, b->piece, n))
            return IO_ERROR;
        done += n;
    }
    return OK;
}

static uint8_t run(struct virtio_block *b, const struct virtio_chain *chain, struct request *r,
                   uint32_t *written)
{
    uint64_t in = virtio_in_bytes(chain), out = virtio_out_bytes(chain);
    uint64_t size = (medium_bytes(b->medium) + SECTOR - 1) / SECTOR * SECTOR;
    r->len = r->type == OUT ? out - HEAD : in - 1;
    bool moves = r->type == IN || r->type == OUT;
    if (moves && (r->len % SECTOR || r->at > size || r->len > size - r->at))
        return IO_ERROR;
    switch (r->type) {
    case IN:
        *written = (uint32_t)r->len;
        return read_medium(b, chain, r);
    case OUT:
        return write_medium(b, chain, r);
    case FLUSH:
        return medium_flush(b->medium) ? IO_ERROR : OK;
    case GET_ID:
        *written =
            (uint32_t)virtio_write(&b->v, chain, 0, "denali-disk", r->len < 12 ? r->len : 12);
        return OK;
    default:
        return UNSUPPORTED;
    }
}

static void serve(struct virtio_block *b, const struct virtio_chain *chain)
{
    uint8_t head[HEAD], status;
    uint32_t written = 0;
    uint64_t in = virtio_in_bytes(chain);
    struct request r = {0};
    bool whole = virtio_read(&b->v, chain, 0, head, HEAD) == HEAD && in;
    for (unsigned i = 0; whole && i < 8; i++) {
        r.type |= i < 4 ? (uint32_t)head[i] << (8 * i) : 0;
        r.at |= (uint64_t)head[8 + i] << (8 * i);
    }
    if (r.at > UINT64_MAX / SECTOR)
        whole = false;
    r.at *= SECTOR;
    status = whole ? run(b, chain, &r, &written) : IO_ERROR;
    if (in)
        virtio_write(&b->v, chain, in - 1, &status, 1);
    virtio_push(&b->v, 0, chain, written + (in != 0));
}

static void block_notified(struct virtio *v, unsigned queue)
{
    struct virtio_block *b = CONTAINER_OF(v, struct virtio_block, v);
    struct virtio_chain chain;
    while (queue == 0 && virtio_pop(v, 0, &chain))
        serve(b, &chain);
}

/* Capacity in sectors (8 bytes), the largest segment (4), how many in a request (4). */
static uint8_t block_config(const struct virtio *v, uint32_t offset)
{
    const struct virtio_block *b = CONTAINER_OF(v, const struct virtio_block, v);
    uint64_t sectors = (medium_bytes(b->medium) + SECTOR - 1) / SECTOR;
    if (offset < 8)
        return (uint8_t)(sectors >> (8 * offset));
    return offset == 12 ? VIRTIO_QUEUE_LEN - 2 : 0;
}

static void block_reset(struct board_device *dev)
{
    virtio_reset(&self(dev)->v);
}

static void block_destroy(struct board_device *dev)
{
    free(self(dev));
}

static const struct state_field fields[] = {VIRTIO_FIELDS(struct virtio_block, v)};
static const struct state_list state = {"virtio-block", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "virtio-block", .reset = block_reset, .destroy = block_destroy, .state = &state};

int virtio_block_create(struct board *board, struct pci *pci, unsigned devfn, struct medium *medium)
{
    struct virtio_block *b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->dev.ops = &ops;
    b->medium = medium;
    b->ops = (struct virtio_ops){.type = 2,
                                 .class_code = 0x010000,
                                 .features = F_SEG_MAX | F_FLUSH,
                                 .notified = block_notified,
                                 .config = block_config};
    if (medium_is_readonly(medium))
        b->ops.features |= F_READ_ONLY;
    board_add(board, &b->dev);
    return virtio_init(&b->v, board, pci, devfn, &b->ops);
}
