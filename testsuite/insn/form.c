/* SPDX-License-Identifier: MIT */
/*
 * Encodings made from rows. Nothing here knows an opcode but the exceptions
 * below, where the processor that serves as oracle is younger than the i686.
 */
#include "testsuite/insn/form.h"

#include <string.h>

#include "testsuite/insn/case.h"
#include "testsuite/insn/value.h"

static void add_prefix(struct form *f, uint8_t byte)
{
    if (f->prefixes < sizeof(f->prefix))
        f->prefix[f->prefixes++] = byte;
}

static bool writes_memory(const struct isa_row *row)
{
    return (row->op[0].access & ISA_A_WRITE) || (row->attr & ISA_T_STACK);
}

/* CS cannot be written through, on a processor with real segments. */
static void choose_segment(struct form *f, struct rng *r)
{
    static const uint8_t bytes[6] = {0x64, 0x65, 0x3E, 0x26, 0x36, 0x2E};
    add_prefix(f, bytes[rng_below(r, writes_memory(f->row) ? 5 : 6)]);
}

/* Prefixes that select another, later instruction on the oracle: TZCNT, LZCNT, RDSSP. */
static bool takes_useless(const struct isa_row *row)
{
    return row->prefix == ISA_P_ANY && row->sem != ISA_SEM_BSF && row->sem != ISA_SEM_BSR &&
           row->sem != ISA_SEM_NOP && row->sem != ISA_SEM_PREFETCH && row->sem != ISA_SEM_XCHG &&
           row->sem != ISA_SEM_INT3 && row->sem != ISA_SEM_INTO && row->sem != ISA_SEM_INT1;
}

static bool changes_eip(const struct isa_row *row)
{
    return row->attr & (ISA_T_JUMP | ISA_T_BRANCH);
}

static void choose_repeat(struct form *f, struct rng *r)
{
    if (rng_chance(r, 50))
        add_prefix(f, rng_chance(r, f->row->attr & ISA_T_REPCC ? 50 : 90) ? 0xF3 : 0xF2);
}

static void choose_prefixes(struct form *f, struct rng *r, unsigned freedom)
{
    static const uint8_t mandatory[] = {0, 0, 0x66, 0xF3, 0xF2};
    const struct isa_row *row = f->row;
    bool any = row->prefix == ISA_P_ANY, useless = takes_useless(row);
    if (any && useless && rng_chance(r, 25) && !((freedom & FORM_NO_SIZE16) && changes_eip(row)))
        add_prefix(f, 0x66);
    if ((freedom & FORM_SEGMENTS) && useless && rng_chance(r, 15))
        choose_segment(f, r);
    if (row->attr & ISA_T_REP)
        choose_repeat(f, r);
    else if ((freedom & FORM_USELESS) && useless && rng_chance(r, 4))
        add_prefix(f, rng_chance(r, 50) ? 0xF2 : 0xF3);
    if (mandatory[row->prefix])
        add_prefix(f, mandatory[row->prefix]);
}

static void choose_lock(struct form *f, struct rng *r, unsigned freedom)
{
    bool legal = (f->row->attr & ISA_T_LOCKABLE) && f->modrm < 0xC0;
    if (legal ? rng_chance(r, 20) : (freedom & FORM_BAD_LOCK) && rng_chance(r, 3))
        add_prefix(f, 0xF0);
}

static uint8_t modrm_byte(unsigned mod, unsigned reg, unsigned rm)
{
    return (uint8_t)(mod << 6 | reg << 3 | rm);
}

/* A 16-bit address: only through FS does it reach the data (case.h). */
static void choose_memory16(struct form *f, struct rng *r, unsigned reg)
{
    bool absolute = rng_chance(r, 20);
    add_prefix(f, 0x67);
    add_prefix(f, 0x64);
    f->modrm = absolute ? modrm_byte(0, reg, 6) : modrm_byte(2, reg, rng_below(r, 8));
    f->disp_len = 2;
}

static void choose_memory32(struct form *f, struct rng *r, unsigned reg, unsigned k)
{
    unsigned base = (k / 6) & 7, mod = k % 3;
    f->disp_len = mod == 0 ? 0 : mod == 1 ? 1 : 4;
    f->disp = f->disp_len == 1 ? (uint32_t)(int8_t)rng_next(r) : 0;
    f->has_sib = k % 6 >= 3 || base == 4;
    f->modrm = modrm_byte(mod, reg, f->has_sib ? 4 : base);
    if (f->has_sib)
        f->sib = modrm_byte(rng_below(r, 4), rng_below(r, 8), base);
    if (mod == 0 && base == 5)
        f->disp_len = 4;
}

static void choose_modrm(struct form *f, unsigned index, struct rng *r, unsigned freedom)
{
    const struct isa_row *row = f->row;
    bool memory = row->mod == ISA_MOD_MEM || (row->mod == ISA_MOD_ANY && (index & 1));
    unsigned k = row->mod == ISA_MOD_ANY ? index >> 1 : index;
    unsigned reg = row->ext >= 0 ? (unsigned)row->ext : memory ? rng_below(r, 8) : (k >> 3) & 7;
    if (!memory)
        f->modrm = modrm_byte(3, reg, row->rm >= 0 ? (unsigned)row->rm : k & 7);
    else if ((freedom & FORM_SEGMENTS) && rng_chance(r, 8))
        choose_memory16(f, r, reg);
    else
        choose_memory32(f, r, reg, k);
}

