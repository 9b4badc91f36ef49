/* SPDX-License-Identifier: MIT */
/*
 * Text modes: as pixels with the font that the guest put into plane 2, and as characters.
 * Character and attribute of place n are planes 0 and 1 at the n-th offset from
 * the start address.
 */
#include "devices/pc/vga_private.h"

#include <string.h>

#define BLINK_NS 266000000u /* of the cursor, half a period; characters take twice as long */

struct text {
    unsigned columns, rows, height; /* of a character: in scan lines */
    uint32_t start, stride;
};

static struct text text_of(const struct vga *vga)
{
    struct text t;
    t.height = (vga->crt[9] & 31) + 1u;
    t.columns = vga->crt[1] + 1u;
    t.rows = vga_display_lines(vga) / t.height;
    if (t.columns > 160)
        t.columns = 160;
    if (t.rows > 100)
        t.rows = 100;
    t.start = vga_start(vga);
    t.stride = (uint32_t)vga->crt[0x13] * 2;
    return t;
}

static uint32_t place(const struct text *t, unsigned column, unsigned row)
{
    return (t->start + row * t->stride + column) & (VGA_PLANES / 4 - 1);
}

uint16_t vga_text_cell(const struct vga *vga, unsigned column, unsigned row)
{
    struct text t = text_of(vga);
    const uint8_t *p = vga->memory + 4 * place(&t, column, row);
    return (uint16_t)(p[0] | p[1] << 8);
}

bool vga_text_state(const struct vga *vga, struct vga_text_state *out)
{
    struct text t = text_of(vga);
    uint32_t cursor = (uint32_t)vga->crt[0x0e] << 8 | vga->crt[0x0f];
    uint32_t at = (cursor - t.start) & (VGA_PLANES / 4 - 1);
    memset(out, 0, sizeof(*out));
    if (!vga_is_text(vga))
        return false;
    out->columns = t.columns;
    out->rows = t.rows;
    if (t.stride && at / t.stride < t.rows && at % t.stride < t.columns) {
        out->cursor_row = at / t.stride;
        out->cursor_column = at % t.stride;
        out->cursor_shown =
            !(vga->crt[0x0a] & 0x20) && (vga->crt[0x0a] & 31) <= (vga->crt[0x0b] & 31);
    }
    return true;
}

/* The bits of one line of a character; the font is chosen by attribute bit 3. */
static uint8_t glyph_line(const struct vga *vga, uint8_t character, uint8_t attribute, unsigned y)
{
    uint8_t select = vga->seq[SEQ_FONT];
    unsigned map = attribute & 8 ? (select >> 2 & 3u) | (select >> 5 & 1u) << 2
                                 : (select & 3u) | (select >> 4 & 1u) << 2;
    static const uint16_t base[8] = {0x0000, 0x4000, 0x8000, 0xc000,
                                     0x2000, 0x6000, 0xa000, 0xe000};
    return vga->memory[4 * (base[map] + character * 32u + y) + 2];
}

struct cell_style {
    uint32_t front, back;
    unsigned width;
    bool extends, underlined, inverted;
};

static struct cell_style style_of(const struct vga *vga, uint8_t character, uint8_t attribute,
                                  bool blinks_off)
{
    uint8_t mode = vga->att[ATT_MODE];
    struct cell_style s = {.width = vga->seq[SEQ_CLOCKING] & 1 ? 8 : 9};
    unsigned back = attribute >> 4;
    bool blinks = mode & 8;
    if (blinks)
        back &= 7;
    s.front = vga_att_color(vga, attribute & 15);
    s.back = vga_att_color(vga, (uint8_t)back);
    if (blinks && (attribute & 0x80) && blinks_off)
        s.front = s.back;
    s.extends = (mode & 4) && character >= 0xc0 && character <= 0xdf;
    s.underlined = (mode & 2) && (attribute & 7) == 1;
    return s;
}

static void draw_line(const struct cell_style *s, uint8_t bits, uint32_t *to)
{
    for (unsigned x = 0; x < s->width; x++) {
        bool on = x < 8 ? bits >> (7 - x) & 1 : s->extends && (bits & 1);
        to[x] = on ? s->front : s->back;
    }
}

struct cursor {
    unsigned column, row, first, last;
    bool shown;
};

