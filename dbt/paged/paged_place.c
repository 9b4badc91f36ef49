/* SPDX-License-Identifier: MIT */
/* Registers as roots and offsets: what moves one by a constant, what copies one, what spoils one.
 */
#include "dbt/paged/paged_place.h"

#define REGS 8u
/* Farther than any block goes, and far from where offsets would overflow. */
#define OFF_MAX (1 << 20)

void paged_place_init(struct paged_place at[8])
{
    for (unsigned reg = 0; reg < REGS; reg++)
        at[reg] = (struct paged_place){reg, 0};
}

static void spoil(struct paged_place at[8], unsigned reg, unsigned index)
{
    at[reg] = (struct paged_place){(index + 1) * REGS + reg, 0};
}

static void set(struct paged_place at[8], unsigned reg, struct paged_place from, int32_t by,
                unsigned index)
{
    int64_t off = (int64_t)from.off + by;
    if (off < -OFF_MAX || off > OFF_MAX)
        spoil(at, reg, index);
    else
        at[reg] = (struct paged_place){from.root, (int32_t)off};
}

/* The general register that operand n is, or names a byte of; REGS: it is none. */
static unsigned register_of(const struct isa_insn *insn, unsigned n)
{
    const struct isa_operand_spec *op = &insn->row->op[n];
    unsigned reg = REGS;
    switch (op->method) {
    case ISA_M_E:
    case ISA_M_R:
        reg = insn->has_mem ? REGS : insn->rm;
        break;
    case ISA_M_G:
        reg = insn->reg;
        break;
    case ISA_M_Z:
        reg = insn->opcode & 7u;
        break;
    case ISA_M_REG:
        reg = op->fixed;
        break;
    default:
        break;
    }
    return reg < REGS && op->width == ISA_W_b ? reg & 3u : reg;
}

static bool is_whole(const struct isa_insn *insn, unsigned n)
{
    unsigned width = insn->row->op[n].width;
    return register_of(insn, n) < REGS &&
           (width == ISA_W_d || (width == ISA_W_v && insn->opsize == 4));
}

static bool is_immediate(const struct isa_insn *insn, unsigned n)
{
    return insn->row->op[n].method == ISA_M_I;
}

/* Every register operand that is written holds something new. */
static void spoil_written(struct paged_place at[8], const struct isa_insn *insn, unsigned index)
{
    for (unsigned n = 0; n < 3; n++) {
        unsigned reg = register_of(insn, n);
        if (reg < REGS && (insn->row->op[n].access & ISA_A_WRITE))
            spoil(at, reg, index);
    }
}

static void spoil_all(struct paged_place at[8], unsigned index)
{
    for (unsigned reg = 0; reg < REGS; reg++)
        spoil(at, reg, index);
}

/* add, sub, inc, dec: `by` is what they add to a whole register. */
static void shift(struct paged_place at[8], const struct isa_insn *insn, unsigned index,
                  uint32_t by)
{
    unsigned reg = register_of(insn, 0);
    if (is_whole(insn, 0))
        set(at, reg, at[reg], (int32_t)by, index);
    else
        spoil_written(at, insn, index);
}

static void move(struct paged_place at[8], const struct isa_insn *insn, unsigned index)
{
    if (is_whole(insn, 0) && is_whole(insn, 1))
        at[register_of(insn, 0)] = at[register_of(insn, 1)];
    else
        spoil_written(at, insn, index);
}

static void load_address(struct paged_place at[8], const struct isa_insn *insn, unsigned index)
{
    if (is_whole(insn, 0) && insn->adsize == 4 && insn->index == ISA_NOREG && insn->base < REGS)
        set(at, insn->reg, at[insn->base], (int32_t)insn->disp, index);
    else
        spoil_written(at, insn, index);
}

static void pop(struct paged_place at[8], const struct isa_insn *insn, unsigned index)
{
    unsigned reg = register_of(insn, 0);
    set(at, ISA_ESP, at[ISA_ESP], insn->opsize, index);
    if (reg < REGS)
        spoil(at, reg, index);
}

static void leave(struct paged_place at[8], const struct isa_insn *insn, unsigned index)
{
    if (insn->opsize == 4)
        set(at, ISA_ESP, at[ISA_EBP], 4, index);
    else
        spoil(at, ISA_ESP, index);
    spoil(at, ISA_EBP, index);
}

static void step_stack(struct paged_place at[8], const struct isa_insn *insn, unsigned index)
{
    if (insn->row->sem == ISA_SEM_POP)
        pop(at, insn, index);
    else if (insn->row->sem == ISA_SEM_LEAVE)
        leave(at, insn, index);
    else /* PUSH; CALL ends a block */
        set(at, ISA_ESP, at[ISA_ESP], -(int32_t)insn->opsize, index);
}

/* Instructions that write no general register but their operands. */
static bool tells_all(const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_IMUL: /* of one operand: eax and edx */
        return insn->row->op[1].method != ISA_M_NONE;
    case ISA_SEM_ADC:
    case ISA_SEM_AND:
    case ISA_SEM_BSF:
    case ISA_SEM_BSR:
    case ISA_SEM_BSWAP:
    case ISA_SEM_BT:
    case ISA_SEM_BTC:
    case ISA_SEM_BTR:
    case ISA_SEM_BTS:
    case ISA_SEM_CLC:
    case ISA_SEM_CMC:
    case ISA_SEM_CMOVCC:
    case ISA_SEM_CMP:
    case ISA_SEM_JCC:
    case ISA_SEM_MOVSX:
    case ISA_SEM_MOVZX:
    case ISA_SEM_NEG:
    case ISA_SEM_NOP:
    case ISA_SEM_NOT:
    case ISA_SEM_OR:
    case ISA_SEM_RCL:
    case ISA_SEM_RCR:
    case ISA_SEM_ROL:
    case ISA_SEM_ROR:
    case ISA_SEM_SAR:
    case ISA_SEM_SBB:
    case ISA_SEM_SETCC:
    case ISA_SEM_SHL:
    case ISA_SEM_SHLD:
    case ISA_SEM_SHR:
    case ISA_SEM_SHRD:
    case ISA_SEM_STC:
    case ISA_SEM_TEST:
    case ISA_SEM_XADD:
    case ISA_SEM_XCHG:
    case ISA_SEM_XOR:
        return true;
    default:
        return insn->row->attr & (ISA_T_FPU | ISA_T_MMX | ISA_T_SSE);
    }
}

void paged_place_step(struct paged_place at[8], const struct isa_insn *insn, unsigned index,
                      bool stack32)
{
    switch (insn->row->sem) {
    case ISA_SEM_ADD:
    case ISA_SEM_SUB:
        if (is_immediate(insn, 1))
            shift(at, insn, index, insn->row->sem == ISA_SEM_ADD ? insn->imm : 0 - insn->imm);
        else
            spoil_written(at, insn, index);
        break;
    case ISA_SEM_INC:
        shift(at, insn, index, 1);
        break;
    case ISA_SEM_DEC:
        shift(at, insn, index, 0u - 1);
        break;
    case ISA_SEM_MOV:
        move(at, insn, index);
        break;
    case ISA_SEM_LEA:
        load_address(at, insn, index);
        break;
    case ISA_SEM_LEAVE:
    case ISA_SEM_POP:
    case ISA_SEM_PUSH:
        if (stack32)
            step_stack(at, insn, index);
        else
            spoil_all(at, index);
        break;
    default:
        if (tells_all(insn))
            spoil_written(at, insn, index);
        else
            spoil_all(at, index);
    }
}
