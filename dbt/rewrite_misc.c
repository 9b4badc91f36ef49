/* SPDX-License-Identifier: MIT */
/*
 * Everything with a rewriter of its own that is neither stack, control nor
 * string: hints, time, bit tests, and the flat machine's traps, which never
 * leave translated code.
 */
#include "dbt/rewrite.h"

bool rewrite_nop(struct rewrite *r, const struct isa_insn *insn)
{
    (void)r, (void)insn;
    return true;
}

bool rewrite_rdtsc(struct rewrite *r, const struct isa_insn *insn)
{
    struct emit_op op = {.map = insn->row->map, .opcode = insn->opcode};
    if (r->image->virtual_tsc)
        return false;
    emit_op_plain(&r->emit, &op);
    return true;
}

/* A bit number in a register reaches 256 MiB beyond the address: out of the guards. */
bool rewrite_bit(struct rewrite *r, const struct isa_insn *insn)
{
    bool far_reach = insn->has_mem && insn->row->op[1].method == ISA_M_G;
    return !far_reach && rewrite_plain(r, insn);
}

static struct emit_mem word(uint32_t gpa)
{
    return emit_at(EMIT_R15, (int32_t)gpa);
}

/*
 * Goes on at `interp_eip` by the interpreter unless r9 is (not) zero, as
 * `if_zero` says, without touching flags: ecx lends itself to JRCXZ.
 */
static void check_r9(struct rewrite *r, bool leave_if_zero)
{
    struct emit *e = &r->emit;
    emit_mov32(e, EMIT_R10, EMIT_RCX);
    emit_mov32(e, EMIT_RCX, EMIT_R9);
    uint32_t zero = emit_jrcxz(e);
    if (leave_if_zero) {
        uint32_t go_on = emit_jmp8(e);
        emit_fix8(e, zero, e->at);
        emit_mov32(e, EMIT_RCX, EMIT_R10);
        rewrite_leave(r, STUB_INTERP, rewrite_eip(r), 0, false);
        emit_fix8(e, go_on, e->at);
    } else {
        emit_mov32(e, EMIT_RCX, EMIT_R10);
        rewrite_leave(r, STUB_INTERP, rewrite_eip(r), 0, false);
        emit_fix8(e, zero, e->at);
    }
    emit_mov32(e, EMIT_RCX, EMIT_R10);
    r->ended = false;
}

static void copy_word(struct rewrite *r, uint32_t to, uint32_t from)
{
    struct emit_mem src = word(from), dst = word(to);
    emit_load32(&r->emit, EMIT_R8, &src);
    emit_store32(&r->emit, &dst, EMIT_R8);
}

static void set_word(struct rewrite *r, uint32_t at, uint32_t value)
{
    struct emit_mem mem = word(at);
    emit_store_imm32(&r->emit, &mem, value);
}

bool rewrite_int(struct rewrite *r, const struct isa_insn *insn)
{
    const struct cpu_flat *flat = &r->image->flat;
    struct emit_mem entry = word(flat->trap_entry);
    if ((insn->imm & 0xff) == CPU_BP)
        return false;
    rewrite_settle(r);
    rewrite_count(r, r->index);
    rewrite_mark(r, rewrite_eip(r));
    emit_load32(&r->emit, EMIT_R9, &entry);
    check_r9(r, true);
    copy_word(r, flat->trap_enabled, flat->intr_enabled);
    set_word(r, flat->trap_eip, rewrite_next_eip(r));
    set_word(r, flat->trap_number, insn->imm & 0xff);
    set_word(r, flat->intr_enabled, 0);
    rewrite_jump_r9(r);
    return true;
}

/* With something pending the interpreter does it, and tells the kernel. */
static void trap_return(struct rewrite *r)
{
    const struct cpu_flat *flat = &r->image->flat;
    struct emit_mem pending = word(flat->pending), target = word(flat->trap_eip);
    rewrite_settle(r);
    rewrite_count(r, r->index);
    rewrite_mark(r, rewrite_eip(r));
    emit_load32(&r->emit, EMIT_R9, &pending);
    check_r9(r, false);
    emit_load32(&r->emit, EMIT_R9, &target);
    copy_word(r, flat->intr_enabled, flat->trap_enabled);
    rewrite_jump_r9(r);
}

/* RESUME is the interpreter's: it happens once an interrupt, and loads everything. */
bool rewrite_virt(struct rewrite *r, const struct isa_insn *insn)
{
    unsigned code = (unsigned)(insn->reg << 3 | insn->rm);
    if (code == r->image->flat.resume_code)
        return false;
    if (code == r->image->flat.trapret_code)
        trap_return(r);
    else
        rewrite_leave(r, STUB_HYPERCALL, rewrite_next_eip(r),
                      code | (uint32_t)insn->len << STUB_LENGTH_SHIFT, true);
    return true;
}

/* `op`: the operand that names the port, by an immediate byte or DX. */
static bool leave_to_port(struct rewrite *r, const struct isa_insn *insn, unsigned op, bool write)
{
    bool by_imm = insn->row->op[op].method == ISA_M_I;
    unsigned bytes = insn->row->op[!op].width == ISA_W_b ? 1 : insn->opsize;
    uint32_t payload = by_imm ? insn->imm & 0xff : STUB_PORT_DX;
    payload |= (bytes | (write ? STUB_PORT_WRITE : 0)) << STUB_PORT_SHIFT;
    payload |= (uint32_t)insn->len << STUB_LENGTH_SHIFT;
    rewrite_leave(r, STUB_PORT, rewrite_next_eip(r), payload, true);
    return true;
}

bool rewrite_in(struct rewrite *r, const struct isa_insn *insn)
{
    return leave_to_port(r, insn, 1, false);
}

bool rewrite_out(struct rewrite *r, const struct isa_insn *insn)
{
    return leave_to_port(r, insn, 0, true);
}
