/* SPDX-License-Identifier: MIT */
/*
 * INT n goes to the guest's own entry with interrupts off and every register
 * kept; TRAPRET goes back and restores them. RESUME loads a whole context.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_TIMER, 0, "timer"});

/* Adds the trap's number to EAX, remembers what it found, changes nothing else. */
__asm__(".pushsection .text.trap, \"ax\"\n"
        "trap_entry:\n"
        "movl %esp, trap_esp\n"
        "pushl guest_regs + 0x88\n" /* intr_enabled */
        "popl trap_intr\n"
        "pushl guest_regs + 0xbc\n" /* trap_eip */
        "popl trap_from\n"
        "addl guest_regs + 0xc0, %eax\n" /* trap_number */
        "ud1 %ebx, %eax\n"               /* TRAPRET */
        ".popsection");
void trap_entry(void);
volatile uint32_t trap_esp, trap_intr, trap_from;
static volatile unsigned ticks;

static void on_interrupt(uint32_t batch)
{
    ticks += (batch & DENALI_IRQ_TIMER) != 0;
}

#define TRAP(n, eax)                                                                               \
    ({                                                                                             \
        uint32_t result = (eax), esp, after;                                                       \
        __asm__ volatile("movl %%esp, %1; movl $1f, %2; int $" #n "; 1:"                           \
                         : "+a"(result), "=&r"(esp), "=&r"(after)                                  \
                         :                                                                         \
                         : "memory", "cc");                                                        \
        GUEST_CHECK_EQ(esp, trap_esp);                                                             \
        GUEST_CHECK_EQ(after, trap_from);                                                          \
        GUEST_CHECK_EQ(trap_intr, 0);                                                              \
        result;                                                                                    \
    })

static void check_traps(void)
{
    GUEST_CHECK_EQ(TRAP(0x80, 1), 0x81);
    GUEST_CHECK_EQ(TRAP(0, 5), 5);
    GUEST_CHECK_EQ(TRAP(255, 1), 256);
    uint32_t sum = 0;
    for (unsigned i = 0; i < 100000; i++)
        sum = TRAP(1, sum);
    GUEST_CHECK_EQ(sum, 100000);
}

/* A timer fires among traps: no tick is lost, and traps come back enabled. */
static void check_with_interrupts(void)
{
    guest_interrupts_on(on_interrupt);
    uint32_t sum = 0;
    for (unsigned round = 1; round <= 20; round++) {
        guest_timer(guest_time_ns() + 500000);
        while (ticks < round)
            sum = TRAP(1, sum);
        GUEST_CHECK_EQ(guest_regs.intr_enabled, 1);
    }
    GUEST_CHECK_EQ(ticks, 20);
    guest_interrupts_off();
}

volatile uint32_t resumed[4];

static void check_resume(void)
{
    static struct denali_context context;
    uint32_t esp;
    __asm__ volatile("movl %%esp, %0" : "=r"(esp));
    context = (struct denali_context){.eflags = 0x8d5, .eax = 1, .ecx = 2, .edx = 3, .ebx = 4};
    __asm__ volatile("movl $1f, 0(%0)\n"
                     "movl %%esp, 24(%0)\n"
                     "movl %%ebp, 28(%0)\n"
                     "ud1 %%edx, %%eax\n"
                     "1: movl %%eax, resumed\n"
                     "movl %%ecx, resumed + 4\n"
                     "pushfl\n"
                     "popl resumed + 8\n"
                     "movl %%edi, resumed + 12"
                     :
                     : "a"(&context)
                     : "ebx", "ecx", "edx", "esi", "edi", "memory", "cc");
    GUEST_CHECK_EQ(resumed[0], 1);
    GUEST_CHECK_EQ(resumed[1], 2);
    GUEST_CHECK_EQ(resumed[2] & 0x8d5, 0x8d5);
    GUEST_CHECK_EQ(resumed[3], 0);
}

int guest_main(void)
{
    guest_regs.trap_entry = (uint32_t)trap_entry;
    check_traps();
    check_with_interrupts();
    check_resume();
    guest_print("trap: ok\n");
    return 0;
}
