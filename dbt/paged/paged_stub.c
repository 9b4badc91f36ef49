/* SPDX-License-Identifier: MIT */
/*
 * The ways in and out of a paged guest's cache. Outside it the host's stack,
 * direction flag and floating-point state are in force. The guest's
 * floating-point state stays in memory until a block needs it (load_fpu), and
 * goes back on the way to any C.
 *
 * A kick turns the way in around by writing PAGED_SLOT_TARGET; so every way to
 * guest code from C is a jump through it.
 */
#include "dbt/paged/paged.h"
#include "emu/isa/isa.h"

static const struct emit_op op_fxsave = {.map = ISA_MAP_0F, .opcode = 0xae};
static const struct emit_op op_wrgsbase = {
    .legacy = 0xf3, .wide = true, .map = ISA_MAP_0F, .opcode = 0xae};
static const struct emit_op op_mov_imm64 = {.wide = true, .opcode = 0xb8};
static const struct emit_op op_lea_wide = {.wide = true, .opcode = 0x8d};
static const struct emit_op op_group1_byte = {.opcode = 0x80};
enum { FXSAVE = 0, FXRSTOR = 1, LDMXCSR = 2, WRGSBASE = 3, CMP = 7 };

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

static struct emit_mem gpr(unsigned reg)
{
    return paged_at(offsetof(struct cpu, gpr) + 4 * reg);
}

/* On the host's stack: to the guest's flags, registers, stack, and code. */
static void emit_go(struct emit *e)
{
    struct emit_mem flags = paged_slot_at(PAGED_SLOT_FLAGS);
    struct emit_mem target = paged_slot_at(PAGED_SLOT_TARGET);
    struct emit_mem count = paged_slot_at(PAGED_SLOT_COUNT);
    emit_load32(e, EMIT_R12, &count);
    emit_load32(e, EMIT_RAX, &flags);
    push(e, EMIT_RAX);
    emit_u8(e, 0x9d); /* popfq */
    for (unsigned reg = 0; reg < 8; reg++) {
        struct emit_mem at = gpr(reg);
        emit_load32(e, reg, &at);
    }
    emit_jmp_mem(e, &target);
}

/* Everything of the guest's but eip and floating point; then the host's stack and flags. */
static void emit_save(struct emit *e)
{
    struct emit_mem rsp = paged_slot_at(PAGED_SLOT_HOST_RSP);
    struct emit_mem flags = paged_slot_at(PAGED_SLOT_FLAGS);
    struct emit_mem count = paged_slot_at(PAGED_SLOT_COUNT);
    emit_store32(e, &count, EMIT_R12);
    for (unsigned reg = 0; reg < 8; reg++) {
        struct emit_mem at = gpr(reg);
        emit_store32(e, &at, reg);
    }
    emit_load64(e, EMIT_RSP, &rsp);
    emit_u8(e, 0x9c); /* pushfq */
    pop(e, EMIT_RAX);
    emit_store32(e, &flags, EMIT_RAX);
}

/* Where the host's unit was is nobody's business. */
static void forget_pointers(struct emit *e)
{
    struct emit_mem opcode = paged_at(offsetof(struct cpu, fpu.opcode));
    emit_store_imm16(e, &opcode, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct emit_mem word = paged_at(offsetof(struct cpu, fpu.ip) + 4 * i);
        emit_store_imm32(e, &word, 0);
    }
}

static void emit_save_fpu(struct emit *e)
{
    struct emit_mem loaded = paged_slot_at(PAGED_SLOT_FPU);
    struct emit_mem fpu = paged_at(offsetof(struct cpu, fpu));
    struct emit_mem mxcsr = paged_slot_at(PAGED_SLOT_MXCSR);
    static const uint8_t fninit[] = {0xdb, 0xe3};
    emit_u8(e, 0xfc); /* cld */
    emit_op_mem(e, &op_group1_byte, CMP, &loaded);
    emit_u8(e, 0);
    uint32_t over = emit_jcc8(e, EMIT_E);
    emit_op_mem(e, &op_fxsave, FXSAVE, &fpu);
    forget_pointers(e);
    emit_raw(e, fninit, sizeof(fninit));
    emit_op_mem(e, &op_fxsave, LDMXCSR, &mxcsr);
    emit_store_imm32(e, &loaded, 0);
    emit_fix8(e, over, e->at);
}

static void emit_return(struct emit *e)
{
    struct emit_mem above = emit_at(EMIT_RSP, 8);
    emit_lea64(e, EMIT_RSP, &above);
    for (unsigned i = ARRAY_LEN(callee_saved); i-- > 0;)
        pop(e, callee_saved[i]);
    emit_u8(e, 0xc3);
}

