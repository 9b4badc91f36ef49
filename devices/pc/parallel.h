/* SPDX-License-Identifier: MIT */
/* A parallel port with a printer that is always ready; what is printed goes to a host end. */
#ifndef DENALI_PC_PARALLEL_H
#define DENALI_PC_PARALLEL_H

#include "devices/pc/board.h"
#include "devices/serial.h"

/* Three ports from `base` on. `paper` outlives the board. */
MUST_CHECK int parallel_create(struct board *board, uint16_t base, struct irq_line irq,
                               struct serial_backend *paper);

#endif
