/* SPDX-License-Identifier: MIT */
/*
 * The plain path: most instructions keep their opcode and immediate and change
 * only how they name memory, and esp. Then what all rewriters share: memory
 * operands, the pending stack pointer, and the ways out of a block.
 */
#include "dbt/rewrite.h"

#include "emu/machine/ram.h"

static const rewrite_fn slot[ISA_SEMS] = {
#define SLOT(sem, name) [ISA_SEM_##sem] = rewrite_##name,
#include "dbt/rewrite.def"
#undef SLOT
};

/* Displacements up to this are added without truncation; the guards are far wider. */
#define REACH ((int32_t)(RAM_REACH / 4))

bool rewrite_never(struct rewrite *r, const struct isa_insn *insn)
{
    (void)r, (void)insn;
    return false;
}

/* Which operands name general registers, and how esp is among them. */

struct uses {
    bool esp_read, esp_written;
    bool high_byte; /* AH, CH, DH or BH: no REX prefix allowed */
};

/* The general register of operand n, or ISA_NOREG. */
static unsigned operand_gpr(const struct isa_insn *insn, unsigned n)
{
    switch (insn->row->op[n].method) {
    case ISA_M_G:
        return insn->reg;
    case ISA_M_E:
    case ISA_M_R:
        return insn->has_mem ? ISA_NOREG : insn->rm;
    case ISA_M_Z:
        return insn->opcode & 7u;
    default:
        return ISA_NOREG;
    }
}

static struct uses find_uses(const struct isa_insn *insn)
{
    struct uses uses = {false, false, false};
    for (unsigned n = 0; n < 3; n++) {
        const struct isa_operand_spec *op = &insn->row->op[n];
        unsigned reg = operand_gpr(insn, n);
        if (reg == ISA_NOREG)
            continue;
        if (op->width == ISA_W_b) {
            uses.high_byte |= reg >= 4;
        } else if (reg == ISA_ESP) {
            uses.esp_read |= (op->access & ISA_A_READ) != 0;
            uses.esp_written |= (op->access & ISA_A_WRITE) != 0;
        }
    }
    return uses;
}

bool rewrite_is_plain(const struct isa_insn *insn)
{
    const uint32_t special = ISA_T_JUMP | ISA_T_BRANCH | ISA_T_CALL | ISA_T_RET | ISA_T_END |
                             ISA_T_REP | ISA_T_STACK | ISA_T_PRIV | ISA_T_IO | ISA_T_AMBIGUOUS |
                             ISA_T_VIRTUAL | ISA_T_UNDEF | ISA_T_SERIAL | ISA_T_DEF64;
    return !(insn->row->attr & special) && insn->row->op[0].method != ISA_M_O &&
           insn->row->op[1].method != ISA_M_O;
}

/* Memory operands. */

static bool is_small(int64_t disp)
{
    return disp > -REACH && disp < REACH;
}

/* FS: and GS: have a base; it is a word of the guest's that the guest may change. */
static bool mem_with_base(struct rewrite *r, const struct isa_insn *insn, struct emit_mem *out)
{
    struct emit *e = &r->emit;
    uint32_t word = insn->seg == ISA_FS ? r->image->flat.fs_base : r->image->flat.gs_base;
    struct emit_mem at = emit_at(EMIT_R15, (int32_t)word);
    int32_t disp = (int32_t)insn->disp;

    emit_load32(e, EMIT_R9, &at);
    if (insn->index != ISA_NOREG) {
        at = emit_at_index(EMIT_R9, insn->index, insn->scale, 0);
        emit_lea32(e, EMIT_R9, &at);
    }
    if (insn->base != ISA_NOREG) {
        at = emit_at_index(EMIT_R9, insn->base, 1, disp);
        if (insn->base == ISA_ESP) /* never an index */
            at = emit_at_index(EMIT_RSP, EMIT_R9, 1, disp + r->delta);
        emit_lea32(e, EMIT_R9, &at);
    } else if (insn->index != ISA_NOREG || !is_small(disp)) {
        at = emit_at(EMIT_R9, disp);
        emit_lea32(e, EMIT_R9, &at);
    } else {
        *out = emit_at_index(EMIT_R15, EMIT_R9, 1, disp);
        return true;
    }
    *out = emit_at_index(EMIT_R15, EMIT_R9, 1, 0);
    return true;
}

