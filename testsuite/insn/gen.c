/* SPDX-License-Identifier: MIT */
/*
 * A case is a form of the row, a random state, and then what the instruction
 * must find to do something: addresses that reach the data pages, counters
 * that end, branch targets that exist.
 */
#include "testsuite/insn/gen.h"

#include <string.h>

#include "testsuite/insn/form.h"
#include "testsuite/insn/value.h"

const char *gen_row_excuse(const struct isa_row *row)
{
    switch (row->sem) {
    case ISA_SEM_PUSHF:
    case ISA_SEM_POPF:
    case ISA_SEM_INT:
    case ISA_SEM_ARPL:
        return NULL;
    case ISA_SEM_CPUID:
    case ISA_SEM_RDTSC:
    case ISA_SEM_RDPMC:
        return "reads the machine";
    case ISA_SEM_VIRT:
        return "a Denali instruction";
    case ISA_SEM_SYSENTER:
        return "enters the host's kernel";
    case ISA_SEM_RSM:
        return "#UD outside SMM, #GP here like all privileged ones";
    default:
        break;
    }
    if (row->attr & ISA_T_IO)
        return "exits to the kernel";
    return row->attr & ISA_T_AMBIGUOUS ? "defined by ABI.md, not by the processor" : NULL;
}

uint32_t gen_address(struct rng *r, unsigned n, bool may_fault)
{
    unsigned kind = rng_below(r, may_fault ? 100 : 90);
    if (kind < 65) /* aligned */
        return INSN_DATA + 0x100 + (rng_below(r, 0x1D00) & ~15u);
    if (kind < 80)
        return INSN_DATA + 0x100 + rng_below(r, 0x1D00);
    if (kind < 90) /* across the two pages */
        return INSN_DATA + INSN_PAGE - 1 - rng_below(r, n ? n : 1);
    if (kind < 94) /* across the end */
        return INSN_DATA + INSN_DATA_BYTES - 1 - rng_below(r, n ? n : 1);
    if (kind < 97) /* absent */
        return INSN_DATA + INSN_DATA_BYTES + (rng_below(r, 0xE00) & ~15u);
    return INSN_DATA - 0x200 - (rng_below(r, 0xC00) & ~15u); /* read-only */
}

/* A code address that a jump may have for a target: an INT3 of the code page. */
static uint32_t code_target(struct rng *r, unsigned opsize)
{
    return opsize == 2 ? 0x2000 + rng_below(r, 0x6000) : INSN_CODE + 0x900 + rng_below(r, 0x600);
}

static void set16(uint32_t *reg, uint32_t value)
{
    *reg = (*reg & 0xFFFF0000) | (value & 0xFFFF);
}

/* Registers that the instruction uses without naming them, as a bit mask. */
struct setup {
    struct insn_case *c;
    struct isa_insn insn;
    struct rng *r;
    unsigned fixed;
};

static void fix(struct setup *s, unsigned reg, uint32_t value)
{
    s->c->state.gpr[reg] = value;
    s->fixed |= 1u << reg;
}

/* ESI and EDI, and ECX of a repeated one. 16-bit addresses reach the data through FS only. */
static void setup_string(struct setup *s)
{
    bool may_fault = rng_chance(s->r, 15);
    unsigned n = 8;
    fix(s, ISA_ESI, gen_address(s->r, n, may_fault) - form_segment_base(s->insn.seg));
    fix(s, ISA_EDI, gen_address(s->r, n, may_fault));
    if (s->insn.seen & (ISA_SEEN_F2 | ISA_SEEN_F3))
        fix(s, ISA_ECX, rng_below(s->r, 40));
    if (rng_chance(s->r, 40))
        s->c->state.eflags |= ISA_F_D;
}

static bool is_string(const struct isa_row *row)
{
    for (unsigned i = 0; i < ARRAY_LEN(row->op); i++)
        if (row->op[i].method == ISA_M_X || row->op[i].method == ISA_M_Y)
            return true;
    return false;
}

static void setup_stack(struct setup *s)
{
    fix(s, ISA_ESP, gen_address(s->r, 4, rng_chance(s->r, 15)));
    if (s->insn.row->sem == ISA_SEM_LEAVE || s->insn.row->sem == ISA_SEM_ENTER)
        fix(s, ISA_EBP, gen_address(s->r, 4, rng_chance(s->r, 15)));
}

