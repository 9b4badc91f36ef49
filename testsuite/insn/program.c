/* SPDX-License-Identifier: MIT */
/*
 * See program.h. What keeps a program meaningful:
 *
 *   - an address is set up by MOV immediates directly before its instruction,
 *     and MOV changes no flag;
 *   - whatever may have changed ESP is followed by MOV ESP;
 *   - branches go forward; a loop counts in INSN_FIXED, which no other store
 *     reaches, so it ends even if units are taken out;
 *   - where a flag would be read that is undefined, layout puts a CMP;
 *   - exceptions of x87 and SSE stay masked (the tests of single instructions
 *     have the others), and divisions get operands that fit.
 */
#include "testsuite/insn/program.h"

#include <string.h>

#include "testsuite/insn/form.h"
#include "testsuite/insn/frame.h"
#include "testsuite/insn/gen.h"
#include "testsuite/insn/value.h"

#define CODE_ROOM (INSN_CODE_MAX - 2 * UNIT_BYTES)
#define ROUNDS 8u /* the whole program is a loop: states go where no start state is */
#define ALL_FLAGS (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O)

const char *const program_class_names[CLASSES] = {
    "integer", "shift", "muldiv", "string",      "stack",
    "control", "x87",   "mmx",    "xmm integer", "xmm float",
};

static bool is_shift(unsigned sem)
{
    switch (sem) {
    case ISA_SEM_ROL:
    case ISA_SEM_ROR:
    case ISA_SEM_RCL:
    case ISA_SEM_RCR:
    case ISA_SEM_SHL:
    case ISA_SEM_SHR:
    case ISA_SEM_SAR:
    case ISA_SEM_SHLD:
    case ISA_SEM_SHRD:
    case ISA_SEM_BT:
    case ISA_SEM_BTS:
    case ISA_SEM_BTR:
    case ISA_SEM_BTC:
    case ISA_SEM_BSF:
    case ISA_SEM_BSR:
        return true;
    default:
        return false;
    }
}

static bool is_muldiv(unsigned sem)
{
    return sem == ISA_SEM_MUL || sem == ISA_SEM_IMUL || sem == ISA_SEM_DIV || sem == ISA_SEM_IDIV ||
           sem == ISA_SEM_AAM || sem == ISA_SEM_AAD;
}

/* Only integer operations on vectors have names in P, MOVD and MOVQ. */
static bool is_vector_integer(const struct isa_row *row)
{
    return row->mnemonic[0] == 'p' || !strncmp(row->mnemonic, "movd", 4) ||
           !strncmp(row->mnemonic, "movq", 4) || !strncmp(row->mnemonic, "maskmov", 7) ||
           row->sem == ISA_SEM_MOVNTDQ;
}

enum program_class program_class_of(const struct isa_row *row)
{
    if (row->attr & ISA_T_FPU)
        return CLASS_X87;
    if (row->attr & ISA_T_SSE)
        return is_vector_integer(row) ? CLASS_XMM_INTEGER : CLASS_XMM_FLOAT;
    if (row->attr & ISA_T_MMX)
        return CLASS_MMX;
    if (row->attr & ISA_T_REP)
        return CLASS_STRING;
    if (row->attr & (ISA_T_JUMP | ISA_T_BRANCH))
        return CLASS_CONTROL;
    if (row->attr & ISA_T_STACK)
        return CLASS_STACK;
    if (is_shift(row->sem))
        return CLASS_SHIFT;
    return is_muldiv(row->sem) ? CLASS_MULDIV : CLASS_INTEGER;
}

/* Rows that a program may hold as a plain unit. */
static bool is_plain(const struct isa_row *row)
{
    const unsigned never = ISA_T_JUMP | ISA_T_BRANCH | ISA_T_END | ISA_T_PRIV | ISA_T_IO |
                           ISA_T_UNDEF | ISA_T_VIRTUAL | ISA_T_SERIAL;
    if (row->attr & never)
        return row->sem == ISA_SEM_POPF;
    return !gen_row_excuse(row);
}

/* Writing a unit. */