/* Relative to GS and truncated: the guest's own modrm and SIB. */
static struct emit_mem mem_truncated(const struct rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem mem = {
        .base = insn->base == ISA_NOREG ? EMIT_NOREG : insn->base,
        .index = insn->index == ISA_NOREG ? EMIT_NOREG : insn->index,
        .scale = insn->scale ? insn->scale : 1,
        .gs32 = true,
        .disp = (int32_t)(insn->disp + (insn->base == ISA_ESP ? (uint32_t)r->delta : 0)),
    };
    return mem;
}

/*
 * A register and a small displacement: no truncation is needed. Two forms.
 * Through r15 a load is a cycle faster, which pointer chases feel; relative to
 * GS the address has no index, so that an instruction that also computes stays
 * one micro-operation.
 */
static struct emit_mem mem_near(const struct isa_insn *insn, int32_t disp)
{
    bool only_moves = insn->row->sem == ISA_SEM_MOV || insn->row->sem == ISA_SEM_MOVZX ||
                      insn->row->sem == ISA_SEM_MOVSX || (insn->row->attr & ISA_T_STACK);
    struct emit_mem mem = emit_at(insn->base, disp);
    if (only_moves)
        return emit_at_index(EMIT_R15, insn->base, 1, disp);
    mem.gs = true;
    return mem;
}

bool rewrite_mem(struct rewrite *r, const struct isa_insn *insn, bool no_rex, struct emit_mem *out)
{
    int32_t disp = (int32_t)insn->disp;
    if (insn->adsize != 4)
        return false;
    if (insn->seg == ISA_FS || insn->seg == ISA_GS)
        return !no_rex && mem_with_base(r, insn, out);

    if (insn->base == ISA_ESP && insn->index == ISA_NOREG && is_small((int64_t)disp + r->delta))
        *out = rewrite_stack(r, disp);
    else if (no_rex || insn->index != ISA_NOREG)
        *out = mem_truncated(r, insn);
    else if (insn->base == ISA_NOREG && disp >= 0)
        *out = emit_at(EMIT_R15, disp);
    else if (insn->base != ISA_NOREG && insn->base != ISA_ESP && is_small(disp))
        *out = mem_near(insn, disp);
    else
        *out = mem_truncated(r, insn);
    return true;
}

/* The plain path. */

struct emit_op rewrite_opcode(const struct isa_insn *insn)
{
    const struct isa_row *row = insn->row;
    struct emit_op op = {.map = row->map, .opcode = insn->opcode};
    if (row->prefix == ISA_P_F3)
        op.legacy = 0xf3;
    else if (row->prefix == ISA_P_F2)
        op.legacy = 0xf2;
    else if (row->prefix == ISA_P_66)
        op.legacy = 0x66;
    else if (row->prefix == ISA_P_ANY && insn->opsize == 2)
        op.legacy = 0x66;
    return op;
}

static unsigned in_place_of_esp(unsigned reg, bool substitute)
{
    return reg == ISA_ESP && substitute ? EMIT_R8 : reg;
}

/* A 4 in modrm.reg or modrm.rm is esp only where the operand is a 2- or 4-byte general register. */
static unsigned host_reg(const struct isa_insn *insn, unsigned method_a, unsigned method_b,
                         unsigned reg, bool substitute)
{
    for (unsigned n = 0; n < 3; n++) {
        const struct isa_operand_spec *op = &insn->row->op[n];
        if ((op->method == method_a || op->method == method_b) && op->width != ISA_W_b)
            return in_place_of_esp(reg, substitute);
    }
    return reg;
}

static void emit_body(struct rewrite *r, const struct isa_insn *insn, bool substitute,
                      const struct emit_mem *mem)
{
    struct emit_op op = rewrite_opcode(insn);
    unsigned reg = host_reg(insn, ISA_M_G, ISA_M_G, insn->reg, substitute);
    if (mem)
        emit_op_mem(&r->emit, &op, reg, mem);
    else if (insn->modrm_at)
        emit_op_reg(&r->emit, &op, reg, host_reg(insn, ISA_M_E, ISA_M_R, insn->rm, substitute));
    else if (insn->row->op[0].method == ISA_M_Z || insn->row->op[1].method == ISA_M_Z)
        emit_op_low(&r->emit, &op, host_reg(insn, ISA_M_Z, ISA_M_Z, insn->opcode & 7u, substitute));
    else
        emit_op_plain(&r->emit, &op);
    if (insn->imm_len)
        emit_raw(&r->emit, insn->bytes + insn->imm_at, insn->len - insn->imm_at);
}

