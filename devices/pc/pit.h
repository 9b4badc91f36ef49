/* SPDX-License-Identifier: MIT */
/* The 8254 timer, and port 61h with the speaker's gate. */
#ifndef DENALI_PC_PIT_H
#define DENALI_PC_PIT_H

#include "devices/pc/board.h"

#define PIT_HZ 1193182u

struct pit;
/* `irq0` follows the output of counter 0. */
MUST_CHECK int pit_create(struct board *board, struct irq_line irq0, struct pit **out);
/* What the speaker plays: its frequency in Hz, or 0. */
uint32_t pit_speaker_hz(const struct pit *pit);

#endif