static void put(struct unit *u, const void *bytes, unsigned n)
{
    if (u->len + n > UNIT_BYTES)
        return;
    memcpy(u->bytes + u->len, bytes, n);
    u->len += (uint8_t)n;
}

static void put8(struct unit *u, unsigned byte)
{
    uint8_t b = (uint8_t)byte;
    put(u, &b, 1);
}

static void put32(struct unit *u, uint32_t word)
{
    put(u, &word, 4);
}

static void put_mov_reg(struct unit *u, unsigned reg, uint32_t value)
{
    put8(u, 0xB8 + reg);
    put32(u, value);
}

static void put_store(struct unit *u, uint32_t address, uint32_t value)
{
    put8(u, 0xC7);
    put8(u, 0x05);
    put32(u, address);
    put32(u, value);
}

static void put_store16(struct unit *u, uint32_t address, uint16_t value)
{
    put8(u, 0x66);
    put8(u, 0xC7);
    put8(u, 0x05);
    put32(u, address);
    put(u, &value, 2);
}

static uint32_t stack_pointer(struct rng *r)
{
    return INSN_DATA + 0x800 + (rng_below(r, 0x1000) & ~3u);
}

/* For return addresses that are going to be used: no store of the body reaches them. */
static uint32_t safe_stack(struct rng *r)
{
    return INSN_FIXED + 0xC00 + (rng_below(r, 0x200) & ~3u);
}

/* One plain instruction. */
struct plain {
    struct unit *u;
    struct rng *r;
    struct form form;
    struct isa_insn insn;
    uint32_t target; /* of its memory operand */
    bool hostile;
};

static unsigned memory_bytes(const struct isa_insn *insn)
{
    unsigned most = 0;
    for (unsigned i = 0; i < ARRAY_LEN(insn->row->op); i++)
        if (isa_operand_bytes(insn, i) > most)
            most = isa_operand_bytes(insn, i);
    return most;
}

/* Chooses the operand's place and sets up the registers that lead there. */
static void aim(struct plain *p)
{
    uint32_t gpr[8];
    unsigned n = memory_bytes(&p->insn);
    bool may_fault = p->hostile && rng_chance(p->r, 15);
    p->target = gen_address(p->r, n, may_fault);
    if (!may_fault && ((p->insn.row->attr & ISA_T_ALIGN16) || n > 64))
        p->target = (p->target & ~15u) - (n > 64 ? 0x400 : 0);
    if (!may_fault && p->target < INSN_DATA)
        p->target = INSN_DATA;
    for (unsigned i = 0; i < 8; i++)
        gpr[i] = value_integer(p->r);
    gpr[ISA_ESP] = stack_pointer(p->r); /* PUSH [ESP + n] uses it twice */
    form_aim(&p->form, p->target, gpr, p->insn.row->attr & ISA_T_STACK ? 1u << ISA_ESP : 0);
    if (form_decode(&p->form, &p->insn) != ISA_OK)
        return;
    if (p->insn.base != ISA_NOREG)
        put_mov_reg(p->u, p->insn.base, gpr[p->insn.base]);
    if (p->insn.index != ISA_NOREG && p->insn.index != p->insn.base)
        put_mov_reg(p->u, p->insn.index, gpr[p->insn.index]);
}

static bool is_string(const struct isa_row *row)
{
    return row->attr & ISA_T_REP;
}

static void set_up_string(struct plain *p)
{
    put_mov_reg(p->u, ISA_ESI, gen_address(p->r, 8, false) - form_segment_base(p->insn.seg));
    put_mov_reg(p->u, ISA_EDI, gen_address(p->r, 8, false));
    put_mov_reg(p->u, ISA_ECX, rng_below(p->r, 24));
}

/* Dividend and divisor such that the quotient fits. */
static void set_up_division(struct plain *p)
{
    uint32_t divisor = 1 + rng_below(p->r, 100);
    unsigned bytes = isa_operand_bytes(&p->insn, 0);
    if (p->insn.has_mem)
        put_store(p->u, p->target, divisor);
    else
        put_mov_reg(p->u, bytes == 1 ? p->insn.rm & 3 : p->insn.rm, divisor * 0x101);
    if (p->insn.has_mem || bytes == 1 || p->insn.rm != ISA_EAX)
        put_mov_reg(p->u, ISA_EAX, rng_next(p->r) & 0x7F);
    if (bytes > 1)
        put_mov_reg(p->u, ISA_EDX, 0);
}

