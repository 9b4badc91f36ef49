/* SPDX-License-Identifier: MIT */
/*
 * Frames of the guest's stack: who called whom, by DWARF's call frame
 * information where there is some, else by return addresses at known places and
 * frame pointers. And what the program's variables are in a frame.
 */
#ifndef DENALI_DEBUG_FRAME_H
#define DENALI_DEBUG_FRAME_H

#include "emu/debug/symbols/symbols.h"
#include "emu/debug/target.h"
#include "emu/debug/value.h"

/* How a frame was found from the one that it called. */
enum frame_how { FRAME_FIRST, FRAME_CFI, FRAME_ENTRY, FRAME_POINTER };

struct frame {
    uint32_t eip;   /* where it goes on */
    uint32_t where; /* the instruction that it is at: eip, or inside the call before it */
    uint32_t gpr[8];
    uint8_t known;   /* bits of gpr: a caller's registers may be lost */
    uint8_t how;     /* enum frame_how */
    uint8_t inlined; /* how many inlined functions inside this one are at the same place */
    bool has_cfa;
    uint32_t cfa; /* esp of the caller before its call */
};

/* What is asked about: a machine that stands, and what it runs. */
struct frame_source {
    struct target *target;
    const struct symbols *symbols;
};

/* The processor's own registers. */
void frame_first(const struct frame_source *source, struct frame *out);
/* An innermost frame that stands in the middle of the instruction before eip: a call of the kernel
 * that is not done yet. */
void frame_set_inside(const struct frame_source *source, struct frame *frame);
/* The same for registers of anywhere (a thread that does not run). */
void frame_of(const struct frame_source *source, const uint32_t gpr[8], uint32_t eip,
              struct frame *out);
/* The caller, past functions that were inlined; false: there is none, or it cannot be found. */
bool frame_next(const struct frame_source *source, const struct frame *frame, struct frame *out);
/* The function that called this one, or that this one was inlined into: then the registers and the
 * place stay the same. */
bool frame_outer(const struct frame_source *source, const struct frame *frame, struct frame *out);
/* Frame n, counting inlined ones, 0 being the first; false: there are fewer. */
bool frame_at(const struct frame_source *source, unsigned n, struct frame *out);

/* The variable of that name as the frame's function sees it: local, of the file, of any file. */
bool frame_find_variable(const struct frame_source *source, const struct frame *frame,
                         const char *name, struct value *out);

/* The function's parameters or its other variables, innermost scope first, until fn is false. A
 * value may be VALUE_LOST. */
typedef bool (*frame_variable_fn)(void *opaque, const char *name, const struct value *value);
void frame_each_variable(const struct frame_source *source, const struct frame *frame,
                         bool parameters, frame_variable_fn fn, void *opaque);

/* What the frame's function returns; false: nothing, or not known. */
bool frame_result_type(const struct frame_source *source, const struct frame *frame,
                       struct type *out);

/* The frame's function, if it is an inlined one; NULL. */
const char *frame_inlined_name(const struct frame_source *source, const struct frame *frame);
/* The source line that the frame is at: of one with others inlined into it, the line that calls
 * those. */
bool frame_line(const struct frame_source *source, const struct frame *frame,
                struct symbols_line *out);
/* Whether its function was inlined into another. */
bool frame_is_inlined(const struct frame_source *source, const struct frame *frame);

#endif
