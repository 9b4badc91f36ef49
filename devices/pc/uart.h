/* SPDX-License-Identifier: MIT */
/* A 16550A serial port. */
#ifndef DENALI_PC_UART_H
#define DENALI_PC_UART_H

#include "devices/pc/board.h"
#include "devices/serial.h"

/* Eight ports from `base` on. `serial` outlives the board; NULL: nothing is plugged in. */
MUST_CHECK int uart_create(struct board *board, uint16_t base, struct irq_line irq,
                           struct serial_backend *serial);

#endif
