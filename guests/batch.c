/* SPDX-License-Identifier: MIT */
/* Several interrupts that wait together are delivered by one upcall. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_KEYBOARD, 0, "keyboard"},
               {DENALI_DEV_TIMER, 0, "timer"}, {DENALI_DEV_DISK, 0, "data"});

#define ALL (DENALI_IRQ_TIMER | DENALI_IRQ_KEYBOARD | DENALI_IRQ_DISK)

static char block[DENALI_BLOCK] __attribute__((aligned(DENALI_BLOCK)));
static volatile unsigned upcalls;
static volatile uint32_t seen;

static void on_interrupt(uint32_t batch)
{
    upcalls++;
    seen |= batch;
    GUEST_CHECK_EQ(guest_regs.intr_enabled, 0);
}

int guest_main(void)
{
    const volatile struct denali_device *disk = guest_need(DENALI_DEV_DISK, "data");
    struct denali_disk_request request;
    guest_disk_request(&request, DENALI_DISK_READ, 0, block);
    GUEST_CHECK_EQ(guest_out(disk->port + DENALI_PORT_SUBMIT, (uint32_t)&request, 1, 0), 1);
    guest_timer(0);
    /* The keyboard is at its end, or has a line: either is an interrupt. */
    while ((guest_regs.pending & ALL) != ALL)
        guest_idle(1000000);
    GUEST_CHECK_EQ(upcalls, 0);
    guest_interrupts_on(on_interrupt);
    GUEST_CHECK_EQ(upcalls, 1);
    GUEST_CHECK_EQ(seen & ALL, ALL);
    GUEST_CHECK_EQ(guest_regs.pending & ALL, 0);
    GUEST_CHECK_EQ(guest_regs.intr_enabled, 1);
    guest_print("batch: ok\n");
    return 0;
}
