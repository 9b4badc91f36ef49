/* SPDX-License-Identifier: MIT */
/*
 * Every x87, MMX and SSE row of the instruction table, run by this processor
 * and by the interpreter from one state: random registers, stack, masks and
 * memory, with the corners drawn often. The whole FXSAVE image, the general
 * registers, the flags, the memory operand and the fault must be the same.
 *
 * The rows' encodings mean the same in 64-bit mode when the general registers
 * are not extended, so no 32-bit helper is needed: guest addresses are host
 * addresses below 2 GiB.
 *
 * test_fp_native [ROUNDS [MNEMONIC [SEED]]]: more rounds, one row's name only.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "emu/base/host.h"
#include "emu/cpu/interp.h"

#if defined(__x86_64__) && defined(__linux__)

enum { MAX_REPORTS = 3, BUFFER = 1024, VECTOR_NONE = 0xff };

static unsigned long rounds = 1000;
static const char *only;
static uint64_t rng_state = 0x9e3779b97f4a7c15;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * UINT64_C(0x2545f4914f6cdd1d);
}

static bool one_in(unsigned n)
{
    return rng() % n == 0;
}

/* ---- one state of the processor, native and guest alike ---- */

struct machine {
    _Alignas(16) uint8_t fx[512];
    uint64_t gpr[8]; /* enum isa_reg order */
    uint64_t flags;
    uint8_t memory[BUFFER];
    uint8_t vector;
};

struct places {
    uint8_t *code;   /* low in memory, so that guest addresses are the same */
    uint8_t *buffer; /* one page that ends before an inaccessible one */
    struct cpu *cpu;
    struct ram *ram;
};

static struct cpu_fpu *fpu_of(struct machine *m)
{
    return (struct cpu_fpu *)(void *)m->fx;
}

/* ---- the native side ---- */

/* What the assembly part reads and writes; r15 points to it, which no i386 code can touch. */
struct native {
    _Alignas(16) uint8_t in[512], out[512];
    uint64_t gpr[8], out_gpr[8];
    uint64_t flags, out_flags;
    const void *code;
    uint64_t vector;
};

static struct native *volatile current;
extern const char fp_native_fault[];

_Static_assert(offsetof(struct native, gpr) == 1024, "the assembly part knows it");
_Static_assert(offsetof(struct native, out_gpr) == 1088, "the assembly part knows it");
_Static_assert(offsetof(struct native, flags) == 1152, "the assembly part knows it");
_Static_assert(offsetof(struct native, code) == 1168, "the assembly part knows it");

void fp_native_run(struct native *n);
__asm__(".text\n"
        ".globl fp_native_run, fp_native_fault\n"
        "fp_native_run:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r15\n"
        "mov %rdi, %r15\n"
        "fxrstor (%r15)\n"
        "push 1152(%r15)\n popfq\n"
        "mov 1024(%r15), %rax\n mov 1032(%r15), %rcx\n mov 1040(%r15), %rdx\n"
        "mov 1048(%r15), %rbx\n mov 1064(%r15), %rbp\n mov 1072(%r15), %rsi\n"
        "mov 1080(%r15), %rdi\n"
        "call *1168(%r15)\n"
        "fxsave 512(%r15)\n"
        "pushfq\n pop 1160(%r15)\n"
        "mov %rax, 1088(%r15)\n mov %rcx, 1096(%r15)\n mov %rdx, 1104(%r15)\n"
        "mov %rbx, 1112(%r15)\n mov %rbp, 1128(%r15)\n mov %rsi, 1136(%r15)\n"
        "mov %rdi, 1144(%r15)\n"
        "fp_native_fault:\n"
        "fninit\n push $0x1f80\n ldmxcsr (%rsp)\n add $8, %rsp\n cld\n"
        "pop %r15\n pop %r12\n pop %rbp\n pop %rbx\n"
        "ret\n");