static void emit_enter(struct emit *e)
{
    struct emit_mem rsp = paged_slot_at(PAGED_SLOT_HOST_RSP);
    struct emit_mem tlb = paged_at(offsetof(struct cpu, pc.tlb));
    struct emit_mem below = emit_at(EMIT_RSP, -8), biased = emit_at(EMIT_RDI, PAGED_CPU_BIAS);
    for (unsigned i = 0; i < ARRAY_LEN(callee_saved); i++)
        push(e, callee_saved[i]);
    emit_lea64(e, EMIT_RSP, &below); /* calls find the stack aligned */
    emit_lea64(e, EMIT_R15, &biased);
    emit_store64(e, &rsp, EMIT_RSP);
    emit_load64(e, EMIT_R14, &tlb);
    emit_mov_imm32(e, EMIT_R13, PAGE_MASK);
    emit_go(e);
}

/* r9: number of the call. */
static void emit_call(struct emit *e)
{
    uint64_t fn = (uint64_t)(uintptr_t)paged_do_call;
    struct emit_mem cpu = paged_at(0);
    emit_save(e);
    emit_save_fpu(e);
    emit_lea64(e, EMIT_RDI, &cpu);
    emit_mov32(e, EMIT_RSI, EMIT_R9);
    emit_op_low(e, &op_mov_imm64, EMIT_RAX);
    emit_raw(e, (const uint8_t *)&fn, sizeof(fn));
    emit_raw(e, (const uint8_t[]){0xff, 0xd0}, 2); /* call rax */
    emit_raw(e, (const uint8_t[]){0x85, 0xc0}, 2); /* test eax, eax */
    uint32_t leave = emit_jcc8(e, EMIT_E);
    emit_go(e);
    emit_fix8(e, leave, e->at);
    emit_mov_imm32(e, EMIT_RAX, PAGED_CALLED);
    emit_return(e);
}

/* r10: offset in the cache to go on at. */
static void emit_load_fpu(struct paged *p, struct emit *e)
{
    struct emit_mem loaded = paged_slot_at(PAGED_SLOT_FPU);
    struct emit_mem fpu = paged_at(offsetof(struct cpu, fpu));
    struct emit_mem sum = emit_at_index(EMIT_R11, EMIT_R10, 1, 0);
    uint64_t base = (uint64_t)(uintptr_t)p->cache.rx;
    emit_op_mem(e, &op_fxsave, FXRSTOR, &fpu);
    emit_store_imm32(e, &loaded, 1);
    emit_op_low(e, &op_mov_imm64, EMIT_R11);
    emit_raw(e, (const uint8_t *)&base, sizeof(base));
    emit_op_mem(e, &op_lea_wide, EMIT_R11, &sum);
    emit_jmp_reg(e, EMIT_R11);
}

static uint32_t mark(struct emit *e)
{
    emit_nop(e, (16 - e->at % 16) % 16);
    return e->at;
}

void paged_emit_stubs(struct paged *p)
{
    struct emit emit, *e = &emit;
    struct paged_stubs *stubs = &p->stubs;
    struct emit_mem eip = paged_at(offsetof(struct cpu, eip));
    struct emit_mem payload = paged_slot_at(PAGED_SLOT_PAYLOAD);
    emit_begin(e, p->cache.rw, 0, CACHE_STUB_BYTES);

    stubs->miss = mark(e); /* r9 is eip */
    emit_mov32(e, EMIT_R8, EMIT_R9);
    emit_mov_imm32(e, EMIT_R9, PAGED_MISS);
    stubs->leave = e->at; /* r8 is eip, r9 the reason, r10 the payload */
    emit_store32(e, &eip, EMIT_R8);
    emit_save(e);
    stubs->after_save = e->at; /* on the host's stack */
    emit_store32(e, &payload, EMIT_R10);
    emit_save_fpu(e);
    emit_mov32(e, EMIT_RAX, EMIT_R9);
    emit_return(e);

    stubs->chain = mark(e);
    emit_mov_imm32(e, EMIT_R9, PAGED_CHAIN);
    emit_jmp(e, stubs->leave);

    stubs->stop = mark(e); /* nothing of the guest has run since the way in */
    emit_load32(e, EMIT_R8, &eip);
    emit_mov_imm32(e, EMIT_R9, PAGED_TURNED);
    emit_jmp(e, stubs->leave);

    stubs->call = mark(e);
    emit_call(e);
    stubs->load_fpu = mark(e);
    emit_load_fpu(p, e);
    stubs->set_gs = mark(e);
    emit_op_reg(e, &op_wrgsbase, WRGSBASE, EMIT_RDI);
    emit_u8(e, 0xc3);
    stubs->enter = mark(e);
    emit_enter(e);
    stubs->end = e->at;
    BUG_ON(e->full, "the stubs outgrew their page");
}
