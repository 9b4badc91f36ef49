/* SPDX-License-Identifier: MIT */
/*
 * guard_call loads every register and goes into the translation with the trap
 * flag set; each step's SIGTRAP comes to on_step, which looks before the
 * instruction runs and ends the run by turning the frame around. What it judges
 * by is Capstone's text of the bytes, so a mistake of the verifier's decoder is
 * not repeated here.
 */
#include "testsuite/mutants/guard.h"

#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "emu/base/host_signal.h"
#include "emu/machine/ram.h"

#define TOP (4 * GIB - 64 * KIB)
#define MAX_STEPS 160u
#define MAX_PAGES 128u
#define SEEDED 64u /* random bytes where a guest register points */

enum { RAX = 0, RBX = 3, RSP = 4, RDI = 7, GUEST_REGS = 8, R13 = 13, R14 = 14, R15 = 15 };

struct call {
    uint64_t gpr[HOST_GPRS];
    uint64_t rflags, host_rsp, back;
    uint64_t unused;
    _Alignas(16) uint8_t in[512], out[512]; /* FXSAVE images */
};

/* One of the two surroundings. */
struct place {
    struct ram *ram;
    uint64_t base, table;
    struct call call;
    uint32_t page[MAX_PAGES];
    unsigned pages;
};

enum ending { RUNNING, LEFT, FAULTED, ENDLESS };

struct guard {
    struct host_signal_scope scope;
    csh capstone;
    cs_insn *insn;
    struct place place[2];
    struct place *now;
    const struct image *image;
    const struct block *block;
    bool started, tells_time;
    unsigned steps;
    enum ending ending;
    const char *harm;
    uint32_t harm_at;
    struct guard_counters counters;
};

void guard_call(struct call *call);
__asm__(".pushsection .text\n"
        ".globl guard_call\n"
        "guard_call:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\npush %rdi\n"
        "mov %rsp,136(%rdi)\n"
        "lea guard_back(%rip),%rax\n"
        "mov %rax,144(%rdi)\n"
        "fxrstor 160(%rdi)\n"
        "mov 0(%rdi),%rax\nmov 8(%rdi),%rcx\nmov 16(%rdi),%rdx\nmov 24(%rdi),%rbx\n"
        "mov 40(%rdi),%rbp\nmov 48(%rdi),%rsi\nmov 64(%rdi),%r8\nmov 72(%rdi),%r9\n"
        "mov 80(%rdi),%r10\nmov 88(%rdi),%r11\nmov 96(%rdi),%r12\nmov 104(%rdi),%r13\n"
        "mov 112(%rdi),%r14\nmov 120(%rdi),%r15\n"
        "push 128(%rdi)\npopfq\n"
        "mov 32(%rdi),%rsp\n"
        "mov 56(%rdi),%rdi\n"
        "jmp *(%r13)\n" /* the first word of the context */
        "guard_back:\n"
        "cld\n"
        "pop %rdi\n"
        "fxsave 672(%rdi)\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\n"
        "fninit\n"
        "ret\n"
        ".popsection\n");
_Static_assert(offsetof(struct call, rflags) == 128 && offsetof(struct call, in) == 160 &&
                   offsetof(struct call, out) == 672,
               "as guard_call has them");

/* Addresses. */

static uint64_t register_value(const struct host_frame *frame, x86_reg reg, size_t size)
{
    static const x86_reg wide[] = {X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX,
                                   X86_REG_RSP, X86_REG_RBP, X86_REG_RSI, X86_REG_RDI,
                                   X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
                                   X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15};
    static const x86_reg half[] = {X86_REG_EAX,  X86_REG_ECX,  X86_REG_EDX,  X86_REG_EBX,
                                   X86_REG_ESP,  X86_REG_EBP,  X86_REG_ESI,  X86_REG_EDI,
                                   X86_REG_R8D,  X86_REG_R9D,  X86_REG_R10D, X86_REG_R11D,
                                   X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D};
    if (reg == X86_REG_RIP || reg == X86_REG_EIP)
        return frame->rip + size;
    for (unsigned i = 0; i < HOST_GPRS; i++) {
        if (reg == wide[i])
            return frame->gpr[i];
        if (reg == half[i])
            return (uint32_t)frame->gpr[i];
    }
    return 0; /* none, or the index that is none */
}