/* Divisions that set_up_division cannot help: by parts of the dividend, or with EAX or EDX,
 * which are set up after the address, in the address. */
static bool is_bad_division(const struct isa_insn *insn)
{
    if (insn->row->sem != ISA_SEM_DIV && insn->row->sem != ISA_SEM_IDIV)
        return false;
    if (!insn->has_mem)
        return isa_operand_bytes(insn, 0) == 1 ? (insn->rm & 3) == ISA_EAX : insn->rm == ISA_EDX;
    return insn->base == ISA_EAX || insn->base == ISA_EDX || insn->index == ISA_EAX ||
           insn->index == ISA_EDX;
}

/* Images that leave all exceptions masked. */
static void set_up_state_image(struct plain *p)
{
    uint32_t control = (rng_next(p->r) & 0xF00) | 0x37F, mxcsr = (rng_next(p->r) & 0xE040) | 0x1F80;
    switch (p->insn.row->sem) {
    case ISA_SEM_LDMXCSR:
        put_store(p->u, p->target, mxcsr);
        break;
    case ISA_SEM_FXRSTOR:
        put_store(p->u, p->target, control | (rng_next(p->r) & 0x7F000000));
        put_store(p->u, p->target + 24, mxcsr);
        break;
    default: /* FLDCW, FLDENV, FRSTOR */
        put_store16(p->u, p->target, (uint16_t)control);
        break;
    }
}

static void set_up_bound(struct plain *p)
{
    bool wide = p->insn.opsize == 4;
    put_store(p->u, p->target, wide ? 0x80000000 : 0x7FFF8000);
    put_store(p->u, p->target + 4, 0x7FFFFFFF);
}

static void set_up_by_sem(struct plain *p)
{
    switch (p->insn.row->sem) {
    case ISA_SEM_XLAT:
        put_mov_reg(p->u, ISA_EBX, INSN_DATA + 0x300 - form_segment_base(p->insn.seg));
        break;
    case ISA_SEM_MASKMOVQ:
    case ISA_SEM_MASKMOVDQU:
        put_mov_reg(p->u, ISA_EDI, gen_address(p->r, 16, false) - form_segment_base(p->insn.seg));
        break;
    case ISA_SEM_DIV:
    case ISA_SEM_IDIV:
        set_up_division(p);
        break;
    case ISA_SEM_BOUND:
        set_up_bound(p);
        break;
    case ISA_SEM_LEAVE:
        put_mov_reg(p->u, ISA_EBP, stack_pointer(p->r));
        break;
    case ISA_SEM_ENTER:
        put_mov_reg(p->u, ISA_EBP, INSN_DATA + 0x1800);
        put_mov_reg(p->u, ISA_ESP, INSN_DATA + 0x1000);
        break;
    case ISA_SEM_POPF: /* without TF, NT, AC */
        put8(p->u, 0x68);
        put32(p->u, 0x202 | (rng_next(p->r) & 0xCD5));
        break;
    case ISA_SEM_LDMXCSR:
    case ISA_SEM_FLDCW:
    case ISA_SEM_FLDENV:
    case ISA_SEM_FRSTOR:
    case ISA_SEM_FXRSTOR:
        set_up_state_image(p);
        break;
    default:
        break;
    }
}

/* BT and its like with a register reach far; near it is. The address must not use the register. */
static bool set_up_bit_offset(struct plain *p)
{
    unsigned sem = p->insn.row->sem;
    if (!p->insn.has_mem || p->insn.row->op[1].method != ISA_M_G ||
        (sem != ISA_SEM_BT && sem != ISA_SEM_BTS && sem != ISA_SEM_BTR && sem != ISA_SEM_BTC))
        return true;
    if (p->insn.reg == p->insn.base || p->insn.reg == p->insn.index)
        return false;
    put_mov_reg(p->u, p->insn.reg, rng_below(p->r, 1600) - 800);
    return true;
}