/* Operands of a division, such that half of them do not overflow. */
static void setup_division(struct setup *s)
{
    uint32_t *gpr = s->c->state.gpr;
    if (rng_chance(s->r, 50))
        gpr[ISA_EDX] = rng_below(s->r, 3) - 1;
    if (rng_chance(s->r, 50))
        set16(&gpr[ISA_EAX], rng_below(s->r, 0x100));
}

/* The bit offset reaches memory around the operand. */
static void setup_bit_offset(struct setup *s)
{
    if (s->insn.has_mem && s->insn.row->op[1].method == ISA_M_G)
        fix(s, s->insn.reg, rng_below(s->r, 1600) - 800);
}

static void setup_by_sem(struct setup *s)
{
    switch (s->insn.row->sem) {
    case ISA_SEM_XLAT:
        fix(s, ISA_EBX,
            gen_address(s->r, 1, rng_chance(s->r, 15)) - 0x80 - form_segment_base(s->insn.seg));
        break;
    case ISA_SEM_MASKMOVQ:
    case ISA_SEM_MASKMOVDQU:
        fix(s, ISA_EDI,
            gen_address(s->r, 16, rng_chance(s->r, 15)) - form_segment_base(s->insn.seg));
        break;
    case ISA_SEM_DIV:
    case ISA_SEM_IDIV:
        setup_division(s);
        break;
    case ISA_SEM_BT:
    case ISA_SEM_BTS:
    case ISA_SEM_BTR:
    case ISA_SEM_BTC:
        setup_bit_offset(s);
        break;
    case ISA_SEM_LOOP:
    case ISA_SEM_LOOPE:
    case ISA_SEM_LOOPNE:
    case ISA_SEM_JCXZ:
        if (rng_chance(s->r, 60))
            fix(s, ISA_ECX, rng_below(s->r, 3));
        break;
    default:
        break;
    }
}

static bool is_indirect(const struct isa_row *row)
{
    return (row->sem == ISA_SEM_JMP || row->sem == ISA_SEM_CALL) && row->op[0].method == ISA_M_E;
}

static void setup_registers(struct setup *s)
{
    if (is_string(s->insn.row))
        setup_string(s);
    if (s->insn.row->attr & ISA_T_STACK)
        setup_stack(s);
    if (is_indirect(s->insn.row) && !s->insn.has_mem)
        fix(s, s->insn.rm, code_target(s->r, s->insn.opsize));
    setup_by_sem(s);
}

static void lay_patch(struct insn_case *c, uint32_t address, const void *bytes, uint32_t n)
{
    uint32_t at = address - INSN_DATA;
    if (n > INSN_PATCH_MAX || at > INSN_DATA_BYTES || n > INSN_DATA_BYTES - at)
        return;
    c->patch_at = at;
    c->patch_len = n;
    memcpy(c->patch, bytes, n);
}

/* An environment or state image for FLDENV and FRSTOR; the reserved words are free. */
static void fill_env(struct setup *s, uint8_t *out, unsigned n)
{
    struct insn_fpu fpu;
    unsigned word = s->insn.opsize;
    value_fpu(s->r, &fpu);
    value_bytes(s->r, out, n);
    memcpy(out, &fpu.control, 2);
    memcpy(out + word, &fpu.status, 2);
    for (unsigned at = n > 28 ? 7 * word : n; at + 10 <= n; at += 10)
        value_extended(s->r, out + at);
}