static uint64_t address_of(const struct guard *g, const struct host_frame *frame,
                           const x86_op_mem *mem)
{
    size_t size = g->insn->size;
    uint64_t at = register_value(frame, mem->base, size) + (uint64_t)mem->disp +
                  register_value(frame, mem->index, size) * (uint64_t)mem->scale;
    if (g->insn->detail->x86.addr_size == 4)
        at = (uint32_t)at;
    return mem->segment == X86_REG_GS ? at + g->now->base : at;
}

static bool is_inside(const struct place *place, uint64_t at, uint64_t bytes)
{
    uint64_t low = place->base - RAM_GUARD;
    return at >= low && at + bytes <= place->base + RAM_WINDOW + RAM_GUARD;
}

static bool is_table(const struct place *place, uint64_t at)
{
    return at - place->table < 8 * RAM_WINDOW && at % 8 == 0;
}

static void note_page(struct guard *g, uint64_t at, uint64_t bytes)
{
    struct place *place = g->now;
    uint32_t first = (uint32_t)((at - place->base) >> PAGE_BITS);
    uint32_t last = (uint32_t)((at + bytes - 1 - place->base) >> PAGE_BITS);
    for (uint32_t page = first; page - first <= last - first; page++) {
        bool known = page >= TOP >> PAGE_BITS;
        for (unsigned i = 0; i < place->pages && !known; i++)
            known = place->page[i] == page;
        if (!known && place->pages == MAX_PAGES)
            g->ending = ENDLESS;
        else if (!known)
            place->page[place->pages++] = page;
    }
}

/* Instructions. */

static bool only_computes(unsigned id)
{
    return id == X86_INS_LEA || id == X86_INS_NOP || id == X86_INS_PREFETCHT0 ||
           id == X86_INS_PREFETCHT1 || id == X86_INS_PREFETCHT2 || id == X86_INS_PREFETCHNTA ||
           id == X86_INS_PREFETCH || id == X86_INS_PREFETCHW;
}

static bool in_group(const struct guard *g, uint8_t group)
{
    return cs_insn_group(g->capstone, g->insn, group);
}

/* Memory that Capstone does not list as an operand. */
static bool hides_memory(unsigned id)
{
    switch (id) {
    case X86_INS_PUSH:
    case X86_INS_POP:
    case X86_INS_PUSHFQ:
    case X86_INS_PUSHF:
    case X86_INS_POPFQ:
    case X86_INS_POPF:
    case X86_INS_ENTER:
    case X86_INS_LEAVE:
        return true;
    default:
        return false;
    }
}

static bool is_segment(x86_reg reg)
{
    return reg == X86_REG_CS || reg == X86_REG_DS || reg == X86_REG_ES || reg == X86_REG_FS ||
           reg == X86_REG_GS || reg == X86_REG_SS;
}

/* With another FS this process finds none of its own variables; after SS no step is told of. */
static bool loads_segment(const cs_insn *insn)
{
    const cs_x86 *x = &insn->detail->x86;
    switch (insn->id) {
    case X86_INS_LDS:
    case X86_INS_LES:
    case X86_INS_LFS:
    case X86_INS_LGS:
    case X86_INS_LSS:
        return true;
    default:
        return insn->id == X86_INS_MOV && x->op_count && x->operands[0].type == X86_OP_REG &&
               is_segment(x->operands[0].reg);
    }
}

/* What the kernel answers in the processor's stead (UMIP), and steps over; and the host's bases. */
static bool tells_of_host(unsigned id)
{
    return id == X86_INS_SGDT || id == X86_INS_SIDT || id == X86_INS_SLDT || id == X86_INS_SMSW ||
           id == X86_INS_STR || id == X86_INS_RDFSBASE || id == X86_INS_RDGSBASE ||
           id == X86_INS_RDTSCP;
}

