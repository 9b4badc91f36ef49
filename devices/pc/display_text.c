/* SPDX-License-Identifier: MIT */
/*
 * The PC's text screen in the terminal: rows that changed are written anew, ten
 * times a second. Keys become scan codes, pressed and released; Ctrl-A x ends.
 *
 * Invariant: the terminal is raw from the constructor to close, and a guard
 * process gives it back if we never come to it.
 */
#include "devices/pc/display.h"

#include "devices/tty_guard.h"
#include "emu/base/host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define FRAME_NS 100000000u
#define MAX_COLUMNS 160u
#define MAX_ROWS 100u
#define ESCAPE 1 /* Ctrl-A */
#define KEY_CTRL 0x1d
#define KEY_SHIFT 0x2a

struct text_display {
    struct display base;
    struct vga *vga;
    struct i8042 *keyboard;
    struct termios found;
    struct tty_guard *guard;
    uint64_t next_ns;
    bool escaped, closed, has_shown;
    uint16_t shown[MAX_ROWS][MAX_COLUMNS];
    unsigned shown_columns, shown_rows;
};

static struct text_display *self(const struct display *display)
{
    return CONTAINER_OF(display, struct text_display, base);
}

static void put_character(uint32_t c)
{
    if (c < 0x80)
        putchar((int)c);
    else if (c < 0x800)
        printf("%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 63)));
    else
        printf("%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 63)),
               (int)(0x80 | (c & 63)));
}

/* The PC's colours are blue, green, red; a terminal's red, green, blue. */
static unsigned terminal_color(unsigned c)
{
    return (c & 1) << 2 | (c & 2) | (c >> 2 & 1);
}

static void put_attribute(uint8_t attribute)
{
    printf("\033[0;%u;%um", (attribute & 8 ? 90 : 30) + terminal_color(attribute & 7),
           40 + terminal_color(attribute >> 4 & 7));
}

static void draw_row(struct text_display *d, unsigned row, unsigned columns)
{
    int attribute = -1;
    printf("\033[%u;1H", row + 1);
    for (unsigned column = 0; column < columns; column++) {
        uint16_t cell = vga_text_cell(d->vga, column, row);
        d->shown[row][column] = cell;
        if (attribute != cell >> 8)
            put_attribute((uint8_t)(cell >> 8));
        attribute = cell >> 8;
        put_character(vga_unicode((uint8_t)cell));
    }
    printf("\033[0m\033[K");
}

static bool row_changed(const struct text_display *d, unsigned row, unsigned columns)
{
    for (unsigned column = 0; column < columns; column++) {
        if (d->shown[row][column] != vga_text_cell(d->vga, column, row))
            return true;
    }
    return false;
}

static void draw(struct text_display *d)
{
    struct vga_text_state state;
    if (!vga_text_state(d->vga, &state))
        return;
    unsigned columns = state.columns < MAX_COLUMNS ? state.columns : MAX_COLUMNS;
    unsigned rows = state.rows < MAX_ROWS ? state.rows : MAX_ROWS;
    bool all = !d->has_shown || columns != d->shown_columns || rows != d->shown_rows;
    if (all)
        printf("\033[2J");
    for (unsigned row = 0; row < rows; row++) {
        if (all || row_changed(d, row, columns))
            draw_row(d, row, columns);
    }
    printf("\033[%u;%uH\033[?25%c", state.cursor_row + 1, state.cursor_column + 1,
           state.cursor_shown ? 'h' : 'l');
    fflush(stdout);
    d->has_shown = true;
    d->shown_columns = columns;
    d->shown_rows = rows;
}

static void press(struct text_display *d, unsigned key, unsigned with)
{
    if (with)
        i8042_key(d->keyboard, with, true);
    i8042_key(d->keyboard, key, true);
    i8042_key(d->keyboard, key, false);
    if (with)
        i8042_key(d->keyboard, with, false);
}

/* Keys that terminals send as ESC [ ... */
static unsigned sequence_key(const uint8_t *data, size_t len, size_t *used)
{
    static const struct {
        const char *text;
        uint16_t key;
    } row[] = {{"[A", 0xc8},   {"[B", 0xd0},   {"[C", 0xcd},   {"[D", 0xcb},   {"[H", 0xc7},
               {"[F", 0xcf},   {"[5~", 0xc9},  {"[6~", 0xd1},  {"[2~", 0xd2},  {"[3~", 0xd3},
               {"OP", 0x3b},   {"OQ", 0x3c},   {"OR", 0x3d},   {"OS", 0x3e},   {"[15~", 0x3f},
               {"[17~", 0x40}, {"[18~", 0x41}, {"[19~", 0x42}, {"[20~", 0x43}, {"[21~", 0x44},
               {"[23~", 0x57}, {"[24~", 0x58}};
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        size_t n = strlen(row[i].text);
        if (len >= n && !memcmp(data, row[i].text, n)) {
            *used = n;
            return row[i].key;
        }
    }
    return 0;
}

static void take_byte(struct text_display *d, uint8_t byte)
{
    if (byte == 0x7f)
        byte = '\b';
    unsigned key = i8042_key_of(byte);
    if (key)
        press(d, key & ~I8042_SHIFT, key & I8042_SHIFT ? KEY_SHIFT : 0);
    else if (byte && byte < 27)
        press(d, i8042_key_of(byte + 'a' - 1u), KEY_CTRL);
}

static void take_bytes(struct text_display *d, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t used = 0;
        unsigned key = data[i] == 27 ? sequence_key(data + i + 1, len - i - 1, &used) : 0;
        if (d->escaped && data[i] == 'x')
            d->closed = true;
        else if (data[i] == ESCAPE && !d->escaped) {
            d->escaped = true;
            continue;
        } else if (key) {
            press(d, key, 0);
            i += used;
        } else {
            take_byte(d, data[i]);
        }
        d->escaped = false;
    }
}

static void take_keys(struct text_display *d)
{
    uint8_t data[64];
    struct pollfd p = {.fd = 0, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0)
        return;
    ssize_t n = read(0, data, sizeof(data));
    if (n > 0)
        take_bytes(d, data, (size_t)n);
}

static void text_update(struct display *display)
{
    struct text_display *d = self(display);
    uint64_t now = host_monotonic_ns();
    take_keys(d);
    if (now < d->next_ns)
        return;
    d->next_ns = now + FRAME_NS;
    draw(d);
}

static bool text_is_closed(const struct display *display)
{
    return self(display)->closed;
}

static void text_close(struct display *display)
{
    struct text_display *d = self(display);
    draw(d);
    printf("\033[0m\033[%u;1H\033[?25h\n", d->shown_rows);
    fflush(stdout);
    tcsetattr(0, TCSADRAIN, &d->found);
    tty_guard_end(d->guard);
    free(d);
}

static const struct display_ops text_ops = {text_update, text_is_closed, text_close};

int display_text_create(struct vga *vga, struct i8042 *keyboard, struct display **out,
                        struct why *why)
{
    struct termios found;
    if (tcgetattr(0, &found) || !isatty(1))
        return why_fail(why, -ENOTTY, "--display text wants a terminal");
    struct text_display *d = calloc(1, sizeof(*d));
    if (!d)
        return why_fail(why, -ENOMEM, "no memory");
    d->base.ops = &text_ops;
    d->vga = vga;
    d->keyboard = keyboard;
    d->found = found;
    if (tty_guard_start(&found, &d->guard))
        d->guard = NULL; /* it works without one, as long as we do */
    struct termios raw = found;
    cfmakeraw(&raw);
    tcsetattr(0, TCSANOW, &raw);
    *out = &d->base;
    return 0;
}