bool rewrite_plain(struct rewrite *r, const struct isa_insn *insn)
{
    struct uses uses = find_uses(insn);
    bool substitute = uses.esp_written || (uses.esp_read && r->delta);
    struct emit_mem mem;

    if (substitute && uses.high_byte)
        return false;
    if (insn->has_mem && !rewrite_mem(r, insn, uses.high_byte, &mem))
        return false;
    if (substitute) {
        struct emit_mem esp = emit_at(EMIT_RSP, r->delta);
        emit_lea32(&r->emit, EMIT_R8, &esp);
    }
    emit_body(r, insn, substitute, insn->has_mem ? &mem : NULL);
    if (uses.esp_written)
        rewrite_set_stack(r, EMIT_R8);
    return true;
}

void rewrite_insn(struct rewrite *r)
{
    const struct isa_insn *insn = &r->scan->at[r->index].insn;
    rewrite_fn fn = slot[insn->row->sem];
    if (!fn && rewrite_is_plain(insn))
        fn = rewrite_plain;
    rewrite_pay(r);
    rewrite_mark(r, rewrite_eip(r));
    rewrite_ask(r);
    bool can = fn && (!r->image->watches || rewrite_watch(r, insn));
    if (!can || !fn(r, insn))
        rewrite_leave(r, STUB_INTERP, rewrite_eip(r), 0, false);
}

/* Stack. */

struct emit_mem rewrite_stack(struct rewrite *r, int32_t disp)
{
    r->touched = true;
    return emit_at(EMIT_RSP, disp + r->delta);
}

/*
 * The drift rule. rsp may leave the window by little, never by much. If the
 * stack was accessed since rsp was last set, that access was near, and a
 * bounded step from there stays near; else the sum is truncated to 32 bits.
 */
void rewrite_settle(struct rewrite *r)
{
    struct emit_mem at = emit_at(EMIT_RSP, r->delta);
    if (!r->delta)
        return;
    if (r->touched) {
        emit_lea64(&r->emit, EMIT_RSP, &at);
        r->delta = 0;
        r->touched = false;
    } else {
        emit_lea32(&r->emit, EMIT_R8, &at);
        rewrite_set_stack(r, EMIT_R8);
    }
}

void rewrite_move_stack(struct rewrite *r, int32_t by)
{
    r->delta += by;
    if (r->delta > REWRITE_MAX_DELTA || r->delta < -REWRITE_MAX_DELTA)
        rewrite_settle(r);
}

void rewrite_set_stack(struct rewrite *r, unsigned reg)
{
    struct emit_mem at = emit_at_index(EMIT_R15, reg, 1, 0);
    emit_lea64(&r->emit, EMIT_RSP, &at);
    r->delta = 0;
    r->touched = false;
}

struct side *rewrite_mark_uncounted(struct rewrite *r, uint32_t eip, int uncounted)
{
    struct block *block = r->block;
    uint32_t host = r->emit.at - block->host;
    if (block->sides >= BLOCK_MAX_SIDES || host > UINT16_MAX) {
        r->full = true;
        return NULL;
    }
    struct side *side = &block->side[block->sides++];
    *side = (struct side){.host = (uint16_t)host,
                          .delta = (int16_t)r->delta,
                          .eip = eip,
                          .uncounted = (int8_t)uncounted};
    return side;
}

void rewrite_mark(struct rewrite *r, uint32_t eip)
{
    const struct scan_insn *at = &r->scan->at[r->index];
    int uncounted = r->counting ? (int)r->index - r->counted : 0;
    struct side *side = rewrite_mark_uncounted(r, eip, uncounted);
    if (side && eip == at->eip) {
        side->len = at->insn.len & 0x7f;
        side->leads_on = scan_is_direct(&at->insn);
    }
}

/* Ways out. */

void rewrite_add_exit(struct rewrite *r, uint32_t field, struct rewrite_exit exit)
{
    if (r->exits >= BLOCK_MAX_EXITS) {
        r->full = true;
        return;
    }
    exit.field = field;
    r->exit[r->exits++] = exit;
}

