/* SPDX-License-Identifier: MIT */
/* The screen of a PC as a PNG file and as text. */
#ifndef DENALI_PC_SCREEN_H
#define DENALI_PC_SCREEN_H

#include "devices/pc/vga.h"
#include "emu/base/why.h"

/* -ENOTSUP: built without libpng. */
MUST_CHECK int pc_screen_save(const struct vga *vga, const char *path, struct why *why);
/* To stdout. */
void pc_screen_print(const struct vga *vga);
/* Whether a line of the screen contains it. */
bool pc_screen_shows(const struct vga *vga, const char *text);

#endif