static void on_fault(int sig, siginfo_t *info, void *context)
{
    static const uint8_t order[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                     REG_RSP, REG_RBP, REG_RSI, REG_RDI};
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    struct native *n = current;

    (void)info;
    if (!n) {
        signal(sig, SIG_DFL);
        return;
    }
    memcpy(n->out, uc->uc_mcontext.fpregs, 512);
    for (int i = 0; i < 8; i++)
        n->out_gpr[i] = (uint64_t)regs[order[i]];
    n->out_flags = (uint64_t)regs[REG_EFL];
    n->vector = (uint64_t)regs[REG_TRAPNO];
    regs[REG_RIP] = (greg_t)fp_native_fault;
    regs[REG_RSP] += 8; /* the return address of the call */
}

static void run_native(const struct places *p, struct machine *m, uint32_t at)
{
    static struct native n;

    memcpy(n.in, m->fx, 512);
    memcpy(n.gpr, m->gpr, sizeof(n.gpr));
    memcpy(p->buffer + at, m->memory, sizeof(m->memory) < PAGE_SIZE - at ? BUFFER : PAGE_SIZE - at);
    n.flags = m->flags | 0x202;
    n.code = p->code;
    n.vector = VECTOR_NONE;
    current = &n;
    fp_native_run(&n);
    current = NULL;
    memcpy(m->fx, n.out, 512);
    memcpy(m->gpr, n.out_gpr, sizeof(n.gpr));
    m->flags = n.out_flags & FLAGS_STATUS;
    memcpy(m->memory, p->buffer + at, sizeof(m->memory) < PAGE_SIZE - at ? BUFFER : PAGE_SIZE - at);
    m->vector = (uint8_t)n.vector;
}

/* ---- the interpreter's side ---- */

static void run_interp(const struct places *p, struct machine *m, uint32_t at,
                       const struct isa_insn *insn)
{
    struct cpu *cpu = p->cpu;
    uint32_t buffer = (uint32_t)(uintptr_t)p->buffer + at;
    size_t len = sizeof(m->memory) < PAGE_SIZE - at ? BUFFER : PAGE_SIZE - at;
    uint8_t *ram = ram_base(p->ram);
    enum cpu_status status;

    memcpy(&cpu->fpu, m->fx, 512);
    for (int i = 0; i < 8; i++)
        cpu->gpr[i] = (uint32_t)m->gpr[i];
    cpu->eflags = (uint32_t)m->flags | 0x202;
    cpu->eip = (uint32_t)(uintptr_t)p->code;
    memcpy(ram + buffer, m->memory, len);
    status = interp_execute(cpu, insn);
    memcpy(m->fx, &cpu->fpu, 512);
    for (int i = 0; i < 8; i++)
        m->gpr[i] = cpu->gpr[i];
    m->flags = cpu->eflags & FLAGS_STATUS;
    memcpy(m->memory, ram + buffer, len);
    m->vector = status == CPU_FAULT ? cpu->fault.vector : VECTOR_NONE;
}

/* ---- drawing states ---- */

static uint64_t pick_sig(void)
{
    switch (rng() % 8) {
    case 0:
        return (uint64_t)1 << (rng() & 63);
    case 1:
        return ~(uint64_t)0 << (rng() & 63);
    case 2:
        return ((uint64_t)1 << 63) + (rng() & 3) - 1;
    case 3:
        return 0;
    default:
        return rng() >> (one_in(8) ? rng() & 63 : 0);
    }
}

static unsigned pick_exponent(unsigned bias)
{
    switch (rng() % 12) {
    case 0:
        return 0;
    case 1:
        return rng() & 3;
    case 2:
        return 2 * bias + 1 - (rng() & 3);
    case 3:
        return 2 * bias + 1;
    case 4:
        return (unsigned)(rng() % (2 * bias + 2));
    case 5:
        return (unsigned)(bias / 2 + rng() % 64);
    case 6:
        return (unsigned)(bias + bias / 2 + rng() % 64);
    default:
        return (unsigned)(bias - 20 + rng() % 70) & (2 * bias + 1);
    }
}

static uint64_t pick_f64(void)
{
    return (rng() & (uint64_t)1 << 63) | (uint64_t)pick_exponent(1023) << 52 |
           pick_sig() << 1 >> 12;
}

static uint32_t pick_f32(void)
{
    return (uint32_t)((rng() & 0x80000000) | pick_exponent(127) << 23 | pick_sig() << 1 >> 41);
}

