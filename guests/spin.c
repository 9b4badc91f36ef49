/* SPDX-License-Identifier: MIT */
/*
 * Never idles. With the argument "ticks": each of three loops without an exit
 * is interrupted by the timer. Without: for ever, for a --timeout to end.
 * "flood": writes for ever.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_TIMER, 0, "timer"});

static volatile unsigned ticks;

static void on_interrupt(uint32_t batch)
{
    ticks += (batch & DENALI_IRQ_TIMER) != 0;
}

static void arm(void)
{
    ticks = 0;
    guest_timer(guest_time_ns() + 3000000);
}

static void check_ticks(void)
{
    guest_interrupts_on(on_interrupt);
    arm();
    while (!ticks)
        ;
    arm(); /* a chain of blocks with calls and returns */
    for (volatile unsigned i = 0; !ticks; i++)
        strlen("abc");
    arm(); /* a string instruction over and over */
    static char from[65536], to[65536];
    while (!ticks)
        memcpy(to, from, sizeof(to));
    guest_print("spin: ok\n");
}

int guest_main(void)
{
    const char *arg = (const char *)guest_regs.args_addr;
    arg += strlen(arg) + 1;
    if (guest_regs.args_count == 1) {
        for (;;)
            __asm__ volatile("");
    } else if (!strcmp(arg, "flood")) {
        for (;;)
            guest_print("flood flood flood flood flood flood flood flood\n");
    } else {
        check_ticks();
    }
    return 0;
}
