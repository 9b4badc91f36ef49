/* SPDX-License-Identifier: MIT */
/*
 * The VGA's ports and its place on the bus. Registers keep what is written;
 * drawing reads them (vga_draw.c, vga_text.c), memory accesses follow them
 * (vga_memory.c).
 */
#include "devices/pc/vga_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_NS 14285714u /* 70 Hz */
#define LINES 449u         /* of a frame, the last 49 in retrace */

static struct vga *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct vga, dev);
}

uint32_t vga_dac_color(const struct vga *vga, uint8_t index)
{
    const uint8_t *c = vga->palette + 3 * (index & vga->dac_mask);
    if (vga->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC)
        return (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
    uint32_t rgb = 0;
    for (unsigned i = 0; i < 3; i++)
        rgb = rgb << 8 | (uint32_t)((c[i] & 63) << 2 | (c[i] & 63) >> 4);
    return rgb;
}

uint32_t vga_att_color(const struct vga *vga, uint8_t color)
{
    uint8_t v = vga->att[color & 15] & 0x3f, select = vga->att[ATT_COLOR_SELECT];
    if (vga->att[ATT_MODE] & 0x80)
        v = (uint8_t)((v & 15) | (select & 3) << 4);
    return vga_dac_color(vga, (uint8_t)(v | (select & 0x0c) << 4));
}

/* Input status 1: bit 3 vertical retrace, bit 0 no pixels now. Reading resets the flip-flop. */
static uint8_t read_status(struct vga *vga)
{
    uint64_t at = board_now(vga->board) % FRAME_NS;
    uint64_t line = at * LINES / FRAME_NS, in_line = at * LINES % FRAME_NS;
    bool retrace = line >= 412 && line < 414, blank = line >= 400 || in_line > FRAME_NS * 8 / 10;
    vga->att_flip = 0;
    return (uint8_t)(retrace << 3 | (blank || retrace));
}

static uint8_t read_dac(struct vga *vga)
{
    uint8_t v = vga->palette[3 * vga->dac_read + vga->dac_step];
    if (++vga->dac_step == 3) {
        vga->dac_step = 0;
        vga->dac_read++;
    }
    return v;
}

static void write_dac(struct vga *vga, uint8_t v)
{
    vga->dac_latch[vga->dac_step] = v;
    if (++vga->dac_step < 3)
        return;
    vga->dac_step = 0;
    memcpy(vga->palette + 3 * vga->dac_write++, vga->dac_latch, 3);
}

static uint8_t read_register(struct vga *vga, uint32_t offset)
{
    switch (offset) {
    case 0x0: /* 3C0h */
        return vga->att_flip ? 0 : vga->att_index;
    case 0x1:
        return vga->att[vga->att_index & 31];
    case 0x2: /* input status 0: a monitor is there */
        return 0x10;
    case 0x4:
        return vga->seq_index;
    case 0x5:
        return vga->seq[vga->seq_index & 7];
    case 0x6:
        return vga->dac_mask;
    case 0x7:
        return vga->dac_state;
    case 0x8:
        return vga->dac_write;
    case 0x9:
        return read_dac(vga);
    case 0xa:
        return vga->feature;
    case 0xc:
        return vga->misc;
    case 0xe:
        return vga->gfx_index;
    case 0xf:
        return vga->gfx[vga->gfx_index & 15];
    default:
        return 0xff;
    }
}

static void write_attribute(struct vga *vga, uint8_t v)
{
    if (!vga->att_flip)
        vga->att_index = v & 0x3f;
    else if ((vga->att_index & 31) <= ATT_COLOR_SELECT &&
             ((vga->att_index & 31) >= ATT_MODE || !(vga->att_index & 0x20)))
        vga->att[vga->att_index & 31] = v;
    vga->att_flip = !vga->att_flip;
}

static void write_register(struct vga *vga, uint32_t offset, uint8_t v)
{
    static const uint8_t gfx_mask[16] = {15, 15, 15, 31, 3, 0x7b, 15, 15, 0xff};
    static const uint8_t seq_mask[8] = {3, 0x3d, 15, 63, 14};
    switch (offset) {
    case 0x0:
        write_attribute(vga, v);
        break;
    case 0x2:
        vga->misc = v & 0xef;
        break;
    case 0x4:
        vga->seq_index = v & 7;
        break;
    case 0x5:
        vga->seq[vga->seq_index] = v & seq_mask[vga->seq_index];
        vga_memory_remap(vga);
        break;
    case 0x6:
        vga->dac_mask = v;
        break;
    case 0x7:
        vga->dac_read = v;
        vga->dac_step = 0;
        vga->dac_state = 3;
        break;
    case 0x8:
        vga->dac_write = v;
        vga->dac_step = 0;
        vga->dac_state = 0;
        break;
    case 0x9:
        write_dac(vga, v);
        break;
    case 0xe:
        vga->gfx_index = v & 15;
        break;
    case 0xf:
        vga->gfx[vga->gfx_index] = v & gfx_mask[vga->gfx_index];
        vga_memory_remap(vga);
        break;
    }
}

static uint32_t vga_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return read_register(opaque, offset);
}