static const char *check_kind(struct guard *g)
{
    unsigned id = g->insn->id;
    if (hides_memory(id))
        return "an access to memory that no operand names";
    if (in_group(g, X86_GRP_INT) || in_group(g, X86_GRP_PRIVILEGE) || in_group(g, X86_GRP_CALL) ||
        in_group(g, X86_GRP_RET) || in_group(g, X86_GRP_IRET) || id == X86_INS_SYSCALL ||
        id == X86_INS_SYSENTER || id == X86_INS_WRGSBASE || id == X86_INS_WRFSBASE ||
        id == X86_INS_XGETBV || id == X86_INS_CPUID || id == X86_INS_XBEGIN || tells_of_host(id) ||
        loads_segment(g->insn))
        return "an instruction that reaches the host";
    g->tells_time |= id == X86_INS_RDTSC;
    return NULL;
}

static bool is_bit_string(const cs_insn *insn)
{
    const cs_x86 *x = &insn->detail->x86;
    bool bit = insn->id == X86_INS_BT || insn->id == X86_INS_BTS || insn->id == X86_INS_BTR ||
               insn->id == X86_INS_BTC;
    return bit && x->op_count == 2 && x->operands[1].type == X86_OP_REG;
}

static const char *check_operand(struct guard *g, const struct host_frame *frame,
                                 const cs_x86_op *op)
{
    uint64_t at = address_of(g, frame, &op->mem);
    if (in_group(g, X86_GRP_JUMP)) {
        g->ending = LEFT;
        return is_table(g->now, at) ? NULL : "a jump through other memory than the table";
    }
    if (op->mem.segment == X86_REG_FS || is_bit_string(g->insn) || !is_inside(g->now, at, op->size))
        return "an access outside of the window and its guards";
    note_page(g, at, op->size ? op->size : 1);
    return NULL;
}

/* XLAT and MASKMOV name no operand either; with gs they may stay in the window. */
static const char *check_implied(struct guard *g, const struct host_frame *frame)
{
    unsigned id = g->insn->id;
    const cs_x86 *x = &g->insn->detail->x86;
    uint64_t at = frame->gpr[RDI], bytes = 16;
    if (id != X86_INS_XLATB && id != X86_INS_MASKMOVQ && id != X86_INS_MASKMOVDQU)
        return NULL;
    if (id == X86_INS_XLATB) {
        at = frame->gpr[RBX] + (uint8_t)frame->gpr[RAX];
        bytes = 1;
    }
    if (x->addr_size == 4)
        at = (uint32_t)at;
    at += g->now->base;
    if (x->prefix[1] != X86_PREFIX_GS || !is_inside(g->now, at, bytes))
        return "an access outside of the window and its guards";
    note_page(g, at, bytes);
    return NULL;
}

static const char *check_insn(struct guard *g, const struct host_frame *frame)
{
    const cs_x86 *x = &g->insn->detail->x86;
    const char *harm = check_kind(g);
    if (!harm)
        harm = check_implied(g, frame);
    for (unsigned i = 0; i < x->op_count && !harm; i++) {
        const cs_x86_op *op = &x->operands[i];
        if (op->type == X86_OP_MEM && !only_computes(g->insn->id))
            harm = check_operand(g, frame, op);
        else if (op->type == X86_OP_REG && in_group(g, X86_GRP_JUMP))
            harm = "a jump to where a register says";
    }
    return harm;
}

/* Steps. */

/*
 * A counting block's load below the table (dbt/image.h): of the ramp, or less below it than one run
 * can count, and of nothing else. The table of the harness is only a number, so the load is done
 * here: r11 keeps what is the host's. False: it is another instruction.
 */
