/* SPDX-License-Identifier: MIT */
/* What a monitor would show of the graphics modes, drawn from registers and memory. */
#include "devices/pc/vga_private.h"

#include <string.h>

/* Geometry of a VGA graphics mode. */
struct screen {
    unsigned width, height, repeat; /* scan lines of a row of pixels */
    uint32_t start, stride;         /* in bytes of `memory` */
    unsigned split;                 /* the first row that comes from address 0 */
};

static struct screen screen_of(const struct vga *vga)
{
    struct screen s;
    unsigned lines = vga_display_lines(vga);
    s.repeat = (vga->crt[9] & 31) + 1u;
    if (!(vga->crt[0x17] & 1) && s.repeat > 1)
        s.repeat /= 2; /* CGA's two banks: the second line of a row is a row of its own */
    if (vga->crt[9] & 0x80)
        s.repeat *= 2;
    s.height = lines / s.repeat;
    s.width = (vga->crt[1] + 1u) * 8;
    s.start = vga_start(vga) * 4;
    s.stride = (uint32_t)vga->crt[0x13] * 8;
    s.split = vga_line_compare(vga) / s.repeat + 1;
    if (s.width > VGA_MAX_WIDTH)
        s.width = VGA_MAX_WIDTH;
    return s;
}

/* Where a row begins in memory, with the CGA's banks. */
static uint32_t row_address(const struct vga *vga, const struct screen *s, unsigned row)
{
    bool after = row >= s->split;
    unsigned y = after ? row - s->split : row;
    uint32_t base = after ? 0 : s->start;
    if (!(vga->crt[0x17] & 1)) /* row scan bit 0 is address bit 13 of each plane */
        return base + (y / 2) * s->stride + (y & 1) * 0x2000 * 4;
    return base + y * s->stride;
}

static const uint8_t *plane_bytes(const struct vga *vga, uint32_t at)
{
    return vga->memory + (at & (VGA_PLANES - 4));
}

static void draw_planar(const struct vga *vga, const struct screen *s, unsigned row, uint32_t *to)
{
    uint32_t at = row_address(vga, s, row), color[16];
    unsigned enable = vga->att[ATT_ENABLE] & 15, pan = vga->att[ATT_PAN] & 7;
    for (unsigned i = 0; i < 16; i++)
        color[i] = vga_att_color(vga, (uint8_t)(i & enable));
    for (unsigned x = 0; x < s->width; x++) {
        const uint8_t *p = plane_bytes(vga, at + (x + pan) / 8 * 4);
        unsigned bit = 7 - ((x + pan) & 7), v = 0;
        for (unsigned i = 0; i < 4; i++)
            v |= (p[i] >> bit & 1u) << i;
        to[x] = color[v];
    }
}

/* Two bits a pixel, bytes alternating between planes 0 and 1. */
static void draw_cga(const struct vga *vga, const struct screen *s, unsigned row, uint32_t *to)
{
    uint32_t at = row_address(vga, s, row);
    for (unsigned x = 0; x < s->width; x++) {
        const uint8_t *p = plane_bytes(vga, at + x / 8 * 4);
        unsigned shift = 6 - 2 * (x & 3);
        to[x] = vga_att_color(vga, (uint8_t)(p[x >> 2 & 1] >> shift & 3));
    }
}

static void draw_256(const struct vga *vga, const struct screen *s, unsigned row, uint32_t *to)
{
    uint32_t at = row_address(vga, s, row);
    for (unsigned x = 0; x < s->width; x++)
        to[x] = vga_dac_color(vga, vga->memory[(at + x) & (VGA_PLANES - 1)]);
}

