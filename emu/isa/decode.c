/* SPDX-License-Identifier: MIT */
/*
 * The decoder: prefixes, opcode, row, modrm, immediates, and then the rules
 * that make an encoding undefined although it has a row. It knows no opcode;
 * what it knows is the shape of the encoding (SDM volume 2, chapter 2).
 *
 * Invariant: no byte at or after `limit` is read, and limit is at most 15, so
 * one comparison serves both the end of the buffer and the architectural limit.
 */
#include <string.h>

#include "emu/isa/table.h"

struct cursor {
    const uint8_t *buf;
    unsigned pos, limit;
};

/* Whether `n` more bytes may be read. */
static inline bool cursor_has(const struct cursor *c, unsigned n)
{
    return c->pos + n <= c->limit;
}

static inline enum isa_status cursor_end(const struct cursor *c)
{
    return c->limit == ISA_MAX_LENGTH ? ISA_TOO_LONG : ISA_MORE;
}

static inline uint32_t load16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t load_le(const uint8_t *p, unsigned n)
{
    return n == 1 ? p[0] : n == 2 ? load16(p) : n == 4 ? load16(p) | load16(p + 2) << 16 : 0;
}

static inline uint32_t load_signed(const uint8_t *p, unsigned n)
{
    uint32_t v = load_le(p, n);
    return n == 1 ? (uint32_t)(int8_t)v : n == 2 ? (uint32_t)(int16_t)v : v;
}

/* Notes a prefix; false if `byte` is none. The last of each group wins, LOCK stays. */
static inline bool prefix_take(struct isa_insn *insn, uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
        insn->segover = (byte >> 3) & 3;
        return true;
    case 0x64:
    case 0x65:
        insn->segover = byte & 7;
        return true;
    case 0x66:
        insn->seen |= ISA_SEEN_66;
        return true;
    case 0x67:
        insn->seen |= ISA_SEEN_67;
        return true;
    case 0xF0:
        insn->seen |= ISA_SEEN_LOCK;
        return true;
    case 0xF2:
        insn->seen = (insn->seen & ~ISA_SEEN_F3) | ISA_SEEN_F2;
        return true;
    case 0xF3:
        insn->seen = (insn->seen & ~ISA_SEEN_F2) | ISA_SEEN_F3;
        return true;
    default:
        return false;
    }
}

static enum isa_status take_prefixes(struct cursor *c, struct isa_insn *insn)
{
    for (;;) {
        if (!cursor_has(c, 1))
            return cursor_end(c);
        if (!prefix_take(insn, c->buf[c->pos]))
            return ISA_OK;
        c->pos++;
    }
}

static enum isa_status take_opcode(struct cursor *c, struct isa_insn *insn, enum isa_map *map)
{
    *map = ISA_MAP_1B;
    if (c->buf[c->pos] == 0x0F) {
        *map = ISA_MAP_0F;
        c->pos++;
        if (!cursor_has(c, 1))
            return cursor_end(c);
    }
    insn->opcode_at = (uint8_t)c->pos;
    insn->opcode = c->buf[c->pos++];
    return ISA_OK;
}

static enum isa_status take_modrm(struct cursor *c, struct isa_insn *insn)
{
    if (!cursor_has(c, 1))
        return cursor_end(c);
    insn->modrm_at = (uint8_t)c->pos;
    uint8_t modrm = c->buf[c->pos++];
    insn->mod = modrm >> 6;
    insn->reg = (modrm >> 3) & 7;
    insn->rm = modrm & 7;
    return ISA_OK;
}

/* The mandatory prefix that the bytes seen amount to. */
static inline enum isa_prefix seen_prefix(uint8_t seen)
{
    if (seen & ISA_SEEN_F2)
        return ISA_P_F2;
    if (seen & ISA_SEEN_F3)
        return ISA_P_F3;
    return seen & ISA_SEEN_66 ? ISA_P_66 : ISA_P_NP;
}

static inline bool row_has_opcode(const struct isa_row *row, unsigned map, uint8_t opcode)
{
    uint8_t span = row->attr & ISA_T_CC ? 15 : row->op[0].method == ISA_M_Z ? 7 : 0;
    return row->map == map && (opcode & ~span) == row->opcode;
}

static inline bool row_fits(const struct isa_row *row, const struct isa_insn *insn,
                            enum isa_prefix prefix)
{
    return (row->prefix == ISA_P_ANY || row->prefix == prefix) &&
           (row->rm < 0 || row->rm == insn->rm) && (row->ext < 0 || row->ext == insn->reg) &&
           (row->mod == ISA_MOD_ANY || (row->mod == ISA_MOD_REG) == (insn->mod == 3));
}

