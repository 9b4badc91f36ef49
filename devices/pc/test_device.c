/* SPDX-License-Identifier: MIT */
/*
 * A device for test guests. All of it is memory and wires: no write to it can do more than change
 * what a read gives, or an interrupt line.
 */
#include "devices/pc/test_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LATCH_AT 0xe0u
#define FLUSH_AT 0xe4u
#define LINES_AT 0x2000u
#define MEMORY_AT 0xff000000u
#define MEMORY_LEN 0x10000u

struct test_device {
    struct board_device dev;
    struct irq_line line[TEST_DEVICE_LINES];
    uint8_t latch[4];
    uint8_t memory[MEMORY_LEN];
};

static struct test_device *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct test_device, dev);
}

static uint32_t get(const uint8_t *at, unsigned size)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v |= (uint32_t)at[i] << (8 * i);
    return v;
}

static void put(uint8_t *at, unsigned size, uint32_t v)
{
    for (unsigned i = 0; i < size; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t latch_read(void *opaque, uint32_t offset, unsigned size)
{
    return get(((struct test_device *)opaque)->latch + offset, size);
}

static void latch_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    put(((struct test_device *)opaque)->latch + offset, size, value);
}

static uint32_t memory_read(void *opaque, uint32_t offset, unsigned size)
{
    return get(((struct test_device *)opaque)->memory + offset, size);
}

static void memory_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    put(((struct test_device *)opaque)->memory + offset, size, value);
}

static uint32_t nothing_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return 0;
}

static void nothing_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)opaque, (void)offset, (void)size, (void)value;
}

static void line_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    const struct test_device *t = opaque;
    (void)size;
    irq_set(&t->line[offset], value != 0);
}

static const struct bus_ops latch_ops = {latch_read, latch_write, 7};
static const struct bus_ops flush_ops = {nothing_read, nothing_write, 7};
static const struct bus_ops line_ops = {nothing_read, line_write, 1};
static const struct bus_ops memory_ops = {memory_read, memory_write, 7};

static void test_destroy(struct board_device *dev)
{
    free(self(dev));
}

static uint8_t *test_memory(struct board_device *dev, uint32_t *len)
{
    *len = MEMORY_LEN;
    return self(dev)->memory;
}

static const struct state_field fields[] = {STATE_RAW(struct test_device, latch)};
static const struct state_list state = {"test device", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "test device", .destroy = test_destroy, .state = &state, .memory = test_memory};

static int add_memory(struct board *board, struct test_device *t)
{
    const struct bus_region_config config = {.name = "test memory",
                                             .space = BUS_MEMORY,
                                             .len = MEMORY_LEN,
                                             .ops = &memory_ops,
                                             .opaque = t,
                                             .priority = BUS_LOW};
    struct bus_region *region;
    int err = bus_region_create(board->bus, &config, &region);
    if (!err)
        bus_region_map(region, MEMORY_AT);
    return err;
}

int test_device_create(struct board *board, const struct irq_line line[TEST_DEVICE_LINES])
{
    struct test_device *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->dev.ops = &ops;
    memcpy(t->line, line, sizeof(t->line));
    board_add(board, &t->dev);
    int err = bus_add_ports(board->bus, "test latch", LATCH_AT, 4, &latch_ops, t);
    if (!err)
        err = bus_add_ports(board->bus, "test flush", FLUSH_AT, 4, &flush_ops, t);
    if (!err)
        err = bus_add_ports(board->bus, "test lines", LINES_AT, TEST_DEVICE_LINES, &line_ops, t);
    return err ? err : add_memory(board, t);
}
