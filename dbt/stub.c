/* SPDX-License-Identifier: MIT */
/*
 * The way in and the way out. Invariants: outside the cache the host's own
 * stack, direction flag, x87 and MXCSR are in force; inside it the guest's. A
 * signal handler leaves at `after_save`, with the guest's general registers
 * and flags already in the processor's state.
 */
#include "dbt/stub.h"

#include "dbt/image.h"
#include "emu/base/host_signal.h"
#include "emu/isa/isa.h"

static const struct emit_op op_fxsave = {.map = ISA_MAP_0F, .opcode = 0xae};
static const struct emit_op op_wrgsbase = {
    .legacy = 0xf3, .wide = true, .map = ISA_MAP_0F, .opcode = 0xae};
enum { FXSAVE = 0, FXRSTOR = 1, LDMXCSR = 2, WRGSBASE = 3 };

static const uint8_t callee_saved[] = {EMIT_RBX, EMIT_RBP, EMIT_R12, EMIT_R13, EMIT_R14, EMIT_R15};

static void push(struct emit *e, unsigned reg)
{
    const struct emit_op op = {.opcode = 0x50};
    emit_op_low(e, &op, reg);
}

static void pop(struct emit *e, unsigned reg)
{
    const struct emit_op op = {.opcode = 0x58};
    emit_op_low(e, &op, reg);
}

static void pushfq(struct emit *e)
{
    emit_u8(e, 0x9c);
}

static void popfq(struct emit *e)
{
    emit_u8(e, 0x9d);
}

static struct emit_mem gpr(unsigned reg)
{
    return stub_context(offsetof(struct cpu, gpr) + 4 * reg);
}

static void load_guest_registers(struct emit *e)
{
    for (unsigned reg = 0; reg < 8; reg++) {
        struct emit_mem at = gpr(reg);
        emit_load32(e, reg == EMIT_RSP ? EMIT_R8 : reg, &at);
    }
    struct emit_mem esp = emit_at_index(EMIT_R15, EMIT_R8, 1, 0);
    emit_lea64(e, EMIT_RSP, &esp);
}

/* rdi window, rsi dispatch table, rdx processor. */
static void emit_enter(struct emit *e)
{
    struct emit_mem rsp = stub_slot(STUB_SLOT_HOST_RSP);
    struct emit_mem target = stub_slot(STUB_SLOT_TARGET);
    struct emit_mem budget = stub_slot(STUB_SLOT_BUDGET);
    struct emit_mem flags = stub_context(offsetof(struct cpu, eflags));
    struct emit_mem fpu = stub_context(offsetof(struct cpu, fpu));

    for (unsigned i = 0; i < ARRAY_LEN(callee_saved); i++)
        push(e, callee_saved[i]);
    emit_mov64(e, EMIT_R15, EMIT_RDI);
    emit_mov64(e, EMIT_R14, EMIT_RSI);
    emit_mov64(e, EMIT_R13, EMIT_RDX);
    emit_store64(e, &rsp, EMIT_RSP);
    if (host_has_wrgsbase())
        emit_op_reg(e, &op_wrgsbase, WRGSBASE, EMIT_R15);
    emit_op_mem(e, &op_fxsave, FXRSTOR, &fpu);
    emit_load64(e, EMIT_R12, &budget);
    emit_load32(e, EMIT_RAX, &flags);
    push(e, EMIT_RAX);
    popfq(e);
    load_guest_registers(e);
    for (unsigned reg = EMIT_R9; reg <= EMIT_R11; reg++)
        emit_mov_imm32(e, reg, 0); /* nothing of the host's that a block could read goes in */
    emit_jmp_mem(e, &target);
}

/* Everything but rsp and flags, which are the host's from here on. */
static void emit_save(struct emit *e)
{
    struct emit_mem rsp = stub_slot(STUB_SLOT_HOST_RSP);
    struct emit_mem flags = stub_slot(STUB_SLOT_FLAGS);
    struct emit_mem eip = stub_context(offsetof(struct cpu, eip));

    for (unsigned reg = 0; reg < 8; reg++) {
        struct emit_mem at = gpr(reg);
        emit_store32(e, &at, reg);
    }
    emit_store32(e, &eip, EMIT_R8);
    emit_load64(e, EMIT_RSP, &rsp);
    pushfq(e);
    pop(e, EMIT_RAX);
    emit_store32(e, &flags, EMIT_RAX);
}

/* rsp is the host's; r9 the reason, r10 the payload, r11 the count, r12 the budget. */
static void emit_after_save(struct emit *e)
{
    struct emit_mem payload = stub_slot(STUB_SLOT_PAYLOAD);
    struct emit_mem count = stub_slot(STUB_SLOT_COUNT);
    struct emit_mem budget = stub_slot(STUB_SLOT_BUDGET);
    struct emit_mem mxcsr = stub_slot(STUB_SLOT_MXCSR);
    struct emit_mem fpu = stub_context(offsetof(struct cpu, fpu));
    static const uint8_t cld_fninit[] = {0xfc, 0xdb, 0xe3};

    emit_store32(e, &payload, EMIT_R10);
    emit_store32(e, &count, EMIT_R11);
    emit_store64(e, &budget, EMIT_R12);
    emit_op_mem(e, &op_fxsave, FXSAVE, &fpu);
    emit_raw(e, cld_fninit, sizeof(cld_fninit));
    emit_op_mem(e, &op_fxsave, LDMXCSR, &mxcsr);
    emit_mov32(e, EMIT_RAX, EMIT_R9);
    for (unsigned i = ARRAY_LEN(callee_saved); i-- > 0;)
        pop(e, callee_saved[i]);
    emit_u8(e, 0xc3);
}

static uint32_t mark(struct emit *e)
{
    emit_nop(e, (16 - e->at % 16) % 16);
    return e->at;
}

void stub_emit_all(struct image *image)
{
    struct emit emit, *e = &emit;
    struct stubs *stubs = &image->stubs;
    struct emit_mem eip = stub_context(offsetof(struct cpu, eip));
    emit_begin(e, image->cache.rw, 0, CACHE_STUB_BYTES);

    stubs->miss = e->at; /* 0, see image_entry; r9 is the target */
    emit_mov32(e, EMIT_R8, EMIT_R9);
    emit_mov_imm32(e, EMIT_R9, STUB_MISS);
    stubs->leave = e->at; /* r8 is eip */
    emit_save(e);
    stubs->after_save = e->at;
    emit_after_save(e);

    stubs->chain = mark(e);
    emit_mov_imm32(e, EMIT_R9, STUB_CHAIN);
    emit_jmp(e, stubs->leave);

    stubs->exact = mark(e); /* r9 is the target of an indirect jump */
    emit_mov32(e, EMIT_R8, EMIT_R9);
    emit_mov_imm32(e, EMIT_R9, STUB_EXACT);
    emit_jmp(e, stubs->leave);

    stubs->stop = mark(e); /* nothing of the guest has run since the way in */
    emit_load32(e, EMIT_R8, &eip);
    emit_mov_imm32(e, EMIT_R11, 0);
    emit_mov_imm32(e, EMIT_R9, STUB_KICK);
    emit_jmp(e, stubs->leave);

    stubs->enter = mark(e);
    emit_enter(e);
    stubs->enter_end = e->at;
    BUG_ON(e->full, "the stubs outgrew their page");
}
