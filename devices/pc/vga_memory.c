/* SPDX-License-Identifier: MIT */
/*
 * The window from A0000h to BFFFFh: what the graphics controller makes of reads
 * and writes. Where an access is plain memory (chain-4 with all planes enabled, and
 * banks of linear modes) the processor gets the memory itself.
 */
#include "devices/pc/vga_private.h"

#include "emu/base/host.h"

/* Offset in the window of a CPU address, or UINT32_MAX: not decoded. */
static uint32_t decode(const struct vga *vga, uint32_t offset)
{
    switch (vga->gfx[GFX_MISC] >> 2 & 3) {
    case 0:
        return offset;
    case 1:
        return offset < 0x10000 ? offset : UINT32_MAX;
    case 2:
        return offset >= 0x10000 && offset < 0x18000 ? offset - 0x10000 : UINT32_MAX;
    default:
        return offset >= 0x18000 ? offset - 0x18000 : UINT32_MAX;
    }
}

static bool is_chain4(const struct vga *vga)
{
    return vga->seq[SEQ_MEMORY] & 8;
}

static bool is_odd_even(const struct vga *vga)
{
    return !(vga->seq[SEQ_MEMORY] & 4);
}

/* Linear modes: the bank. */
static uint32_t bank_base(const struct vga *vga)
{
    return (uint32_t)vga->dispi[DISPI_BANK] << 16;
}

static uint32_t word_of(const struct vga *vga, uint32_t offset)
{
    const uint8_t *at = vga->memory + offset * 4;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* A bit for each plane becomes a byte of ones for each. */
static uint32_t spread(unsigned planes)
{
    return (planes & 1 ? 0xffu : 0) | (planes & 2 ? 0xff00u : 0) | (planes & 4 ? 0xff0000u : 0) |
           (planes & 8 ? 0xff000000u : 0);
}

static uint8_t read_planar(struct vga *vga, uint32_t offset)
{
    uint32_t word = word_of(vga, offset);
    for (unsigned i = 0; i < 4; i++)
        vga->latch[i] = (uint8_t)(word >> (8 * i));
    if (!(vga->gfx[GFX_MODE] & 8))
        return vga->latch[vga->gfx[GFX_READ_MAP] & 3];
    uint32_t differs = (word ^ spread(vga->gfx[GFX_COMPARE])) & spread(vga->gfx[GFX_DONT_CARE]);
    differs |= differs >> 16;
    return (uint8_t) ~(differs | differs >> 8);
}

/* Planes are VGA_PLANES / 4 bytes long; linear banks move the window. */
static uint32_t plane_offset(const struct vga *vga, uint32_t at)
{
    if (vga_is_linear(vga))
        return (at + bank_base(vga)) % (VGA_MEMORY / 4);
    return at % (VGA_PLANES / 4);
}

static uint8_t read_byte(struct vga *vga, uint32_t offset)
{
    uint32_t at = decode(vga, offset);
    if (at == UINT32_MAX)
        return 0xff;
    if (is_chain4(vga))
        return vga
            ->memory[vga_is_linear(vga) ? (at + bank_base(vga)) % VGA_MEMORY : at % VGA_PLANES];
    if (vga->gfx[GFX_MODE] & 0x10) {
        unsigned plane = (vga->gfx[GFX_READ_MAP] & 2u) | (at & 1);
        return vga->memory[4 * (at >> 1) % VGA_PLANES + plane];
    }
    return read_planar(vga, plane_offset(vga, at));
}

static uint32_t rotate_right(uint32_t byte, unsigned by)
{
    return (byte >> by | byte << (8 - by)) & 0xff;
}

static uint32_t combine(unsigned function, uint32_t value, uint32_t latch)
{
    switch (function) {
    case 1:
        return value & latch;
    case 2:
        return value | latch;
    case 3:
        return value ^ latch;
    default:
        return value;
    }
}

static void write_planar(struct vga *vga, uint32_t offset, uint32_t byte)
{
    const uint8_t *gfx = vga->gfx;
    uint32_t latch = vga->latch[0] | (uint32_t)vga->latch[1] << 8 | (uint32_t)vga->latch[2] << 16 |
                     (uint32_t)vga->latch[3] << 24;
    uint32_t mask = gfx[GFX_BIT_MASK], value;
    uint32_t set = spread(gfx[GFX_SET_RESET]), enable = spread(gfx[GFX_ENABLE]);
    switch (gfx[GFX_MODE] & 3) {
    case 0:
        value = rotate_right(byte, gfx[GFX_ROTATE] & 7) * 0x01010101u;
        value = (value & ~enable) | (set & enable);
        break;
    case 1:
        value = latch;
        break;
    case 2:
        value = spread(byte & 15);
        break;
    default:
        mask &= rotate_right(byte, gfx[GFX_ROTATE] & 7);
        value = set;
    }
    if ((gfx[GFX_MODE] & 3) != 1) {
        value = combine(gfx[GFX_ROTATE] >> 3 & 3, value, latch);
        mask *= 0x01010101u;
        value = (value & mask) | (latch & ~mask);
    }
    uint32_t planes = spread(vga->seq[SEQ_MAP]);
    value = (value & planes) | (word_of(vga, offset) & ~planes);
    for (unsigned i = 0; i < 4; i++)
        vga->memory[offset * 4 + i] = (uint8_t)(value >> (8 * i));
}

static void write_byte(struct vga *vga, uint32_t offset, uint8_t byte)
{
    uint32_t at = decode(vga, offset);
    if (at == UINT32_MAX)
        return;
    if (is_chain4(vga)) {
        if (vga_is_linear(vga))
            vga->memory[(at + bank_base(vga)) % VGA_MEMORY] = byte;
        else if (vga->seq[SEQ_MAP] >> (at & 3) & 1)
            vga->memory[at % VGA_PLANES] = byte;
    } else if (is_odd_even(vga)) {
        unsigned plane = (vga->gfx[GFX_READ_MAP] & 2u) | (at & 1);
        if (vga->seq[SEQ_MAP] >> plane & 1)
            vga->memory[4 * (at >> 1) % VGA_PLANES + plane] = byte;
    } else {
        write_planar(vga, plane_offset(vga, at), byte);
    }
}

static uint32_t window_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)size;
    return read_byte(opaque, offset);
}

static void window_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)size;
    write_byte(opaque, offset, (uint8_t)value);
}

const struct bus_ops vga_window_ops = {window_read, window_write, 1};

/* The window's first 64 KiB can be had as memory; the rest is not decoded then. */
void vga_memory_remap(struct vga *vga)
{
    bool low64 = (vga->gfx[GFX_MISC] >> 2 & 3) == 1;
    bool plain = low64 && is_chain4(vga) && (vga->seq[SEQ_MAP] & 15) == 15;
    uint32_t base = vga_is_linear(vga) ? bank_base(vga) % VGA_MEMORY : 0;
    if (plain) {
        bus_region_set_host(vga->linear_window, vga->memory + base, HOST_R | HOST_W);
        bus_region_map(vga->linear_window, 0xa0000);
    } else {
        bus_region_unmap(vga->linear_window);
    }
}
