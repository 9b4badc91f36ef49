/* SPDX-License-Identifier: MIT */
/* Keyboard and mouse as their makers' interface descriptions have them. */
#include "devices/pc/ps2.h"

#include "devices/pc/i8042.h"

#include <string.h>

enum { ACK = 0xfa, RESEND = 0xfe, PASSED = 0xaa };
enum { MOVE_MAX = 4096, WHEEL_MAX = 64 }; /* of what is not yet reported, either way */

/* Set 1 code of each code of set 2 up to 7Fh: the controller's own table. */
static const uint8_t set1_of_set2[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54};

bool ps2_translate(uint8_t *byte, uint8_t *release)
{
    if (*byte == 0xf0) {
        *release = 0x80;
        return false;
    }
    if (*byte < 128)
        *byte = set1_of_set2[*byte] | *release;
    else if (*byte == 0x83)
        *byte = 0x41 | *release;
    else if (*byte == 0x84)
        *byte = 0x54 | *release;
    *release = 0;
    return true;
}

static uint8_t set2_of(uint8_t set1)
{
    if (set1 == 0x41)
        return 0x83; /* F7 lies outside the table */
    for (unsigned i = 1; i < 128; i++) {
        if (set1_of_set2[i] == set1)
            return (uint8_t)i;
    }
    return 0;
}

static void defaults(struct ps2_keyboard *k)
{
    k->set = 2;
    k->leds = 0;
    k->pending = 0;
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
    memset(k, 0, sizeof(*k));
    defaults(k);
    k->scanning = 1;
}

static void reply(struct ps2_queue *q, const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ps2_put(q, bytes[i]);
}

static void keyboard_argument(struct ps2_keyboard *k, uint8_t byte)
{
    uint8_t command = k->pending;
    k->pending = 0;
    ps2_put(&k->queue, ACK);
    if (command == 0xed)
        k->leds = byte & 7;
    else if (command == 0xf0 && byte == 0)
        ps2_put(&k->queue, k->set);
    else if (command == 0xf0 && byte <= 3)
        k->set = byte;
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte)
{
    static const uint8_t id[] = {ACK, 0xab, 0x83}, passed[] = {ACK, PASSED};
    if (k->pending && byte < 0xed) {
        keyboard_argument(k, byte);
        return;
    }
    k->pending = 0;
    switch (byte) {
    case 0xed: /* lamps */
    case 0xf0: /* scan code set */
    case 0xf3: /* repetition */
        k->pending = byte;
        break;
    case 0xee: /* echo */
        ps2_put(&k->queue, 0xee);
        return;
    case 0xf2:
        reply(&k->queue, id, sizeof(id));
        return;
    case 0xf4:
        k->queue.count = 0;
        k->scanning = 1;
        break;
    case 0xf5:
    case 0xf6:
        defaults(k);
        k->scanning = byte == 0xf6;
        break;
    case 0xfe:
        ps2_put(&k->queue, k->last);
        return;
    case 0xff:
        ps2_keyboard_reset(k);
        reply(&k->queue, passed, sizeof(passed));
        return;
    default:
        if (byte < 0xf7 || byte > 0xfd) { /* what is between concerns set 3 alone */
            ps2_put(&k->queue, RESEND);
            return;
        }
    }
    ps2_put(&k->queue, ACK);
}

static bool put_pause(struct ps2_keyboard *k, bool down)
{
    static const uint8_t set1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
    static const uint8_t set2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
    if (down && k->set == 1)
        reply(&k->queue, set1, sizeof(set1));
    else if (down)
        reply(&k->queue, set2, sizeof(set2));
    return true;
}

bool ps2_keyboard_key(struct ps2_keyboard *k, unsigned key, bool down)
{
    uint8_t code = key & 0x7f;
    if (!k->scanning || !ps2_room(&k->queue, 8))
        return false;
    if (key & I8042_PAUSE)
        return put_pause(k, down);
    if (key & I8042_EXTENDED)
        ps2_put(&k->queue, 0xe0);
    if (k->set == 1) {
        ps2_put(&k->queue, code | (down ? 0 : 0x80));
        return true;
    }
    if (!down)
        ps2_put(&k->queue, 0xf0);
    ps2_put(&k->queue, set2_of(code));
    return true;
}

static void mouse_defaults(struct ps2_mouse *m)
{
    m->reporting = m->remote = m->wrap = m->scaling = 0;
    m->resolution = 2;
    m->rate = 100;
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
    memset(m, 0, sizeof(*m));
    mouse_defaults(m);
}

