/* SPDX-License-Identifier: MIT */
/*
 * String instructions in flat segments, and REP MOVS and REP STOS that stay within
 * a page: the first element is moved like any access, so that what can fault
 * does; the host's own REP moves the others, on host addresses. Other repetitions
 * are the interpreter's, a page at a time. The direction is part of the mode.
 */
#include "dbt/paged/paged_rewrite.h"

static const struct emit_op op_movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
static const struct emit_op op_movzx_word = {.map = ISA_MAP_0F, .opcode = 0xb7};

static bool is_repeated(const struct isa_insn *insn)
{
    return insn->seen & (ISA_SEEN_F2 | ISA_SEEN_F3);
}

static bool is_flat(const struct paged_rewrite *r, const struct isa_insn *insn, bool source,
                    bool dest)
{
    unsigned seg = interp_data_seg(insn);
    const struct paged_mode *mode = &r->block->mode;
    return insn->adsize == 4 &&
           (!source || (seg < ISA_FS && paged_class(mode, seg) == PAGED_FLAT)) &&
           (!dest || paged_class(mode, ISA_ES) == PAGED_FLAT);
}

/* A segment where an offset of 32, or of 16 bits, needs no other look than paged_segment_access's.
 */
static bool reaches(const struct paged_rewrite *r, const struct isa_insn *insn, unsigned seg)
{
    enum paged_class class = paged_class(&r->block->mode, seg);
    return class == PAGED_FLAT || class == PAGED_BIG || (class == PAGED_REAL && insn->adsize == 2);
}

static bool is_single(const struct paged_rewrite *r, const struct isa_insn *insn, bool source,
                      bool dest)
{
    unsigned seg = interp_data_seg(insn);
    return !is_repeated(insn) && (!source || (seg < ISA_FS && reaches(r, insn, seg))) &&
           (!dest || reaches(r, insn, ISA_ES));
}

static bool is_small(const struct paged_rewrite *r)
{
    return r->insns[r->index].insn.adsize == 2;
}

static void advance(struct paged_rewrite *r, unsigned reg, unsigned bytes)
{
    bool down = r->block->mode.bits & PAGED_DOWN;
    paged_step_register(r, reg, down ? -(int32_t)bytes : (int32_t)bytes, is_small(r));
}

/* An element at ESI in the segment of the instruction, or at ES:EDI. */
static void access_element(struct paged_rewrite *r, unsigned reg, unsigned bytes, bool write,
                           struct emit_mem *out)
{
    const struct isa_insn *insn = &r->insns[r->index].insn;
    unsigned seg = reg == EMIT_RDI ? ISA_ES : interp_data_seg(insn);
    if (paged_class(&r->block->mode, seg) == PAGED_FLAT && !is_small(r))
        paged_linear_access(r, reg, bytes, write, out);
    else
        paged_segment_access(r, seg, reg, 0, is_small(r), bytes, write, out);
}

/* An opcode of `width_bit` form: even for bytes, odd for words and doublewords. */
static struct emit_op sized(uint8_t opcode, unsigned bytes)
{
    return (struct emit_op){.legacy = bytes == 2 ? 0x66 : 0,
                            .opcode = (uint8_t)(opcode | (bytes > 1))};
}

/* r8 = what ESI points to. */
static void load_source(struct paged_rewrite *r, unsigned bytes)
{
    struct emit_mem from;
    access_element(r, EMIT_RSI, bytes, false, &from);
    if (bytes == 4)
        emit_load32(&r->emit, EMIT_R8, &from);
    else
        emit_op_mem(&r->emit, bytes == 1 ? &op_movzx_byte : &op_movzx_word, EMIT_R8, &from);
}

/* REP: the ways around it. rcx is kept in r8. */
struct repeat {
    uint32_t none, outside; /* rel32 fields that lead behind it */
};

/* r = offset in the page of the last byte that `reg` will point to, by pages */
static void count_pages(struct paged_rewrite *r, unsigned out, unsigned reg, unsigned bytes)
{
    struct emit_mem last = emit_at_index(out, EMIT_RCX, bytes, -1);
    paged_emit_pext(&r->emit, out, reg, EMIT_R13);
    emit_lea64(&r->emit, out, &last);
    paged_emit_shrx64(&r->emit, out, out, EMIT_R15);
}

