/* SPDX-License-Identifier: MIT */
/*
 * Control transfer of paged guests. A direct jump within the page is chained:
 * control came to the page through the mapping that the target has, too. All
 * others go through the dispatch table, and the target looks whether it is
 * meant.
 */
#include "dbt/paged/paged_rewrite.h"

static const struct emit_op op_movzx_word = {.map = ISA_MAP_0F, .opcode = 0xb7};

static bool same_page(const struct paged_rewrite *r, uint32_t eip)
{
    uint32_t base = r->block->mode.cs_base;
    return !r->block->second && (base + eip) >> PAGE_BITS == (base + r->block->eip) >> PAGE_BITS;
}

/* Code that runs downwards is rare and short: it has no table. After an exact block comes C. */
static bool has_table(const struct paged_rewrite *r)
{
    return !(r->block->mode.bits & PAGED_DOWN) && !paged_exact(&r->block->mode);
}

static void jump_by_table(const struct paged_rewrite *r, struct emit *e, uint32_t eip)
{
    struct emit_mem entry = emit_at(EMIT_R14, PAGED_DISPATCH + (int32_t)paged_slot(eip) * 8);
    emit_mov_imm32(e, EMIT_R9, eip);
    if (has_table(r))
        emit_jmp_mem(e, &entry);
    else
        emit_jmp(e, r->paged->stubs.miss);
}

void paged_jump_r9(struct paged_rewrite *r)
{
    struct emit *e = &r->emit;
    struct emit_mem sum = emit_at_index(EMIT_R10, EMIT_R9, 1, 0);
    struct emit_mem entry = emit_at_index(EMIT_R14, EMIT_R10, 8, PAGED_DISPATCH);
    r->ended = true;
    if (!has_table(r)) {
        emit_jmp(e, r->paged->stubs.miss);
        return;
    }
    paged_emit_rorx(e, EMIT_R10, EMIT_R9, 14);
    emit_lea32(e, EMIT_R10, &sum);
    emit_op_reg(e, &op_movzx_word, EMIT_R10, EMIT_R10);
    emit_jmp_mem(e, &entry);
}

static void add_way(struct paged_rewrite *r, uint32_t field, uint32_t eip)
{
    BUG_ON(r->ways >= PAGED_MAX_EXITS, "more branches than the scan allows");
    uint32_t done = r->index < r->count && !r->block->insns ? r->index + 1 : r->index;
    r->way[r->ways++] = (struct paged_way){field, eip, done};
}

void paged_jump_to(struct paged_rewrite *r, uint32_t eip)
{
    if (same_page(r, eip) || r->paged->options.coverage)
        add_way(r, emit_jmp(&r->emit, r->emit.at), eip);
    else
        jump_by_table(r, &r->emit, eip);
    r->ended = true;
}

static void lead(struct paged_rewrite *r, uint32_t field, uint32_t target)
{
    if (!r->emit.full)
        emit_patch32(r->emit.base, field, target);
}

/* Counting: who leaves early gives back what was taken for the rest of the block. Returns the field
 * to lead on. */
static uint32_t give_back(struct paged_rewrite *r, const struct paged_way *way)
{
    struct emit_mem rest = emit_at(EMIT_R12, (int32_t)(r->block->insns - way->done));
    if (!r->paged->options.count || !rest.disp)
        return way->field;
    lead(r, way->field, r->emit.at);
    emit_lea32(&r->emit, EMIT_R12, &rest);
    return emit_jmp(&r->emit, r->emit.at);
}

/* Of a basic block, whose only ways are at its end. */
static uint32_t end_of_way(const struct paged_rewrite *r)
{
    return r->block->mode.cs_base + r->block->eip + r->block->guest_len;
}

static void emit_way(struct paged_rewrite *r, const struct paged_way *way)
{
    struct emit *e = &r->emit;
    struct paged *p = r->paged;
    uint32_t field = give_back(r, way);
    bool exact = paged_exact(&r->block->mode), to_itself = way->eip == r->block->eip && !exact;
    lead(r, field, to_itself ? r->block->body : e->at);
    if (to_itself)
        return;
    bool inside = same_page(r, way->eip), told = p->options.coverage;
    if ((inside || told) && !exact) {
        p->exit_at[p->exits] = (struct paged_exit){field, way->eip, end_of_way(r), 0};
        emit_mov_imm32(e, EMIT_R8, way->eip);
        emit_mov_imm32(e, EMIT_R10, p->exits++);
        emit_jmp(e, p->stubs.chain);
    }
    if (told && !inside && !exact)
        p->exit_at[p->exits - 1].out = e->at;
    if (!inside || exact)
        jump_by_table(r, e, way->eip);
}

/* The stubs of all ways, behind the body. */
void paged_emit_ways(struct paged_rewrite *r)
{
    for (unsigned i = 0; i < r->ways; i++)
        emit_way(r, &r->way[i]);
}

/* Where a relative jump leads; false: beyond the segment, which faults. */
static bool relative_target(const struct paged_rewrite *r, const struct isa_insn *insn,
                            uint32_t *out)
{
    const struct paged_mode *mode = &r->block->mode;
    *out = paged_next_eip(r) + insn->imm;
    if (insn->opsize == 2)
        *out &= 0xffff;
    return (mode->bits & PAGED_CS_FLAT) || *out <= mode->cs_limit;
}