/* The x87 pointers in stored images differ from processor to processor. */
static void erase_pointers(struct plain *p)
{
    unsigned sem = p->insn.row->sem, word = p->insn.opsize;
    p->u->pointers = sem == ISA_SEM_FNSTENV || sem == ISA_SEM_FNSAVE || sem == ISA_SEM_FXSAVE;
    if (sem == ISA_SEM_FNSTENV || sem == ISA_SEM_FNSAVE) {
        for (unsigned at = 3 * word; at < 7 * word; at += 4)
            put_store(p->u, p->target + at, 0);
    } else if (sem == ISA_SEM_FXSAVE) {
        for (unsigned at = 6; at < 22; at += 4)
            put_store(p->u, p->target + at, 0);
        put_store16(p->u, p->target + 22, 0);
    }
}

static bool writes_esp(const struct isa_insn *insn)
{
    if (insn->row->sem == ISA_SEM_LEAVE || insn->row->sem == ISA_SEM_ENTER ||
        insn->base == ISA_ESP || insn->index == ISA_ESP)
        return true;
    for (unsigned i = 0; i < ARRAY_LEN(insn->row->op); i++) {
        const struct isa_operand_spec *op = &insn->row->op[i];
        unsigned reg = op->method == ISA_M_G   ? insn->reg
                       : op->method == ISA_M_Z ? insn->opcode & 7
                                               : insn->rm;
        bool general = op->method == ISA_M_G || op->method == ISA_M_Z || op->method == ISA_M_R ||
                       (op->method == ISA_M_E && !insn->has_mem);
        if (general && (op->access & ISA_A_WRITE) && reg == ISA_ESP)
            return true;
    }
    return insn->row->sem == ISA_SEM_DIV || insn->row->sem == ISA_SEM_IDIV;
}

/* The flags of a unit whose instruction is this; MOV before and after it changes none. */
static void note_flags(struct unit *u, const struct isa_insn *insn)
{
    struct isa_flags f = isa_flags(insn);
    u->reads = f.reads;
    u->kills = f.kills;
    u->undef = f.undef;
}

static bool aam_by_zero(const struct isa_insn *insn)
{
    return insn->row->sem == ISA_SEM_AAM && insn->imm == 0;
}

/* False if the form is of no use; the caller tries again. */
static bool make_plain(struct unit *u, const struct isa_row *row, struct rng *r, bool hostile)
{
    struct plain p = {.u = u, .r = r, .hostile = hostile};
    *u = (struct unit){.len = 0};
    form_choose(&p.form, row, rng_next(r) >> 8, r, FORM_SEGMENTS | FORM_USELESS | FORM_NO_SIZE16);
    if (form_decode(&p.form, &p.insn) != ISA_OK || aam_by_zero(&p.insn))
        return false;
    if (row->sem == ISA_SEM_ENTER) /* the frame must fit the data */
        p.form.imm[1] &= 3;
    if ((row->attr & ISA_T_STACK) && rng_chance(r, 50))
        put_mov_reg(u, ISA_ESP, stack_pointer(r));
    if (p.insn.has_mem)
        aim(&p);
    if (p.insn.has_mem && p.insn.seg == ISA_CS && (row->op[0].access & ISA_A_WRITE))
        return false;
    if (is_string(row))
        set_up_string(&p);
    if (!set_up_bit_offset(&p) || is_bad_division(&p.insn))
        return false;
    set_up_by_sem(&p);
    uint8_t bytes[24];
    unsigned n = form_emit(&p.form, bytes);
    if (form_decode(&p.form, &p.insn) != ISA_OK)
        return false;
    put(u, bytes, n);
    note_flags(u, &p.insn);
    if (row->sem == ISA_SEM_ENTER || writes_esp(&p.insn))
        put_mov_reg(u, ISA_ESP, stack_pointer(r));
    erase_pointers(&p);
    return true;
}

/* Branches. */

static void fix_target(struct unit *u, enum unit_fix fix, unsigned target)
{
    u->fix = (uint8_t)fix;
    u->fix_at = u->len;
    u->target = (uint16_t)target;
    put32(u, 0);
}