static void vga_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)size;
    write_register(opaque, offset, (uint8_t)value);
}

/* The CRT controller answers at 3B4h or 3D4h, as the miscellaneous register says. */
static bool crt_is_color(const struct vga *vga)
{
    return vga->misc & 1;
}

static uint32_t crt_read(struct vga *vga, uint32_t offset)
{
    switch (offset) {
    case 4:
        return vga->crt_index;
    case 5:
        return vga->crt[vga->crt_index & 63];
    case 0xa:
        return read_status(vga);
    default:
        return 0xff;
    }
}

static void crt_write(struct vga *vga, uint32_t offset, uint8_t v)
{
    unsigned at = vga->crt_index & 63;
    bool locked = (vga->crt[0x11] & 0x80) && at <= 7;
    if (offset == 4)
        vga->crt_index = v;
    else if (offset == 5 && locked)
        vga->crt[7] = at == 7 ? (uint8_t)((vga->crt[7] & ~0x10) | (v & 0x10)) : vga->crt[7];
    else if (offset == 5)
        vga->crt[at] = v;
    else if (offset == 0xa)
        vga->feature = v & 0x0b;
}

static uint32_t mono_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return crt_is_color(opaque) ? 0xff : crt_read(opaque, offset);
}

static void mono_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)size;
    if (!crt_is_color(opaque))
        crt_write(opaque, offset, (uint8_t)value);
}

static uint32_t color_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return crt_is_color(opaque) ? crt_read(opaque, offset) : 0xff;
}

static void color_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)size;
    if (crt_is_color(opaque))
        crt_write(opaque, offset, (uint8_t)value);
}

static const struct bus_ops vga_ops = {vga_read, vga_write, 1};
static const struct bus_ops mono_ops = {mono_read, mono_write, 1};
static const struct bus_ops color_ops = {color_read, color_write, 1};
static const struct bus_ops no_ops = {NULL, NULL, 7};

static void vga_reset(struct board_device *dev)
{
    struct vga *vga = self(dev);
    memset(vga->seq, 0, sizeof(vga->seq));
    memset(vga->gfx, 0, sizeof(vga->gfx));
    memset(vga->crt, 0, sizeof(vga->crt));
    memset(vga->att, 0, sizeof(vga->att));
    memset(vga->dispi, 0, sizeof(vga->dispi));
    vga->seq_index = vga->gfx_index = vga->crt_index = vga->att_index = vga->att_flip = 0;
    vga->misc = vga->feature = 0;
    vga->dac_mask = 0xff;
    vga->dac_state = vga->dac_read = vga->dac_write = vga->dac_step = 0;
    vga->dispi[DISPI_ID] = 0xb0c0;
    vga->dispi[DISPI_BPP] = 8;
    vga_memory_remap(vga);
}

static void vga_destroy(struct board_device *dev)
{
    struct vga *vga = self(dev);
    free(vga->memory);
    free(vga->rom);
    free(vga);
}

static bool vga_valid(const struct board_device *dev)
{
    const struct vga *vga = CONTAINER_OF(dev, const struct vga, dev);
    return vga->seq_index < ARRAY_LEN(vga->seq) && vga->gfx_index < ARRAY_LEN(vga->gfx) &&
           vga->dac_step < 3 && vga_dispi_valid(vga);
}

static void vga_loaded(struct board_device *dev)
{
    vga_memory_remap(self(dev));
}

static uint8_t *vga_memory(struct board_device *dev, uint32_t *len)
{
    *len = VGA_MEMORY;
    return self(dev)->memory;
}

#define FIELD(member) STATE_U(struct vga, member)
#define RAW(member) STATE_RAW(struct vga, member)
static const struct state_field fields[] = {
    {"config", offsetof(struct vga, function.config), 256, 1, STATE_BYTES, 0},
    FIELD(seq_index),
    FIELD(gfx_index),
    FIELD(crt_index),
    FIELD(att_index),
    RAW(seq),
    RAW(gfx),
    RAW(crt),
    RAW(att),
    FIELD(att_flip),
    FIELD(misc),
    FIELD(feature),
    FIELD(dac_mask),
    FIELD(dac_state),
    FIELD(dac_read),
    FIELD(dac_write),
    FIELD(dac_step),
    RAW(dac_latch),
    RAW(palette),
    RAW(latch),
    FIELD(dispi_index),
    STATE_U_ARRAY(struct vga, dispi),
};
static const struct state_list state = {"vga", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "vga",
                                            .reset = vga_reset,
                                            .destroy = vga_destroy,
                                            .state = &state,
                                            .valid = vga_valid,
                                            .loaded = vga_loaded,
                                            .memory = vga_memory};