static void add_immediate(struct form *f, uint32_t value, unsigned bytes)
{
    memcpy(f->imm + f->imm_len, &value, bytes);
    f->imm_len += (uint8_t)bytes;
}

/* Branches stay within the code page, or with a 16-bit EIP where there is nothing. */
static uint32_t branch_distance(struct rng *r, unsigned bytes)
{
    if (bytes == 2)
        return 0x1000 + rng_below(r, 0x5000);
    uint32_t reach = bytes == 1 ? 128 : 0x600, own = 20; /* not back into itself */
    uint32_t distance = rng_below(r, reach);
    return rng_chance(r, 50) || distance < own ? distance : 0u - distance;
}

static void choose_immediates(struct form *f, struct rng *r, unsigned opsize)
{
    for (unsigned i = 0; i < ARRAY_LEN(f->row->op); i++) {
        const struct isa_operand_spec *op = &f->row->op[i];
        unsigned bytes = op->width == ISA_W_b || op->width == ISA_W_bs ? 1
                         : op->width == ISA_W_w                        ? 2
                                                                       : opsize;
        if (op->method == ISA_M_I)
            add_immediate(f, value_integer(r), bytes);
        else if (op->method == ISA_M_J)
            add_immediate(f, branch_distance(r, bytes), bytes);
    }
}

static unsigned opcode_span(const struct isa_row *row)
{
    return row->attr & ISA_T_CC ? 16 : row->op[0].method == ISA_M_Z ? 8 : 1;
}

/* XCHG with EAX leaves one of its opcodes to NOP. */
static uint8_t choose_opcode(const struct isa_row *row, unsigned index)
{
    unsigned span = opcode_span(row), k = index % span;
    if (row->sem == ISA_SEM_XCHG && span == 8 && k == 0)
        k = 1;
    return (uint8_t)(row->opcode + k);
}

static bool has_moffs(const struct isa_row *row)
{
    return row->op[0].method == ISA_M_O || row->op[1].method == ISA_M_O;
}

static bool seen_66(const struct form *f)
{
    return memchr(f->prefix, 0x66, f->prefixes) != NULL;
}

void form_choose(struct form *f, const struct isa_row *row, unsigned index, struct rng *r,
                 unsigned freedom)
{
    *f = (struct form){.row = row};
    f->opcode = choose_opcode(row, index);
    choose_prefixes(f, r, freedom);
    if (row->attr & ISA_T_MODRM)
        choose_modrm(f, index, r, freedom);
    else
        f->modrm = 0xC0; /* not emitted; "no memory" to choose_lock */
    if (has_moffs(row))
        f->disp_len = 4;
    choose_lock(f, r, freedom);
    choose_immediates(f, r, seen_66(f) ? 2 : 4);
}

unsigned form_emit(const struct form *f, uint8_t out[24])
{
    unsigned n = f->prefixes;
    memcpy(out, f->prefix, n);
    if (f->row->map == ISA_MAP_0F)
        out[n++] = 0x0F;
    out[n++] = f->opcode;
    if (f->row->attr & ISA_T_MODRM)
        out[n++] = f->modrm;
    if (f->has_sib)
        out[n++] = f->sib;
    memcpy(out + n, &f->disp, f->disp_len);
    n += f->disp_len;
    memcpy(out + n, f->imm, f->imm_len);
    return n + f->imm_len;
}

enum isa_status form_decode(const struct form *f, struct isa_insn *insn)
{
    uint8_t bytes[24];
    unsigned n = form_emit(f, bytes);
    return isa_decode(bytes, n, true, insn);
}

uint32_t form_segment_base(unsigned seg)
{
    return seg == ISA_FS ? INSN_FS_BASE : seg == ISA_GS ? INSN_GS_BASE : 0;
}

/* Whether the base register alone can bring the address to where it should be. */
static bool base_is_free(const struct isa_insn *insn, unsigned fixed)
{
    return insn->base != ISA_NOREG && insn->base != insn->index && !(fixed >> insn->base & 1);
}

static uint32_t register_part(const struct isa_insn *insn, const uint32_t gpr[8])
{
    uint32_t sum = insn->base == ISA_NOREG ? 0 : gpr[insn->base];
    return insn->index == ISA_NOREG ? sum : sum + gpr[insn->index] * insn->scale;
}

unsigned form_aim(struct form *f, uint32_t target, uint32_t gpr[8], unsigned fixed)
{
    struct isa_insn insn;
    if (form_decode(f, &insn) != ISA_OK || !insn.has_mem)
        return ISA_NOREG;
    uint32_t offset = target - form_segment_base(insn.seg);
    if (f->disp_len < 2 && !base_is_free(&insn, fixed)) {
        f->modrm = (uint8_t)((f->modrm & 0x3F) | 0x80);
        f->disp_len = 4;
        f->disp = 0;
        if (form_decode(f, &insn) != ISA_OK)
            return ISA_NOREG;
    }
    if (f->disp_len >= 2) {
        f->disp = offset - register_part(&insn, gpr);
        return ISA_NOREG;
    }
    uint32_t rest = insn.index == ISA_NOREG ? 0 : gpr[insn.index] * insn.scale;
    gpr[insn.base] = offset - rest - insn.disp;
    return insn.base;
}
