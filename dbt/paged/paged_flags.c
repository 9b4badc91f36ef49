/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own instructions that come thousands of times a millisecond:
 * interrupt enable, PUSHF and POPF in ring 0. An interrupt that already waits
 * leaves them to the interpreter, which knows about shadows; a kick does not
 * stop between STI and what follows it.
 */
#include "dbt/paged/paged_rewrite.h"

#include "emu/cpu/pc/sysregs.h"

static struct emit_mem eflags(void)
{
    return paged_at(offsetof(struct cpu, eflags));
}

static void bytes(struct paged_rewrite *r, const uint8_t *code, unsigned len)
{
    emit_raw(&r->emit, code, len);
}
#define BYTES(r, ...)                                                                              \
    bytes(r, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* reg &= mask, by way of r10: no flags. */
static void emit_mask(struct paged_rewrite *r, unsigned reg, uint32_t mask)
{
    emit_mov_imm32(&r->emit, EMIT_R10, mask);
    paged_emit_pext(&r->emit, reg, reg, EMIT_R10);
    paged_emit_pdep(&r->emit, reg, reg, EMIT_R10);
}

static void load_intr_address(struct paged_rewrite *r)
{
    uint64_t address = (uint64_t)(uintptr_t)&r->paged->cpu->pc.pin->intr;
    BYTES(r, 0x49, 0xb9); /* mov r9, imm64 */
    emit_raw(&r->emit, (const uint8_t *)&address, sizeof(address));
}

static bool in_ring0(const struct paged_rewrite *r)
{
    return r->block->mode.bits & PAGED_RING0;
}

bool paged_cli(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem flags = eflags();
    (void)insn;
    if (!in_ring0(r))
        return false;
    emit_load32(&r->emit, EMIT_R8, &flags);
    emit_mask(r, EMIT_R8, ~(uint32_t)ISA_F_I);
    emit_store32(&r->emit, &flags, EMIT_R8);
    return true;
}

/* The instruction after STI has to be in the block: it is the shadow. */
bool paged_sti(struct paged_rewrite *r, const struct isa_insn *insn)
{
    static const struct emit_op movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
    struct emit_mem flags = eflags(), intr = emit_at(EMIT_R9, 0);
    struct emit_mem set = emit_at(EMIT_R8, ISA_F_I);
    struct emit *e = &r->emit;
    if (!in_ring0(r) || r->index + 1 == r->count)
        return false;
    load_intr_address(r);
    emit_mov64(e, EMIT_R11, EMIT_RCX);
    emit_op_mem(e, &movzx_byte, EMIT_RCX, &intr);
    uint32_t none = emit_jrcxz(e);
    emit_mov64(e, EMIT_RCX, EMIT_R11);
    paged_call_out(r, insn, false);
    uint32_t over = emit_jmp8(e);
    emit_fix8(e, none, e->at);
    emit_mov64(e, EMIT_RCX, EMIT_R11);
    emit_load32(e, EMIT_R8, &flags);
    emit_mask(r, EMIT_R8, ~(uint32_t)ISA_F_I);
    emit_lea32(e, EMIT_R8, &set);
    emit_store32(e, &flags, EMIT_R8);
    emit_fix8(e, over, e->at);
    r->shadow = true;
    return true;
}

/* The host's flags, taken on the host's stack; the rest from memory. */
bool paged_pushf(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem flags = eflags(), top, stack = paged_slot_at(PAGED_SLOT_HOST_RSP);
    struct emit_mem sum = emit_at_index(EMIT_R8, EMIT_R11, 1, 0);
    struct emit *e = &r->emit;
    if (!in_ring0(r) || !paged_has_flat_stack(r) || insn->opsize != 4)
        return false;
    emit_mov64(e, EMIT_R9, EMIT_RSP);
    emit_load64(e, EMIT_RSP, &stack);
    BYTES(r, 0x9c, 0x41, 0x58); /* pushfq; pop r8 */
    emit_mov64(e, EMIT_RSP, EMIT_R9);
    emit_mask(r, EMIT_R8, PAGED_USER_FLAGS);
    emit_load32(e, EMIT_R11, &flags);
    emit_mask(r, EMIT_R11, ~(uint32_t)(PAGED_USER_FLAGS | EFLAGS_VM | EFLAGS_RF));
    emit_lea32(e, EMIT_R8, &sum);
    paged_stack_access(r, -4, 4, true, &top);
    emit_store32(e, &top, EMIT_R8);
    emit_mov32(e, EMIT_RSP, EMIT_R9);
    return true;
}

/* r8 holds what becomes of the flags: the status flags go to the host's. eax is kept in r9. */
static void emit_status(struct paged_rewrite *r)
{
    emit_mov32(&r->emit, EMIT_R9, EMIT_RAX);
    emit_mov32(&r->emit, EMIT_RAX, EMIT_R8);
    BYTES(r, 0xc1, 0xe0, 0x08);             /* shl eax, 8: CF PF AF ZF SF are in ah */
    BYTES(r, 0x41, 0x0f, 0xba, 0xe0, 0x0b); /* bt r8d, 11 */
    BYTES(r, 0x0f, 0x92, 0xc0);             /* setc al */
    BYTES(r, 0x04, 0x7f);                   /* add al, 127: overflows if al was 1 */
    BYTES(r, 0x9e);                         /* sahf */
    emit_mov32(&r->emit, EMIT_RAX, EMIT_R9);
}

/* Only the status flags and IF may change; and IF not be set while an interrupt waits. */
bool paged_popf(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem flags = eflags(), top, above = emit_at(EMIT_RSP, 4);
    struct emit *e = &r->emit;
    uint32_t others = ~(uint32_t)(PAGED_USER_FLAGS | ISA_F_I), interrupts = ISA_F_I;
    if (!in_ring0(r) || !paged_has_flat_stack(r) || insn->opsize != 4)
        return false;
    paged_stack_access(r, 0, 4, false, &top);
    emit_load32(e, EMIT_R8, &top);
    emit_load32(e, EMIT_R9, &flags);
    emit_mov32(e, EMIT_R10, EMIT_R8);
    BYTES(r, 0x45, 0x31, 0xca, 0x41, 0xf7, 0xc2); /* xor r10d, r9d; test r10d, others */
    emit_u32(e, others);
    uint32_t differs = emit_jcc8(e, EMIT_NE);
    BYTES(r, 0x41, 0xf7, 0xc0); /* test r8d, IF */
    emit_u32(e, interrupts);
    uint32_t closed = emit_jcc8(e, EMIT_E);
    load_intr_address(r);
    BYTES(r, 0x41, 0x80, 0x39, 0x00); /* cmp byte [r9], 0 */
    uint32_t waits = emit_jcc8(e, EMIT_NE);
    emit_fix8(e, closed, e->at);
    emit_store32(e, &flags, EMIT_R8);
    emit_lea32(e, EMIT_RSP, &above);
    emit_status(r);
    uint32_t over = emit_jmp8(e);
    emit_fix8(e, differs, e->at);
    emit_fix8(e, waits, e->at);
    paged_call_out(r, insn, false);
    emit_fix8(e, over, e->at);
    return true;
}

/* The direction is part of the mode. */
bool paged_cld(struct paged_rewrite *r, const struct isa_insn *insn)
{
    (void)insn;
    return !(r->block->mode.bits & PAGED_DOWN);
}

bool paged_std(struct paged_rewrite *r, const struct isa_insn *insn)
{
    (void)insn;
    return r->block->mode.bits & PAGED_DOWN;
}