static int create_memory(struct vga *vga)
{
    struct bus *bus = vga->board->bus;
    struct bus_region_config window = {.name = "vga",
                                       .space = BUS_MEMORY,
                                       .len = 0x20000,
                                       .ops = &vga_window_ops,
                                       .opaque = vga,
                                       .priority = BUS_LOW};
    struct bus_region_config banked = {.name = "vga-bank",
                                       .space = BUS_MEMORY,
                                       .len = 0x10000,
                                       .ops = &no_ops,
                                       .host = vga->memory,
                                       .rights = HOST_R | HOST_W,
                                       .priority = BUS_NORMAL};
    struct bus_region_config linear = {.name = "vga-linear",
                                       .space = BUS_MEMORY,
                                       .len = VGA_MEMORY,
                                       .ops = &no_ops,
                                       .host = vga->memory,
                                       .rights = HOST_R | HOST_W,
                                       .priority = BUS_NORMAL};
    int err = bus_region_create(bus, &window, &vga->window);
    if (!err)
        err = bus_region_create(bus, &banked, &vga->linear_window);
    if (!err)
        err = bus_region_create(bus, &linear, &vga->linear);
    if (!err)
        bus_region_map(vga->window, 0xa0000);
    return err;
}

static int create_ports(struct vga *vga)
{
    struct bus *bus = vga->board->bus;
    int err = bus_add_ports(bus, "vga", 0x3c0, 16, &vga_ops, vga);
    if (!err)
        err = bus_add_ports(bus, "vga-mono", 0x3b0, 12, &mono_ops, vga);
    if (!err)
        err = bus_add_ports(bus, "vga-color", 0x3d0, 16, &color_ops, vga);
    return err ? err : bus_add_ports(bus, "vga-dispi", 0x1ce, 4, &vga_dispi_ops, vga);
}

static int create_rom(struct vga *vga, const uint8_t *rom, uint32_t len)
{
    uint32_t window = 0x1000;
    while (window < len)
        window *= 2;
    vga->rom = calloc(1, window);
    if (!vga->rom)
        return -ENOMEM;
    memcpy(vga->rom, rom, len);
    vga->rom_len = len;
    vga->rom_window = window;
    struct bus_region_config config = {.name = "vga-rom",
                                       .space = BUS_MEMORY,
                                       .len = window,
                                       .ops = &no_ops,
                                       .host = vga->rom,
                                       .rights = HOST_R,
                                       .priority = BUS_NORMAL};
    return bus_region_create(vga->board->bus, &config, &vga->rom_region);
}

static void add_function(struct vga *vga, struct pci *pci, unsigned devfn)
{
    static const struct pci_identity identity = {.vendor = 0x1234,
                                                 .device = 0x1111,
                                                 .subsystem_vendor = 0x1af4,
                                                 .subsystem = 0x1100,
                                                 .class_code = 0x030000,
                                                 .revision = 2};
    pci_function_init(&vga->function, &identity);
    pci_function_set_bar(&vga->function, 0, false, VGA_MEMORY, vga->linear);
    pci_put(&vga->function, 0x10, 1, 8); /* prefetchable */
    if (vga->rom)
        pci_function_set_bar(&vga->function, PCI_ROM, false, vga->rom_window, vga->rom_region);
    pci_add(pci, devfn, &vga->function);
}

int vga_create(struct board *board, struct pci *pci, unsigned devfn, const uint8_t *rom,
               uint32_t rom_len, struct vga **out)
{
    struct vga *vga = calloc(1, sizeof(*vga));
    if (!vga)
        return -ENOMEM;
    vga->dev.ops = &ops;
    vga->board = board;
    vga->memory = calloc(1, VGA_MEMORY);
    if (!vga->memory) {
        free(vga);
        return -ENOMEM;
    }
    board_add(board, &vga->dev);
    *out = vga;
    int err = create_memory(vga);
    if (!err)
        err = create_ports(vga);
    if (!err && rom_len)
        err = create_rom(vga, rom, rom_len);
    if (err)
        return err;
    if (pci)
        add_function(vga, pci, devfn);
    vga_reset(&vga->dev);
    return 0;
}