static void draw_cell(const struct vga *vga, const struct cell_style *s, uint16_t cell, unsigned y,
                      const struct cursor *cursor, uint32_t *to)
{
    uint8_t bits = glyph_line(vga, (uint8_t)cell, (uint8_t)(cell >> 8), y);
    if (s->underlined && y == (vga->crt[0x14] & 31u))
        bits = 0xff;
    if (cursor && y >= cursor->first && y <= cursor->last)
        bits = 0xff;
    draw_line(s, bits, to);
}

static void draw_row(const struct vga *vga, const struct text *t, unsigned row,
                     const struct cursor *cursor, struct vga_picture *picture)
{
    bool off = board_now(vga->board) / (2 * BLINK_NS) & 1;
    for (unsigned column = 0; column < t->columns; column++) {
        const uint8_t *p = vga->memory + 4 * place(t, column, row);
        uint16_t cell = (uint16_t)(p[0] | p[1] << 8);
        struct cell_style s = style_of(vga, p[0], p[1], off);
        bool here = cursor->shown && cursor->row == row && cursor->column == column;
        for (unsigned y = 0; y < t->height; y++) {
            size_t line = (size_t)row * t->height + y;
            draw_cell(vga, &s, cell, y, here ? cursor : NULL,
                      picture->pixel + line * picture->width + column * s.width);
        }
    }
}

void vga_draw_text(const struct vga *vga, struct vga_picture *picture)
{
    struct text t = text_of(vga);
    struct vga_text_state state;
    bool on = !(board_now(vga->board) / BLINK_NS & 1);
    (void)vga_text_state(vga, &state);
    struct cursor cursor = {state.cursor_column, state.cursor_row, vga->crt[0x0a] & 31u,
                            vga->crt[0x0b] & 31u, state.cursor_shown && on};
    picture->width = t.columns * (vga->seq[SEQ_CLOCKING] & 1 ? 8 : 9);
    picture->height = t.rows * t.height;
    if (picture->height > VGA_MAX_HEIGHT) {
        t.rows = VGA_MAX_HEIGHT / t.height;
        picture->height = t.rows * t.height;
    }
    for (unsigned row = 0; row < t.rows; row++)
        draw_row(vga, &t, row, &cursor, picture);
}

/* Code page 437, which the fonts of PCs show. */
uint32_t vga_unicode(uint8_t character)
{
    static const uint16_t low[32] = {
        ' ',    0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25d8, 0x25cb, 0x25d9,
        0x2642, 0x2640, 0x266a, 0x266b, 0x263c, 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7,
        0x25ac, 0x21a8, 0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc};
    static const uint16_t high[128] = {
        0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8,
        0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2,
        0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1,
        0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd,
        0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562,
        0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534,
        0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560,
        0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
        0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393,
        0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6,
        0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248, 0x00b0,
        0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0};
    if (character < 32)
        return low[character];
    if (character < 127)
        return character;
    return character == 127 ? 0x2302 : high[character - 128];
}

struct text_out {
    char *at, *end;
    size_t len;
};

static void put_utf8(struct text_out *o, uint32_t c)
{
    char raw[3];
    unsigned n = 0;
    if (c < 0x80) {
        raw[n++] = (char)c;
    } else if (c < 0x800) {
        raw[n++] = (char)(0xc0 | c >> 6);
        raw[n++] = (char)(0x80 | (c & 63));
    } else {
        raw[n++] = (char)(0xe0 | c >> 12);
        raw[n++] = (char)(0x80 | (c >> 6 & 63));
        raw[n++] = (char)(0x80 | (c & 63));
    }
    o->len += n;
    if (o->end - o->at > (ptrdiff_t)n) {
        memcpy(o->at, raw, n);
        o->at += n;
    }
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == 0 || c == 255;
}

size_t vga_text(const struct vga *vga, char *out, size_t room)
{
    struct text t = text_of(vga);
    struct text_out o = {out, out + room, 0};
    BUG_ON(!room, "room for the end of the text");
    for (unsigned row = 0; vga_is_text(vga) && row < t.rows; row++) {
        unsigned used = t.columns;
        while (used && is_blank(vga->memory[4 * place(&t, used - 1, row)]))
            used--;
        for (unsigned column = 0; column < used; column++)
            put_utf8(&o, vga_unicode(vga->memory[4 * place(&t, column, row)]));
        put_utf8(&o, '\n');
    }
    *o.at = 0;
    return o.len;
}
