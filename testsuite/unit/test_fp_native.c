/* SPDX-License-Identifier: MIT */
/*
 * Every x87, MMX and SSE row of the instruction table, run by this processor,
 * by the interpreter and by the translator from one state: random registers,
 * stack, masks and memory, with the corners drawn often. The whole FXSAVE
 * image, the general registers, the flags, the memory operand and the fault
 * must be the same.
 *
 * Guest addresses are host addresses below 2 GiB, so that x87 pointers and
 * registers can be compared as they are.
 *
 * test_fp_native [ROUNDS [MNEMONIC [SEED]]]: more rounds, one row's name only
 * ("" for all).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dbt/dbt.h"
#include "emu/base/host.h"
#include "emu/cpu/interp/interp.h"
#include "testsuite/unit/dbt_rig.h"
#include "testsuite/unit/fp_draw.h"
#include "testsuite/unit/fp_native.h"

#if defined(__x86_64__) && defined(__linux__)

enum { MAX_REPORTS = 3, BUFFER = 1024, STATES_PER_CODE = 16 };

static unsigned long rounds = 600;
static const char *only;
static struct fp_draw draw = {0x9e3779b97f4a7c15};

static uint64_t rng(void)
{
    return fp_draw_bits(&draw);
}

static bool one_in(unsigned n)
{
    return fp_draw_one_in(&draw, n);
}

/* ---- three machines ---- */

enum side { NATIVE, INTERP, DBT, SIDES };
static const char *const side_names[SIDES] = {"native", "interp", "dbt"};

struct outcome {
    struct fp_native state;
    uint8_t memory[BUFFER];
};

struct places {
    uint8_t *code;   /* one page, low in memory */
    uint8_t *buffer; /* one page that ends before an inaccessible one */
    struct rig rigs[SIDES];
};

static uint32_t address_of(const void *place)
{
    return (uint32_t)(uintptr_t)place;
}

/* Bytes of the buffer that the test sees behind `at`. */
static size_t visible(uint32_t at)
{
    return PAGE_SIZE - at < BUFFER ? PAGE_SIZE - at : BUFFER;
}

static void run_native(const struct places *p, struct outcome *o, uint32_t at)
{
    memcpy(p->buffer + at, o->memory, visible(at));
    fp_native_run(&o->state, p->code);
    memcpy(o->memory, p->buffer + at, visible(at));
}

/* Interpreter: the one instruction. Translator: until the UD1 behind it, or a fault. */
static void run_engine(struct rig *rig, struct outcome *o, const struct isa_insn *insn)
{
    struct cpu *cpu = rig->cpu;

    o->state.vector = FP_NO_VECTOR;
    if (insn) {
        if (interp_execute(cpu, insn) == CPU_FAULT)
            o->state.vector = cpu->fault.vector;
        return;
    }
    switch (rig->engine->ops->run(rig->engine, cpu, ENGINE_UNLIMITED)) {
    case ENGINE_EXIT_HYPERCALL:
        break;
    case ENGINE_EXIT_FAULT:
        o->state.vector = cpu->fault.vector;
        break;
    default:
        ck_abort_msg("the translator came back for another reason");
    }
}

static void run_guest(const struct places *p, enum side side, struct outcome *o, uint32_t at,
                      const struct isa_insn *insn)
{
    struct rig *rig = (struct rig *)&p->rigs[side];
    struct cpu *cpu = rig->cpu;
    uint8_t *memory = ram_base(rig->ram) + address_of(p->buffer) + at;

    cpu->fpu = o->state.fpu;
    memcpy(cpu->gpr, o->state.gpr, sizeof(cpu->gpr));
    cpu->eflags = o->state.flags | 0x202;
    cpu->eip = address_of(p->code);
    memcpy(memory, o->memory, visible(at));
    run_engine(rig, o, side == INTERP ? insn : NULL);
    o->state.fpu = cpu->fpu;
    memcpy(o->state.gpr, cpu->gpr, sizeof(cpu->gpr));
    o->state.flags = cpu->eflags & FLAGS_STATUS;
    memcpy(o->memory, memory, visible(at));
}

/* ---- drawing instructions and their memory ---- */

static bool has_method(const struct isa_row *row, unsigned n, unsigned method)
{
    return row->op[n].method == method;
}

static unsigned pick_register(bool general)
{
    unsigned reg = rng() & 7;

    return general && reg == ISA_ESP ? ISA_EAX : reg;
}

