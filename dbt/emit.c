/* SPDX-License-Identifier: MIT */
/*
 * The encoder. One function writes prefixes and REX, one writes modrm with SIB
 * and displacement; all the rest is data for these two. Invariant: a byte is
 * written only while there is room, so a caller may run past the end and find
 * out afterwards.
 */
#include "dbt/emit.h"

#include <string.h>

#include "emu/isa/isa.h"

#define CACHE_LINE 64u

void emit_begin(struct emit *e, uint8_t *base, uint32_t at, uint32_t end)
{
    *e = (struct emit){.base = base, .at = at, .end = end};
}

void emit_raw(struct emit *e, const uint8_t *bytes, unsigned len)
{
    if (e->full || e->end - e->at < len) {
        e->full = true;
        return;
    }
    memcpy(e->base + e->at, bytes, len);
    e->at += len;
}

void emit_u8(struct emit *e, uint8_t value)
{
    emit_raw(e, &value, 1);
}

void emit_u32(struct emit *e, uint32_t value)
{
    emit_raw(e, (const uint8_t *)&value, 4);
}

static void emit_u16(struct emit *e, uint16_t value)
{
    emit_raw(e, (const uint8_t *)&value, 2);
}

/* Recommended forms of SDM volume 2, NOP. */
void emit_nop(struct emit *e, unsigned len)
{
    static const uint8_t form[8][8] = {
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    while (len) {
        unsigned n = len < 8 ? len : 8;
        emit_raw(e, form[n - 1], n);
        len -= n;
    }
}

/* The four REX bits beside W: high bits of modrm.reg, SIB.index, and modrm.rm or SIB.base. */
static uint8_t rex_bits(bool wide, unsigned reg, unsigned index, unsigned rm)
{
    unsigned bits = (wide ? 8u : 0u) | (reg & 8u ? 4u : 0u);
    if (index != EMIT_NOREG && index & 8u)
        bits |= 2u;
    if (rm != EMIT_NOREG && rm & 8u)
        bits |= 1u;
    return (uint8_t)bits;
}

static void put_opcode(struct emit *e, const struct emit_op *op, uint8_t rex, uint8_t opcode)
{
    static const uint8_t escape[ISA_MAP_MAPS] = {
        [ISA_MAP_0F38] = 0x38,
        [ISA_MAP_0F3A] = 0x3a,
    };
    if (op->legacy)
        emit_u8(e, op->legacy);
    if (rex)
        emit_u8(e, 0x40 | rex);
    if (op->map != ISA_MAP_1B)
        emit_u8(e, 0x0f);
    if (escape[op->map])
        emit_u8(e, escape[op->map]);
    emit_u8(e, opcode);
}

static unsigned scale_bits(unsigned scale)
{
    return (unsigned)__builtin_ctz(scale);
}

static bool fits8(int32_t value)
{
    return value >= -128 && value <= 127;
}

/* modrm, SIB, displacement. A base of rbp or r13 has no form without displacement; no base at all
 * is written as SIB with base 5 and a disp32, which is absolute. */
static void put_mem(struct emit *e, unsigned reg, const struct emit_mem *mem)
{
    bool sib = mem->base == EMIT_NOREG || mem->index != EMIT_NOREG || (mem->base & 7) == EMIT_RSP;
    unsigned mod = 2;
    if (mem->base == EMIT_NOREG || (mem->disp == 0 && (mem->base & 7) != EMIT_RBP))
        mod = 0;
    else if (fits8(mem->disp))
        mod = 1;

    unsigned base = mem->base == EMIT_NOREG ? EMIT_RBP : mem->base & 7u;
    emit_u8(e, (uint8_t)(mod << 6 | (reg & 7) << 3 | (sib ? EMIT_RSP : base)));
    if (sib) {
        unsigned index = mem->index == EMIT_NOREG ? EMIT_RSP : mem->index & 7u;
        emit_u8(e, (uint8_t)(scale_bits(mem->scale) << 6 | index << 3 | base));
    }
    if (mod == 1)
        emit_u8(e, (uint8_t)mem->disp);
    else if (mod == 2 || mem->base == EMIT_NOREG)
        emit_u32(e, (uint32_t)mem->disp);
}

void emit_op_mem(struct emit *e, const struct emit_op *op, unsigned reg, const struct emit_mem *mem)
{
    if (mem->gs || mem->gs32)
        emit_u8(e, 0x65);
    if (mem->gs32)
        emit_u8(e, 0x67);
    put_opcode(e, op, rex_bits(op->wide, reg, mem->index, mem->base), op->opcode);
    put_mem(e, reg, mem);
}

void emit_op_reg(struct emit *e, const struct emit_op *op, unsigned reg, unsigned rm)
{
    put_opcode(e, op, rex_bits(op->wide, reg, EMIT_NOREG, rm), op->opcode);
    emit_u8(e, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

void emit_op_plain(struct emit *e, const struct emit_op *op)
{
    put_opcode(e, op, rex_bits(op->wide, 0, EMIT_NOREG, EMIT_NOREG), op->opcode);
}

void emit_op_low(struct emit *e, const struct emit_op *op, unsigned reg)
{
    uint8_t opcode = (uint8_t)((op->opcode & 0xf8) | (reg & 7));
    put_opcode(e, op, rex_bits(op->wide, 0, EMIT_NOREG, reg), opcode);
}

static const struct emit_op op_load = {.opcode = 0x8b};
static const struct emit_op op_load_wide = {.opcode = 0x8b, .wide = true};
static const struct emit_op op_store = {.opcode = 0x89};
static const struct emit_op op_store_wide = {.opcode = 0x89, .wide = true};
static const struct emit_op op_store_word = {.opcode = 0x89, .legacy = 0x66};
static const struct emit_op op_store_imm = {.opcode = 0xc7};
static const struct emit_op op_store_imm_word = {.opcode = 0xc7, .legacy = 0x66};
static const struct emit_op op_lea = {.opcode = 0x8d};
static const struct emit_op op_lea_wide = {.opcode = 0x8d, .wide = true};
static const struct emit_op op_mov_imm = {.opcode = 0xb8};
static const struct emit_op op_group5 = {.opcode = 0xff};

void emit_load32(struct emit *e, unsigned reg, const struct emit_mem *mem)
{
    emit_op_mem(e, &op_load, reg, mem);
}

void emit_load64(struct emit *e, unsigned reg, const struct emit_mem *mem)
{
    emit_op_mem(e, &op_load_wide, reg, mem);
}

void emit_store32(struct emit *e, const struct emit_mem *mem, unsigned reg)
{
    emit_op_mem(e, &op_store, reg, mem);
}

void emit_store64(struct emit *e, const struct emit_mem *mem, unsigned reg)
{
    emit_op_mem(e, &op_store_wide, reg, mem);
}

void emit_store16(struct emit *e, const struct emit_mem *mem, unsigned reg)
{
    emit_op_mem(e, &op_store_word, reg, mem);
}

void emit_store_imm32(struct emit *e, const struct emit_mem *mem, uint32_t imm)
{
    emit_op_mem(e, &op_store_imm, 0, mem);
    emit_u32(e, imm);
}

void emit_store_imm16(struct emit *e, const struct emit_mem *mem, uint16_t imm)
{
    emit_op_mem(e, &op_store_imm_word, 0, mem);
    emit_u16(e, imm);
}

void emit_lea32(struct emit *e, unsigned reg, const struct emit_mem *mem)
{
    emit_op_mem(e, &op_lea, reg, mem);
}

void emit_lea64(struct emit *e, unsigned reg, const struct emit_mem *mem)
{
    emit_op_mem(e, &op_lea_wide, reg, mem);
}

void emit_mov32(struct emit *e, unsigned dst, unsigned src)
{
    emit_op_reg(e, &op_load, dst, src);
}

void emit_mov64(struct emit *e, unsigned dst, unsigned src)
{
    emit_op_reg(e, &op_load_wide, dst, src);
}

void emit_mov_imm32(struct emit *e, unsigned reg, uint32_t imm)
{
    emit_op_low(e, &op_mov_imm, reg);
    emit_u32(e, imm);
}

void emit_jmp_reg(struct emit *e, unsigned reg)
{
    emit_op_reg(e, &op_group5, 4, reg);
}

void emit_jmp_mem(struct emit *e, const struct emit_mem *mem)
{
    emit_op_mem(e, &op_group5, 4, mem);
}

/* Pads so that the 4 bytes after an opcode of `opcode_len` lie in one cache line. */
static void align_field(struct emit *e, unsigned opcode_len)
{
    unsigned first = (e->at + opcode_len) % CACHE_LINE;
    if (first > CACHE_LINE - 4)
        emit_nop(e, CACHE_LINE - first);
}

static uint32_t put_rel32(struct emit *e, uint32_t target)
{
    uint32_t field = e->at;
    emit_u32(e, target - (field + 4));
    return field;
}

uint32_t emit_jmp(struct emit *e, uint32_t target)
{
    align_field(e, 1);
    emit_u8(e, 0xe9);
    return put_rel32(e, target);
}

uint32_t emit_jcc(struct emit *e, unsigned cc, uint32_t target)
{
    align_field(e, 2);
    emit_u8(e, 0x0f);
    emit_u8(e, (uint8_t)(0x80 | cc));
    return put_rel32(e, target);
}

uint32_t emit_jcc_for_good(struct emit *e, unsigned cc)
{
    emit_u8(e, 0x0f);
    emit_u8(e, (uint8_t)(0x80 | cc));
    return put_rel32(e, e->at);
}

static uint32_t put_rel8(struct emit *e, uint8_t opcode)
{
    emit_u8(e, opcode);
    emit_u8(e, 0);
    return e->at - 1;
}

uint32_t emit_jmp8(struct emit *e)
{
    return put_rel8(e, 0xeb);
}

uint32_t emit_jcc8(struct emit *e, unsigned cc)
{
    return put_rel8(e, (uint8_t)(0x70 | cc));
}

uint32_t emit_jrcxz(struct emit *e)
{
    return put_rel8(e, 0xe3);
}

void emit_fix8(struct emit *e, uint32_t field, uint32_t target)
{
    int32_t rel = (int32_t)(target - (field + 1));
    if (e->full)
        return;
    BUG_ON(!fits8(rel), "short jump out of reach");
    e->base[field] = (uint8_t)rel;
}

void emit_patch32(uint8_t *base, uint32_t field, uint32_t target)
{
    uint32_t rel = target - (field + 4);
    __atomic_store_n((uint32_t *)(void *)(base + field), rel, __ATOMIC_RELEASE);
}