static void fill_operand(struct setup *s, uint8_t *out, unsigned n)
{
    struct insn_fpu fpu;
    uint32_t word = 0;
    value_bytes(s->r, out, n);
    switch (s->insn.row->sem) {
    case ISA_SEM_FLDENV:
    case ISA_SEM_FRSTOR:
        fill_env(s, out, n);
        break;
    case ISA_SEM_FXRSTOR:
        value_fpu(s->r, &fpu);
        if (rng_chance(s->r, 10))
            fpu.mxcsr |= 0x10000u << rng_below(s->r, 16);
        memcpy(out, &fpu, n);
        break;
    case ISA_SEM_LDMXCSR:
        word = value_mxcsr(s->r) | (rng_chance(s->r, 10) ? 0x10000u << rng_below(s->r, 16) : 0);
        memcpy(out, &word, 4);
        break;
    case ISA_SEM_JMP:
    case ISA_SEM_CALL:
        word = code_target(s->r, s->insn.opsize);
        memcpy(out, &word, n);
        break;
    case ISA_SEM_CMPXCHG:
        if (rng_chance(s->r, 50))
            memcpy(out, &s->c->state.gpr[ISA_EAX], n);
        break;
    case ISA_SEM_CMPXCHG8B:
        if (rng_chance(s->r, 50)) {
            memcpy(out, &s->c->state.gpr[ISA_EAX], 4);
            memcpy(out + 4, &s->c->state.gpr[ISA_EDX], 4);
        }
        break;
    default:
        break;
    }
}

static unsigned memory_bytes(const struct isa_insn *insn)
{
    for (unsigned i = 0; i < ARRAY_LEN(insn->row->op); i++) {
        unsigned m = insn->row->op[i].method;
        if (m == ISA_M_E || m == ISA_M_M || m == ISA_M_Q || m == ISA_M_W || m == ISA_M_O)
            return isa_operand_bytes(insn, i);
    }
    return 0;
}

static void setup_memory(struct setup *s, struct form *f)
{
    uint8_t value[INSN_PATCH_MAX];
    unsigned n = memory_bytes(&s->insn);
    uint32_t target = gen_address(s->r, n, true);
    form_aim(f, target, s->c->state.gpr, s->fixed);
    fill_operand(s, value, n ? n : 1);
    lay_patch(s->c, target, value, n);
}

/* What RET and POPF take from the stack; POPF without TF, AC, NT and what user code cannot set. */
static void setup_popped(struct setup *s)
{
    uint32_t word;
    if (s->insn.row->attr & ISA_T_RET)
        word = code_target(s->r, s->insn.opsize);
    else if (s->insn.row->sem == ISA_SEM_POPF)
        word = (rng_next(s->r) & 0x00203ED5) | 2;
    else
        return;
    lay_patch(s->c, s->c->state.gpr[ISA_ESP], &word, s->insn.opsize);
}

/* INT with a gate that the host's kernel opens to user code would run something. */
static void avoid_system_calls(struct form *f)
{
    if (f->row->sem == ISA_SEM_INT && (f->imm[0] == 0x80 || f->imm[0] == 3 || f->imm[0] == 4))
        f->imm[0] = 0x21;
}

/*
 * Mostly in the middle of a page; sometimes across the two, at the very end, or cut off by
 * the end.
 */
static void place_code(struct insn_case *c, unsigned len, struct rng *r)
{
    unsigned kind = rng_below(r, 100), some = 1 + rng_below(r, len);
    c->code_len = len;
    c->code_at = 0x800;
    if (kind < 6)
        c->code_at = INSN_PAGE - some;
    else if (kind < 10)
        c->code_at = INSN_CODE_BYTES - some;
    if (c->code_len > INSN_CODE_BYTES - c->code_at)
        c->code_len = INSN_CODE_BYTES - c->code_at;
    c->state.eip = INSN_CODE + c->code_at;
}

void gen_case(const struct isa_row *row, unsigned index, struct rng *r, struct insn_case *out)
{
    struct form f;
    struct setup s = {.c = out, .r = r};
    memset(out, 0, offsetof(struct insn_case, patch));
    value_fpu(r, &out->state.fpu);
    for (unsigned i = 0; i < 8; i++)
        out->state.gpr[i] = value_integer(r);
    out->state.gpr[ISA_ESP] = INSN_DATA + 0x800;
    out->state.eflags = value_eflags(r);
    out->data_seed = rng_next(r);
    form_choose(&f, row, index, r, FORM_SEGMENTS | FORM_USELESS | FORM_BAD_LOCK);
    avoid_system_calls(&f);
    if (form_decode(&f, &s.insn) == ISA_OK) {
        setup_registers(&s);
        if (s.insn.has_mem)
            setup_memory(&s, &f);
        else if (row->attr & ISA_T_STACK)
            setup_popped(&s);
    }
    place_code(out, form_emit(&f, out->code), r);
}