static bool do_budget_check(struct guard *g, struct host_frame *frame)
{
    const cs_x86 *x = &g->insn->detail->x86;
    if (g->insn->id != X86_INS_MOVZX || x->op_count != 2 || x->operands[0].reg != X86_REG_R11D ||
        x->operands[1].type != X86_OP_MEM || x->operands[1].mem.base != X86_REG_R14)
        return false;
    uint64_t at = address_of(g, frame, &x->operands[1].mem), table = g->now->table;
    if (at < table - IMAGE_RAMP - MAX_STEPS * 2 * BLOCK_MAX_INSNS || at >= table)
        g->harm = "a load that is not of the ramp";
    else if (at < table - IMAGE_RAMP)
        g->ending = LEFT; /* the budget is used up */
    frame->rip += g->insn->size;
    return true;
}

static bool holds(uint32_t at, uint32_t start, uint32_t len)
{
    return at - start < len;
}

static bool is_stub(const struct stubs *s, uint32_t at)
{
    return at == s->miss || at == s->chain || at == s->exact || at == s->leave;
}

/* LFENCE, MFENCE, SFENCE: processors take any low bits of modrm, Capstone one value. */
static bool is_odd_fence(const uint8_t *code)
{
    return code[0] == 0x0f && code[1] == 0xae && code[2] >= 0xe8;
}

/* 0F 0D with memory: hints, of which Capstone knows some. They name any address and touch none. */
static bool is_odd_prefetch(const uint8_t *code)
{
    static const uint8_t prefix[] = {0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf2, 0xf3};
    unsigned at = 0;
    while (at < 8 && memchr(prefix, code[at], sizeof(prefix)))
        at++;
    at += (code[at] & 0xf0) == 0x40; /* REX */
    return code[at] == 0x0f && code[at + 1] == 0x0d && code[at + 2] < 0xc0;
}

static const char *look(struct guard *g, struct host_frame *frame)
{
    uint64_t far = frame->rip - (uint64_t)(uintptr_t)g->image->cache.rx;
    uint32_t at = far < g->image->cache.size ? (uint32_t)far : UINT32_MAX;
    bool body = holds(at, g->block->host, g->block->host_len);
    if (is_stub(&g->image->stubs, at)) {
        g->ending = LEFT;
        return NULL;
    }
    if (!body && !holds(at, g->block->stubs, g->block->stubs_len))
        return "control left the block";
    const uint8_t *code = g->image->cache.rx + at;
    size_t left = 16;
    uint64_t address = frame->rip;
    if (!cs_disasm_iter(g->capstone, &code, &left, &address, g->insn))
        return is_odd_fence(code) || is_odd_prefetch(code)
                   ? NULL
                   : "bytes that another decoder does not know";
    if (++g->steps > MAX_STEPS)
        g->ending = ENDLESS;
    if (do_budget_check(g, frame))
        return g->harm || g->ending != RUNNING ? g->harm : look(g, frame);
    return check_insn(g, frame);
}

static const char *check_end(const struct guard *g, const struct host_frame *frame)
{
    const struct call *call = &g->now->call;
    for (unsigned i = R13; i <= R15; i++)
        if (frame->gpr[i] != call->gpr[i])
            return "a fixed register was changed";
    if (g->ending != LEFT)
        return NULL;
    if (!is_inside(g->now, frame->gpr[RSP], 0))
        return "rsp was left far from the window";
    for (unsigned i = 0; i < GUEST_REGS; i++)
        if (i != RSP && frame->gpr[i] >> 32)
            return "a guest register was left wide";
    return NULL;
}

static void end_run(struct guard *g, struct host_frame *frame)
{
    struct call *call = &g->now->call;
    if (!g->harm)
        g->harm = check_end(g, frame);
    g->harm_at = (uint32_t)(frame->rip - (uint64_t)(uintptr_t)g->image->cache.rx);
    memcpy(call->gpr, frame->gpr, sizeof(call->gpr));
    call->rflags = frame->rflags;
    frame->rip = call->back;
    frame->gpr[RSP] = call->host_rsp;
    frame->rflags &= ~(uint64_t)HOST_RFLAGS_TF;
}