/* The row's bytes, memory at [edi]. Returns the length. */
static unsigned encode(const struct isa_row *row, uint8_t *out)
{
    static const uint8_t prefixes[] = {
        [ISA_P_66] = 0x66, [ISA_P_F3] = 0xf3, [ISA_P_F2] = 0xf2, [ISA_P_NP] = 0};
    bool general_rm = has_method(row, 0, ISA_M_E) || has_method(row, 1, ISA_M_E);
    bool mem = row->mod == ISA_MOD_MEM || (row->mod == ISA_MOD_ANY && one_in(2));
    unsigned reg = row->ext >= 0 ? (unsigned)row->ext : pick_register(has_method(row, 0, ISA_M_G));
    unsigned rm = row->rm >= 0 ? (unsigned)row->rm : mem ? ISA_EDI : pick_register(general_rm);
    unsigned n = 0;

    if (row->prefix > ISA_P_NP)
        out[n++] = prefixes[row->prefix];
    if ((row->op[0].width == ISA_W_e || row->op[0].width == ISA_W_f) && one_in(2))
        out[n++] = prefixes[ISA_P_66];
    if (row->map == ISA_MAP_0F)
        out[n++] = 0x0f;
    out[n++] = row->opcode;
    if (row->attr & ISA_T_MODRM)
        out[n++] = (uint8_t)((mem ? 0 : 0xc0) | reg << 3 | rm);
    if (row->op[1].method == ISA_M_I || row->op[2].method == ISA_M_I)
        out[n++] = (uint8_t)(one_in(2) ? rng() % 20 : rng());
    return n;
}

static void pick_operand(uint8_t *memory, const struct isa_row *row)
{
    uint64_t d = fp_draw_f64(&draw), i = rng() >> (rng() & 63);
    uint32_t f = fp_draw_f32(&draw);
    struct softfp_ext ext = fp_draw_ext(&draw);

    fp_draw_vector(&draw, memory);
    if (row->attr & ISA_T_FPU && one_in(2))
        memcpy(memory, &i, 8);
    else if (row->op[0].width == ISA_W_d && one_in(2))
        memcpy(memory, &f, 4);
    else if (row->op[0].width == ISA_W_q && one_in(2))
        memcpy(memory, &d, 8);
    else if (row->op[0].width == ISA_W_t && one_in(2))
        memcpy(memory, &ext.sig, 8), memcpy(memory + 8, &ext.se, 2);
}

static void pick_memory(uint8_t *memory, const struct isa_row *row)
{
    struct cpu_fpu fpu;
    uint32_t mxcsr = fp_draw_mxcsr(&draw) | (one_in(8) ? 0x80000000 : 0);

    for (unsigned n = 0; n < BUFFER; n += 8) {
        uint64_t r = rng();
        memcpy(memory + n, &r, 8);
    }
    pick_operand(memory, row);
    if (row->sem == ISA_SEM_FXRSTOR) {
        fp_draw_fpu(&draw, &fpu);
        fpu.mxcsr = mxcsr;
        memcpy(memory, &fpu, sizeof(fpu));
    } else if (row->sem == ISA_SEM_LDMXCSR) {
        memcpy(memory, &mxcsr, 4);
    } else if (row->sem == ISA_SEM_FBLD) { /* other digits are undefined */
        for (int n = 0; n < 9; n++)
            memory[n] = (uint8_t)(rng() % 10 << 4 | rng() % 10);
    }
}

/* Where the memory operand begins in its page. */
static uint32_t pick_place(void)
{
    if (one_in(12)) /* across the end: a page fault, unless it is short */
        return PAGE_SIZE - 1 - rng() % 16;
    return one_in(6) ? (uint32_t)(rng() % 32) : (uint32_t)(rng() % 16) * 16;
}

/* ---- comparing ---- */

