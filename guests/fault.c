/* SPDX-License-Identifier: MIT */
/*
 * Faults. Without an argument: each kind is delivered to the handler with its
 * vector, the exact address of the instruction and what it touched, and the
 * handler goes on elsewhere. With an argument: one fault that nobody handles,
 * for the report.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

#define NOWHERE 0x5000u /* between the register page and RAM */

static volatile uint32_t resume_at, fault_at;
static volatile struct seen {
    uint32_t vector, error, address, eip, count;
    struct denali_context context;
} seen;

static void on_fault(struct denali_context *context, uint32_t vector, uint32_t error,
                     uint32_t address)
{
    seen.vector = vector;
    seen.error = error;
    seen.address = address;
    seen.eip = context->eip;
    seen.context = *context;
    seen.count++;
    context->eip = resume_at;
}

/* Runs `insn`, which must fault, and goes on after it. */
#define FAULTS(insn, ...)                                                                          \
    __asm__ volatile("movl $2f, %0\n"                                                              \
                     "movl $1f, %1\n"                                                              \
                     "1: " insn "\n"                                                               \
                     "2:"                                                                          \
                     : "=m"(resume_at), "=m"(fault_at)                                             \
                     : __VA_ARGS__                                                                 \
                     : "memory", "cc")

/* The last fault, and only it, was `vector`. */
static void check_vector(uint32_t vector)
{
    GUEST_CHECK_EQ(seen.vector, vector);
    GUEST_CHECK_EQ(seen.count, 1);
    seen.count = 0;
}

static void check(uint32_t vector)
{
    GUEST_CHECK_EQ(seen.eip, fault_at);
    check_vector(vector);
}

static void check_page_faults(void)
{
    FAULTS("movl (%2), %%eax", "r"(NOWHERE), "a"(77));
    check(14);
    GUEST_CHECK_EQ(seen.address, NOWHERE);
    GUEST_CHECK_EQ(seen.error & 2, 0);
    GUEST_CHECK_EQ(seen.context.eax, 77);
    FAULTS("movl %%eax, 8(%2)", "r"(NOWHERE), "a"(0));
    check(14);
    GUEST_CHECK_EQ(seen.address, NOWHERE + 8);
    GUEST_CHECK_EQ(seen.error & 2, 2);
    FAULTS("addl $1, (%2)", "r"(0xfffffff0u));
    check(14);
    GUEST_CHECK_EQ(seen.address, 0xfffffff0u);
    uint32_t end = (uint32_t)guest_regs.mem_bytes;
    FAULTS("movl (%2), %%eax", "r"(end - 2), "a"(0)); /* half of it is RAM */
    check(14);
    GUEST_CHECK_EQ(seen.address, end);
}

static void check_jumps(void)
{
    FAULTS("jmp *%2", "r"(0xf0000000u));
    GUEST_CHECK_EQ(seen.eip, 0xf0000000u);
    fault_at = 0xf0000000u;
    check(14);
    GUEST_CHECK_EQ(seen.address, 0xf0000000u);
}

/* A string instruction stops where its memory does; what it did is done. */
static void check_string(void)
{
    uint32_t end = (uint32_t)guest_regs.mem_bytes;
    FAULTS("rep stosb", "D"(end - 100), "c"(1000), "a"(0x55));
    check(14);
    GUEST_CHECK_EQ(seen.context.ecx, 900);
    GUEST_CHECK_EQ(seen.context.edi, end);
    GUEST_CHECK_EQ(*(uint8_t *)(end - 1), 0x55);
}

/* A push to nowhere leaves ESP as it was. */
static void check_stack(void)
{
    __asm__ volatile("movl $1f, %0\n"
                     "movl %%esp, %%ebx\n"
                     "movl %1, %%esp\n"
                     "push %%eax\n"
                     "1: movl %%ebx, %%esp"
                     : "=m"(resume_at)
                     : "r"(NOWHERE)
                     : "ebx", "memory");
    GUEST_CHECK_EQ(seen.context.esp, NOWHERE);
    GUEST_CHECK_EQ(seen.address, NOWHERE - 4);
    check_vector(14);
}

static void check_arithmetic(void)
{
    FAULTS("divl %%ecx", "a"(5), "d"(0), "c"(0));
    check(0);
    FAULTS("idivl %%ecx", "a"(0x80000000u), "d"(0xffffffffu), "c"(-1));
    check(0);
    FAULTS("aam $0", "a"(5));
    check(0);
}

