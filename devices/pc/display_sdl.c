/* SPDX-License-Identifier: MIT */
/*
 * A window by SDL2: the picture scaled to it, keys by their place on the
 * keyboard, the mouse after a click into it (Ctrl-Alt gives it back).
 *
 * SDL is loaded when a window is wanted, so that it costs other runs nothing.
 */
#include "devices/pc/display.h"

#include "config.h"

#include <errno.h>

#if HAVE_SDL2
#include "emu/base/host.h"

#include <SDL.h>
#include <dlfcn.h>
#include <stdlib.h>

#define FRAME_NS 33000000u

/* What we use of the library. */
#define SDL_FUNCTIONS(X)                                                                           \
    X(SDL_Init)                                                                                    \
    X(SDL_Quit)                                                                                    \
    X(SDL_GetError)                                                                                \
    X(SDL_CreateWindow)                                                                            \
    X(SDL_DestroyWindow)                                                                           \
    X(SDL_SetWindowSize)                                                                           \
    X(SDL_CreateRenderer)                                                                          \
    X(SDL_DestroyRenderer)                                                                         \
    X(SDL_CreateTexture)                                                                           \
    X(SDL_DestroyTexture)                                                                          \
    X(SDL_UpdateTexture)                                                                           \
    X(SDL_RenderCopy)                                                                              \
    X(SDL_RenderPresent)                                                                           \
    X(SDL_RenderClear)                                                                             \
    X(SDL_PollEvent)                                                                               \
    X(SDL_GetModState)                                                                             \
    X(SDL_SetRelativeMouseMode)
#define POINTER(name) __typeof__(&name) name;
struct sdl {
    void *library;
    SDL_FUNCTIONS(POINTER)
};

struct window {
    struct display base;
    struct sdl sdl;
    struct vga *vga;
    struct i8042 *keyboard;
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
    struct vga_picture picture;
    unsigned width, height; /* of the texture */
    uint64_t next_ns;
    unsigned buttons;
    bool grabbed, closed;
};

static struct window *self(const struct display *display)
{
    return CONTAINER_OF(display, struct window, base);
}

