/* SPDX-License-Identifier: MIT */
/* Screenshots: PNG by libpng, text as the VGA tells it. */
#include "emu/cli/pc/pc_screen.h"

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_LIBPNG
#include <png.h>

static int write_png(const struct vga_picture *picture, const char *path, struct why *why)
{
    size_t pixels = (size_t)picture->width * picture->height;
    uint8_t *rgb = malloc(3 * pixels + 1);
    if (!rgb)
        return why_fail(why, -ENOMEM, "no memory for a picture");
    for (size_t i = 0; i < pixels; i++) {
        rgb[3 * i] = (uint8_t)(picture->pixel[i] >> 16);
        rgb[3 * i + 1] = (uint8_t)(picture->pixel[i] >> 8);
        rgb[3 * i + 2] = (uint8_t)picture->pixel[i];
    }
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = picture->width,
                       .height = picture->height,
                       .format = PNG_FORMAT_RGB};
    int ok = png_image_write_to_file(&image, path, 0, rgb, 0, NULL);
    free(rgb);
    return ok ? 0 : why_fail(why, -EIO, "cannot write %s: %s", path, image.message);
}
#else
static int write_png(const struct vga_picture *picture, const char *path, struct why *why)
{
    (void)picture;
    return why_fail(why, -ENOTSUP, "cannot write %s: built without libpng (libpng-dev)", path);
}
#endif

int pc_screen_save(const struct vga *vga, const char *path, struct why *why)
{
    struct vga_picture picture = {0};
    picture.pixel = malloc((size_t)VGA_MAX_WIDTH * VGA_MAX_HEIGHT * sizeof(*picture.pixel));
    if (!picture.pixel)
        return why_fail(why, -ENOMEM, "no memory for a picture");
    vga_draw(vga, &picture);
    int err = write_png(&picture, path, why);
    free(picture.pixel);
    return err;
}

void pc_screen_print(const struct vga *vga)
{
    static const size_t room = VGA_TEXT_MAX;
    char *text = malloc(room);
    if (!text)
        return;
    vga_text(vga, text, room);
    fputs(text, stdout);
    fflush(stdout);
    free(text);
}

bool pc_screen_shows(const struct vga *vga, const char *text)
{
    static const size_t room = VGA_TEXT_MAX;
    char *screen = malloc(room);
    bool found = false;
    if (screen) {
        vga_text(vga, screen, room);
        found = strstr(screen, text);
    }
    free(screen);
    return found;
}
