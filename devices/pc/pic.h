/* SPDX-License-Identifier: MIT */
/* The two 8259A interrupt controllers of a PC, cascaded, with the PIIX's edge/level registers. */
#ifndef DENALI_PC_PIC_H
#define DENALI_PC_PIC_H

#include "devices/pc/board.h"

struct pic;

/* `intr` follows the master's INT output. A single PIC (the smallest machine) has no slave. */
MUST_CHECK int pic_create(struct board *board, bool with_slave, struct irq_line intr,
                          struct pic **out);
/* Input 0 to 15. */
struct irq_line pic_line(struct pic *pic, unsigned irq);
/* The acknowledge cycle of the processor: the vector. */
uint8_t pic_ack(struct pic *pic);

#endif
