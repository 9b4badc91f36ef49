/* SPDX-License-Identifier: MIT */
/* The index over isa_rows[] that the decoder walks. Private to emu/isa. */
#ifndef DENALI_ISA_TABLE_H
#define DENALI_ISA_TABLE_H

#include "emu/isa/isa.h"

#define ISA_INDEX_MAPS 2u /* no row lies in 0F38 or 0F3A */

/* What follows an opcode byte. */
enum isa_shape { ISA_SHAPE_NONE, ISA_SHAPE_PLAIN, ISA_SHAPE_MODRM };

extern const uint8_t isa_shape[ISA_INDEX_MAPS][256];

/*
 * [map][opcode][mod is 3][reg]: 1 + id of the last row that may fit, or 0. The
 * other candidates are the rows before it with the same opcode. Instructions
 * without modrm are found at [0][0].
 */
extern const uint16_t isa_index[ISA_INDEX_MAPS][256][2][8];

#endif
