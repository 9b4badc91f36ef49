/* SPDX-License-Identifier: MIT */
/* What is plugged into the 8042: a keyboard and a mouse, each a queue of bytes to the host and a
 * function that takes the host's bytes. */
#ifndef DENALI_PC_PS2_H
#define DENALI_PC_PS2_H

#include "emu/base/base.h"

#define PS2_QUEUE 64u

struct ps2_queue {
    uint8_t first, count;
    uint8_t byte[PS2_QUEUE];
};

static inline bool ps2_room(const struct ps2_queue *q, unsigned bytes)
{
    return q->count + bytes <= PS2_QUEUE;
}
static inline void ps2_put(struct ps2_queue *q, uint8_t byte)
{
    if (ps2_room(q, 1))
        q->byte[(q->first + q->count++) % PS2_QUEUE] = byte;
}
/* Only while count is not 0. */
static inline uint8_t ps2_take(struct ps2_queue *q)
{
    uint8_t byte = q->byte[q->first];
    q->first = (uint8_t)((q->first + 1) % PS2_QUEUE);
    q->count--;
    return byte;
}

static inline bool ps2_valid(const struct ps2_queue *q)
{
    return q->first < PS2_QUEUE && q->count <= PS2_QUEUE;
}

struct ps2_keyboard {
    struct ps2_queue queue;
    uint8_t pending; /* the command whose argument comes next; 0: none */
    uint8_t set;     /* scan code set, 1 to 3 */
    uint8_t scanning, leds, last;
};
void ps2_keyboard_reset(struct ps2_keyboard *k);
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte);
bool ps2_keyboard_key(struct ps2_keyboard *k, unsigned key, bool down);
/* The controller's translation of set 2 to set 1. `*release` is the F0h that was seen. */
bool ps2_translate(uint8_t *byte, uint8_t *release);

struct ps2_mouse {
    struct ps2_queue queue;
    uint8_t pending, reporting, remote, wrap, scaling, resolution, rate;
    uint8_t knock; /* how much of the wheel's secret sequence was heard */
    uint8_t id, buttons, last_buttons;
    int32_t right, down, wheel; /* not yet reported */
};
/* Whether it is a state that a mouse can be in. */
bool ps2_mouse_valid(const struct ps2_mouse *m);
void ps2_mouse_reset(struct ps2_mouse *m);
void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte);
void ps2_mouse_move(struct ps2_mouse *m, int right, int down, int wheel, unsigned buttons);
/* After the queue was drained: what has moved since. */
void ps2_mouse_report(struct ps2_mouse *m);

#endif