static void pick_ext(uint8_t out[10])
{
    uint16_t se = (uint16_t)((rng() & 0x8000) | pick_exponent(16383));
    uint64_t sig = pick_sig();

    if (one_in(4)) { /* near the ranges of the narrower formats */
        se =
            (uint16_t)((rng() & 0x8000) | (16383 + (one_in(2) ? 126 : 1022) * (one_in(2) ? 1 : -1) +
                                           (int)(rng() % 70) - 35));
    }
    if (se & 0x7fff && !one_in(16))
        sig |= (uint64_t)1 << 63;
    memcpy(out, &sig, 8);
    memcpy(out + 8, &se, 2);
}

/* Sixteen bytes of one kind of element. */
static void pick_vector(uint8_t out[16])
{
    unsigned kind = rng() % 3;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t f = pick_f32(),
                 r = one_in(4) ? 0 : (uint32_t)rng() >> (one_in(2) ? 0 : rng() & 31);
        uint64_t d = pick_f64();

        if (kind == 1 && i < 2)
            memcpy(out + 8 * i, &d, 8);
        else if (kind != 1)
            memcpy(out + 4 * i, kind == 0 ? &f : &r, 4);
    }
}

static uint16_t pick_control(void)
{
    uint16_t cw = (uint16_t)((rng() & 0xf00) | 0x7f);

    if (one_in(3))
        cw &= (uint16_t)(rng() | 0xffc0);
    return cw;
}

static uint32_t pick_mxcsr(void)
{
    uint32_t mxcsr = 0x1f80 | (rng() & rng() & 0xe07f);

    if (one_in(8))
        mxcsr &= (uint32_t) ~(rng() & rng() & 0x1f80);
    return mxcsr;
}

static void pick_fpu(struct cpu_fpu *fpu)
{
    memset(fpu, 0, sizeof(*fpu));
    fpu->control = pick_control();
    fpu->status = (uint16_t)(rng() & 0x7f7f);
    if (!one_in(10)) /* mostly nothing is pending */
        fpu->status &= (uint16_t)(fpu->control | 0xffc0);
    if (fpu->status & ~fpu->control & 0x3f)
        fpu->status |= 0x8080;
    fpu->tag = one_in(2) ? 0xff : one_in(2) ? (uint8_t)rng() : (uint8_t)(rng() | rng());
    fpu->opcode = rng() & 0x7ff;
    fpu->ip = (uint32_t)rng();
    fpu->dp = (uint32_t)rng();
    fpu->mxcsr = pick_mxcsr();
    fpu->mxcsr_mask = 0xffff;
    for (int i = 0; i < 8; i++) {
        pick_ext(fpu->st[i]);
        pick_vector(fpu->xmm[i]);
        if (one_in(4)) /* an MMX register */
            memcpy(fpu->st[i], fpu->xmm[i], 8), memset(fpu->st[i] + 8, 0xff, 2);
    }
    if (one_in(4))
        memcpy(fpu->st[1], fpu->st[0], 10);
}

static void pick_memory(struct machine *m, const struct isa_row *row)
{
    uint64_t d = pick_f64(), i = rng() >> (rng() & 63);
    uint32_t f = pick_f32();

    for (unsigned n = 0; n < BUFFER; n += 8) {
        uint64_t r = rng();
        memcpy(m->memory + n, &r, 8);
    }
    pick_vector(m->memory);
    if (row->attr & ISA_T_FPU && one_in(2))
        memcpy(m->memory, &i, 8);
    else if (row->op[0].width == ISA_W_d && one_in(2))
        memcpy(m->memory, &f, 4);
    else if (row->op[0].width == ISA_W_q && one_in(2))
        memcpy(m->memory, &d, 8);
    else if (row->op[0].width == ISA_W_t && one_in(2))
        pick_ext(m->memory);
    if (row->sem == ISA_SEM_FXRSTOR) {
        struct cpu_fpu fpu;

        pick_fpu(&fpu);
        if (one_in(8))
            fpu.mxcsr |= 0x10000;
        memcpy(m->memory, &fpu, sizeof(fpu));
    } else if (row->sem == ISA_SEM_LDMXCSR) {
        uint32_t mxcsr = pick_mxcsr() | (one_in(8) ? 0x80000000 : 0);
        memcpy(m->memory, &mxcsr, 4);
    } else if (row->sem == ISA_SEM_FBLD) { /* other digits are undefined */
        for (int n = 0; n < 9; n++)
            m->memory[n] = (uint8_t)(rng() % 10 << 4 | rng() % 10);
    }
}

