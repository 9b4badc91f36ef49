/* SPDX-License-Identifier: MIT */
/*
 * fw_cfg after its public specification (docs/specs/fw_cfg of QEMU): a selector, then the
 * item's bytes one by one, or in one DMA. Items are read only.
 */
#include "devices/pc/fw_cfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_FILE 0x20u
#define MAX_FILES 32u
#define NAME_LEN 56u
#define DIRECTORY 0x19u
#define ITEMS (FIRST_FILE + MAX_FILES)

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

struct item {
    uint8_t *data;
    uint32_t len;
};

struct fw_cfg {
    struct board_device dev;
    struct board *board;
    struct item item[ITEMS];
    unsigned files;
    uint8_t directory[4 + MAX_FILES * 64];
    uint16_t selected;
    uint32_t at;
    uint64_t dma;
};

static void put_big(uint8_t *to, unsigned bytes, uint64_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static uint64_t get_big(const uint8_t *from, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | from[i];
    return v;
}

static int set_item(struct fw_cfg *cfg, unsigned key, const void *data, uint32_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        return -ENOMEM;
    if (len)
        memcpy(copy, data, len);
    free(cfg->item[key].data);
    cfg->item[key] = (struct item){copy, len};
    return 0;
}

int fw_cfg_add(struct fw_cfg *cfg, enum fw_cfg_key key, const void *data, uint32_t len)
{
    return set_item(cfg, key, data, len);
}

int fw_cfg_add_number(struct fw_cfg *cfg, enum fw_cfg_key key, uint64_t value, unsigned size)
{
    uint8_t raw[8];
    for (unsigned i = 0; i < 8; i++)
        raw[i] = (uint8_t)(value >> (8 * i));
    return set_item(cfg, key, raw, size);
}

int fw_cfg_add_file(struct fw_cfg *cfg, const char *name, const void *data, uint32_t len)
{
    if (cfg->files == MAX_FILES || strlen(name) >= NAME_LEN)
        return -ENOSPC;
    unsigned key = FIRST_FILE + cfg->files;
    uint8_t *entry = cfg->directory + 4 + 64 * cfg->files;
    int err = set_item(cfg, key, data, len);
    if (err)
        return err;
    put_big(entry, 4, len);
    put_big(entry + 4, 2, key);
    strcpy((char *)entry + 8, name);
    put_big(cfg->directory, 4, ++cfg->files);
    return set_item(cfg, DIRECTORY, cfg->directory, 4 + 64 * cfg->files);
}

/* The rest of the selected item. */
static const uint8_t *rest(const struct fw_cfg *cfg, uint32_t *len)
{
    *len = 0;
    if (cfg->selected >= ITEMS || cfg->at >= cfg->item[cfg->selected].len)
        return NULL;
    *len = cfg->item[cfg->selected].len - cfg->at;
    return cfg->item[cfg->selected].data + cfg->at;
}

static void cfg_select(struct fw_cfg *cfg, uint16_t key)
{
    cfg->selected = key;
    cfg->at = 0;
}

/* Bytes behind the end are zero. */
static void dma_read(struct fw_cfg *cfg, uint64_t to, uint32_t len)
{
    static const uint8_t zero[512];
    uint32_t have;
    const uint8_t *from = rest(cfg, &have);
    uint32_t n = have < len ? have : len;
    if (n)
        bus_write_bytes(cfg->board->bus, to, from, n);
    for (uint64_t at = n; at < len && at < 64 * MIB; at += sizeof(zero))
        bus_write_bytes(cfg->board->bus, to + at, zero,
                        len - at < sizeof(zero) ? len - at : sizeof(zero));
}

static void run_dma(struct fw_cfg *cfg)
{
    uint8_t block[16], status[4] = {0};
    bus_read_bytes(cfg->board->bus, cfg->dma, block, sizeof(block));
    uint32_t control = (uint32_t)get_big(block, 4), len = (uint32_t)get_big(block + 4, 4);
    if (control & DMA_SELECT)
        cfg_select(cfg, (uint16_t)(control >> 16));
    if (control & DMA_WRITE)
        put_big(status, 4, DMA_ERROR); /* all are read only */
    else if (control & DMA_READ)
        dma_read(cfg, get_big(block + 8, 8), len);
    if (control & (DMA_READ | DMA_SKIP))
        cfg->at = len > UINT32_MAX - cfg->at ? UINT32_MAX : cfg->at + len;
    bus_write_bytes(cfg->board->bus, cfg->dma, status, sizeof(status));
    cfg->dma = 0;
}

static uint32_t cfg_read(void *opaque, uint32_t offset, unsigned size)
{
    struct fw_cfg *cfg = opaque;
    uint32_t len;
    const uint8_t *from = rest(cfg, &len);
    if (offset != 1 || size != 1)
        return offset == 0 ? 0 : UINT32_MAX;
    if (!from)
        return 0;
    cfg->at++;
    return *from;
}

static void cfg_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    if (offset == 0 && size == 2)
        cfg_select(opaque, (uint16_t)value);
}

/* The address is big-endian; its low half starts the transfer. Reads tell that it is there. */
static uint32_t dma_port_read(void *opaque, uint32_t offset, unsigned size)
{
    static const uint8_t signature[8] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};
    uint32_t v = 0;
    (void)opaque;
    for (unsigned i = 0; i < size; i++)
        v |= (uint32_t)signature[offset + i] << (8 * i);
    return v;
}

static void dma_port_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct fw_cfg *cfg = opaque;
    uint32_t swapped = __builtin_bswap32(value);
    (void)size;
    if (offset == 0)
        cfg->dma = (uint64_t)swapped << 32;
    else if (offset == 4) {
        cfg->dma |= swapped;
        run_dma(cfg);
    }
}

static const struct bus_ops cfg_ops = {cfg_read, cfg_write, 3};
static const struct bus_ops dma_ops = {dma_port_read, dma_port_write, 4};

static void cfg_reset(struct board_device *dev)
{
    struct fw_cfg *cfg = CONTAINER_OF(dev, struct fw_cfg, dev);
    cfg_select(cfg, 0);
    cfg->dma = 0;
}

static void cfg_destroy(struct board_device *dev)
{
    struct fw_cfg *cfg = CONTAINER_OF(dev, struct fw_cfg, dev);
    for (unsigned i = 0; i < ITEMS; i++)
        free(cfg->item[i].data);
    free(cfg);
}

static const struct state_field fields[] = {
    STATE_U(struct fw_cfg, selected), STATE_U(struct fw_cfg, at), STATE_U(struct fw_cfg, dma)};
static const struct state_list state = {"fw_cfg", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "fw_cfg", .reset = cfg_reset, .destroy = cfg_destroy, .state = &state};

int fw_cfg_create(struct board *board, struct fw_cfg **out)
{
    static const uint8_t features[4] = {3}; /* ports and DMA */
    struct fw_cfg *cfg = calloc(1, sizeof(*cfg));
    if (!cfg)
        return -ENOMEM;
    cfg->dev.ops = &ops;
    cfg->board = board;
    board_add(board, &cfg->dev);
    *out = cfg;
    int err = set_item(cfg, 0, "QEMU", 4);
    if (!err)
        err = set_item(cfg, 1, features, sizeof(features));
    if (!err)
        err = set_item(cfg, DIRECTORY, cfg->directory, 4);
    if (!err)
        err = bus_add_ports(board->bus, "fw_cfg", 0x510, 2, &cfg_ops, cfg);
    return err ? err : bus_add_ports(board->bus, "fw_cfg-dma", 0x514, 8, &dma_ops, cfg);
}