/* Indirect targets are not checked against a limit here: none may lie beyond it. */
static bool can_go_anywhere(const struct paged_rewrite *r, const struct isa_insn *insn)
{
    const struct paged_mode *mode = &r->block->mode;
    return (mode->bits & PAGED_CS_FLAT) || (insn->opsize == 2 && mode->cs_limit >= 0xffff);
}

static bool can_load_target(const struct paged_rewrite *r, const struct isa_insn *insn)
{
    return can_go_anywhere(r, insn) && (!insn->has_mem || paged_can_access(r, insn, false));
}

static void load_target(struct paged_rewrite *r, const struct isa_insn *insn, unsigned reg)
{
    struct emit_mem mem;
    if (!insn->has_mem && insn->opsize == 2) {
        emit_op_reg(&r->emit, &op_movzx_word, reg, insn->rm);
    } else if (!insn->has_mem) {
        emit_mov32(&r->emit, reg, insn->rm);
    } else {
        paged_access(r, insn, insn->opsize, false, &mem);
        if (insn->opsize == 2)
            emit_op_mem(&r->emit, &op_movzx_word, reg, &mem);
        else
            emit_load32(&r->emit, reg, &mem);
    }
}

bool paged_jmp(struct paged_rewrite *r, const struct isa_insn *insn)
{
    uint32_t target;
    if (insn->row->op[0].method == ISA_M_J) {
        if (!relative_target(r, insn, &target))
            return false;
        paged_jump_to(r, target);
        return true;
    }
    if (!can_load_target(r, insn))
        return false;
    load_target(r, insn, EMIT_R9);
    paged_jump_r9(r);
    return true;
}

bool paged_jcc(struct paged_rewrite *r, const struct isa_insn *insn)
{
    uint32_t target;
    if (!relative_target(r, insn, &target))
        return false;
    add_way(r, emit_jcc(&r->emit, insn->cc, r->emit.at), target);
    return true;
}

bool paged_call(struct paged_rewrite *r, const struct isa_insn *insn)
{
    uint32_t target;
    if (!paged_can_stack(r))
        return false;
    if (insn->row->op[0].method == ISA_M_J) {
        if (!relative_target(r, insn, &target))
            return false;
        paged_push_imm(r, paged_next_eip(r), insn->opsize);
        paged_jump_to(r, target);
        return true;
    }
    if (!can_load_target(r, insn))
        return false;
    load_target(r, insn, EMIT_R8);
    paged_push_imm(r, paged_next_eip(r), insn->opsize);
    emit_mov32(&r->emit, EMIT_R9, EMIT_R8);
    paged_jump_r9(r);
    return true;
}

bool paged_ret(struct paged_rewrite *r, const struct isa_insn *insn)
{
    int32_t popped = insn->opsize;
    struct emit_mem top;
    if (!paged_can_stack(r) || !can_go_anywhere(r, insn))
        return false;
    if (insn->row->op[0].method == ISA_M_I)
        popped += (int32_t)(insn->imm & 0xffff);
    paged_stack_access(r, 0, insn->opsize, false, &top);
    if (insn->opsize == 2)
        emit_op_mem(&r->emit, &op_movzx_word, EMIT_R9, &top);
    else
        emit_load32(&r->emit, EMIT_R9, &top);
    paged_stack_move(r, popped);
    paged_jump_r9(r);
    return true;
}

static void jump_if_taken(struct paged_rewrite *r, uint32_t target)
{
    add_way(r, emit_jmp(&r->emit, r->emit.at), target);
}

/* Jumps to `zero` or goes on at `other` (rel8 fields) as ecx, or cx, is 0; with cx through r11. */
static void ask_count(struct paged_rewrite *r, bool cx, uint32_t *zero, uint32_t *other)
{
    struct emit *e = &r->emit;
    if (cx) {
        emit_mov64(e, EMIT_R11, EMIT_RCX);
        emit_op_reg(e, &op_movzx_word, EMIT_RCX, EMIT_RCX);
    }
    *zero = emit_jrcxz(e);
    if (cx)
        emit_mov64(e, EMIT_RCX, EMIT_R11);
    *other = emit_jmp8(e);
    emit_fix8(e, *zero, e->at);
    if (cx)
        emit_mov64(e, EMIT_RCX, EMIT_R11);
}

bool paged_jcxz(struct paged_rewrite *r, const struct isa_insn *insn)
{
    uint32_t target, taken, over;
    if (!relative_target(r, insn, &target))
        return false;
    ask_count(r, insn->adsize == 2, &taken, &over);
    jump_if_taken(r, target);
    emit_fix8(&r->emit, over, r->emit.at);
    return true;
}

/* The count goes down without touching flags. */
bool paged_loop(struct paged_rewrite *r, const struct isa_insn *insn)
{
    uint32_t target, zero, more;
    if (!relative_target(r, insn, &target))
        return false;
    paged_step_register(r, EMIT_RCX, -1, insn->adsize == 2);
    ask_count(r, insn->adsize == 2, &zero, &more);
    uint32_t done = emit_jmp8(&r->emit);
    emit_fix8(&r->emit, more, r->emit.at);
    jump_if_taken(r, target);
    emit_fix8(&r->emit, done, r->emit.at);
    return true;
}