static int clamp(int32_t v, int32_t bound)
{
    return v > bound ? bound : v < -bound ? -bound : v;
}

static void put_packet(struct ps2_mouse *m)
{
    int x = clamp(m->right, 255), y = clamp(-m->down, 255), z = clamp(m->wheel, 7);
    m->right -= x;
    m->down += y;
    m->wheel -= z;
    m->last_buttons = m->buttons;
    ps2_put(&m->queue, (uint8_t)(8 | m->buttons | (x < 0) << 4 | (y < 0) << 5));
    ps2_put(&m->queue, (uint8_t)x);
    ps2_put(&m->queue, (uint8_t)y);
    if (m->id == 3)
        ps2_put(&m->queue, (uint8_t)z);
}

void ps2_mouse_report(struct ps2_mouse *m)
{
    bool news = m->right || m->down || (m->id == 3 && m->wheel) || m->buttons != m->last_buttons;
    if (news && m->reporting && !m->remote && !m->queue.count)
        put_packet(m);
}

void ps2_mouse_move(struct ps2_mouse *m, int right, int down, int wheel, unsigned buttons)
{
    m->right = clamp(m->right + clamp(right, MOVE_MAX), MOVE_MAX);
    m->down = clamp(m->down + clamp(down, MOVE_MAX), MOVE_MAX);
    m->wheel = clamp(m->wheel + clamp(wheel, WHEEL_MAX), WHEEL_MAX);
    m->buttons = buttons & 7;
    ps2_mouse_report(m);
}

bool ps2_mouse_valid(const struct ps2_mouse *m)
{
    return ps2_valid(&m->queue) && m->knock < 3 && m->right == clamp(m->right, MOVE_MAX) &&
           m->down == clamp(m->down, MOVE_MAX) && m->wheel == clamp(m->wheel, WHEEL_MAX);
}

/* Rates 200, 100, 80 in this order wake the wheel. */
static void mouse_argument(struct ps2_mouse *m, uint8_t byte)
{
    static const uint8_t secret[3] = {200, 100, 80};
    uint8_t command = m->pending;
    m->pending = 0;
    ps2_put(&m->queue, ACK);
    if (command == 0xe8) {
        m->resolution = byte & 3;
        return;
    }
    m->rate = byte;
    m->knock = byte == secret[m->knock] ? m->knock + 1 : byte == secret[0];
    if (m->knock == 3) {
        m->knock = 0;
        m->id = 3;
    }
}

static void put_status(struct ps2_mouse *m)
{
    uint8_t left = m->buttons & 1, right = m->buttons >> 1 & 1, middle = m->buttons >> 2 & 1;
    ps2_put(&m->queue, (uint8_t)(right | middle << 1 | left << 2 | m->scaling << 4 |
                                 m->reporting << 5 | m->remote << 6));
    ps2_put(&m->queue, m->resolution);
    ps2_put(&m->queue, m->rate);
}

static void mouse_command(struct ps2_mouse *m, uint8_t byte)
{
    ps2_put(&m->queue, ACK);
    switch (byte) {
    case 0xe6:
    case 0xe7:
        m->scaling = byte & 1;
        break;
    case 0xe8:
    case 0xf3:
        m->pending = byte;
        break;
    case 0xe9:
        put_status(m);
        break;
    case 0xea:
    case 0xf0:
        m->remote = byte == 0xf0;
        break;
    case 0xeb:
        put_packet(m);
        break;
    case 0xee:
        m->wrap = 1;
        break;
    case 0xf2:
        ps2_put(&m->queue, m->id);
        break;
    case 0xf4:
    case 0xf5:
        m->reporting = byte == 0xf4;
        break;
    case 0xf6:
        mouse_defaults(m);
        break;
    case 0xff:
        ps2_mouse_reset(m);
        ps2_put(&m->queue, ACK);
        ps2_put(&m->queue, PASSED);
        ps2_put(&m->queue, 0);
        break;
    default:
        m->queue.count--;
        ps2_put(&m->queue, RESEND);
    }
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte)
{
    if (m->pending)
        mouse_argument(m, byte);
    else if (m->wrap && byte != 0xec && byte != 0xff)
        ps2_put(&m->queue, byte);
    else if (byte == 0xec) {
        m->wrap = 0;
        ps2_put(&m->queue, ACK);
    } else if (ps2_room(&m->queue, 8))
        mouse_command(m, byte);
}