static void draw_graphics(const struct vga *vga, struct vga_picture *picture)
{
    struct screen s = screen_of(vga);
    unsigned shift = vga->gfx[GFX_MODE] >> 5 & 3;
    if (shift >= 2)
        s.width /= 2; /* a pixel takes two clocks */
    if (s.height > VGA_MAX_HEIGHT)
        s.height = VGA_MAX_HEIGHT;
    picture->width = s.width;
    picture->height = s.height;
    for (unsigned row = 0; row < s.height; row++) {
        uint32_t *to = picture->pixel + (size_t)row * s.width;
        if (shift >= 2)
            draw_256(vga, &s, row, to);
        else if (shift == 1)
            draw_cga(vga, &s, row, to);
        else
            draw_planar(vga, &s, row, to);
    }
}

static uint32_t scale(uint32_t value, unsigned bits)
{
    return bits == 5 ? value << 3 | value >> 2 : value << 2 | value >> 4;
}

static uint32_t linear_pixel(const struct vga *vga, const uint8_t *p, unsigned bpp)
{
    uint32_t v = p[0];
    switch (bpp) {
    case 8:
        return vga_dac_color(vga, p[0]);
    case 15:
        v |= (uint32_t)p[1] << 8;
        return scale(v >> 10 & 31, 5) << 16 | scale(v >> 5 & 31, 5) << 8 | scale(v & 31, 5);
    case 16:
        v |= (uint32_t)p[1] << 8;
        return scale(v >> 11, 5) << 16 | scale(v >> 5 & 63, 6) << 8 | scale(v & 31, 5);
    default:
        return v | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    }
}

static void draw_linear_planar(const struct vga *vga, struct vga_picture *picture)
{
    const uint16_t *d = vga->dispi;
    struct screen s = {.width = picture->width, .split = UINT32_MAX};
    s.stride = d[DISPI_VIRT_WIDTH] / 8u * 4;
    for (unsigned row = 0; row < picture->height; row++) {
        const uint8_t *p = vga->memory + (size_t)(row + d[DISPI_Y_OFFSET]) * s.stride;
        uint32_t *to = picture->pixel + (size_t)row * s.width;
        for (unsigned x = 0; x < s.width; x++) {
            unsigned v = 0;
            for (unsigned i = 0; i < 4; i++)
                v |= (p[x / 8 * 4 + i] >> (7 - (x & 7)) & 1u) << i;
            to[x] = vga_att_color(vga, (uint8_t)v);
        }
    }
}

/* The registers were checked when the mode was entered: the visible part lies in memory. */
static void draw_linear(const struct vga *vga, struct vga_picture *picture)
{
    const uint16_t *d = vga->dispi;
    unsigned bpp = d[DISPI_BPP], bytes = bpp == 15 ? 2 : bpp / 8;
    picture->width = d[DISPI_XRES];
    picture->height = d[DISPI_YRES];
    if (bpp == 4) {
        draw_linear_planar(vga, picture);
        return;
    }
    size_t stride = (size_t)d[DISPI_VIRT_WIDTH] * bytes;
    for (unsigned row = 0; row < picture->height; row++) {
        size_t at = (row + d[DISPI_Y_OFFSET]) * stride + (size_t)d[DISPI_X_OFFSET] * bytes;
        uint32_t *to = picture->pixel + (size_t)row * picture->width;
        if (at + (size_t)picture->width * bytes > VGA_MEMORY)
            return;
        for (unsigned x = 0; x < picture->width; x++)
            to[x] = linear_pixel(vga, vga->memory + at + x * bytes, bpp);
    }
}

/* The screen is dark while the attribute controller's palette is open to the processor, or the
 * sequencer is off. */
static bool is_dark(const struct vga *vga)
{
    return !(vga->att_index & 0x20) || (vga->seq[SEQ_CLOCKING] & 0x20);
}

void vga_draw(const struct vga *vga, struct vga_picture *picture)
{
    if (vga_is_linear(vga)) {
        draw_linear(vga, picture);
    } else if (is_dark(vga)) {
        picture->width = 720;
        picture->height = 400;
        memset(picture->pixel, 0, 720 * 400 * sizeof(*picture->pixel));
    } else if (vga_is_text(vga)) {
        vga_draw_text(vga, picture);
    } else {
        draw_graphics(vga, picture);
    }
}