/* ---- drawing instructions ---- */

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
        out[n++] = 0x66;
    if (row->map == ISA_MAP_0F)
        out[n++] = 0x0f;
    out[n++] = row->opcode;
    if (row->attr & ISA_T_MODRM)
        out[n++] = (uint8_t)((mem ? 0 : 0xc0) | reg << 3 | rm);
    if (row->op[1].method == ISA_M_I || row->op[2].method == ISA_M_I)
        out[n++] = (uint8_t)(one_in(2) ? rng() % 20 : rng());
    return n;
}

/* Where the memory operand begins in its page. */
static uint32_t pick_place(void)
{
    if (one_in(12)) /* across the end: a page fault, unless it is short */
        return PAGE_SIZE - 1 - rng() % 16;
    return one_in(6) ? (uint32_t)(rng() % 32) : (uint32_t)(rng() % 16) * 16;
}

/* ---- comparing ---- */

static bool same(const struct isa_row *row, struct machine *a, struct machine *b)
{
    struct cpu_fpu *x = fpu_of(a), *y = fpu_of(b);

    memset(x->rest, 0, sizeof(x->rest));
    memset(y->rest, 0, sizeof(y->rest));
    x->mxcsr_mask = y->mxcsr_mask = 0;
    a->gpr[ISA_ESP] = b->gpr[ISA_ESP] = 0;
    if (row->sem == ISA_SEM_FXSAVE) /* XMM8 to XMM15 exist in 64-bit mode only */
        memcpy(a->memory + 288, b->memory + 288, BUFFER - 288);
    if (a->vector == CPU_PF) /* processors may have stored a part of a long operand */
        memcpy(a->memory, b->memory, BUFFER);
    return a->vector == b->vector && a->flags == b->flags && !memcmp(a->fx, b->fx, 512) &&
           !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && !memcmp(a->memory, b->memory, BUFFER);
}

static void print_bytes(const char *name, unsigned i, const uint8_t *host, const uint8_t *interp,
                        const uint8_t *before, unsigned len)
{
    if (!memcmp(host, interp, len))
        return;
    fprintf(stderr, "  %s%u: host ", name, i);
    for (unsigned n = len; n-- > 0;)
        fprintf(stderr, "%02x", host[n]);
    fprintf(stderr, " interp ");
    for (unsigned n = len; n-- > 0;)
        fprintf(stderr, "%02x", interp[n]);
    fprintf(stderr, " before ");
    for (unsigned n = len; n-- > 0;)
        fprintf(stderr, "%02x", before[n]);
    fprintf(stderr, "\n");
}

static void report(const struct isa_insn *insn, struct machine *before, struct machine *host,
                   struct machine *interp)
{
    struct cpu_fpu *b = fpu_of(before), *h = fpu_of(host), *i = fpu_of(interp);

    fprintf(stderr, "%s", insn->row->mnemonic);
    for (unsigned n = 0; n < insn->len; n++)
        fprintf(stderr, " %02x", insn->bytes[n]);
    fprintf(stderr, ": vector %02x/%02x flags %03x/%03x\n", host->vector, interp->vector,
            (unsigned)host->flags, (unsigned)interp->flags);
    fprintf(stderr, "  before: cw %04x sw %04x tag %02x mxcsr %08x\n", b->control, b->status,
            b->tag, b->mxcsr);
    fprintf(stderr, "  host:   cw %04x sw %04x tag %02x mxcsr %08x fop %03x ip %08x dp %08x\n",
            h->control, h->status, h->tag, h->mxcsr, h->opcode, h->ip, h->dp);
    fprintf(stderr, "  interp: cw %04x sw %04x tag %02x mxcsr %08x fop %03x ip %08x dp %08x\n",
            i->control, i->status, i->tag, i->mxcsr, i->opcode, i->ip, i->dp);
    for (unsigned n = 0; n < 8; n++) {
        print_bytes("st", n, h->st[n], i->st[n], b->st[n], 10);
        print_bytes("xmm", n, h->xmm[n], i->xmm[n], b->xmm[n], 16);
        print_bytes("gpr", n, (uint8_t *)&host->gpr[n], (uint8_t *)&interp->gpr[n],
                    (uint8_t *)&before->gpr[n], 4);
    }
    for (unsigned n = 0; n < BUFFER; n += 16)
        print_bytes("mem", n, host->memory + n, interp->memory + n, before->memory + n, 16);
}

