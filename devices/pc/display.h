/* SPDX-License-Identifier: MIT */
/* The screen for a person: an SDL2 window, or the text screen in the terminal; keys and mouse. */
#ifndef DENALI_PC_DISPLAY_H
#define DENALI_PC_DISPLAY_H

#include "devices/pc/i8042.h"
#include "devices/pc/vga.h"
#include "emu/base/why.h"

struct display;

struct display_ops {
    void (*update)(struct display *display);
    bool (*is_closed)(const struct display *display);
    void (*close)(struct display *display);
};
struct display {
    const struct display_ops *ops;
};

/* "sdl" or "text". */
MUST_CHECK int display_open(const char *kind, struct vga *vga, struct i8042 *keyboard,
                            struct display **out, struct why *why);
/* To be called often: draws when it is time, and takes what the person did. */
void display_update(struct display *display);
bool display_is_closed(const struct display *display);
void display_close(struct display *display); /* NULL is harmless */

/* display_sdl.c, display_text.c */
int display_sdl_create(struct vga *vga, struct i8042 *keyboard, struct display **out,
                       struct why *why);
int display_text_create(struct vga *vga, struct i8042 *keyboard, struct display **out,
                        struct why *why);

#endif
