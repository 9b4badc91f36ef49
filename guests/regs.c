/* SPDX-License-Identifier: MIT */
/*
 * The page of virtual registers: what the kernel writes there is sound, and
 * what the guest writes over it harms nobody but the guest.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(3 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_TIMER, 0, "timer"});

static void check_values(void)
{
    GUEST_CHECK_EQ(guest_regs.magic, DENALI_ABI_MAGIC);
    GUEST_CHECK_EQ(guest_regs.version, DENALI_ABI_VERSION);
    GUEST_CHECK_EQ(guest_regs.mem_bytes, 3 << 20);
    GUEST_CHECK(guest_regs.cpu_hz > 100000000);
    GUEST_CHECK(guest_regs.wall_base_ns > 1600000000ull * 1000000000ull);
    for (unsigned i = 0; i < sizeof(guest_regs.null_page); i++)
        GUEST_CHECK_EQ(guest_regs.null_page[i], 0);
    GUEST_CHECK_EQ(guest_regs.intr_enabled, 0);
    GUEST_CHECK_EQ(guest_regs.fault_entry, 0);
    GUEST_CHECK(guest_regs.random[0] != guest_regs.random[1]);
}

static void check_devices(void)
{
    GUEST_CHECK_EQ(guest_regs.device_count, 2);
    const volatile struct denali_device *console = guest_need(DENALI_DEV_CONSOLE, "console");
    const volatile struct denali_device *timer = guest_need(DENALI_DEV_TIMER, "timer");
    GUEST_CHECK_EQ(console->port, DENALI_PORT_BASE);
    GUEST_CHECK_EQ(timer->port, DENALI_PORT_BASE + DENALI_PORT_STRIDE);
    GUEST_CHECK(!guest_device(DENALI_DEV_NIC, NULL));
}

/* tsc_mul turns counts of a processor of cpu_hz into ns. */
static void check_time_scale(void)
{
    if (!guest_regs.tsc_mul)
        return;
    uint64_t ns_a_second = (guest_regs.cpu_hz >> 8) * guest_regs.tsc_mul >> 24;
    GUEST_CHECK(ns_a_second > 999000000 && ns_a_second < 1001000000);
}

/* The kernel must not believe what it reads back. */
static void overwrite(void)
{
    unsigned port = guest_regs.device[0].port;
    volatile uint32_t *word = (volatile uint32_t *)&guest_regs;
    for (unsigned i = 0x40 / 4; i < 0x1000 / 4; i++)
        word[i] = i == 0x88 / 4 || i == 0x8c / 4 || i == 0xa0 / 4 ? 0 : 0xa5a5a5a5;
    static const char still[] = "regs: overwritten, the console still works\n";
    GUEST_CHECK_EQ(guest_out(port, (uint32_t)still, sizeof(still) - 1, 1), sizeof(still) - 1);
    guest_idle(1000000);
}

/* Everything set at once: interrupts go to nowhere. */
static void overwrite_all(void)
{
    memset((void *)(uintptr_t)&guest_regs, 0xff, 4096);
    guest_idle(1000000);
    guest_poll();
}

int guest_main(void)
{
    check_values();
    check_devices();
    check_time_scale();
    guest_print("random %llx %llx\n", guest_regs.random[0], guest_regs.random[1]);
    const char *arg = (const char *)guest_regs.args_addr;
    bool all = guest_regs.args_count == 2 && !strcmp(arg + strlen(arg) + 1, "all");
    overwrite();
    if (all)
        overwrite_all();
    guest_terminate(0);
}