/* A short branch whose taken side is a long jump. */
static void put_short_branch(struct unit *u, unsigned opcode, unsigned target)
{
    static const uint8_t over[] = {0x02, 0xEB, 0x05, 0xE9};
    put8(u, opcode);
    put(u, over, sizeof(over));
    fix_target(u, FIX_RELATIVE, target);
}

static void make_condition(struct unit *u, struct rng *r, unsigned target)
{
    unsigned cc = rng_below(r, 16);
    u->reads = ALL_FLAGS;
    if (rng_chance(r, 50)) {
        put_short_branch(u, 0x70 + cc, target);
        return;
    }
    put8(u, 0x0F);
    put8(u, 0x80 + cc);
    fix_target(u, FIX_RELATIVE, target);
}

static void make_counted(struct unit *u, struct rng *r, unsigned target)
{
    u->reads = ALL_FLAGS;
    if (rng_chance(r, 50))
        put_mov_reg(u, ISA_ECX, rng_below(r, 3));
    if (rng_chance(r, 20))
        put8(u, 0x67);
    put_short_branch(u, 0xE0 + rng_below(r, 4), target);
}

/* INC [counter]; CMP [counter], n; JB back: the way back is taken n - 1 times in all */
static void make_loop(struct unit *u, unsigned n, unsigned self, unsigned target)
{
    uint32_t counter = INSN_FIXED + 4 * self;
    put8(u, 0xFF);
    put8(u, 0x05);
    put32(u, counter);
    put8(u, 0x83);
    put8(u, 0x3D);
    put32(u, counter);
    put8(u, n);
    put8(u, 0x0F);
    put8(u, 0x82);
    u->kills = ALL_FLAGS;
    fix_target(u, FIX_RELATIVE, target);
}

static void make_indirect(struct unit *u, struct rng *r, unsigned target)
{
    unsigned reg = rng_below(r, 4), kind = rng_below(r, 4);
    uint32_t slot = INSN_DATA + 0x200 + 4 * rng_below(r, 0x300);
    if (kind == 0) { /* PUSH target; RET */
        put_mov_reg(u, ISA_ESP, safe_stack(r));
        put8(u, 0x68);
        fix_target(u, FIX_ABSOLUTE, target);
        put8(u, 0xC3);
    } else if (kind == 1) { /* MOV reg, target; JMP or CALL reg */
        put8(u, 0xB8 + reg);
        fix_target(u, FIX_ABSOLUTE, target);
        put8(u, 0xFF);
        put8(u, (rng_chance(r, 50) ? 0xE0 : 0xD0) + reg);
    } else { /* MOV [slot], target; JMP or CALL [slot] */
        put8(u, 0xC7);
        put8(u, 0x05);
        put32(u, slot);
        fix_target(u, FIX_ABSOLUTE, target);
        put8(u, 0xFF);
        put8(u, kind == 2 ? 0x25 : 0x15);
        put32(u, slot);
    }
}

/* CALL f; JMP over; f: an instruction that leaves the stack alone; RET */
static void make_call(struct unit *u, struct rng *r, const struct isa_row *row)
{
    struct unit body;
    if (!make_plain(&body, row, r, false) || (row->attr & ISA_T_STACK) || body.len > 70 ||
        memchr(body.bytes, 0xB8 + ISA_ESP, body.len))
        body = (struct unit){.len = 0};
    static const uint8_t call[] = {0xE8, 2, 0, 0, 0, 0xEB};
    put_mov_reg(u, ISA_ESP, safe_stack(r));
    put(u, call, sizeof(call));
    bool pops = rng_chance(r, 30);
    put8(u, body.len + (pops ? 3u : 1u));
    put(u, body.bytes, body.len);
    if (pops) {
        put8(u, 0xC2);
        put8(u, rng_next(r) & 0x1C);
        put8(u, 0);
    } else {
        put8(u, 0xC3);
    }
    u->reads = body.reads;
    u->kills = body.kills;
    u->undef = body.undef;
}

/* MOV BYTE [own immediate], n; MOV reg, imm32: code that changes just before it runs. */
static void make_self_modifying(struct unit *u, struct rng *r)
{
    put8(u, 0xC6);
    put8(u, 0x05);
    fix_target(u, FIX_OWN, 8 + rng_below(r, 4));
    put8(u, rng_next(r));
    put_mov_reg(u, rng_below(r, 4), rng_next(r));
}

