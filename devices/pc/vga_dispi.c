/* SPDX-License-Identifier: MIT */
/*
 * The display interface of Bochs: modes of any size that fits, linear, by index
 * (port 1CEh) and data (1CFh and 1D0h).
 */
#include "devices/pc/vga_private.h"

#include <string.h>

#define NEWEST 0xb0c5u

static unsigned bits_per_pixel(const struct vga *vga)
{
    return vga->dispi[DISPI_BPP] == 15 ? 16 : vga->dispi[DISPI_BPP];
}

static bool can_show(const struct vga *vga)
{
    const uint16_t *d = vga->dispi;
    unsigned bpp = d[DISPI_BPP];
    bool depth = bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
    uint64_t bytes = (uint64_t)d[DISPI_XRES] * d[DISPI_YRES] * bits_per_pixel(vga) / 8;
    return depth && d[DISPI_XRES] >= 8 && d[DISPI_YRES] && d[DISPI_XRES] <= VGA_MAX_WIDTH &&
           d[DISPI_YRES] <= VGA_MAX_HEIGHT && bytes <= VGA_MEMORY;
}

/* The virtual screen is at least as wide as the visible one, and as high as memory allows. */
static void fit_virtual(struct vga *vga)
{
    uint16_t *d = vga->dispi;
    if (d[DISPI_VIRT_WIDTH] < d[DISPI_XRES])
        d[DISPI_VIRT_WIDTH] = d[DISPI_XRES];
    uint32_t line = (uint32_t)d[DISPI_VIRT_WIDTH] * bits_per_pixel(vga) / 8;
    uint32_t rows = line ? VGA_MEMORY / line : 0;
    if (rows < d[DISPI_YRES]) {
        d[DISPI_VIRT_WIDTH] = d[DISPI_XRES];
        line = (uint32_t)d[DISPI_XRES] * bits_per_pixel(vga) / 8;
        rows = line ? VGA_MEMORY / line : 0;
    }
    d[DISPI_VIRT_HEIGHT] = (uint16_t)(rows > 0xffff ? 0xffff : rows);
    if (d[DISPI_X_OFFSET] + d[DISPI_XRES] > d[DISPI_VIRT_WIDTH])
        d[DISPI_X_OFFSET] = (uint16_t)(d[DISPI_VIRT_WIDTH] - d[DISPI_XRES]);
    if (d[DISPI_Y_OFFSET] + d[DISPI_YRES] > d[DISPI_VIRT_HEIGHT])
        d[DISPI_Y_OFFSET] = (uint16_t)(d[DISPI_VIRT_HEIGHT] - d[DISPI_YRES]);
}

bool vga_dispi_valid(const struct vga *vga)
{
    const uint16_t *d = vga->dispi;
    uint64_t line = (uint64_t)d[DISPI_VIRT_WIDTH] * bits_per_pixel(vga) / 8;
    if (d[DISPI_BANK] >= VGA_MEMORY >> 16)
        return false;
    return !vga_is_linear(vga) ||
           (can_show(vga) && d[DISPI_X_OFFSET] + d[DISPI_XRES] <= d[DISPI_VIRT_WIDTH] &&
            d[DISPI_Y_OFFSET] + d[DISPI_YRES] <= d[DISPI_VIRT_HEIGHT] &&
            line * d[DISPI_VIRT_HEIGHT] <= VGA_MEMORY);
}

/* What the interface does to the VGA's own registers, so that its window shows the bank. */
static void enter_linear(struct vga *vga)
{
    uint16_t *d = vga->dispi;
    d[DISPI_VIRT_WIDTH] = d[DISPI_XRES];
    d[DISPI_X_OFFSET] = d[DISPI_Y_OFFSET] = d[DISPI_BANK] = 0;
    fit_virtual(vga);
    if (!(d[DISPI_ENABLE] & DISPI_NOCLEAR))
        memset(vga->memory, 0, (size_t)d[DISPI_XRES] * d[DISPI_YRES] * bits_per_pixel(vga) / 8);
    vga->gfx[GFX_MISC] = (uint8_t)((vga->gfx[GFX_MISC] & ~0x0c) | 5);
    vga->crt[0x17] |= 3;
    vga->seq[SEQ_MAP] |= 15;
    if (d[DISPI_BPP] == 4) {
        vga->seq[SEQ_MEMORY] &= (uint8_t)~8;
        return;
    }
    vga->seq[SEQ_MEMORY] |= 12;
    vga->gfx[GFX_MODE] = (vga->gfx[GFX_MODE] & (uint8_t)~0x60) | 0x40;
}

static void write_enable(struct vga *vga, uint16_t value)
{
    bool was = vga_is_linear(vga);
    vga->dispi[DISPI_ENABLE] = value;
    if ((value & DISPI_ENABLED) && !was) {
        if (can_show(vga))
            enter_linear(vga);
        else
            vga->dispi[DISPI_ENABLE] &= (uint16_t)~DISPI_ENABLED;
    }
    if (!(value & DISPI_ENABLED))
        vga->dispi[DISPI_BANK] = 0;
}

static void write_register(struct vga *vga, uint16_t value)
{
    unsigned at = vga->dispi_index;
    bool live = vga_is_linear(vga);
    switch (at) {
    case DISPI_ID:
        if (value >= 0xb0c0 && value <= NEWEST)
            vga->dispi[at] = value;
        break;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_BPP:
        if (!live)
            vga->dispi[at] = at == DISPI_BPP && !value ? 8 : value;
        break;
    case DISPI_ENABLE:
        write_enable(vga, value);
        break;
    case DISPI_BANK:
        vga->dispi[at] = value % (VGA_MEMORY >> 16);
        break;
    case DISPI_VIRT_WIDTH:
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET:
        vga->dispi[at] = value;
        if (live)
            fit_virtual(vga);
        break;
    }
    vga_memory_remap(vga);
}

static uint16_t read_register(const struct vga *vga)
{
    bool caps = vga->dispi[DISPI_ENABLE] & DISPI_GETCAPS;
    switch (vga->dispi_index) {
    case DISPI_XRES:
        return caps ? VGA_MAX_WIDTH : vga->dispi[DISPI_XRES];
    case DISPI_YRES:
        return caps ? VGA_MAX_HEIGHT : vga->dispi[DISPI_YRES];
    case DISPI_BPP:
        return caps ? 32 : vga->dispi[DISPI_BPP];
    case DISPI_MEMORY:
        return VGA_MEMORY >> 16;
    default:
        return vga->dispi_index < DISPI_REGISTERS ? vga->dispi[vga->dispi_index] : 0xffff;
    }
}

/* Offsets from 1CEh: 0 index; 1 and 2 data (the second is aligned). */
static uint32_t dispi_read(void *opaque, uint32_t offset, unsigned size)
{
    const struct vga *vga = opaque;
    if (size != 2)
        return UINT32_MAX;
    return offset ? read_register(vga) : vga->dispi_index;
}

static void dispi_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct vga *vga = opaque;
    if (size != 2)
        return;
    if (offset == 0)
        vga->dispi_index = (uint16_t)value;
    else if (vga->dispi_index < DISPI_REGISTERS)
        write_register(vga, (uint16_t)value);
}

const struct bus_ops vga_dispi_ops = {dispi_read, dispi_write, 3};