/* Skips nothing at all; calls the interpreter unless all stays in the page. */
static void begin_repeat(struct paged_rewrite *r, const struct isa_insn *insn, unsigned bytes,
                         bool source, struct repeat *repeat)
{
    struct emit_mem sum = emit_at_index(EMIT_R10, EMIT_R11, 1, 0);
    struct emit *e = &r->emit;
    emit_mov64(e, EMIT_R8, EMIT_RCX);
    uint32_t zero = emit_jrcxz(e), some = emit_jmp8(e);
    emit_fix8(e, zero, e->at);
    repeat->none = emit_jmp(e, e->at);
    emit_fix8(e, some, e->at);
    count_pages(r, EMIT_R10, EMIT_RDI, bytes);
    if (source)
        count_pages(r, EMIT_R11, EMIT_RSI, bytes);
    if (source)
        emit_lea64(e, EMIT_RCX, &sum);
    else
        emit_mov64(e, EMIT_RCX, EMIT_R10);
    uint32_t inside = emit_jrcxz(e);
    emit_mov64(e, EMIT_RCX, EMIT_R8);
    paged_call_out(r, insn, false);
    repeat->outside = emit_jmp(e, e->at);
    emit_fix8(e, inside, e->at);
    emit_mov64(e, EMIT_RCX, EMIT_R8);
}

static void end_repeat(struct paged_rewrite *r, const struct repeat *repeat)
{
    if (r->emit.full)
        return;
    emit_patch32(r->emit.base, repeat->none, r->emit.at);
    emit_patch32(r->emit.base, repeat->outside, r->emit.at);
}

static void emit_rep(struct paged_rewrite *r, const struct isa_insn *insn, unsigned bytes)
{
    struct emit_mem less = emit_at(EMIT_RCX, -1);
    emit_lea64(&r->emit, EMIT_RCX, &less);
    if (bytes == 2)
        emit_u8(&r->emit, 0x66);
    emit_u8(&r->emit, 0xf3);
    emit_u8(&r->emit, insn->opcode);
}

/* reg += addend + trap base + bytes: the host's place of the second element. */
static void to_host(struct paged_rewrite *r, unsigned reg, unsigned addend, unsigned bytes)
{
    struct emit_mem sum = emit_at_index(reg, addend, 1, (int32_t)bytes);
    emit_lea64(&r->emit, reg, &sum);
}

static void add_trap_base(struct paged_rewrite *r, unsigned addend)
{
    struct emit_mem sum = emit_at_index(addend, EMIT_R9, 1, 0);
    emit_lea64(&r->emit, addend, &sum);
}

static void load_trap_base(struct paged_rewrite *r)
{
    uint64_t base = r->paged->cpu->pc.tlb_bias;
    emit_raw(&r->emit, (const uint8_t[]){0x49, 0xb9}, 2); /* mov r9, imm64 */
    emit_raw(&r->emit, (const uint8_t *)&base, sizeof(base));
}

static bool can_repeat(const struct paged_rewrite *r, const struct isa_insn *insn, bool source)
{
    return is_flat(r, insn, source, true) && !(r->block->mode.bits & PAGED_DOWN);
}

static bool rep_stos(struct paged_rewrite *r, const struct isa_insn *insn, unsigned bytes)
{
    struct emit_op store = sized(0x88, bytes);
    struct emit_mem end = emit_at_index(EMIT_RDI, EMIT_R8, bytes, 0), to;
    struct repeat repeat;
    if (!can_repeat(r, insn, false))
        return false;
    begin_repeat(r, insn, bytes, false, &repeat);
    paged_page_access(r, EMIT_RDI, EMIT_R10, true, &to);
    emit_op_mem(&r->emit, &store, EMIT_RAX, &to);
    load_trap_base(r);
    add_trap_base(r, EMIT_R10);
    emit_lea32(&r->emit, EMIT_R9, &end);
    to_host(r, EMIT_RDI, EMIT_R10, bytes);
    emit_rep(r, insn, bytes);
    emit_mov32(&r->emit, EMIT_RDI, EMIT_R9);
    end_repeat(r, &repeat);
    return true;
}

