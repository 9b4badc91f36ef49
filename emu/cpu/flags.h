/* SPDX-License-Identifier: MIT */
/*
 * Status flags of integer operations. Values are zero-extended to 32 bits,
 * `bytes` is 1, 2 or 4. Results come back masked to their width.
 */
#ifndef DENALI_CPU_FLAGS_H
#define DENALI_CPU_FLAGS_H

#include "emu/cpu/cpu.h"

#define FLAGS_STATUS (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O)
#define FLAGS_SZP (ISA_F_S | ISA_F_Z | ISA_F_P)
#define FLAGS_AC (1u << 18)
#define FLAGS_ID (1u << 21)
/* What user code may change: POPF, IRET and RESUME take these and nothing else. */
#define FLAGS_USER (FLAGS_STATUS | ISA_F_D | ISA_F_T | FLAGS_AC | FLAGS_ID)

static inline uint32_t flags_mask(unsigned bytes)
{
    return bytes == 4 ? UINT32_MAX : (1u << (bytes * 8)) - 1;
}

static inline uint32_t flags_sign_bit(unsigned bytes)
{
    return 1u << (bytes * 8 - 1);
}

static inline int32_t flags_sign_extend(uint32_t value, unsigned bytes)
{
    return bytes == 1 ? (int8_t)value : bytes == 2 ? (int16_t)value : (int32_t)value;
}

/* Replaces the flags in `mask` by those of `value`. */
static inline void flags_set(struct cpu *cpu, uint32_t mask, uint32_t value)
{
    cpu->eflags = (cpu->eflags & ~mask) | (value & mask);
}

static inline uint32_t flags_szp(uint32_t result, unsigned bytes)
{
    uint32_t flags = result & flags_sign_bit(bytes) ? ISA_F_S : 0;
    if (!(result & flags_mask(bytes)))
        flags |= ISA_F_Z;
    if (!__builtin_parity(result & 0xff))
        flags |= ISA_F_P;
    return flags;
}

/* AND, OR, XOR, TEST: CF = OF = 0; AF, undefined, is cleared as processors do. */
static inline void flags_logic(struct cpu *cpu, uint32_t result, unsigned bytes)
{
    flags_set(cpu, FLAGS_STATUS, flags_szp(result, bytes));
}

/* a + b + carry, with all status flags in *flags. */
static inline uint32_t flags_add(uint32_t a, uint32_t b, unsigned carry, unsigned bytes,
                                 uint32_t *flags)
{
    uint32_t mask = flags_mask(bytes);
    uint64_t sum = (uint64_t)(a & mask) + (b & mask) + carry;
    uint32_t result = (uint32_t)sum & mask;
    uint32_t f = flags_szp(result, bytes);
    if (sum > mask)
        f |= ISA_F_C;
    f |= (a ^ b ^ result) & ISA_F_A;
    if ((a ^ result) & (b ^ result) & flags_sign_bit(bytes))
        f |= ISA_F_O;
    *flags = f;
    return result;
}

/* a - b - borrow, with all status flags in *flags. */
static inline uint32_t flags_sub(uint32_t a, uint32_t b, unsigned borrow, unsigned bytes,
                                 uint32_t *flags)
{
    uint32_t mask = flags_mask(bytes);
    uint32_t result = (a - b - borrow) & mask;
    uint32_t f = flags_szp(result, bytes);
    if ((uint64_t)(a & mask) < (uint64_t)(b & mask) + borrow)
        f |= ISA_F_C;
    f |= (a ^ b ^ result) & ISA_F_A;
    if ((a ^ b) & (a ^ result) & flags_sign_bit(bytes))
        f |= ISA_F_O;
    *flags = f;
    return result;
}

/* The even conditions of table B-1; an odd code is the negation of the one before it. */
static inline bool flags_even_condition(uint32_t f, unsigned cc)
{
    bool sign_differs = !(f & ISA_F_S) != !(f & ISA_F_O);
    switch (cc) {
    case 0x0:
        return f & ISA_F_O;
    case 0x2:
        return f & ISA_F_C;
    case 0x4:
        return f & ISA_F_Z;
    case 0x6:
        return f & (ISA_F_C | ISA_F_Z);
    case 0x8:
        return f & ISA_F_S;
    case 0xa:
        return f & ISA_F_P;
    case 0xc:
        return sign_differs;
    default:
        return sign_differs || (f & ISA_F_Z);
    }
}

/* Condition code `cc` (low four bits of the opcode) of JCC, SETCC, CMOVCC. */
static inline bool flags_condition(uint32_t eflags, unsigned cc)
{
    return flags_even_condition(eflags, cc & 0xe) != (cc & 1);
}

/* Loads the flags that user code may change from a popped word of 2 or 4 bytes. */
void flags_load_user(struct cpu *cpu, uint32_t value, unsigned bytes);

#endif
