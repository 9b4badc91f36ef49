/* SPDX-License-Identifier: MIT */
/* Which display. */
#include "devices/pc/display.h"

#include <string.h>

int display_open(const char *kind, struct vga *vga, struct i8042 *keyboard, struct display **out,
                 struct why *why)
{
    if (!strcmp(kind, "sdl"))
        return display_sdl_create(vga, keyboard, out, why);
    return display_text_create(vga, keyboard, out, why);
}

void display_update(struct display *display)
{
    display->ops->update(display);
}

bool display_is_closed(const struct display *display)
{
    return display->ops->is_closed(display);
}

void display_close(struct display *display)
{
    if (display)
        display->ops->close(display);
}