/* The same from afar: the unit modified is chosen when all are made. */
static void make_modifying(struct unit *u, struct rng *r)
{
    put8(u, 0xC6);
    put8(u, 0x05);
    fix_target(u, FIX_OTHER, 0);
    put8(u, rng_next(r));
}

static void make_control(struct unit *u, unsigned self, struct rng *r, const struct isa_row *body)
{
    unsigned kind = rng_below(r, 100), forward = self + 1 + rng_below(r, 6);
    *u = (struct unit){.len = 0};
    if (kind < 35) {
        make_condition(u, r, forward);
    } else if (kind < 50) {
        make_counted(u, r, forward);
    } else if (kind < 60) {
        put8(u, rng_chance(r, 50) ? 0xE9 : 0xE8);
        fix_target(u, FIX_RELATIVE, forward);
        if (u->bytes[0] == 0xE8)
            put8(u, 0x90); /* a return address nobody uses */
    } else if (kind < 75) {
        make_indirect(u, r, forward);
    } else if (kind < 85 && self >= 4) {
        make_loop(u, 2 + rng_below(r, 5), self, self - 1 - rng_below(r, self < 12 ? self - 1 : 11));
    } else if (kind < 88) {
        make_self_modifying(u, r);
    } else if (kind < 91) {
        make_modifying(u, r);
    } else {
        make_call(u, r, body);
    }
}

/* Choosing rows. */

static const struct isa_row *choose_row(struct rng *r, enum program_class class)
{
    for (;;) {
        const struct isa_row *row = &isa_rows[rng_below(r, isa_row_count)];
        if (is_plain(row) && program_class_of(row) == class)
            return row;
    }
}

static enum program_class choose_class(struct rng *r, unsigned classes)
{
    for (;;) {
        unsigned class = rng_below(r, CLASSES);
        if (classes >> class & 1)
            return class;
    }
}

/* In a hostile program the frame may run out of the data at either end. */
static uint32_t frame_pointer(const struct program *p, struct rng *r)
{
    if (p->hostile && rng_chance(r, 10))
        return INSN_DATA + (rng_chance(r, 50) ? 0 : INSN_DATA_BYTES - 0x40) + 4 * rng_below(r, 16);
    return INSN_DATA + 0x700 + (rng_below(r, 0x1200) & ~3u);
}

static void make_unit(struct program *p, unsigned self, struct rng *r, unsigned classes)
{
    struct unit *u = &p->units[self];
    enum program_class class = choose_class(r, classes);
    if (class == CLASS_STACK && rng_chance(r, 50))
        frame_make(u, r, frame_pointer(p, r));
    else if (class == CLASS_CONTROL)
        make_control(u, self, r, choose_row(r, CLASS_INTEGER));
    else
        while (!make_plain(u, choose_row(r, class), r, p->hostile))
            ;
}

static void start_state(struct program *p, struct rng *r)
{
    value_fpu(r, &p->state.fpu);
    if (!rng_chance(r, 5)) {
        p->state.fpu.control |= 0x3F;
        p->state.fpu.status &= 0x7F7F;
        p->state.fpu.mxcsr |= 0x1F80;
    }
    for (unsigned i = 0; i < 8; i++)
        p->state.gpr[i] = value_integer(r);
    p->state.gpr[ISA_ESP] = stack_pointer(r);
    p->state.eflags = value_eflags(r);
    p->code_at = 0x100 + rng_below(r, INSN_CODE_BYTES - INSN_CODE_MAX - 0x100);
    p->state.eip = INSN_CODE + p->code_at;
    p->data_seed = rng_next(r);
}

/* Stores into code hit the immediate of a unit that modifies itself anyway, if there is one. */
static void choose_modified(struct program *p, struct rng *r)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->units[i].fix == FIX_OTHER)
            for (unsigned tries = 0; tries < 200; tries++) {
                p->units[i].target = (uint16_t)rng_below(r, p->count);
                if (p->units[p->units[i].target].fix == FIX_OWN)
                    break;
            }
}