/* The translator keeps no last-instruction pointers: they would be the translation's. */
static void level_pointers(struct outcome *o, const struct outcome *native,
                           const struct isa_insn *insn)
{
    static const uint8_t env16[][2] = {{6, 2}, {10, 2}}, env32[][2] = {{12, 12}, {12, 12}},
                         fxsave[][2] = {{6, 6}, {16, 4}};
    const uint8_t(*parts)[2] = insn->opsize == 2 ? env16 : env32;
    unsigned sem = insn->row->sem;

    o->state.fpu.ip = native->state.fpu.ip;
    o->state.fpu.dp = native->state.fpu.dp;
    o->state.fpu.opcode = native->state.fpu.opcode;
    if (sem == ISA_SEM_FXSAVE)
        parts = fxsave;
    else if (sem != ISA_SEM_FNSAVE && sem != ISA_SEM_FNSTENV)
        return;
    for (unsigned i = 0; i < 2; i++)
        memcpy(o->memory + parts[i][0], native->memory + parts[i][0], parts[i][1]);
}

/* Takes out what may differ. */
static void level(struct outcome *o, const struct outcome *native, const struct isa_insn *insn,
                  enum side side)
{
    const struct isa_row *row = insn->row;
    struct cpu_fpu *fpu = &o->state.fpu;

    memset(fpu->rest, 0, sizeof(fpu->rest));
    fpu->mxcsr_mask = 0;
    o->state.gpr[ISA_ESP] = 0;
    if (row->sem == ISA_SEM_FXSAVE) /* XMM8 to XMM15 exist in 64-bit mode only */
        memcpy(o->memory + 288, native->memory + 288, BUFFER - 288);
    if (o->state.vector == CPU_PF) /* processors may have stored a part of a long operand */
        memcpy(o->memory, native->memory, BUFFER);
    if (side == DBT)
        level_pointers(o, native, insn);
}

static void print_bytes(const char *name, unsigned i, const void *a, const void *b,
                        const void *before, unsigned len)
{
    const uint8_t *all[3] = {a, b, before};

    if (!memcmp(a, b, len))
        return;
    fprintf(stderr, "  %s%u:", name, i);
    for (unsigned k = 0; k < 3; k++) {
        fprintf(stderr, k == 2 ? " before " : " ");
        for (unsigned n = len; n-- > 0;)
            fprintf(stderr, "%02x", all[k][n]);
    }
    fprintf(stderr, "\n");
}

static void print_fpu(const char *name, const struct fp_native *s)
{
    const struct cpu_fpu *f = &s->fpu;

    fprintf(stderr,
            "  %-6s: vector %02x flags %03x cw %04x sw %04x tag %02x mxcsr %08x fop %03x "
            "ip %08x dp %08x\n",
            name, s->vector, s->flags, f->control, f->status, f->tag, f->mxcsr, f->opcode, f->ip,
            f->dp);
}

static void report(const struct isa_insn *insn, const struct outcome *before,
                   const struct outcome *native, const struct outcome *other, enum side side)
{
    const struct fp_native *b = &before->state, *x = &native->state, *y = &other->state;

    fprintf(stderr, "%s", insn->row->mnemonic);
    for (unsigned n = 0; n < insn->len; n++)
        fprintf(stderr, " %02x", insn->bytes[n]);
    fprintf(stderr, "\n");
    print_fpu("before", b);
    print_fpu("native", x);
    print_fpu(side_names[side], y);
    for (unsigned n = 0; n < 8; n++) {
        print_bytes("st", n, x->fpu.st[n], y->fpu.st[n], b->fpu.st[n], 10);
        print_bytes("xmm", n, x->fpu.xmm[n], y->fpu.xmm[n], b->fpu.xmm[n], 16);
        print_bytes("gpr", n, &x->gpr[n], &y->gpr[n], &b->gpr[n], 4);
    }
    for (unsigned n = 0; n < BUFFER; n += 16)
        print_bytes("mem", n, native->memory + n, other->memory + n, before->memory + n, 16);
}

/* ---- one row ---- */

/* Writes the instruction to all three machines. */
static void place_code(const struct places *p, const struct isa_row *row, struct isa_insn *insn)
{
    static const uint8_t end[] = {0x0f, 0xb9, 0xc1}; /* GUEST_END */
    uint8_t bytes[20] = {0};
    unsigned len = encode(row, bytes);

    BUG_ON(isa_decode(bytes, len, true, insn) != ISA_OK || insn->row->sem != row->sem,
           "a row's encoding does not decode to it");
    memcpy(p->code, bytes, len);
    p->code[len] = 0xc3; /* ret */
    memcpy(bytes + len, end, sizeof(end));
    for (int side = INTERP; side < SIDES; side++)
        rig_load((struct rig *)&p->rigs[side], address_of(p->code), bytes,
                 bytes + len + sizeof(end));
}