static void check_refused(void)
{
    FAULTS("hlt", "a"(0));
    check(13);
    FAULTS("cli", "a"(0));
    check(13);
    FAULTS("sti", "a"(0));
    check(13);
    FAULTS("movl %%cr0, %%eax", "a"(0));
    check(13);
    FAULTS("movl %%eax, %%cr3", "a"(0));
    check(13);
    FAULTS("lgdt (%%esp)", "a"(0));
    check(13);
    FAULTS("lidt (%%esp)", "a"(0));
    check(13);
    FAULTS("wrmsr", "a"(0));
    check(13);
    FAULTS("rdmsr", "a"(0));
    check(13);
    FAULTS("invd", "a"(0));
    check(13);
    FAULTS("inb %%dx, %%al", "d"(guest_regs.device[0].port), "a"(0));
    check(13);
    FAULTS("outw %%ax, %%dx", "d"(guest_regs.device[0].port), "a"(0));
    check(13);
    FAULTS("inl %%dx, %%eax", "d"(0x3f8), "a"(0));
    check(13);
    FAULTS("outl %%eax, %%dx", "d"(guest_regs.device[0].port + 7), "a"(0));
    check(13);
    FAULTS("int $0x80", "a"(0));
    check(13);
    GUEST_CHECK_EQ(seen.error, 0x80 * 8 + 2);
    FAULTS("movaps 4(%%ecx), %%xmm0", "c"(__heap));
    check(13);
}

static void check_undefined(void)
{
    FAULTS("ud2", "a"(0));
    check(6);
    FAULTS("ud1 %%eax, %%ecx", "a"(0)); /* function 8: the virtual MMU's */
    check(6);
    FAULTS("ud1 %%eax, %%edx", "a"(0)); /* function 16 */
    check(6);
    FAULTS("ud1 (%%eax), %%eax", "a"(0)); /* memory operand: never a virtual instruction */
    check(6);
}

/* INT3, INTO and BOUND: only the vector is common to all processors' ways. */
static void check_vectors(void)
{
    FAULTS("int3", "a"(0));
    check_vector(3);
    FAULTS("addl %%eax, %%eax; into", "a"(0x7fffffff));
    check_vector(4);
    static const int32_t bounds[2] = {1, 5};
    FAULTS("boundl %%eax, (%%ecx)", "a"(6), "c"(bounds));
    check_vector(5);
}

static void check_floating(void)
{
    static const uint16_t unmasked = 0x37f & ~4;
    static const uint32_t mxcsr = 0x1f80 & ~0x200;
    __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(unmasked));
    FAULTS("fwait", "a"(0)); /* the division's exception waits for the next instruction */
    check_vector(16);
    __asm__ volatile("fnclex; fninit; ldmxcsr %0" : : "m"(mxcsr));
    FAULTS(
        "xorps %%xmm1, %%xmm1; movl $0x3f800000, %%eax; movd %%eax, %%xmm0; divss %%xmm1, %%xmm0",
        "a"(0));
    check_vector(19);
}

static void die(const char *how)
{
    if (!strcmp(how, "read"))
        FAULTS("movl (%2), %%eax", "r"(NOWHERE), "a"(0x1234));
    if (!strcmp(how, "write"))
        FAULTS("movl %%eax, (%2)", "r"(0xdead0000u), "a"(0x1234));
    if (!strcmp(how, "jump"))
        FAULTS("jmp *%2", "r"(0xf0000000u));
    if (!strcmp(how, "divide"))
        FAULTS("divl %%ecx", "a"(5), "d"(0), "c"(0));
    if (!strcmp(how, "undefined"))
        FAULTS("ud2", "a"(0));
    if (!strcmp(how, "halt"))
        FAULTS("hlt", "a"(0));
    if (!strcmp(how, "interrupt"))
        FAULTS("int $0x80", "a"(0));
}

/* A fault while one is being handled ends the VM. */
static void on_fault_again(struct denali_context *context, uint32_t vector, uint32_t error,
                           uint32_t address)
{
    on_fault(context, vector, error, address);
    *(volatile uint32_t *)NOWHERE = 1;
}

int guest_main(void)
{
    const char *arg = (const char *)guest_regs.args_addr;
    arg += strlen(arg) + 1;
    if (guest_regs.args_count > 1) {
        if (!strcmp(arg, "double"))
            guest_faults_to(on_fault_again);
        die(strcmp(arg, "double") ? arg : "read");
        return 1;
    }
    guest_faults_to(on_fault);
    check_page_faults();
    check_jumps();
    check_string();
    check_arithmetic();
    check_refused();
    check_undefined();
    check_vectors();
    check_floating();
    check_stack();
    guest_print("fault: ok\n");
    return 0;
}
