/* SPDX-License-Identifier: MIT */
/* Instructions that need an operating system do what denali/ABI.md, section 1, says of each. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

#define IF (1u << 9)
#define IOPL (3u << 12)
#define AC (1u << 18)
#define ID (1u << 21)

static volatile uint32_t resume_at, vector;

static void on_fault(struct denali_context *context, uint32_t v, uint32_t error, uint32_t address)
{
    (void)error;
    (void)address;
    vector = v;
    context->eip = resume_at;
}

#define FAULTS(insn, v)                                                                            \
    do {                                                                                           \
        vector = 99;                                                                               \
        __asm__ volatile("movl $2f, %0; " insn "; 2:" : "=m"(resume_at) : "a"(0) : "memory");      \
        GUEST_CHECK_EQ(vector, v);                                                                 \
    } while (0)

static uint32_t flags(void)
{
    uint32_t f;
    __asm__ volatile("pushfl; popl %0" : "=r"(f));
    return f;
}

static void set_flags(uint32_t f)
{
    __asm__ volatile("pushl %0; popfl" : : "r"(f) : "cc");
}

static void check_flags(void)
{
    GUEST_CHECK_EQ(flags() & (IF | IOPL), IF);
    set_flags((flags() & ~IF) | IOPL);
    GUEST_CHECK_EQ(flags() & (IF | IOPL), IF);
    set_flags(flags() | AC | ID);
    GUEST_CHECK_EQ(flags() & (AC | ID), AC | ID);
    uint8_t bytes[8];
    *(volatile uint32_t *)(bytes + 1) = 5; /* AC has no effect: alignment is not checked */
    set_flags(flags() & ~(AC | ID));
    GUEST_CHECK_EQ(flags() & (AC | ID), 0);
}

static void check_tables(void)
{
    uint8_t table[8];
    memset(table, 0xaa, 8);
    __asm__ volatile("sgdt %0" : "=m"(table));
    GUEST_CHECK(!memcmp(table, "\0\0\0\0\0\0\xaa\xaa", 8));
    memset(table, 0xaa, 8);
    __asm__ volatile("sidt %0" : "=m"(table));
    GUEST_CHECK(!memcmp(table, "\0\0\0\0\0\0\xaa\xaa", 8));
    uint16_t word = 0xaaaa;
    __asm__ volatile("sldt %0" : "=m"(word));
    GUEST_CHECK_EQ(word, 0);
    word = 0xaaaa;
    __asm__ volatile("str %0" : "=m"(word));
    GUEST_CHECK_EQ(word, 0);
    __asm__ volatile("smsw %0" : "=m"(word));
    GUEST_CHECK_EQ(word, 0x33);
}

#define CLEARS_ZF(insn)                                                                            \
    do {                                                                                           \
        uint32_t result = 0x1234;                                                                  \
        uint8_t zero;                                                                              \
        __asm__ volatile("cmpl %%eax, %%eax; " insn "; setz %1"                                    \
                         : "+r"(result), "=q"(zero)                                                \
                         : "a"(0x2b)                                                               \
                         : "cc");                                                                  \
        GUEST_CHECK_EQ(zero, 0);                                                                   \
        GUEST_CHECK_EQ(result, 0x1234);                                                            \
    } while (0)

static void check_descriptors(void)
{
    CLEARS_ZF("larl %%eax, %0");
    CLEARS_ZF("lsll %%eax, %0");
    CLEARS_ZF("verr %%ax");
    CLEARS_ZF("verw %%ax");
    uint16_t low = 0x10;
    uint8_t zero;
    __asm__ volatile("arpl %2, %0; setz %1" : "+r"(low), "=q"(zero) : "r"((uint16_t)3) : "cc");
    GUEST_CHECK_EQ(low, 0x13);
    GUEST_CHECK_EQ(zero, 1);
}

static void check_segments(void)
{
    static uint32_t far[2] = {0x11223344, 0x2b};
    uint32_t offset;
    uint16_t selector;
    __asm__ volatile("movw %w1, %%es; movw %%es, %w0" : "=r"(selector) : "r"(0x77));
    GUEST_CHECK_EQ(selector, 0x77);
    __asm__ volatile("pushl $0x55; popl %%fs; movw %%fs, %0" : "=r"(selector));
    GUEST_CHECK_EQ(selector, 0x55);
    __asm__ volatile("lgs %2, %0; movw %%gs, %1" : "=r"(offset), "=r"(selector) : "m"(far));
    GUEST_CHECK_EQ(offset, 0x11223344);
    GUEST_CHECK_EQ(selector, 0x2b);
    /* ES still has base 0. */
    static uint32_t to;
    __asm__ volatile("movl $7, %%es:(%0)" : : "r"(&to) : "memory");
    GUEST_CHECK_EQ(to, 7);
}

/* A far call pushes a selector; a far return takes it; IRET takes flags too. */
static void check_far(void)
{
    uint32_t result = 0;
    __asm__ volatile("movl %%esp, %%ecx\n"
                     "lcall $0x99, $1f\n"
                     "jmp 2f\n"
                     "1: movw %%cs, %%ax\n"
                     "movzwl %%ax, %0\n"
                     "lret\n"
                     "2: subl %%esp, %%ecx"
                     : "=r"(result)
                     :
                     : "eax", "ecx", "memory", "cc");
    GUEST_CHECK_EQ(result, 0x99);
    uint32_t after;
    __asm__ volatile("movl %%esp, %%ecx\n"
                     "pushl $0x8d7\n"
                     "pushl $0x23\n"
                     "pushl $1f\n"
                     "iret\n"
                     "1: pushfl\n"
                     "popl %0\n"
                     "subl %%esp, %%ecx\n"
                     "movl %%ecx, %1"
                     : "=&r"(after), "=&r"(result)
                     :
                     : "ecx", "memory", "cc");
    GUEST_CHECK_EQ(after & 0x8d5, 0x8d5);
    GUEST_CHECK_EQ(after & IF, IF);
    GUEST_CHECK_EQ(result, 0);
}

static void check_refused(void)
{
    FAULTS("movw %%ax, %%cs", 6);
    FAULTS("int1", 1);
    FAULTS("clts", 13);
    FAULTS("lmsw %%ax", 13);
    FAULTS("lldt %%ax", 13);
    FAULTS("ltr %%ax", 13);
    FAULTS("movl %%cr4, %%eax", 13);
    FAULTS("movl %%dr7, %%eax", 13);
    FAULTS("rdpmc", 13);
    FAULTS("wbinvd", 13);
    FAULTS("invlpg (%%eax)", 13);
    FAULTS("sysenter", 13);
    FAULTS("sysexit", 13);
    FAULTS("insb", 13);
    FAULTS("outsl", 13);
    FAULTS("rsm", 6);
}

int guest_main(void)
{
    guest_faults_to(on_fault);
    check_flags();
    check_tables();
    check_descriptors();
    check_segments();
    check_far();
    check_refused();
    guest_print("ambiguous: ok\n");
    return 0;
}