static void pick_state(struct outcome *o, const struct places *p, const struct isa_row *row,
                       uint32_t at)
{
    fp_draw_fpu(&draw, &o->state.fpu);
    pick_memory(o->memory, row);
    for (unsigned i = 0; i < 8; i++)
        o->state.gpr[i] = (uint32_t)rng();
    o->state.gpr[ISA_EDI] = address_of(p->buffer) + at;
    o->state.flags = rng() & FLAGS_STATUS;
    o->state.vector = 0;
}

/* One state on all sides; the number of those that differ from the processor. */
static unsigned try_state(const struct places *p, const struct isa_insn *insn, bool verbose)
{
    static struct outcome before, all[SIDES];
    uint32_t at = pick_place();
    unsigned wrong = 0;

    pick_state(&before, p, insn->row, at);
    for (int side = 0; side < SIDES; side++) {
        all[side] = before;
        if (side == NATIVE)
            run_native(p, &all[side], at);
        else
            run_guest(p, (enum side)side, &all[side], at, insn);
        level(&all[side], &all[NATIVE], insn, (enum side)side);
        if (memcmp(&all[side], &all[NATIVE], sizeof(all[side])) == 0)
            continue;
        wrong++;
        if (verbose)
            report(insn, &before, &all[NATIVE], &all[side], (enum side)side);
    }
    return wrong;
}

static unsigned long try_row(const struct places *p, const struct isa_row *row)
{
    unsigned long wrong = 0;
    struct isa_insn insn;

    for (unsigned long n = 0; n < rounds; n++) {
        if (n % STATES_PER_CODE == 0)
            place_code(p, row, &insn);
        wrong += try_state(p, &insn, wrong < MAX_REPORTS);
    }
    if (wrong)
        fprintf(stderr, "== %s (row %u): %lu of %lu differ\n", row->mnemonic, row->id, wrong,
                2 * rounds);
    return wrong;
}

/* ---- the test ---- */

static void make_rig(struct rig *rig, enum engine_kind kind, uint32_t hole)
{
    struct engine_options options = {0};
    int err =
        kind == ENGINE_INTERP ? interp_create(&rig->engine) : dbt_create(&options, &rig->engine);

    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(ram_create(2 * GIB, &rig->ram), 0);
    rig->cpu = cpu_init_flat(rig->ram, &rig_flat);
    ck_assert_int_eq(rig->engine->ops->attach(rig->engine, rig->cpu, 0), 0);
    ck_assert_int_eq(ram_set_access(rig->ram, hole, PAGE_SIZE, HOST_NONE), 0);
}

static void setup(struct places *p)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;
    uint32_t hole;

    p->code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
    p->buffer = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
    ck_assert(p->code != MAP_FAILED && p->buffer != MAP_FAILED);
    ck_assert(mprotect(p->buffer + PAGE_SIZE, PAGE_SIZE, PROT_NONE) == 0);
    hole = address_of(p->buffer) + PAGE_SIZE;
    make_rig(&p->rigs[INTERP], ENGINE_INTERP, hole);
    make_rig(&p->rigs[DBT], ENGINE_DBT, hole);
}

static bool is_ours(const struct isa_row *row)
{
    if (only && *only && strcmp(only, row->mnemonic) != 0)
        return false;
    return row->attr & (ISA_T_FPU | ISA_T_MMX | ISA_T_SSE);
}

START_TEST(rows)
{
    unsigned wrong_rows = 0;
    struct places p;

    setup(&p);
    for (unsigned i = 0; i < isa_row_count; i++)
        if (is_ours(&isa_rows[i]))
            wrong_rows += try_row(&p, &isa_rows[i]) != 0;
    rig_destroy(&p.rigs[INTERP]);
    rig_destroy(&p.rigs[DBT]);
    ck_assert_msg(wrong_rows == 0, "%u rows differ from this processor", wrong_rows);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("fp_native");
    TCase *tc = tcase_create("rows");
    SRunner *runner;
    int failed;

    if (argc > 1)
        rounds = strtoul(argv[1], NULL, 0);
    if (argc > 2)
        only = argv[2];
    if (argc > 3)
        draw.state ^= strtoull(argv[3], NULL, 0);
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, rows);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#else

int main(void)
{
    puts("SKIP: the oracle is an x86-64 host");
    return 77;
}

#endif
