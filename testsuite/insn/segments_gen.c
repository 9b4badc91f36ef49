/* SPDX-License-Identifier: MIT */
/*
 * Bytes are drawn until the decoder says that they are the row. Then what lies in them is moved
 * to where something happens: offsets to the borders of the segments, selectors to the table.
 */
#include "testsuite/insn/segments_gen.h"

#include <string.h>

bool segments_gen_knows(const struct isa_row *row)
{
    switch (row->sem) {
    case ISA_SEM_CPUID:
    case ISA_SEM_RDTSC:
    case ISA_SEM_RDPMC:
    case ISA_SEM_VIRT:
    case ISA_SEM_SYSENTER:
    case ISA_SEM_RSM:
    case ISA_SEM_SGDT: /* Linux answers these five itself, or tells of the host */
    case ISA_SEM_SIDT:
    case ISA_SEM_SLDT:
    case ISA_SEM_STR:
    case ISA_SEM_SMSW:
        return false;
    default:
        return !(row->attr & (ISA_T_FPU | ISA_T_MMX | ISA_T_SSE | ISA_T_VIRTUAL));
    }
}

bool segments_gen_loads(const struct isa_row *row)
{
    switch (row->sem) {
    case ISA_SEM_LAR:
    case ISA_SEM_LSL:
    case ISA_SEM_VERR:
    case ISA_SEM_VERW:
    case ISA_SEM_IRET:
        return true;
    default:
        break;
    }
    for (unsigned i = 0; i < ARRAY_LEN(row->op); i++) {
        const struct isa_operand_spec *op = &row->op[i];
        bool is_sreg = op->method == ISA_M_S || op->method == ISA_M_SREG;
        if ((is_sreg && (op->access & ISA_A_WRITE)) || op->width == ISA_W_p)
            return true;
    }
    return (row->attr & ISA_T_RET) && row->opcode >= 0xc8;
}

uint16_t segments_gen_selector(struct rng *r)
{
    unsigned kind = rng_below(r, 10);
    if (kind == 0)
        return (uint16_t)rng_below(r, 4);
    if (kind < 3)
        return (uint16_t)(rng_next(r) | 0x0404);
    return (
        uint16_t)((segments_selector(rng_below(r, SEGMENTS_REGIONS), rng_below(r, KINDS)) & ~3u) |
                  (rng_chance(r, 70) ? 3u : rng_below(r, 4)));
}

/* An offset near one of the limits, or anywhere. */
static uint32_t draw_offset(struct rng *r)
{
    static const uint32_t borders[] = {0, 0x8000, 0x8123, 0xa000, 0x10000, 0x20000};
    unsigned kind = rng_below(r, 10);
    if (kind < 4)
        return (borders[rng_below(r, ARRAY_LEN(borders))] + rng_below(r, 10) - 5) &
               (rng_chance(r, 90) ? 0xffffu : UINT32_MAX);
    return kind < 9 ? rng_below(r, 0x10000) : rng_next(r);
}

static unsigned draw_prefixes(uint8_t *out, const struct isa_row *row, struct rng *r)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    unsigned n = 0;
    if (rng_chance(r, 30))
        out[n++] = 0x66;
    if (rng_chance(r, 25))
        out[n++] = 0x67;
    if (rng_chance(r, 35))
        out[n++] = segments[rng_below(r, 6)];
    if ((row->attr & ISA_T_REP) && rng_chance(r, 50))
        out[n++] = rng_chance(r, 60) ? 0xf3 : 0xf2;
    if (rng_chance(r, row->attr & ISA_T_LOCKABLE ? 15 : 3))
        out[n++] = 0xf0;
    return n;
}

static unsigned draw_opcode(uint8_t *out, const struct isa_row *row, struct rng *r)
{
    unsigned span = row->attr & ISA_T_CC ? 16 : row->op[0].method == ISA_M_Z ? 8 : 1, n = 0;
    if (row->map == ISA_MAP_0F)
        out[n++] = 0x0f;
    out[n++] = (uint8_t)(row->opcode + rng_below(r, span));
    return n;
}

/* Bytes of the row, and what follows them at random; returns where modrm lies. */
static unsigned draw_bytes(uint8_t out[16], const struct isa_row *row, struct rng *r)
{
    for (unsigned i = 0; i < 16; i++)
        out[i] = (uint8_t)rng_next(r);
    unsigned n = draw_prefixes(out, row, r);
    n += draw_opcode(out + n, row, r);
    if (row->ext >= 0)
        out[n] = (uint8_t)((out[n] & 0xc7) | row->ext << 3);
    if (row->mod == ISA_MOD_REG)
        out[n] |= 0xc0;
    return n;
}