static const char *judge_fault(const struct guard *g, const struct host_frame *frame)
{
    bool known = frame->trap == HOST_TRAP_PAGE && !is_inside(g->now, frame->address, 0);
    return known ? "a fault outside of the window and its guards" : NULL;
}

static bool on_step(struct host_signal_scope *scope, struct host_frame *frame)
{
    struct guard *g = CONTAINER_OF(scope, struct guard, scope);
    uint64_t start = (uint64_t)(uintptr_t)g->image->cache.rx + g->block->host;
    if (frame->trap == HOST_TRAP_KICK)
        return true;
    g->started |= frame->rip == start;
    if (!g->started)
        return frame->trap == HOST_TRAP_DEBUG;
    if (frame->trap == HOST_TRAP_DEBUG) {
        g->harm = look(g, frame);
    } else {
        g->ending = FAULTED;
        g->harm = judge_fault(g, frame);
    }
    if (g->harm || g->ending != RUNNING)
        end_run(g, frame);
    return true;
}

/* States. */

static uint32_t guest_value(struct rng *rng)
{
    static const uint32_t edge[] = {0,          1,          0xffffffff, 0xfffffffc, 0x80000000,
                                    0x7fffffff, 0x00010000, 0xfffeffff, 0xffff0000, 0x1000};
    switch (rng_below(rng, 4)) {
    case 0:
        return edge[rng_below(rng, ARRAY_LEN(edge))];
    case 1:
        return rng_below(rng, 64);
    default:
        return rng_next(rng);
    }
}

static uint64_t host_value(struct rng *rng)
{
    return (uint64_t)rng_next(rng) << 32 | rng_next(rng);
}

static void seed_memory(struct guard *g, uint32_t gpa, struct rng *rng)
{
    uint32_t word[SEEDED / 4], at = gpa & ~(SEEDED - 1);
    for (unsigned i = 0; i < ARRAY_LEN(word); i++)
        word[i] = guest_value(rng);
    for (unsigned p = 0; p < 2 && at < TOP; p++) {
        g->now = &g->place[p];
        memcpy(ram_base(g->now->ram) + at, word, sizeof(word));
        note_page(g, g->now->base + at, SEEDED);
    }
}

static void set_up(struct guard *g, struct rng *rng)
{
    uint32_t guest[GUEST_REGS], flags = rng_next(rng) & 0x8d5;
    uint32_t budget = rng_below(rng, 1000);
    for (unsigned i = 0; i < GUEST_REGS; i++)
        guest[i] = guest_value(rng);
    for (unsigned p = 0; p < 2; p++) {
        struct place *place = &g->place[p];
        struct call *call = &place->call;
        place->pages = 0;
        for (unsigned i = 0; i < HOST_GPRS; i++)
            call->gpr[i] = i < GUEST_REGS ? guest[i] : host_value(rng);
        call->gpr[RSP] += place->base;
        call->gpr[12] = budget; /* of counting blocks: no secret */
        call->gpr[R13] = (uint64_t)(uintptr_t)ram_context(place->ram);
        call->gpr[R14] = place->table;
        call->gpr[R15] = place->base;
        call->rflags = flags | 0x202 | HOST_RFLAGS_TF;
        uint64_t start = (uint64_t)(uintptr_t)g->image->cache.rx + g->block->host;
        memcpy(ram_context(place->ram), &start, sizeof(start));
    }
    for (unsigned i = 0; i < GUEST_REGS; i++)
        seed_memory(g, guest[i], rng);
}

static enum ending run_in(struct guard *g, unsigned p)
{
    g->now = &g->place[p];
    g->started = false;
    g->steps = 0;
    g->ending = RUNNING;
    host_set_gs_base(g->now->base);
    host_signal_enter(&g->scope);
    guard_call(&g->now->call);
    host_signal_leave(&g->scope);
    g->counters.steps += g->steps;
    return g->ending;
}

/* Comparison. */

static bool same_units(const struct call *a, const struct call *b)
{
    return !memcmp(a->out + 32, b->out + 32, 256); /* ST, XMM0-7 */
}

