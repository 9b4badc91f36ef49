/* SPDX-License-Identifier: MIT */
/*
 * The 8042 keyboard controller with a keyboard and a wheel mouse, and port 92h: the other way to
 * A20 and reset.
 */
#ifndef DENALI_PC_I8042_H
#define DENALI_PC_I8042_H

#include "devices/pc/board.h"

struct i8042;
MUST_CHECK int i8042_create(struct board *board, struct irq_line irq1, struct irq_line irq12,
                            struct i8042 **out);

/*
 * A key by its code in scan code set 1 (01h to 7Fh), plus I8042_EXTENDED for those behind E0h.
 * False: the keyboard has no room, or is off.
 */
#define I8042_EXTENDED 0x80u
#define I8042_PAUSE 0x100u
bool i8042_key(struct i8042 *k, unsigned key, bool down);
/* Movement to the right and down, the wheel towards the person, buttons: 1 left, 2 right, 4 middle.
 */
void i8042_move(struct i8042 *k, int right, int down, int wheel, unsigned buttons);

/* What a person types as a key
 */
#define I8042_SHIFT 0x200u
unsigned i8042_key_of(uint32_t character);

#endif