static void put(uint8_t *at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static bool is_branch(const struct isa_row *row)
{
    return row->op[0].method == ISA_M_J;
}

static void aim(struct segments_case *c, struct rng *r)
{
    struct isa_insn *insn = &c->insn;
    if (insn->disp_len >= 2)
        put(c->code + insn->disp_at, draw_offset(r), insn->disp_len);
    if (insn->imm_len == 4 && is_branch(insn->row))
        put(c->code + insn->imm_at, rng_below(r, 0x18000) - 0xc000, 4);
    if (insn->row->op[0].method == ISA_M_A) {
        put(c->code + insn->imm_at, draw_offset(r), insn->opsize);
        put(c->code + insn->imm_at + insn->opsize, segments_gen_selector(r), 2);
    }
    if (isa_decode(c->code, sizeof(c->code),
                   c->state.seg[ISA_CS] == segments_selector(ISA_CS, KIND_WIDE), insn) != ISA_OK)
        insn->row = NULL;
}

/* INT 80h would be a system call of the host; a branch into itself does not end. */
static bool is_barred(const struct segments_case *c)
{
    const struct isa_insn *insn = &c->insn;
    bool swaps16 = insn->row->sem == ISA_SEM_BSWAP && insn->opsize == 2;
    bool back = is_branch(insn->row) && insn->imm_len == 1 && insn->imm >= 0xfffffff0u;
    return swaps16 || back || (insn->row->sem == ISA_SEM_INT && (insn->imm & 0xff) == 0x80);
}

static bool draw_code(struct segments_case *c, const struct isa_row *row, struct rng *r)
{
    bool wide = c->state.seg[ISA_CS] == segments_selector(ISA_CS, KIND_WIDE);
    for (unsigned tries = 0; tries < 100; tries++) {
        struct isa_insn plain;
        draw_bytes(c->code, row, r);
        if (isa_decode(c->code, sizeof(c->code), wide, &c->insn) == ISA_OK && c->insn.row == row &&
            !is_barred(c)) {
            c->len = c->insn.len;
            aim(c, r);
            return c->insn.row == row;
        }
        /* LOCK alone may be what it is refused for. */
        const uint8_t *lock = memchr(c->code, 0xf0, 5);
        if (!lock || isa_decode(c->code, sizeof(c->code), wide, &plain) != ISA_INVALID)
            continue;
        uint8_t without[16];
        memcpy(without, c->code, sizeof(without));
        without[lock - c->code] = 0x3e;
        if (isa_decode(without, sizeof(without), wide, &plain) == ISA_OK && plain.row == row &&
            lock < c->code + plain.opcode_at) {
            c->len = plain.len;
            c->insn.row = NULL;
            return true;
        }
    }
    return false;
}

static uint16_t draw_segment(unsigned seg, struct rng *r)
{
    unsigned kind = rng_chance(r, 60) ? KIND_PLAIN : rng_below(r, KIND_ABSENT);
    if (seg == ISA_SS && kind == KIND_NARROW)
        kind = KIND_PLAIN;
    if (seg != ISA_SS && seg != ISA_CS && rng_chance(r, 2))
        return 0; /* a null selector loses its RPL on the way out of Linux */
    return segments_selector(seg, kind);
}

static void draw_registers(struct segments_state *s, const struct isa_row *row, struct rng *r)
{
    for (unsigned i = 0; i < 8; i++) {
        s->gpr[i] = draw_offset(r);
        if (rng_chance(r, 20))
            s->gpr[i] |= rng_next(r) << 16;
        if (segments_gen_loads(row))
            s->gpr[i] = (s->gpr[i] & 0xffff0000u) | segments_gen_selector(r);
    }
    if (row->attr & ISA_T_REP)
        s->gpr[ISA_ECX] = rng_below(r, 40) | (rng_chance(r, 50) ? rng_next(r) << 16 : 0);
    if ((row->attr & ISA_T_REP) && rng_chance(r, 90))
        s->gpr[ISA_ECX] &= 0xffff;
    if (rng_chance(r, 40))
        s->gpr[ISA_EDX] &= 0xffff0003u;
    if (segments_gen_loads(row) || rng_chance(r, 70)) /* a stack that can be pushed to */
        s->gpr[ISA_ESP] = draw_offset(r) | (rng_chance(r, 10) ? rng_next(r) << 16 : 0);
}

bool segments_gen_case(struct segments_case *c, const struct isa_row *row, struct rng *r)
{
    struct segments_state *s = &c->state;
    *c = (struct segments_case){0};
    for (unsigned i = 0; i < SEGMENTS_REGIONS; i++)
        s->seg[i] = draw_segment(i, r);
    if (!draw_code(c, row, r))
        return false;
    draw_registers(s, row, r);
    s->eip = 0x1000 + rng_below(r, 0x7000);
    if (rng_chance(r, 10)) /* near the end */
        s->eip = (s->seg[ISA_CS] == segments_selector(ISA_CS, KIND_DOWN)    ? 0xa000
                  : s->seg[ISA_CS] == segments_selector(ISA_CS, KIND_SHORT) ? 0x8124
                                                                            : 0x10000) -
                 1 - rng_below(r, 8);
    s->eflags = 0x202 | (rng_next(r) & (0x8d5 | (rng_chance(r, 40) ? 0x400 : 0)));
    return true;
}
