/* SPDX-License-Identifier: MIT */
/*
 * The host bridge: which of ROM and RAM is seen from C0000h to FFFFFh (PAM
 * registers 59h to 5Fh, a nibble for each part), and whether A0000h to BFFFFh is RAM
 * (SMRAM register 72h).
 *
 * Invariant: a part's region is mapped unless it is plain RAM, and its host memory and
 * rights are what its nibble says (1 read, 2 write reach RAM).
 */
#include "devices/pc/chipset.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOW_ROM 0xc0000u
#define LOW_ROM_LEN 0x40000u
#define PARTS 13u /* twelve of 16 KiB, and F0000h to FFFFFh */

enum { PAM = 0x59, SMRAM = 0x72, PAM_READ = 1, PAM_WRITE = 2 };
enum { SMRAM_OPEN = 0x40, SMRAM_LOCK = 0x10, SMRAM_ENABLE = 0x08 };

struct part {
    struct host_bridge *bridge;
    struct bus_region *region;
    uint32_t base, len;
    uint8_t nibble;
};

struct host_bridge {
    struct board_device dev;
    struct board *board;
    struct pci_function function;
    struct part part[PARTS];
    struct bus_region *smram;
    uint8_t *high_rom;
    uint8_t low_rom[LOW_ROM_LEN];
};

static struct host_bridge *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct host_bridge, dev);
}

/* Only writes come here, and reads of nothing. */
static uint32_t part_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return UINT32_MAX;
}

static void part_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct part *part = opaque;
    uint8_t raw[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 24)};
    if (!(part->nibble & PAM_WRITE))
        return;
    int err = ram_write(bus_ram(part->bridge->board->bus), part->base + offset, raw, size);
    BUG_ON(err, "there is RAM below 1 MiB");
}

static const struct bus_ops part_ops = {part_read, part_write, 7};

static void show_part(struct part *part)
{
    struct host_bridge *bridge = part->bridge;
    uint8_t *rom = bridge->low_rom + (part->base - LOW_ROM);
    uint8_t *ram = ram_base(bus_ram(bridge->board->bus)) + part->base;
    if (part->nibble == (PAM_READ | PAM_WRITE)) {
        bus_region_unmap(part->region);
        return;
    }
    bus_region_set_host(part->region, part->nibble & PAM_READ ? ram : rom, HOST_R);
    bus_region_map(part->region, part->base);
}

static uint8_t nibble_of(const struct host_bridge *bridge, unsigned i)
{
    const uint8_t *pam = bridge->function.config + PAM;
    if (i == PARTS - 1)
        return pam[0] >> 4 & 3;
    return pam[1 + i / 2] >> (4 * (i & 1)) & 3;
}

static void show_parts(struct host_bridge *bridge)
{
    for (unsigned i = 0; i < PARTS; i++) {
        struct part *part = &bridge->part[i];
        uint8_t now = nibble_of(bridge, i);
        uint64_t base;
        bool plain = now == (PAM_READ | PAM_WRITE);
        if (now == part->nibble && plain != bus_region_is_mapped(part->region, &base))
            continue;
        part->nibble = now;
        show_part(part);
    }
}

static void show_smram(struct host_bridge *bridge)
{
    if (bridge->function.config[SMRAM] & SMRAM_OPEN)
        bus_region_map(bridge->smram, 0xa0000);
    else
        bus_region_unmap(bridge->smram);
}

static void bridge_written(struct pci_function *f, unsigned at, unsigned size)
{
    struct host_bridge *bridge = CONTAINER_OF(f, struct host_bridge, function);
    (void)size;
    if (f->config[SMRAM] & SMRAM_LOCK) {
        f->config[SMRAM] &= (uint8_t)~SMRAM_OPEN;
        f->writable[SMRAM] = 0;
    }
    if (at <= SMRAM) {
        show_parts(bridge);
        show_smram(bridge);
    }
}

void host_bridge_open_shadow(struct host_bridge *bridge)
{
    for (unsigned i = 0; i < 7; i++)
        pci_write(&bridge->function, PAM + i, 1, i ? 0x33 : 0x30);
}

void host_bridge_put_card_rom(struct host_bridge *bridge, const uint8_t *rom, uint32_t len)
{
    if (len && len <= 0x20000)
        memcpy(bridge->low_rom, rom, len);
}

