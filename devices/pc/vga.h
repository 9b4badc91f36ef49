/* SPDX-License-Identifier: MIT */
/*
 * A VGA with the Bochs display interface (VBE DISPI): text, planar, 256
 * colours, mode X, and linear modes of 8 to 32 bits, in 16 MiB.
 */
#ifndef DENALI_PC_VGA_H
#define DENALI_PC_VGA_H

#include "devices/pc/pci.h"

#define VGA_MAX_WIDTH 2560u
#define VGA_MAX_HEIGHT 1600u

struct vga;

/* What a monitor would show: 0x00RRGGBB, width * height of them, line by line. */
struct vga_picture {
    unsigned width, height;
    uint32_t *pixel; /* the receiver's own; room for VGA_MAX_WIDTH * VGA_MAX_HEIGHT */
};

/* `rom` (copied) is given to firmware as the card's PCI ROM; len 0: none. */
MUST_CHECK int vga_create(struct board *board, struct pci *pci, unsigned devfn, const uint8_t *rom,
                          uint32_t rom_len, struct vga **out);

/* Draws the screen. The blinking of cursor and text follows the board's time. */
void vga_draw(const struct vga *vga, struct vga_picture *picture);

/*
 * The characters of a text screen as lines of UTF-8, without blanks at their ends; the empty string
 * in graphics modes. Returns the length; at most room - 1 bytes and a 0 are written.
 */
size_t vga_text(const struct vga *vga, char *out, size_t room);
/* A screen of 132 by 60 characters of 3 bytes fits. */
#define VGA_TEXT_MAX 32768u

/* The text screen's size, and its cursor; false in graphics modes. */
struct vga_text_state {
    unsigned columns, rows, cursor_column, cursor_row;
    bool cursor_shown;
};
bool vga_text_state(const struct vga *vga, struct vga_text_state *out);
/* Character and attribute at a place of the text screen. */
uint16_t vga_text_cell(const struct vga *vga, unsigned column, unsigned row);
/* Unicode of a character of the PC's set. */
uint32_t vga_unicode(uint8_t character);

/* As firmware leaves it: 80 by 25 characters, with the font of the card's ROM if it has one. */
void vga_enter_text_mode(struct vga *vga);

#endif
