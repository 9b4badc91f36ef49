/* SPDX-License-Identifier: MIT */
/* DWARF expressions: where a variable, a caller's register or the frame itself is. */
#ifndef DENALI_DEBUG_LOCATION_H
#define DENALI_DEBUG_LOCATION_H

#include "emu/debug/symbols/frame.h"
#include "emu/debug/symbols/symbols_private.h"

#if HAVE_LIBDW

enum location_kind {
    LOCATION_LOST,
    LOCATION_MEMORY,
    LOCATION_REGISTER,
    LOCATION_VALUE,
    LOCATION_BYTES
};

struct location {
    uint8_t kind;
    uint64_t number;      /* address, register or value */
    const uint8_t *bytes; /* LOCATION_BYTES: `number` of them */
};

struct location_context {
    const struct frame_source *source;
    const struct frame *frame;
    struct symbols_module *module;
    Dwarf_Die *function; /* whose frame base counts; NULL: none */
    unsigned depth;      /* of expressions in expressions */
};

/*
 * Evaluates ops from *at on, up to the end or a DW_OP_piece, behind which *at then stands; its
 * bytes are in *piece (0: the whole). false: an expression that makes no sense here.
 */
bool location_evaluate(struct location_context *context, const Dwarf_Op *ops, size_t count,
                       size_t *at, struct location *out, uint64_t *piece);

#endif
#endif
