/* SPDX-License-Identifier: MIT */
/*
 * Stacks that go wrong: "overflow" recurses without end, "return" returns to
 * an overwritten address, "pointer" loads ESP with nonsense; each must end in
 * a report. "handled": the handler, on its own stack, learns of an overflow.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

static uint32_t recurse(volatile uint32_t *above)
{
    volatile uint32_t here[64];
    here[0] = *above + 1;
    if (here[0] == UINT32_MAX) /* never: memory ends first */
        return 0;
    return recurse(here) + here[0];
}

static void on_overflow(struct denali_context *context, uint32_t vector, uint32_t error,
                        uint32_t address)
{
    (void)error;
    GUEST_CHECK_EQ(vector, 14);
    GUEST_CHECK(address >= 0x1000 && address < (uint32_t)__stack_bottom);
    GUEST_CHECK(context->esp < (uint32_t)__stack_bottom + 4096);
    guest_print("smash: the stack overflowed\n");
    guest_terminate(0);
}

int guest_main(void)
{
    volatile uint32_t zero = 0;
    const char *how = (const char *)guest_regs.args_addr;
    how += strlen(how) + 1;
    GUEST_CHECK(guest_regs.args_count == 2);
    if (!strcmp(how, "handled"))
        guest_faults_to(on_overflow);
    if (!strcmp(how, "handled") || !strcmp(how, "overflow"))
        return (int)recurse(&zero);
    if (!strcmp(how, "return"))
        __asm__ volatile("movl $0x41414141, (%esp); ret");
    if (!strcmp(how, "pointer"))
        __asm__ volatile("movl $0xfffffff3, %esp; call guest_main");
    return 1;
}