static int load(struct sdl *sdl, struct why *why)
{
    sdl->library = dlopen("libSDL2-2.0.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!sdl->library)
        return why_fail(why, -ENOENT, "--display sdl wants the SDL2 library (libsdl2-2.0-0)");
    bool whole = true;
#define RESOLVE(name)                                                                              \
    *(void **)(&sdl->name) = dlsym(sdl->library, #name);                                           \
    whole &= sdl->name != NULL;
    SDL_FUNCTIONS(RESOLVE)
    return whole ? 0 : why_fail(why, -ENOENT, "the SDL2 library is too old");
}

/* Scan code set 1 of SDL's places of keys. */
static unsigned key_of(SDL_Scancode code)
{
    static const uint16_t letters[] = {0x1e, 0x30, 0x2e, 0x20, 0x12, 0x21, 0x22, 0x23, 0x17,
                                       0x24, 0x25, 0x26, 0x32, 0x31, 0x18, 0x19, 0x10, 0x13,
                                       0x1f, 0x14, 0x16, 0x2f, 0x11, 0x2d, 0x15, 0x2c};
    static const uint16_t after[] = {
        /* digits 1 to 0, return, escape, backspace, tab, space */
        0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x1c, 0x01, 0x0e, 0x0f, 0x39,
        /* - = [ ] \ # ; ' ` , . / caps */
        0x0c, 0x0d, 0x1a, 0x1b, 0x2b, 0x2b, 0x27, 0x28, 0x29, 0x33, 0x34, 0x35, 0x3a,
        /* F1 to F12 */
        0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x40, 0x41, 0x42, 0x43, 0x44, 0x57, 0x58,
        /* print, scroll, pause, insert, home, page up, delete, end,
           page down, right, left, down, up */
        0xb7, 0x46, I8042_PAUSE, 0xd2, 0xc7, 0xc9, 0xd3, 0xcf, 0xd1, 0xcd, 0xcb, 0xd0, 0xc8,
        /* the number block: lock / * - + enter 1 to 0 . */
        0x45, 0xb5, 0x37, 0x4a, 0x4e, 0x9c, 0x4f, 0x50, 0x51, 0x4b, 0x4c, 0x4d, 0x47, 0x48, 0x49,
        0x52, 0x53, 0x56, 0xdd};
    static const uint16_t shifts[] = {0x1d, 0x2a, 0x38, 0xdb, 0x9d, 0x36, 0xb8, 0xdc};
    unsigned n = code;
    if (n >= 4 && n < 30)
        return letters[n - 4];
    if (n >= 30 && n < 30 + ARRAY_LEN(after))
        return after[n - 30];
    return n >= 224 && n < 232 ? shifts[n - 224] : 0;
}

static void grab(struct window *w, bool on)
{
    w->grabbed = on;
    w->sdl.SDL_SetRelativeMouseMode(on);
}

static void take_key(struct window *w, const SDL_KeyboardEvent *e)
{
    unsigned key = key_of(e->keysym.scancode);
    SDL_Keymod mods = w->sdl.SDL_GetModState();
    if (w->grabbed && (mods & KMOD_CTRL) && (mods & KMOD_ALT))
        grab(w, false);
    if (key)
        i8042_key(w->keyboard, key, e->type == SDL_KEYDOWN);
}

static void take_button(struct window *w, const SDL_MouseButtonEvent *e)
{
    static const uint8_t bit[] = {0, 1, 4, 2};
    bool down = e->type == SDL_MOUSEBUTTONDOWN;
    if (!w->grabbed) {
        if (down)
            grab(w, true);
        return;
    }
    if (e->button >= ARRAY_LEN(bit))
        return;
    w->buttons = down ? w->buttons | bit[e->button] : w->buttons & ~(unsigned)bit[e->button];
    i8042_move(w->keyboard, 0, 0, 0, w->buttons);
}

static void take_event(struct window *w, const SDL_Event *e)
{
    switch (e->type) {
    case SDL_QUIT:
        w->closed = true;
        break;
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        take_key(w, &e->key);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        take_button(w, &e->button);
        break;
    case SDL_MOUSEMOTION:
        if (w->grabbed)
            i8042_move(w->keyboard, e->motion.xrel, e->motion.yrel, 0, w->buttons);
        break;
    case SDL_MOUSEWHEEL:
        if (w->grabbed)
            i8042_move(w->keyboard, 0, 0, -e->wheel.y, w->buttons);
        break;
    }
}

/* The window takes the picture's size; small pictures are doubled. */
static bool fit(struct window *w)
{
    unsigned scale = w->picture.width <= 400 ? 2 : 1;
    if (w->texture && w->width == w->picture.width && w->height == w->picture.height)
        return true;
    if (w->texture)
        w->sdl.SDL_DestroyTexture(w->texture);
    w->width = w->picture.width;
    w->height = w->picture.height;
    w->texture =
        w->sdl.SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                 (int)w->width, (int)w->height);
    w->sdl.SDL_SetWindowSize(w->window, (int)(w->width * scale), (int)(w->height * scale));
    return w->texture;
}

static void draw(struct window *w)
{
    vga_draw(w->vga, &w->picture);
    if (!w->picture.width || !w->picture.height || !fit(w))
        return;
    w->sdl.SDL_UpdateTexture(w->texture, NULL, w->picture.pixel,
                             (int)(w->width * sizeof(*w->picture.pixel)));
    w->sdl.SDL_RenderClear(w->renderer);
    w->sdl.SDL_RenderCopy(w->renderer, w->texture, NULL, NULL);
    w->sdl.SDL_RenderPresent(w->renderer);
}

static void window_update(struct display *display)
{
    struct window *w = self(display);
    SDL_Event event;
    uint64_t now = host_monotonic_ns();
    while (w->sdl.SDL_PollEvent(&event))
        take_event(w, &event);
    if (now < w->next_ns)
        return;
    w->next_ns = now + FRAME_NS;
    draw(w);
}

static bool window_is_closed(const struct display *display)
{
    return self(display)->closed;
}

static void window_close(struct display *display)
{
    struct window *w = self(display);
    if (w->texture)
        w->sdl.SDL_DestroyTexture(w->texture);
    if (w->renderer)
        w->sdl.SDL_DestroyRenderer(w->renderer);
    if (w->window)
        w->sdl.SDL_DestroyWindow(w->window);
    if (w->sdl.SDL_Quit)
        w->sdl.SDL_Quit();
    if (w->sdl.library)
        dlclose(w->sdl.library);
    free(w->picture.pixel);
    free(w);
}

static const struct display_ops window_ops = {window_update, window_is_closed, window_close};

static int open_window(struct window *w, struct why *why)
{
    struct sdl *sdl = &w->sdl;
    if (sdl->SDL_Init(SDL_INIT_VIDEO))
        return why_fail(why, -ENODEV, "no window: %s", sdl->SDL_GetError());
    w->window = sdl->SDL_CreateWindow("denali", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                      720, 400, SDL_WINDOW_RESIZABLE);
    if (w->window)
        w->renderer = sdl->SDL_CreateRenderer(w->window, -1, 0);
    return w->renderer ? 0 : why_fail(why, -ENODEV, "no window: %s", sdl->SDL_GetError());
}

int display_sdl_create(struct vga *vga, struct i8042 *keyboard, struct display **out,
                       struct why *why)
{
    struct window *w = calloc(1, sizeof(*w));
    if (!w)
        return why_fail(why, -ENOMEM, "no memory");
    w->base.ops = &window_ops;
    w->vga = vga;
    w->keyboard = keyboard;
    w->picture.pixel = malloc((size_t)VGA_MAX_WIDTH * VGA_MAX_HEIGHT * sizeof(*w->picture.pixel));
    int err = w->picture.pixel ? load(&w->sdl, why) : why_fail(why, -ENOMEM, "no memory");
    if (!err)
        err = open_window(w, why);
    if (err) {
        window_close(&w->base);
        return err;
    }
    *out = &w->base;
    return 0;
}
#else
int display_sdl_create(struct vga *vga, struct i8042 *keyboard, struct display **out,
                       struct why *why)
{
    (void)vga, (void)keyboard, (void)out;
    return why_fail(why, -ENOTSUP, "--display sdl: built without SDL2 (libsdl2-dev)");
}
#endif