/* One random case of a row: true if both sides agree. */
static bool try_row(const struct places *p, const struct isa_row *row, bool verbose)
{
    static struct machine before, host, interp;
    struct isa_insn insn;
    uint32_t at = pick_place();
    uint8_t bytes[16] = {0};
    unsigned len = encode(row, bytes);

    BUG_ON(isa_decode(bytes, len, true, &insn) != ISA_OK || insn.row->sem != row->sem,
           "a row's encoding does not decode to it");
    memcpy(p->code, bytes, len);
    p->code[len] = 0xc3; /* ret */
    pick_fpu(fpu_of(&before));
    pick_memory(&before, row);
    for (int i = 0; i < 8; i++)
        before.gpr[i] = (uint32_t)rng();
    before.gpr[ISA_EDI] = (uint32_t)(uintptr_t)p->buffer + at;
    before.flags = rng() & FLAGS_STATUS;
    host = interp = before;
    run_native(p, &host, at);
    run_interp(p, &interp, at, &insn);
    if (same(row, &host, &interp))
        return true;
    if (verbose)
        report(&insn, &before, &host, &interp);
    return false;
}

/* ---- the test ---- */

static void setup(struct places *p)
{
    static const struct cpu_flat flat = {.fs_base = CPU_FLAT_NONE,
                                         .gs_base = CPU_FLAT_NONE,
                                         .trap_entry = CPU_FLAT_NONE,
                                         .trap_eip = CPU_FLAT_NONE,
                                         .trap_number = CPU_FLAT_NONE,
                                         .trap_enabled = CPU_FLAT_NONE,
                                         .intr_enabled = CPU_FLAT_NONE,
                                         .pending = CPU_FLAT_NONE};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;

    p->code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
    p->buffer = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
    ck_assert(p->code != MAP_FAILED && p->buffer != MAP_FAILED);
    ck_assert(mprotect(p->buffer + PAGE_SIZE, PAGE_SIZE, PROT_NONE) == 0);
    ck_assert_int_eq(ram_create(2 * GIB, &p->ram), 0);
    ck_assert_int_eq(
        ram_set_access(p->ram, (uint32_t)(uintptr_t)p->buffer + PAGE_SIZE, PAGE_SIZE, HOST_NONE),
        0);
    p->cpu = cpu_init_flat(p->ram, &flat);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
}

static bool is_ours(const struct isa_row *row)
{
    if (only && strcmp(only, row->mnemonic) != 0)
        return false;
    return row->attr & (ISA_T_FPU | ISA_T_MMX | ISA_T_SSE);
}

START_TEST(rows)
{
    unsigned long wrong_rows = 0;
    struct places p;

    setup(&p);
    for (unsigned i = 0; i < isa_row_count; i++) {
        unsigned long wrong = 0;

        if (!is_ours(&isa_rows[i]))
            continue;
        for (unsigned long n = 0; n < rounds; n++)
            wrong += !try_row(&p, &isa_rows[i], wrong < MAX_REPORTS);
        if (wrong)
            fprintf(stderr, "== %s (row %u): %lu of %lu differ\n", isa_rows[i].mnemonic, i, wrong,
                    rounds);
        wrong_rows += wrong != 0;
    }
    ck_assert_msg(wrong_rows == 0, "%lu rows differ from this processor", wrong_rows);
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
        rng_state ^= strtoull(argv[3], NULL, 0);
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