static int create_parts(struct host_bridge *bridge)
{
    int err = 0;
    for (unsigned i = 0; !err && i < PARTS; i++) {
        struct part *part = &bridge->part[i];
        bool last = i == PARTS - 1;
        part->bridge = bridge;
        part->base = LOW_ROM + i * 0x4000;
        part->len = last ? 0x10000 : 0x4000;
        struct bus_region_config config = {.name = "shadow",
                                           .space = BUS_MEMORY,
                                           .len = part->len,
                                           .ops = &part_ops,
                                           .opaque = part,
                                           .priority = BUS_LOW};
        err = bus_region_create(bridge->board->bus, &config, &part->region);
    }
    return err;
}

static int create_smram(struct host_bridge *bridge)
{
    struct bus_region_config config = {.name = "smram",
                                       .space = BUS_MEMORY,
                                       .len = 0x20000,
                                       .host = ram_base(bus_ram(bridge->board->bus)) + 0xa0000,
                                       .rights = HOST_R | HOST_W,
                                       .priority = BUS_HIGH};
    return bus_region_create(bridge->board->bus, &config, &bridge->smram);
}

static const struct bus_ops no_ops = {NULL, NULL, 7};

static int create_roms(struct host_bridge *bridge, const uint8_t *bios, uint32_t len)
{
    uint32_t low = len < 0x20000 ? len : 0x20000;
    struct bus_region *region;
    memset(bridge->low_rom, 0xff, sizeof(bridge->low_rom));
    if (!len)
        return 0;
    memcpy(bridge->low_rom + LOW_ROM_LEN - low, bios + len - low, low);
    bridge->high_rom = malloc(len);
    if (!bridge->high_rom)
        return -ENOMEM;
    memcpy(bridge->high_rom, bios, len);
    struct bus_region_config config = {.name = "bios",
                                       .space = BUS_MEMORY,
                                       .len = len,
                                       .ops = &no_ops,
                                       .host = bridge->high_rom,
                                       .rights = HOST_R,
                                       .priority = BUS_HIGH};
    int err = bus_region_create(bridge->board->bus, &config, &region);
    if (!err)
        bus_region_map(region, 4 * GIB - len);
    return err;
}

static void bridge_reset(struct board_device *dev)
{
    self(dev)->function.writable[SMRAM] = 0x78;
}

static void bridge_destroy(struct board_device *dev)
{
    free(self(dev)->high_rom);
    free(self(dev));
}

static const struct state_field fields[] = {
    {"config", offsetof(struct host_bridge, function.config), 256, 1, STATE_BYTES, 0}};
static const struct state_list state = {"i440fx", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {
    .name = "i440fx", .reset = bridge_reset, .destroy = bridge_destroy, .state = &state};

int host_bridge_create(struct board *board, struct pci *pci, const uint8_t *bios, uint32_t bios_len,
                       struct host_bridge **out)
{
    /* The subsystem is what SeaBIOS knows such a machine by. */
    static const struct pci_identity identity = {.vendor = 0x8086,
                                                 .device = 0x1237,
                                                 .subsystem_vendor = 0x1af4,
                                                 .subsystem = 0x1100,
                                                 .class_code = 0x060000,
                                                 .revision = 2};
    struct host_bridge *bridge = calloc(1, sizeof(*bridge));
    if (!bridge)
        return -ENOMEM;
    bridge->dev.ops = &ops;
    bridge->board = board;
    board_add(board, &bridge->dev);
    pci_function_init(&bridge->function, &identity);
    for (unsigned i = 0; i < 7; i++)
        bridge->function.writable[PAM + i] = i ? 0x33 : 0x30;
    bridge->function.config[SMRAM] = 2;
    bridge->function.writable[SMRAM] = 0x78;
    bridge->function.written = bridge_written;
    pci_add(pci, PCI_DEVFN(0, 0), &bridge->function);
    *out = bridge;
    int err = create_parts(bridge);
    if (!err)
        err = create_smram(bridge);
    if (!err)
        err = create_roms(bridge, bios, bios_len);
    if (!err)
        bridge_written(&bridge->function, 0, 256);
    return err;
}