static bool same_memory(const struct guard *g)
{
    const struct place *a = &g->place[0], *b = &g->place[1];
    if (a->pages != b->pages)
        return false;
    for (unsigned i = 0; i < a->pages; i++) {
        uint64_t at = (uint64_t)a->page[i] << PAGE_BITS;
        if (a->page[i] != b->page[i] ||
            memcmp(ram_base(a->ram) + at, ram_base(b->ram) + at, PAGE_SIZE) != 0)
            return false;
    }
    return true;
}

static const char *compare(const struct guard *g)
{
    const struct call *a = &g->place[0].call, *b = &g->place[1].call;
    const uint64_t status = 0x8d5;
    bool same = (a->rflags & status) == (b->rflags & status) && same_units(a, b) && same_memory(g);
    for (unsigned i = 0; i < GUEST_REGS; i++)
        same = same && (uint32_t)a->gpr[i] == (uint32_t)b->gpr[i];
    return same ? NULL : "the guest's end depends on what is the host's";
}

static void clean_up(struct guard *g)
{
    for (unsigned p = 0; p < 2; p++)
        for (unsigned i = 0; i < g->place[p].pages; i++)
            if (madvise(ram_base(g->place[p].ram) + ((uint64_t)g->place[p].page[i] << PAGE_BITS),
                        PAGE_SIZE, MADV_DONTNEED))
                abort();
}

static void count_ending(struct guard *g, enum ending ending)
{
    g->counters.left += ending == LEFT;
    g->counters.faulted += ending == FAULTED;
    g->counters.endless += ending == ENDLESS;
}

const char *guard_run(struct guard *g, const struct image *image, const struct block *block,
                      struct rng *rng)
{
    g->image = image;
    g->block = block;
    g->harm = NULL;
    g->tells_time = false;
    set_up(g, rng);
    enum ending first = run_in(g, 0);
    if (!g->harm) {
        enum ending second = run_in(g, 1);
        count_ending(g, second);
        if (!g->harm && first != second)
            g->harm = "the runs end differently";
        if (!g->harm && first != ENDLESS && !g->tells_time)
            g->harm = compare(g);
    }
    g->counters.runs++;
    clean_up(g);
    return g->harm;
}

uint32_t guard_harm_at(const struct guard *g)
{
    return g->harm_at;
}

void guard_count(const struct guard *g, struct guard_counters *out)
{
    *out = g->counters;
}

static bool make_place(struct place *place, uint64_t table)
{
    static const uint8_t control[] = {0x7f, 0x03};
    static const uint8_t mxcsr[] = {0x80, 0x1f};
    if (ram_create(TOP, &place->ram))
        return false;
    place->base = (uint64_t)(uintptr_t)ram_base(place->ram);
    place->table = table;
    memcpy(place->call.in, control, sizeof(control));
    memcpy(place->call.in + 24, mxcsr, sizeof(mxcsr));
    return true;
}

struct guard *guard_create(void)
{
    struct guard *g = aligned_alloc(64, (sizeof(*g) + 63) & ~(size_t)63);
    if (!g)
        return NULL;
    memset(g, 0, sizeof(*g));
    g->scope.on_trap = on_step;
    bool ok = !host_signal_prepare() && make_place(&g->place[0], 0x600000000000) &&
              make_place(&g->place[1], 0x510000004000) &&
              cs_open(CS_ARCH_X86, CS_MODE_64, &g->capstone) == CS_ERR_OK &&
              cs_option(g->capstone, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK;
    g->insn = ok ? cs_malloc(g->capstone) : NULL;
    if (g->insn)
        return g;
    guard_destroy(g);
    return NULL;
}

void guard_destroy(struct guard *g)
{
    if (g->insn)
        cs_free(g->insn, 1);
    if (g->capstone)
        cs_close(&g->capstone);
    for (unsigned p = 0; p < 2; p++)
        if (g->place[p].ram)
            ram_destroy(g->place[p].ram);
    free(g);
}