/* The row of the instruction, or NULL. Candidates lie before the one the index gives. */
static const struct isa_row *find_row(const struct isa_insn *insn, enum isa_map map)
{
    unsigned at = isa_index[map][insn->opcode][insn->mod == 3][insn->reg];
    enum isa_prefix prefix = seen_prefix(insn->seen);
    for (; at > 0 && row_has_opcode(&isa_rows[at - 1], map, insn->opcode); at--)
        if (row_fits(&isa_rows[at - 1], insn, prefix))
            return &isa_rows[at - 1];
    return NULL;
}

static enum isa_status take_disp(struct cursor *c, struct isa_insn *insn, unsigned n)
{
    if (!cursor_has(c, n))
        return cursor_end(c);
    insn->disp_at = (uint8_t)c->pos;
    insn->disp_len = (uint8_t)n;
    insn->disp = load_signed(c->buf + c->pos, n);
    c->pos += n;
    return ISA_OK;
}

/* SDM volume 2, table 2-1. */
static enum isa_status take_memory16(struct cursor *c, struct isa_insn *insn)
{
    static const uint8_t bases[8] = {ISA_EBX, ISA_EBX, ISA_EBP, ISA_EBP,
                                     ISA_ESI, ISA_EDI, ISA_EBP, ISA_EBX};
    static const uint8_t indexes[8] = {ISA_ESI,   ISA_EDI,   ISA_ESI,   ISA_EDI,
                                       ISA_NOREG, ISA_NOREG, ISA_NOREG, ISA_NOREG};
    bool absolute = insn->mod == 0 && insn->rm == 6;
    insn->base = absolute ? ISA_NOREG : bases[insn->rm];
    insn->index = indexes[insn->rm];
    return take_disp(c, insn, absolute ? 2 : insn->mod);
}

/* SDM volume 2, tables 2-2 and 2-3. */
static enum isa_status take_memory32(struct cursor *c, struct isa_insn *insn)
{
    insn->base = insn->rm;
    if (insn->rm == 4) {
        if (!cursor_has(c, 1))
            return cursor_end(c);
        uint8_t sib = c->buf[c->pos++];
        insn->base = sib & 7;
        insn->index = (sib >> 3) & 7;
        insn->scale = (uint8_t)(1u << (sib >> 6));
        if (insn->index == ISA_ESP)
            insn->index = ISA_NOREG;
    }
    bool absolute = insn->mod == 0 && insn->base == ISA_EBP;
    if (absolute)
        insn->base = ISA_NOREG;
    return take_disp(c, insn, absolute || insn->mod == 2 ? 4 : insn->mod);
}

static enum isa_status take_memory(struct cursor *c, struct isa_insn *insn)
{
    insn->has_mem = true;
    enum isa_status status = insn->adsize == 2 ? take_memory16(c, insn) : take_memory32(c, insn);
    if (insn->segover == ISA_SEG_NONE && (insn->base == ISA_EBP || insn->base == ISA_ESP))
        insn->seg = ISA_SS;
    return status;
}

/* MOV to and from control and debug registers takes any mod for a register. */
static inline bool names_memory(const struct isa_insn *insn)
{
    const struct isa_row *row = insn->row;
    bool mod_ignored = row->op[0].method == ISA_M_R || row->op[1].method == ISA_M_R;
    return insn->mod != 3 && !mod_ignored;
}

static enum isa_status take_far(struct cursor *c, struct isa_insn *insn)
{
    unsigned n = insn->opsize;
    if (!cursor_has(c, n + 2))
        return cursor_end(c);
    insn->imm_at = (uint8_t)c->pos;
    insn->imm_len = (uint8_t)n;
    insn->imm = load_le(c->buf + c->pos, n);
    insn->imm2 = (uint16_t)load16(c->buf + c->pos + n);
    c->pos += n + 2;
    return ISA_OK;
}

static unsigned immediate_bytes(const struct isa_insn *insn, enum isa_width width)
{
    return width == ISA_W_b || width == ISA_W_bs ? 1 : width == ISA_W_w ? 2 : insn->opsize;
}

/* Only ENTER has two. */
static enum isa_status take_immediate(struct cursor *c, struct isa_insn *insn,
                                      const struct isa_operand_spec *op)
{
    unsigned n = immediate_bytes(insn, op->width);
    bool is_signed = op->method == ISA_M_J || op->width == ISA_W_bs;
    if (!cursor_has(c, n))
        return cursor_end(c);
    const uint8_t *p = c->buf + c->pos;
    if (insn->imm_len) {
        insn->imm2 = (uint16_t)load_le(p, n);
    } else {
        insn->imm_at = (uint8_t)c->pos;
        insn->imm_len = (uint8_t)n;
        insn->imm = is_signed ? load_signed(p, n) : load_le(p, n);
    }
    c->pos += n;
    return ISA_OK;
}

