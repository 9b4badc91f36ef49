/* SPDX-License-Identifier: MIT */
/* The state of a VGA, for the files vga*.c alone. */
#ifndef DENALI_PC_VGA_PRIVATE_H
#define DENALI_PC_VGA_PRIVATE_H

#include "devices/pc/vga.h"

#define VGA_MEMORY (16u * 1024 * 1024)
#define VGA_PLANES (256u * 1024) /* of it: what the four planes share */

enum { SEQ_CLOCKING = 1, SEQ_MAP = 2, SEQ_FONT = 3, SEQ_MEMORY = 4 };
enum {
    GFX_SET_RESET,
    GFX_ENABLE,
    GFX_COMPARE,
    GFX_ROTATE,
    GFX_READ_MAP,
    GFX_MODE,
    GFX_MISC,
    GFX_DONT_CARE,
    GFX_BIT_MASK
};
enum { ATT_MODE = 0x10, ATT_OVERSCAN, ATT_ENABLE, ATT_PAN, ATT_COLOR_SELECT };

/* Registers of the display interface. */
enum {
    DISPI_ID,
    DISPI_XRES,
    DISPI_YRES,
    DISPI_BPP,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET,
    DISPI_Y_OFFSET,
    DISPI_MEMORY, /* in 64 KiB */
    DISPI_REGISTERS
};
enum { DISPI_ENABLED = 1, DISPI_GETCAPS = 2, DISPI_8BIT_DAC = 0x20, DISPI_NOCLEAR = 0x80 };

/*
 * `memory` holds the planes interleaved: plane p's byte at offset o is
 * memory[4 * o + p]. So chain-4 and linear modes see plain bytes.
 */
struct vga {
    struct board_device dev;
    struct board *board;
    struct pci_function function;
    struct bus_region *window, *linear, *rom_region;
    struct bus_region *linear_window; /* over `window` while it is plain memory */
    uint8_t *memory, *rom;
    uint32_t rom_len, rom_window;
    uint8_t seq_index, gfx_index, crt_index, att_index;
    uint8_t seq[8], gfx[16], crt[64], att[32];
    uint8_t att_flip; /* port 3C0h takes data next */
    uint8_t misc, feature;
    uint8_t dac_mask, dac_state, dac_read, dac_write, dac_step;
    uint8_t dac_latch[3];
    uint8_t palette[768];
    uint8_t latch[4];
    uint16_t dispi_index, dispi[DISPI_REGISTERS];
};

static inline bool vga_is_linear(const struct vga *vga)
{
    return vga->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}

static inline bool vga_is_text(const struct vga *vga)
{
    return !vga_is_linear(vga) && !(vga->gfx[GFX_MISC] & 1);
}

/* The first displayed line that comes from address 0 instead of the start address. */
static inline unsigned vga_line_compare(const struct vga *vga)
{
    return vga->crt[0x18] | (vga->crt[7] & 0x10u) << 4 | (vga->crt[9] & 0x40u) << 3;
}

static inline unsigned vga_display_lines(const struct vga *vga)
{
    return (vga->crt[0x12] | (vga->crt[7] & 2u) << 7 | (vga->crt[7] & 0x40u) << 3) + 1;
}

static inline uint32_t vga_start(const struct vga *vga)
{
    return (uint32_t)vga->crt[0x0c] << 8 | vga->crt[0x0d];
}

/* vga_memory.c */
extern const struct bus_ops vga_window_ops;
/* After a change of what the window shows: the processor may use memory itself, or not. */
void vga_memory_remap(struct vga *vga);

/* vga_dispi.c */
extern const struct bus_ops vga_dispi_ops;
/* Whether all that the registers can show lies in memory. */
bool vga_dispi_valid(const struct vga *vga);

/* vga_palette: 0x00RRGGBB of a colour of the DAC. */
uint32_t vga_dac_color(const struct vga *vga, uint8_t index);
/* ... of a 4-bit colour through the attribute controller. */
uint32_t vga_att_color(const struct vga *vga, uint8_t color);

/* vga_text.c */
void vga_draw_text(const struct vga *vga, struct vga_picture *picture);

#endif
