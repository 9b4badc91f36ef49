/* SPDX-License-Identifier: MIT */
/* Code of a paged guest becomes a block: straight on within one page, past conditional branches. */
#include "dbt/paged/paged_rewrite.h"

#include "emu/cpu/debug.h"
#include "emu/cpu/model.h"

#define MAX_BRANCHES 8u

struct paged_scan {
    unsigned count, bytes;
    struct paged_insn at[PAGED_MAX_INSNS];
};

/* Instructions after which EIP or everything else may be different. `most`: branches that may be
 * passed, and one. */
static bool goes_on(const struct isa_insn *insn, unsigned *branches, unsigned most)
{
    uint32_t attr = insn->row->attr;
    if (attr & (ISA_T_JUMP | ISA_T_UNDEF))
        return false;
    if ((attr & ISA_T_BRANCH) && ++*branches >= most)
        return false;
    switch (insn->row->sem) {
    case ISA_SEM_CLI:
    case ISA_SEM_IN:
    case ISA_SEM_INVLPG:
    case ISA_SEM_MOV_SREG:
    case ISA_SEM_OUT:
    case ISA_SEM_POPF:
    case ISA_SEM_POP_SREG:
    case ISA_SEM_STI:
        return true;
    default:
        return !(attr & ISA_T_END);
    }
}

static void scan(struct paged_scan *s, const struct paged *p, const uint8_t *code, uint32_t room,
                 unsigned most)
{
    const struct cpu *cpu = p->cpu;
    uint32_t linear = cpu->seg[ISA_CS].base + cpu->eip;
    unsigned branches = 0, most_branches = p->options.coverage ? 1 : MAX_BRANCHES;
    s->count = s->bytes = 0;
    while (s->count < most) {
        struct paged_insn *at = &s->at[s->count];
        if (isa_decode(code + s->bytes, room - s->bytes, cpu->code32, &at->insn) != ISA_OK ||
            !cpu_model_knows(cpu, &at->insn))
            break;
        at->eip = cpu->eip + s->bytes;
        s->bytes += at->insn.len;
        s->count++;
        if (cpu->debug && cpu_debug_divides(cpu->debug, linear + s->bytes))
            break;
        if (!goes_on(&at->insn, &branches, most_branches))
            break;
    }
}

/* The one instruction that begins at the end of a page. */
static void scan_over_end(struct paged_scan *s, const struct cpu *cpu, const uint8_t *code,
                          uint32_t room, const uint8_t *second)
{
    uint8_t bytes[ISA_MAX_LENGTH];
    memcpy(bytes, code, room);
    memcpy(bytes + room, second, ISA_MAX_LENGTH - room);
    s->at[0].eip = cpu->eip;
    s->count = isa_decode(bytes, sizeof(bytes), cpu->code32, &s->at[0].insn) == ISA_OK &&
               cpu_model_knows(cpu, &s->at[0].insn);
    s->bytes = s->count ? s->at[0].insn.len : 0;
}

/* Who comes by the table may mean another place with the same slot: r9 tells. */
static void emit_check(struct paged_rewrite *r)
{
    struct emit *e = &r->emit;
    struct emit_mem difference = emit_at(EMIT_R9, (int32_t)-r->block->eip);
    emit_mov64(e, EMIT_R11, EMIT_RCX);
    emit_lea32(e, EMIT_RCX, &difference);
    uint32_t same = emit_jrcxz(e);
    emit_mov64(e, EMIT_RCX, EMIT_R11);
    emit_jmp(e, r->paged->stubs.miss);
    emit_fix8(e, same, e->at);
    emit_mov64(e, EMIT_RCX, EMIT_R11);
    r->block->body = e->at;
}

/* Counting: a question that faults unless the budget holds the block, and the block taken off it.
 */
static void emit_count(struct paged_rewrite *r)
{
    static const struct emit_op movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
    struct emit_mem last = emit_at_index(EMIT_R14, EMIT_R12, 1, PAGED_COUNT_RAMP);
    struct emit_mem rest = emit_at(EMIT_R12, -1);
    if (!r->paged->options.count)
        return;
    emit_op_mem(&r->emit, &movzx_byte, EMIT_R11, &last);
    r->question = r->emit.at - 4;
    emit_lea32(&r->emit, EMIT_R12, &rest);
    r->taking = r->emit.at - 1;
}

static void finish_count(struct paged_rewrite *r)
{
    int32_t question = PAGED_COUNT_RAMP - (int32_t)r->block->insns;
    if (!r->paged->options.count || r->emit.full)
        return;
    memcpy(r->emit.base + r->question, &question, sizeof(question));
    r->emit.base[r->taking] = (uint8_t)-r->block->insns;
}

static void rewrite_all(struct paged_rewrite *r)
{
    emit_count(r);
    paged_keep_begin(r);
    for (r->index = 0; r->index < r->count && !r->ended; r->index++) {
        paged_rewrite_insn(r);
        r->block->guest_len += r->insns[r->index].insn.len;
    }
    r->block->insns = r->index;
    if (!r->ended)
        paged_jump_to(r, r->block->eip + r->block->guest_len);
    finish_count(r);
    paged_emit_ways(r);
    r->block->end = r->emit.at;
}

struct paged_block *paged_translate(struct paged *p, const uint8_t *code, uint32_t room,
                                    const uint8_t *second, const struct paged_mode *mode,
                                    bool *full)
{
    struct paged_scan s;
    struct paged_rewrite r = {.paged = p, .insns = s.at};
    unsigned exact = paged_exact(mode);
    *full = false;
    if (second)
        scan_over_end(&s, p->cpu, code, room, second);
    else
        scan(&s, p, code, room, exact ? exact : PAGED_MAX_INSNS);
    if (!s.count)
        return NULL;
    r.count = s.count;
    r.block = paged_block_open(p, &r.emit);
    if (r.block) {
        r.block->mode = *mode;
        r.block->eip = p->cpu->eip;
        r.block->code = code;
        r.block->second = second;
        emit_check(&r);
        rewrite_all(&r);
    }
    *full = !r.block || r.emit.full;
    if (*full)
        return NULL;
    p->calls += r.block->calls;
    paged_publish(p, r.block);
    return r.block;
}