static enum isa_status take_tail(struct cursor *c, struct isa_insn *insn)
{
    enum isa_status status = ISA_OK;
    for (unsigned i = 0; i < ARRAY_LEN(insn->row->op) && status == ISA_OK; i++) {
        const struct isa_operand_spec *op = &insn->row->op[i];
        if (op->method == ISA_M_I || op->method == ISA_M_J) {
            status = take_immediate(c, insn, op);
        } else if (op->method == ISA_M_A) {
            status = take_far(c, insn);
        } else if (op->method == ISA_M_O) {
            insn->has_mem = true;
            status = take_disp(c, insn, insn->adsize);
        }
    }
    return status;
}

/* Segment and control registers that do not exist; CS cannot be loaded by MOV. */
static bool registers_exist(const struct isa_insn *insn)
{
    const struct isa_row *row = insn->row;
    if (row->sem == ISA_SEM_MOV_SREG)
        return insn->reg <= ISA_GS && !(row->op[0].method == ISA_M_S && insn->reg == ISA_CS);
    if (row->sem == ISA_SEM_MOV_CR)
        return insn->reg == 0 || (insn->reg >= 2 && insn->reg <= 4);
    return true;
}

static bool lock_allowed(const struct isa_insn *insn)
{
    return !(insn->seen & ISA_SEEN_LOCK) || ((insn->row->attr & ISA_T_LOCKABLE) && insn->has_mem);
}

static void insn_reset(struct isa_insn *insn)
{
    *insn = (struct isa_insn){
        .segover = ISA_SEG_NONE, .seg = ISA_DS, .base = ISA_NOREG, .index = ISA_NOREG, .scale = 1};
}

static inline void insn_set_sizes(struct isa_insn *insn, bool code32)
{
    insn->opsize = code32 != !!(insn->seen & ISA_SEEN_66) ? 4 : 2;
    insn->adsize = code32 != !!(insn->seen & ISA_SEEN_67) ? 4 : 2;
    if (insn->segover != ISA_SEG_NONE)
        insn->seg = insn->segover;
}

static void insn_set_bytes(struct isa_insn *insn, const uint8_t *buf, size_t len)
{
    if (len >= sizeof(insn->bytes))
        memcpy(insn->bytes, buf, sizeof(insn->bytes));
    else
        memcpy(insn->bytes, buf, insn->len);
}

static enum isa_status decode(struct cursor *c, bool code32, struct isa_insn *insn)
{
    enum isa_map map;
    enum isa_status status = take_prefixes(c, insn);
    if (status == ISA_OK)
        status = take_opcode(c, insn, &map);
    if (status != ISA_OK)
        return status;
    if (isa_shape[map][insn->opcode] == ISA_SHAPE_MODRM)
        status = take_modrm(c, insn);
    if (status != ISA_OK)
        return status;
    insn->row = find_row(insn, map);
    if (!insn->row)
        return ISA_INVALID;
    insn_set_sizes(insn, code32);
    insn->cc = insn->opcode & 15;
    if ((insn->row->attr & ISA_T_MODRM) && names_memory(insn))
        status = take_memory(c, insn);
    if (status == ISA_OK && (insn->row->attr & ISA_T_IMM))
        status = take_tail(c, insn);
    if (status == ISA_OK && !(lock_allowed(insn) && registers_exist(insn)))
        status = ISA_INVALID;
    return status;
}

enum isa_status isa_decode(const uint8_t *buf, size_t len, bool code32, struct isa_insn *out)
{
    struct cursor c = {buf, 0, len < ISA_MAX_LENGTH ? (unsigned)len : ISA_MAX_LENGTH};
    insn_reset(out);
    enum isa_status status = decode(&c, code32, out);
    out->len = (uint8_t)c.pos;
    if (status == ISA_OK)
        insn_set_bytes(out, buf, len);
    return status;
}

unsigned isa_operand_bytes(const struct isa_insn *insn, unsigned n)
{
    unsigned opsize = insn->opsize;
    switch (insn->row->op[n].width) {
    case ISA_W_b:
        return 1;
    case ISA_W_w:
        return 2;
    case ISA_W_d:
        return 4;
    case ISA_W_q:
        return 8;
    case ISA_W_dq:
        return 16;
    case ISA_W_v:
    case ISA_W_z:
    case ISA_W_bs:
        return opsize;
    case ISA_W_p:
        return opsize + 2;
    case ISA_W_a:
        return opsize * 2;
    case ISA_W_s:
        return 6;
    case ISA_W_t:
        return 10;
    case ISA_W_e:
        return opsize == 4 ? 28 : 14;
    case ISA_W_f:
        return opsize == 4 ? 108 : 94;
    case ISA_W_x:
        return 512;
    default:
        return 0;
    }
}
