/* SPDX-License-Identifier: MIT */
/*
 * The text mode that firmware leaves behind, for kernels that are started
 * without any. The font is looked for in the card's ROM.
 */
#include "devices/pc/vga_private.h"

#include <string.h>

static void set_registers(struct vga *vga)
{
    static const uint8_t seq[5] = {3, 0, 3, 0, 2};
    static const uint8_t crt[25] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,
                                    0x4f, 0x0d, 0x0e, 0,    0,    0,    0,    0x9c, 0x8e,
                                    0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
    static const uint8_t gfx[9] = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff};
    static const uint8_t att[21] = {0,    1,    2,    3,    4,    5,    0x14,
                                    7,    0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
                                    0x3e, 0x3f, 0x0c, 0,    0x0f, 8,    0};
    memcpy(vga->seq, seq, sizeof(seq));
    memcpy(vga->crt, crt, sizeof(crt));
    memcpy(vga->gfx, gfx, sizeof(gfx));
    memcpy(vga->att, att, sizeof(att));
    vga->misc = 0x67;
    vga->att_index = 0x20;
}

/* The 64 colours of the EGA: two bits of each, the low ones of bright colours. */
static void set_palette(struct vga *vga)
{
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned c = 0; c < 3; c++) {
            unsigned strong = i >> (2 - c) & 1, weak = i >> (5 - c) & 1;
            vga->palette[3 * i + c] = (uint8_t)(42 * strong + 21 * weak);
        }
    }
}

/* An 8 by 16 font begins with an empty character and has this 'A'. */
static const uint8_t *find_font(const struct vga *vga)
{
    static const uint8_t letter_a[16] = {0,    0,    0x10, 0x38, 0x6c, 0xc6,
                                         0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6};
    static const uint8_t empty[16];
    for (uint32_t at = 0; at + 256 * 16 <= vga->rom_len; at++) {
        const uint8_t *font = vga->rom + at;
        if (!memcmp(font + 'A' * 16, letter_a, 16) && !memcmp(font, empty, 16) &&
            !memcmp(font + ' ' * 16, empty, 16))
            return font;
    }
    return NULL;
}

void vga_enter_text_mode(struct vga *vga)
{
    const uint8_t *font = find_font(vga);
    set_registers(vga);
    set_palette(vga);
    memset(vga->memory, 0, VGA_PLANES);
    for (unsigned i = 0; i < 80 * 25; i++) {
        vga->memory[4 * i] = ' ';
        vga->memory[4 * i + 1] = 7;
    }
    for (unsigned c = 0; font && c < 256; c++) {
        for (unsigned y = 0; y < 16; y++)
            vga->memory[4 * (c * 32 + y) + 2] = font[c * 16 + y];
    }
    vga_memory_remap(vga);
}
