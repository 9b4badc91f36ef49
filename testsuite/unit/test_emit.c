/* SPDX-License-Identifier: MIT */
/* The encoder against Capstone: every register in every place, every kind of displacement. */
#include <capstone/capstone.h>
#include <check.h>
#include <string.h>

#include "dbt/emit.h"
#include "emu/isa/isa.h"

static uint8_t room[4096];
static csh handle;
static cs_insn *decoded;

static void open_decoder(void)
{
    ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_64, &handle), CS_ERR_OK);
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    decoded = cs_malloc(handle);
}

static void close_decoder(void)
{
    cs_free(decoded, 1);
    cs_close(&handle);
}

static void begin(struct emit *e)
{
    emit_begin(e, room, 0, sizeof(room));
}

/* One instruction, and nothing after it. */
static const cs_x86 *decode(const struct emit *e)
{
    const uint8_t *code = room;
    size_t size = e->at;
    uint64_t address = 0;
    ck_assert(!e->full);
    ck_assert(cs_disasm_iter(handle, &code, &size, &address, decoded));
    ck_assert_uint_eq(size, 0);
    return &decoded->detail->x86;
}

static x86_reg reg64(unsigned reg)
{
    static const x86_reg name[] = {X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX,
                                   X86_REG_RSP, X86_REG_RBP, X86_REG_RSI, X86_REG_RDI,
                                   X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
                                   X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15};
    return reg == EMIT_NOREG ? X86_REG_INVALID : name[reg];
}

static x86_reg reg32(unsigned reg)
{
    static const x86_reg name[] = {X86_REG_EAX,  X86_REG_ECX,  X86_REG_EDX,  X86_REG_EBX,
                                   X86_REG_ESP,  X86_REG_EBP,  X86_REG_ESI,  X86_REG_EDI,
                                   X86_REG_R8D,  X86_REG_R9D,  X86_REG_R10D, X86_REG_R11D,
                                   X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D};
    return reg == EMIT_NOREG ? X86_REG_INVALID : name[reg];
}

static void want_mem(const cs_x86_op *op, const struct emit_mem *mem)
{
    ck_assert_int_eq(op->type, X86_OP_MEM);
    ck_assert_int_eq(op->mem.segment, mem->gs || mem->gs32 ? X86_REG_GS : X86_REG_INVALID);
    ck_assert_int_eq(op->mem.base, mem->gs32 ? reg32(mem->base) : reg64(mem->base));
    x86_reg index = mem->gs32 ? reg32(mem->index) : reg64(mem->index);
    bool none = op->mem.index == X86_REG_INVALID || op->mem.index == X86_REG_RIZ ||
                op->mem.index == X86_REG_EIZ;
    ck_assert(mem->index == EMIT_NOREG ? none : op->mem.index == index);
    if (mem->index != EMIT_NOREG)
        ck_assert_int_eq(op->mem.scale, mem->scale);
    ck_assert_int_eq((int32_t)op->mem.disp, mem->disp);
}

static void try_mem(unsigned reg, const struct emit_mem *mem)
{
    struct emit e;
    begin(&e);
    emit_load32(&e, reg, mem);
    const cs_x86 *x86 = decode(&e);
    ck_assert_int_eq(decoded->id, X86_INS_MOV);
    ck_assert_int_eq(x86->operands[0].reg, reg32(reg));
    want_mem(&x86->operands[1], mem);

    begin(&e);
    emit_store64(&e, mem, reg);
    x86 = decode(&e);
    want_mem(&x86->operands[0], mem);
    ck_assert_int_eq(x86->operands[1].reg, reg64(reg));
}

static void try_index(unsigned base, unsigned index, unsigned scale)
{
    static const int32_t disp[] = {0, 127, -128, 128, INT32_MIN};
    for (unsigned d = 0; d < ARRAY_LEN(disp); d++) {
        struct emit_mem mem = emit_at_index(base, index, scale, disp[d]);
        for (unsigned form = 0; form < 3; form++) {
            mem.gs = form == 1;
            mem.gs32 = form == 2;
            for (unsigned reg = 0; reg < 16; reg += 9)
                try_mem(reg, &mem);
        }
    }
}

START_TEST(memory_operands)
{
    for (unsigned base = 0; base <= 16; base++) {
        unsigned b = base == 16 ? EMIT_NOREG : base;
        try_index(b, EMIT_NOREG, 1);
        for (unsigned index = 0; index < 16; index++)
            for (unsigned scale = 1; scale <= 8 && index != EMIT_RSP; scale *= 2)
                try_index(b, index, scale);
    }
}
END_TEST