static struct rewrite_exit chain_exit(const struct rewrite *r, uint32_t eip)
{
    return (struct rewrite_exit){.eip = eip,
                                 .count = (uint16_t)(r->index + 1),
                                 .index = (uint8_t)r->index,
                                 .reason = r->exact ? STUB_EXACT : STUB_CHAIN};
}

void rewrite_jump_to(struct rewrite *r, uint32_t eip)
{
    rewrite_settle(r);
    rewrite_count(r, r->index + 1);
    rewrite_add_exit(r, emit_jmp(&r->emit, r->emit.at), chain_exit(r, eip));
    r->ended = true;
}

void rewrite_branch_to(struct rewrite *r, unsigned cc, uint32_t eip)
{
    struct rewrite_exit exit = chain_exit(r, eip);
    rewrite_settle(r);
    if (r->counting)
        exit.refund = (int8_t)(r->counted - (int)(r->index + 1));
    exit.unasked = r->counting && r->way.asks && r->way.paid > r->index;
    rewrite_add_exit(r, emit_jcc(&r->emit, cc, r->emit.at), exit);
}

void rewrite_jump_r9(struct rewrite *r)
{
    struct emit *e = &r->emit;
    struct emit_mem entry = emit_at_index(EMIT_R14, EMIT_R9, 8, 0);

    rewrite_settle(r);
    rewrite_count(r, r->index + 1);
    if (r->exact) {
        emit_mov_imm32(e, EMIT_R11, r->index + 1);
        emit_jmp(e, r->image->stubs.exact);
    } else {
        emit_jmp_mem(e, &entry);
    }
    r->ended = true;
}

void rewrite_leave(struct rewrite *r, enum stub_reason reason, uint32_t eip, uint32_t payload,
                   bool done)
{
    rewrite_settle(r);
    rewrite_count(r, r->index + done);
    rewrite_add_exit(r, emit_jmp(&r->emit, r->emit.at),
                     (struct rewrite_exit){.eip = eip,
                                           .payload = payload,
                                           .count = (uint16_t)(r->index + done),
                                           .reason = (uint8_t)reason});
    r->ended = true;
}

/* The stub's room: three immediate loads at most, one jump with its padding; and what STUB_ASKED
 * does before that. */
#define STUB_BYTES 32u
#define STUB_ASKED_BYTES 64u

static void emit_exit(struct rewrite *r, struct emit *e, const struct rewrite_exit *exit)
{
    struct block *block = r->block;
    uint32_t stub = e->at;
    uint32_t payload = exit->payload;

    if (exit->reason == STUB_CHAIN) {
        struct exit *record = &block->exit[block->exits++];
        *record = (struct exit){.field = exit->field, .stub = stub, .eip = exit->eip};
        payload = image_exit_id(r->image, record);
    }
    if (exit->reason == STUB_ASKED)
        rewrite_unask(r, e, exit);
    emit_mov_imm32(e, EMIT_R8, exit->eip);
    emit_mov_imm32(e, EMIT_R10, payload);
    if (r->exact)
        emit_mov_imm32(e, EMIT_R11, exit->count);
    if (exit->reason == STUB_CHAIN) {
        emit_jmp(e, r->image->stubs.chain);
    } else {
        emit_mov_imm32(e, EMIT_R9, exit->reason);
        emit_jmp(e, r->image->stubs.leave);
    }
    emit_patch32(e->base, exit->field, stub);
}

static uint32_t stubs_room(const struct rewrite *r)
{
    uint32_t bytes = 0;
    for (unsigned i = 0; i < r->exits; i++)
        bytes += r->exit[i].reason == STUB_ASKED ? STUB_ASKED_BYTES : STUB_BYTES;
    return bytes;
}

bool rewrite_exits(struct rewrite *r)
{
    struct emit stubs;
    rewrite_refunds(r);
    r->block->host_len = r->emit.at - r->block->host;
    if (!image_block_stubs(r->image, &r->emit, stubs_room(r), &stubs))
        return false;
    r->block->stubs = stubs.at;
    for (unsigned i = 0; i < r->exits; i++)
        if (!r->exit[i].inside)
            emit_exit(r, &stubs, &r->exit[i]);
    BUG_ON(stubs.full, "stubs outgrew their room");
    r->block->stubs_len = stubs.at - r->block->stubs;
    return true;
}
