/* SPDX-License-Identifier: MIT */
/*
 * What the MMX and SSE functions share: one operation on MMX registers and on
 * XMM registers is one function; the operands' methods tell which. Its life:
 *
 *     struct simd s;
 *     enum cpu_status status = simd_begin(&s, cpu, insn);    device checks, #MF
 *     status = simd_source(&s);                              s.src, from register or memory
 *     uint8_t *dest = simd_dest(&s);                         after the last step that can fault
 *     ... change s.bytes of dest ...
 */
#ifndef DENALI_INTERP_SIMD_H
#define DENALI_INTERP_SIMD_H

#include "emu/cpu/interp/interp_x87.h"

struct simd {
    struct cpu *cpu;
    const struct isa_insn *insn;
    bool mmx;       /* an MMX register is involved: x87 checks, and TOP = 0, tags valid */
    unsigned bytes; /* of the destination register: 8 (MMX) or 16 */
    uint8_t src[16];
};

MUST_CHECK enum cpu_status simd_begin(struct simd *s, struct cpu *cpu, const struct isa_insn *insn);

/* Reads operand 1 in its own width, the rest of src 0. */
MUST_CHECK enum cpu_status simd_source(struct simd *s);

/* Enters MMX state where the instruction does that. Nothing may fault afterwards. */
void simd_commit(struct simd *s);

/* simd_commit, and operand 0, a register, to be written; MMX: its exponent becomes all ones. */
uint8_t *simd_dest(struct simd *s);

/* simd_begin and simd_source. */
MUST_CHECK enum cpu_status simd_load(struct simd *s, struct cpu *cpu, const struct isa_insn *insn);

/* Lane `i` of `size` bytes, zero- or sign-extended; the low `size` bytes of value are stored. */
static inline uint64_t simd_lane(const uint8_t *reg, unsigned i, unsigned size)
{
    const uint8_t *lane = reg + (size_t)i * size;
    uint64_t q;
    uint32_t d;
    uint16_t w;

    switch (size) { /* copies of constant length, for speed */
    case 8:
        memcpy(&q, lane, 8);
        return q;
    case 4:
        memcpy(&d, lane, 4);
        return d;
    case 2:
        memcpy(&w, lane, 2);
        return w;
    default:
        return *lane;
    }
}

static inline int64_t simd_lane_signed(const uint8_t *reg, unsigned i, unsigned size)
{
    unsigned unused = 64 - size * 8;

    return (int64_t)(simd_lane(reg, i, size) << unused) >> unused;
}

static inline void simd_set_lane(uint8_t *reg, unsigned i, unsigned size, uint64_t value)
{
    uint8_t *lane = reg + (size_t)i * size;

    switch (size) {
    case 8:
        memcpy(lane, &value, 8);
        break;
    case 4:
        memcpy(lane, &value, 4);
        break;
    case 2:
        memcpy(lane, &value, 2);
        break;
    default:
        *lane = (uint8_t)value;
    }
}

#endif