static bool rep_movs(struct paged_rewrite *r, const struct isa_insn *insn, unsigned bytes)
{
    struct emit_op load = sized(0x8a, bytes), store = sized(0x88, bytes);
    struct emit_mem source_end = emit_at_index(EMIT_RSI, EMIT_R8, bytes, 0);
    struct emit_mem dest_end = emit_at_index(EMIT_RDI, EMIT_R8, bytes, 0), from, to;
    struct repeat repeat;
    if (!can_repeat(r, insn, true))
        return false;
    begin_repeat(r, insn, bytes, true, &repeat);
    paged_page_access(r, EMIT_RSI, EMIT_R11, false, &from);
    emit_op_mem(&r->emit, &load, EMIT_R9, &from);
    paged_page_access(r, EMIT_RDI, EMIT_R10, true, &to);
    emit_op_mem(&r->emit, &store, EMIT_R9, &to);
    load_trap_base(r);
    add_trap_base(r, EMIT_R10);
    add_trap_base(r, EMIT_R11);
    emit_lea32(&r->emit, EMIT_R9, &source_end);
    emit_lea32(&r->emit, EMIT_R8, &dest_end);
    to_host(r, EMIT_RSI, EMIT_R11, bytes);
    to_host(r, EMIT_RDI, EMIT_R10, bytes);
    emit_rep(r, insn, bytes);
    emit_mov32(&r->emit, EMIT_RSI, EMIT_R9);
    emit_mov32(&r->emit, EMIT_RDI, EMIT_R8);
    end_repeat(r, &repeat);
    return true;
}

bool paged_movs(struct paged_rewrite *r, const struct isa_insn *insn)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op store = sized(0x88, bytes);
    struct emit_mem to;
    if (is_repeated(insn))
        return rep_movs(r, insn, bytes);
    if (!is_single(r, insn, true, true))
        return false;
    load_source(r, bytes);
    access_element(r, EMIT_RDI, bytes, true, &to);
    emit_op_mem(&r->emit, &store, EMIT_R8, &to);
    advance(r, EMIT_RSI, bytes);
    advance(r, EMIT_RDI, bytes);
    return true;
}

bool paged_cmps(struct paged_rewrite *r, const struct isa_insn *insn)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op compare = sized(0x3a, bytes);
    struct emit_mem to;
    if (!is_single(r, insn, true, true))
        return false;
    load_source(r, bytes);
    access_element(r, EMIT_RDI, bytes, false, &to);
    emit_op_mem(&r->emit, &compare, EMIT_R8, &to);
    advance(r, EMIT_RSI, bytes);
    advance(r, EMIT_RDI, bytes);
    return true;
}

bool paged_lods(struct paged_rewrite *r, const struct isa_insn *insn)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op load = sized(0x8a, bytes);
    struct emit_mem from;
    if (!is_single(r, insn, true, false))
        return false;
    access_element(r, EMIT_RSI, bytes, false, &from);
    emit_op_mem(&r->emit, &load, EMIT_RAX, &from);
    advance(r, EMIT_RSI, bytes);
    return true;
}

static bool with_dest(struct paged_rewrite *r, const struct isa_insn *insn, uint8_t opcode,
                      bool write)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op op = sized(opcode, bytes);
    struct emit_mem to;
    if (!is_single(r, insn, false, true))
        return false;
    access_element(r, EMIT_RDI, bytes, write, &to);
    emit_op_mem(&r->emit, &op, EMIT_RAX, &to);
    advance(r, EMIT_RDI, bytes);
    return true;
}

bool paged_stos(struct paged_rewrite *r, const struct isa_insn *insn)
{
    if (is_repeated(insn))
        return rep_stos(r, insn, isa_operand_bytes(insn, 0));
    return with_dest(r, insn, 0x88, true);
}

bool paged_scas(struct paged_rewrite *r, const struct isa_insn *insn)
{
    return with_dest(r, insn, 0x3a, false);
}
