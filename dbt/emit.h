/* SPDX-License-Identifier: MIT */
/*
 * An encoder of x86-64 instructions, as much as the translator writes itself.
 * It appends to a piece of the code cache; positions are offsets into the
 * cache. When the piece is full nothing more is written and `full` is set: the
 * caller looks once, at the end.
 */
#ifndef DENALI_DBT_EMIT_H
#define DENALI_DBT_EMIT_H

#include "emu/base/base.h"

/* Host registers; 0-7 are the guest's of the same number. */
enum emit_reg {
    EMIT_RAX,
    EMIT_RCX,
    EMIT_RDX,
    EMIT_RBX,
    EMIT_RSP,
    EMIT_RBP,
    EMIT_RSI,
    EMIT_RDI,
    EMIT_R8,
    EMIT_R9,
    EMIT_R10,
    EMIT_R11,
    EMIT_R12,
    EMIT_R13,
    EMIT_R14,
    EMIT_R15,
    EMIT_NOREG = 0xff
};

/* Condition codes, as in the low four bits of Jcc. */
enum emit_cc { EMIT_O, EMIT_NO, EMIT_B, EMIT_AE, EMIT_E, EMIT_NE, EMIT_L = 12 };

struct emit {
    uint8_t *base; /* writable view of the cache */
    uint32_t at;   /* where the next byte goes */
    uint32_t end;  /* end of the room */
    bool full;
};

/* base + index * scale + disp; with `gs` relative to GS, with `gs32` also truncated to 32 bits. */
struct emit_mem {
    uint8_t base, index; /* enum emit_reg; index is never RSP */
    uint8_t scale;       /* 1, 2, 4, 8 */
    bool gs, gs32;
    int32_t disp;
};

/* What comes before modrm. */
struct emit_op {
    uint8_t legacy; /* 0, 0x66, 0xf2 or 0xf3 */
    bool wide;      /* REX.W */
    uint8_t map;    /* enum isa_map */
    uint8_t opcode;
};

void emit_begin(struct emit *e, uint8_t *base, uint32_t at, uint32_t end);
void emit_u8(struct emit *e, uint8_t value);
void emit_u32(struct emit *e, uint32_t value);
void emit_raw(struct emit *e, const uint8_t *bytes, unsigned len);
void emit_nop(struct emit *e, unsigned len); /* any length, in as few instructions as possible */

/* Opcode with modrm: memory form, register form. Immediates follow by emit_raw. */
void emit_op_mem(struct emit *e, const struct emit_op *op, unsigned reg,
                 const struct emit_mem *mem);
void emit_op_reg(struct emit *e, const struct emit_op *op, unsigned reg, unsigned rm);
/* Opcode alone; opcode whose low three bits are a register. */
void emit_op_plain(struct emit *e, const struct emit_op *op);
void emit_op_low(struct emit *e, const struct emit_op *op, unsigned reg);

/* The translator's own instructions; none of them changes a flag. */
void emit_load32(struct emit *e, unsigned reg, const struct emit_mem *mem);
void emit_load64(struct emit *e, unsigned reg, const struct emit_mem *mem);
void emit_store32(struct emit *e, const struct emit_mem *mem, unsigned reg);
void emit_store64(struct emit *e, const struct emit_mem *mem, unsigned reg);
void emit_store16(struct emit *e, const struct emit_mem *mem, unsigned reg);
void emit_store_imm32(struct emit *e, const struct emit_mem *mem, uint32_t imm);
void emit_store_imm16(struct emit *e, const struct emit_mem *mem, uint16_t imm);
void emit_lea32(struct emit *e, unsigned reg, const struct emit_mem *mem);
void emit_lea64(struct emit *e, unsigned reg, const struct emit_mem *mem);
void emit_mov32(struct emit *e, unsigned dst, unsigned src);
void emit_mov64(struct emit *e, unsigned dst, unsigned src);
void emit_mov_imm32(struct emit *e, unsigned reg, uint32_t imm);
void emit_jmp_reg(struct emit *e, unsigned reg);
void emit_jmp_mem(struct emit *e, const struct emit_mem *mem);

/*
 * Jumps. Each returns the offset of its displacement field. A rel32 field never
 * crosses a cache line, so that it can be changed while other threads run it.
 */
uint32_t emit_jmp(struct emit *e, uint32_t target);
uint32_t emit_jcc(struct emit *e, unsigned cc, uint32_t target);
uint32_t emit_jcc_for_good(struct emit *e, unsigned cc); /* no padding: not to be changed later */
uint32_t emit_jmp8(struct emit *e);
uint32_t emit_jcc8(struct emit *e, unsigned cc);
uint32_t emit_jrcxz(struct emit *e);

/* Points a rel8 field, or a rel32 field, at the place `target`. */
void emit_fix8(struct emit *e, uint32_t field, uint32_t target);
void emit_patch32(uint8_t *base, uint32_t field, uint32_t target);

static inline struct emit_mem emit_at(unsigned base, int32_t disp)
{
    return (struct emit_mem){.base = (uint8_t)base, .index = EMIT_NOREG, .scale = 1, .disp = disp};
}

static inline struct emit_mem emit_at_index(unsigned base, unsigned index, unsigned scale,
                                            int32_t disp)
{
    return (struct emit_mem){
        .base = (uint8_t)base, .index = (uint8_t)index, .scale = (uint8_t)scale, .disp = disp};
}

#endif
