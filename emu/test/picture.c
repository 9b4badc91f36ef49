/* SPDX-License-Identifier: MIT */
/* The last screen of a PC as a picture: its pixels against those of a golden file. */
#include "emu/test/run_private.h"

#include "config.h"
#include "devices/pc/vga.h"
#include "emu/cli/pc/pc_screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As a PNG file's bytes. */
static int take(const struct vga *vga, struct buffer *out, struct why *why)
{
    char path[] = "/tmp/denali-screen-XXXXXX", part[4096];
    int fd = mkstemp(path);
    ssize_t n;
    if (fd < 0)
        return why_fail(why, -errno, "no temporary file: %s", strerror(errno));
    int err = pc_screen_save(vga, path, why);
    FILE *file = err ? NULL : fopen(path, "rbe");
    while (file && (n = (ssize_t)fread(part, 1, sizeof(part), file)) > 0)
        buffer_add(out, part, (size_t)n);
    if (file)
        fclose(file);
    close(fd);
    unlink(path);
    return err;
}

#if HAVE_LIBPNG
#include <png.h>

struct pixels {
    unsigned width, height;
    uint8_t *rgb;
};

static bool finish_read(png_image *image, struct pixels *out)
{
    image->format = PNG_FORMAT_RGB;
    *out = (struct pixels){image->width, image->height, malloc(PNG_IMAGE_SIZE(*image))};
    return out->rgb && png_image_finish_read(image, NULL, out->rgb, 0, NULL);
}

static bool read_memory(const struct buffer *png, struct pixels *out)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    return png_image_begin_read_from_memory(&image, png->data, png->len) &&
           finish_read(&image, out);
}

static bool read_file(const char *path, struct pixels *out)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    return png_image_begin_read_from_file(&image, path) && finish_read(&image, out);
}

/* How many pixels differ. */
static uint64_t count_other(const struct pixels *a, const struct pixels *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < (size_t)a->width * a->height; i++)
        n += memcmp(a->rgb + 3 * i, b->rgb + 3 * i, 3) != 0;
    return n;
}

static void compare(struct run *run, const struct buffer *png, const char *golden)
{
    struct pixels want = {0}, got = {0};
    struct outcome *out = run->out;
    uint64_t before = out->failed;
    if (!read_memory(png, &got))
        outcome_fail(out, "screenshot: no picture could be taken");
    else if (!read_file(golden, &want))
        outcome_fail(out,
                     "screenshot: the golden picture %s cannot be read (denali test --bless "
                     "makes it)",
                     golden);
    else if (want.width != got.width || want.height != got.height)
        outcome_fail(out, "screenshot: it is %ux%u, and %s is %ux%u", got.width, got.height, golden,
                     want.width, want.height);
    else if (count_other(&want, &got))
        outcome_fail(out, "screenshot: %llu of %u pixels are not as in %s",
                     (unsigned long long)count_other(&want, &got), got.width * got.height, golden);
    if (out->failed > before) {
        out->only_goldens = before == 0 || out->only_goldens;
        outcome_add_golden(out, golden, png->data, png->len, true);
    }
    free(want.rgb);
    free(got.rgb);
}
#else
static void compare(struct run *run, const struct buffer *png, const char *golden)
{
    (void)png, (void)golden;
    outcome_fail(run->out, "screenshot: denali was built without libpng (libpng-dev)");
}
#endif

void run_check_picture(struct run *run, const struct vga *vga)
{
    const char *golden = run->spec->expect.screenshot;
    struct buffer png = {0};
    struct why why;
    if (!run->wish->check || (!golden && !run->out->failed))
        return;
    if (!vga) {
        if (golden)
            outcome_fail(run->out, "screenshot: the machine has no screen");
        return;
    }
    int err = take(vga, &png, &why);
    if (err && golden)
        outcome_fail(run->out, "screenshot: %s", why.text);
    else if (golden)
        compare(run, &png, golden);
    if (run->out->failed && !err)
        buffer_add(&run->out->picture, png.data, png.len);
    buffer_free(&png);
}
