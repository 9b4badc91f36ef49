/* SPDX-License-Identifier: MIT */
/*
 * The trap flag, held against the processor: where a program that steps itself
 * is trapped, instruction by instruction. The same program runs natively and
 * under Ilwaco; its output is all that is compared.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#define MAX_TRAPS 512

static struct trap {
    uint32_t offset, eflags, ecx, code;
} trap[MAX_TRAPS];
static volatile unsigned traps;
static volatile uint32_t base __asm__("base") __attribute__((used));

#define EFLAGS_TF 0x100
#define EFLAGS_SHOWN 0xdd5

static void on_trap(int number, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    (void)number;
    if (traps == MAX_TRAPS)
        return;
    trap[traps++] =
        (struct trap){(uint32_t)uc->uc_mcontext.gregs[REG_EIP] - base,
                      (uint32_t)uc->uc_mcontext.gregs[REG_EFL] & EFLAGS_SHOWN,
                      (uint32_t)uc->uc_mcontext.gregs[REG_ECX], (uint32_t)info->si_code};
}

/* Each piece sets TF itself, and clears it. */
#define SET "pushfl\n orl $0x100, (%%esp)\n popfl\n"
#define CLEAR "pushfl\n andl $~0x100, (%%esp)\n popfl\n"

static char buffer[64], other[64];

#define PIECE(name, text)                                                                          \
    static void name(void)                                                                         \
    {                                                                                              \
        uint32_t eax = 0, ecx = 0, edx = 0;                                                        \
        void *from = other, *to = buffer;                                                          \
        traps = 0;                                                                                 \
        __asm__ volatile("movl $1f, base\n xorl %%eax, %%eax\n1:\n" SET text CLEAR "nop\n"         \
                         : "+S"(from), "+D"(to), "+a"(eax), "+c"(ecx), "+d"(edx)                   \
                         :                                                                         \
                         : "ebx", "st", "st(1)", "memory", "cc");                                  \
        show(#name);                                                                               \
    }

static void show(const char *name)
{
    printf("%s: %u traps\n", name, traps);
    for (unsigned i = 0; i < traps; i++)
        printf("  +%u eflags %x ecx %u code %u\n", trap[i].offset - trap[0].offset,
               trap[i].eflags & ~0x54u, /* AF is undefined after OR */
               trap[i].ecx & 0xffff, trap[i].code);
}

PIECE(plain, "nop\n xorl %%eax, %%eax\n incl %%eax\n movl $5, %%ecx\n")
PIECE(
    branches,
    "movl $3, %%ecx\n 2: decl %%ecx\n jnz 2b\n jmp 3f\n nop\n 3: call 4f\n jmp 5f\n 4: ret\n 5:\n")
PIECE(loops, "movl $4, %%ecx\n 2: nop\n loop 2b\n")
PIECE(rep_stos, "movl $5, %%ecx\n cld\n rep stosb\n nop\n")
PIECE(rep_none, "xorl %%ecx, %%ecx\n rep movsb\n nop\n")
PIECE(rep_movs, "movl $4, %%ecx\n rep movsl\n nop\n")
PIECE(rep_cmps, "movl $9, %%ecx\n movb $1, 2(%%esi)\n movb $0, 2(%%edi)\n repe cmpsb\n nop\n")
PIECE(rep_scas, "movl $9, %%ecx\n movb $0x77, %%al\n movb $0x77, 3(%%edi)\n repne scasb\n nop\n")
PIECE(single_string, "movsb\n stosw\n lodsb\n")
PIECE(mov_ss, "movw %%ss, %%ax\n movw %%ax, %%ss\n nop\n incl %%eax\n")
PIECE(pop_ss, "pushl %%ss\n popl %%ss\n nop\n incl %%eax\n")
PIECE(mov_es, "movw %%es, %%ax\n movw %%ax, %%es\n nop\n")
PIECE(x87, "fld1\n fldpi\n faddp\n fstp %%st(0)\n")
PIECE(sse, "pxor %%mm0, %%mm0\n emms\n")
PIECE(set_again, SET "nop\n")
PIECE(pushed, "pushfl\n popl %%edx\n andl $0x100, %%edx\n nop\n")
PIECE(flags, "stc\n cmc\n std\n cld\n lahf\n sahf\n")
PIECE(locked, "lock incl (%%edi)\n xchgl %%eax, (%%edi)\n cpuid\n nop\n")
PIECE(system_call, "movl $20, %%eax\n int $0x80\n nop\n incl %%eax\n")
PIECE(prefixed, "data16 nop\n .byte 0x2e\n nop\n rep; nop\n")

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    plain();
    branches();
    loops();
    rep_stos();
    rep_none();
    rep_movs();
    rep_cmps();
    rep_scas();
    single_string();
    mov_ss();
    pop_ss();
    mov_es();
    x87();
    sse();
    set_again();
    pushed();
    flags();
    locked();
    prefixed();
    system_call();
    return 0;
}
