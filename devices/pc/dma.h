/* SPDX-License-Identifier: MIT */
/* The two 8237 DMA controllers of an AT, for devices on channels 0 to 3 (bytes). */
#ifndef DENALI_PC_DMA_H
#define DENALI_PC_DMA_H

#include "devices/pc/board.h"

struct dma;
MUST_CHECK int dma_create(struct board *board, struct dma **out);

/*
 * A device's transfer on a channel: to memory (`from_device`) or from it. Returns how many bytes
 * moved: fewer when the channel's count ends (`*ended` is the terminal count), 0 when it is masked.
 */
uint32_t dma_transfer(struct dma *dma, unsigned channel, bool from_device, uint8_t *data,
                      uint32_t len, bool *ended);

#endif