void program_make(struct program *p, struct rng *r, unsigned classes)
{
    unsigned bytes = 0;
    start_state(p, r);
    p->hostile = rng_chance(r, 25);
    for (p->count = 0; p->count < UNITS_MAX - 1 && bytes < CODE_ROOM; p->count++) {
        make_unit(p, p->count, r, classes);
        bytes += p->units[p->count].len + 2u;
    }
    p->units[p->count] = (struct unit){.len = 0};
    make_loop(&p->units[p->count], ROUNDS, p->count, 0);
    p->count++;
    choose_modified(p, r);
    for (unsigned i = 0; i < p->count; i++)
        if (p->units[i].fix == FIX_RELATIVE || p->units[i].fix == FIX_ABSOLUTE) {
            if (p->units[i].target > p->count)
                p->units[i].target = (uint16_t)p->count;
            p->units[p->units[i].target].is_target = 1;
        }
}

/* Layout. The unit after the last stands for the INT3 that ends the program. */

static bool is_branch(const struct unit *u)
{
    return u->fix == FIX_RELATIVE || u->fix == FIX_ABSOLUTE;
}

/* Places the units and puts CMP EAX, EAX where undefined flags would matter. */
static unsigned place(struct program *p, uint8_t *code)
{
    unsigned at = p->code_at, undef = 0;
    for (unsigned i = 0; i <= p->count; i++) {
        struct unit *u = &p->units[i];
        bool last = i == p->count;
        bool merges = last || u->is_target || (u->len && is_branch(u));
        if (undef && (merges || (u->reads & undef))) {
            memcpy(code + at - p->code_at, (const uint8_t[]){0x39, 0xC0}, 2);
            at += 2;
            undef = 0;
        }
        u->at = (uint16_t)at;
        u->undef_in = (uint16_t)undef;
        if (last || !u->len)
            continue;
        memcpy(code + at - p->code_at, u->bytes, u->len);
        at += u->len;
        undef = (undef & ~(unsigned)u->kills) | u->undef;
    }
    return at - p->code_at;
}

/* An immediate byte of a unit made by make_self_modifying; if that is gone, no code. */
static uint32_t modified_byte(const struct unit *u)
{
    bool there = u->len && u->fix == FIX_OWN;
    return there ? INSN_CODE + u->at + 8 + (u->at & 3) : INSN_FIXED + 0xB00;
}

static void resolve(const struct program *p, uint8_t *code)
{
    for (unsigned i = 0; i < p->count; i++) {
        const struct unit *u = &p->units[i];
        if (!u->len || u->fix == FIX_NONE)
            continue;
        uint32_t field = u->at + u->fix_at, value = INSN_CODE + p->units[u->target].at;
        if (u->fix == FIX_RELATIVE)
            value -= INSN_CODE + field + 4;
        if (u->fix == FIX_OWN)
            value = INSN_CODE + u->at + u->target;
        if (u->fix == FIX_OTHER)
            value = modified_byte(&p->units[u->target]);
        memcpy(code + field - p->code_at, &value, 4);
    }
}

void program_lay_out(struct program *p, struct insn_case *out)
{
    memset(out, 0, offsetof(struct insn_case, patch));
    out->state = p->state;
    out->data_seed = p->data_seed;
    out->code_at = p->code_at;
    out->code_len = place(p, out->code);
    resolve(p, out->code);
}

static const struct unit *unit_at(const struct program *p, uint32_t eip)
{
    for (unsigned i = 0; i < p->count; i++) {
        const struct unit *u = &p->units[i];
        uint32_t begin = INSN_CODE + u->at;
        if (u->len && eip >= begin && eip < begin + u->len)
            return u;
    }
    return NULL;
}

uint32_t program_undef_at(const struct program *p, uint32_t eip)
{
    const struct unit *u = unit_at(p, eip);
    if (u)
        return (uint32_t)u->undef_in | u->undef;
    /* At the end, or in nowhere: a store has hit a return address. */
    return eip == INSN_CODE + p->units[p->count].at ? 0 : ALL_FLAGS;
}

bool program_pointers_at(const struct program *p, uint32_t eip)
{
    const struct unit *u = unit_at(p, eip);
    return u && u->pointers;
}