START_TEST(register_operands)
{
    struct emit e;
    for (unsigned a = 0; a < 16; a++) {
        for (unsigned b = 0; b < 16; b++) {
            begin(&e);
            emit_mov32(&e, a, b);
            const cs_x86 *x86 = decode(&e);
            ck_assert_int_eq(x86->operands[0].reg, reg32(a));
            ck_assert_int_eq(x86->operands[1].reg, reg32(b));
            begin(&e);
            emit_mov64(&e, a, b);
            x86 = decode(&e);
            ck_assert_int_eq(x86->operands[0].reg, reg64(a));
        }
        begin(&e);
        emit_mov_imm32(&e, a, 0x12345678);
        const cs_x86 *x86 = decode(&e);
        ck_assert_int_eq(x86->operands[0].reg, reg32(a));
        ck_assert_int_eq(x86->operands[1].imm, 0x12345678);
        begin(&e);
        emit_jmp_reg(&e, a);
        x86 = decode(&e);
        ck_assert_int_eq(decoded->id, X86_INS_JMP);
        ck_assert_int_eq(x86->operands[0].reg, reg64(a));
    }
}
END_TEST

START_TEST(prefixes_and_maps)
{
    struct emit e;
    struct emit_mem mem = emit_at_index(EMIT_R15, EMIT_RBX, 1, 4);
    const struct emit_op movups = {.map = ISA_MAP_0F, .opcode = 0x10};
    const struct emit_op movsd = {.map = ISA_MAP_0F, .opcode = 0x10, .legacy = 0xf2};
    const struct emit_op movupd = {.map = ISA_MAP_0F, .opcode = 0x10, .legacy = 0x66};
    const struct emit_op *const ops[] = {&movups, &movsd, &movupd};
    static const unsigned id[] = {X86_INS_MOVUPS, X86_INS_MOVSD, X86_INS_MOVUPD};
    for (unsigned i = 0; i < ARRAY_LEN(ops); i++) {
        begin(&e);
        emit_op_mem(&e, ops[i], 5, &mem);
        const cs_x86 *x86 = decode(&e);
        ck_assert_uint_eq(decoded->id, id[i]);
        ck_assert_int_eq(x86->operands[0].reg, X86_REG_XMM5);
        want_mem(&x86->operands[1], &mem);
    }
}
END_TEST

/* Displacement fields lie in one cache line wherever the jump begins, and lead where they should.
 */
START_TEST(jumps)
{
    struct emit e;
    for (uint32_t at = 0; at < 64; at++) {
        emit_begin(&e, room, at, sizeof(room));
        uint32_t field = emit_jcc(&e, EMIT_NE, 1000);
        ck_assert_uint_eq(field / 64, (field + 3) / 64);
        field = emit_jmp(&e, 2000);
        ck_assert_uint_eq(field / 64, (field + 3) / 64);
        const uint8_t *code = room + field - 1;
        size_t size = 5;
        uint64_t address = field - 1;
        ck_assert(cs_disasm_iter(handle, &code, &size, &address, decoded));
        ck_assert_uint_eq(decoded->detail->x86.operands[0].imm, 2000);
        emit_patch32(room, field, 3000);
        code = room + field - 1;
        size = 5;
        address = field - 1;
        ck_assert(cs_disasm_iter(handle, &code, &size, &address, decoded));
        ck_assert_uint_eq(decoded->detail->x86.operands[0].imm, 3000);
    }
}
END_TEST

START_TEST(no_more_than_the_room)
{
    for (uint32_t end = 0; end < 40; end++) {
        struct emit e;
        memset(room, 0xcc, sizeof(room));
        emit_begin(&e, room, 0, end);
        for (unsigned i = 0; i < 10; i++)
            emit_mov_imm32(&e, EMIT_R8, i);
        ck_assert(e.full == (end < 60));
        ck_assert_uint_le(e.at, end);
        for (uint32_t i = end; i < 100; i++)
            ck_assert_uint_eq(room[i], 0xcc);
    }
}
END_TEST

START_TEST(nops)
{
    for (unsigned len = 1; len < 30; len++) {
        struct emit e;
        begin(&e);
        emit_nop(&e, len);
        ck_assert_uint_eq(e.at, len);
        const uint8_t *code = room;
        size_t size = len;
        uint64_t address = 0;
        while (size) {
            ck_assert(cs_disasm_iter(handle, &code, &size, &address, decoded));
            ck_assert_uint_eq(decoded->id, X86_INS_NOP);
        }
    }
}
END_TEST

int main(void)
{
    static const TTest *const *const tests[] = {
        &memory_operands, &register_operands,     &prefixes_and_maps,
        &jumps,           &no_more_than_the_room, &nops,
    };
    TCase *tcase = tcase_create("emit");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, open_decoder, close_decoder);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        tcase_add_test(tcase, *tests[i]);
    Suite *suite = suite_create("emit");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
