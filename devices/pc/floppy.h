/* SPDX-License-Identifier: MIT */
/* An 82077 floppy controller (ports 3F0h to 3F7h, interrupt 6, DMA channel 2) with two drives. */
#ifndef DENALI_PC_FLOPPY_H
#define DENALI_PC_FLOPPY_H

#include "devices/medium.h"
#include "devices/pc/dma.h"

struct floppy_config {
    struct medium *medium[2]; /* NULL: no drive. Outlive the board. */
    struct irq_line irq6;
    struct dma *dma;
};
MUST_CHECK int floppy_create(struct board *board, const struct floppy_config *config);

/* The drive's type as CMOS byte 10h has it: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M; 0 none. */
uint8_t floppy_type(const struct medium *medium);

#endif
