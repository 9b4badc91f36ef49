/* SPDX-License-Identifier: MIT */
/*
 * Idle-with-timeout ends at its time, ends on an interrupt, and does not begin
 * when an interrupt is pending; whether interrupts are enabled or not.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_TIMER, 0, "timer"});

#define MS 1000000ull
#define LONG_WAIT (20000 * MS)

static volatile unsigned ticks;

static void on_interrupt(uint32_t batch)
{
    if (batch & DENALI_IRQ_TIMER)
        ticks++;
}

static uint64_t idle_took(uint64_t ns)
{
    uint64_t start = guest_time_ns();
    guest_idle(ns);
    return guest_time_ns() - start;
}

static void clear_pending(void)
{
    guest_timer(UINT64_MAX);
    guest_regs.pending = 0;
}

static void check_timeout(void)
{
    uint64_t took = idle_took(20 * MS);
    GUEST_CHECK(took >= 20 * MS);
    GUEST_CHECK(took < LONG_WAIT / 2);
    GUEST_CHECK(idle_took(0) < LONG_WAIT / 2);
}

static void check_pending(void)
{
    guest_timer(0); /* long past: pending at once */
    GUEST_CHECK(idle_took(LONG_WAIT) < LONG_WAIT / 2);
    GUEST_CHECK(guest_regs.pending & DENALI_IRQ_TIMER);
    GUEST_CHECK(idle_took(LONG_WAIT) < LONG_WAIT / 2); /* it still is */
    clear_pending();
}

static void check_wake(void)
{
    uint64_t start = guest_time_ns();
    guest_timer(start + 30 * MS);
    uint64_t took = idle_took(LONG_WAIT);
    GUEST_CHECK(took < LONG_WAIT / 2);
    GUEST_CHECK(guest_time_ns() - start >= 30 * MS);
    clear_pending();
}

static void check_wake_upcall(void)
{
    guest_interrupts_on(on_interrupt);
    ticks = 0;
    uint64_t start = guest_time_ns();
    guest_timer(start + 30 * MS);
    /* Whether the tick comes before the idle or within it, the loop ends with the tick. */
    while (!ticks) {
        guest_regs.intr_enabled = 0;
        if (!guest_regs.pending)
            GUEST_CHECK(idle_took(LONG_WAIT) < LONG_WAIT / 2);
        guest_regs.intr_enabled = 1;
        guest_poll();
    }
    GUEST_CHECK_EQ(ticks, 1);
    GUEST_CHECK(guest_time_ns() - start >= 30 * MS);
    /* Enabled throughout: the upcall runs, then idle returns. */
    guest_timer(guest_time_ns() + 30 * MS);
    GUEST_CHECK(idle_took(LONG_WAIT) < LONG_WAIT / 2);
    GUEST_CHECK_EQ(ticks, 2);
    guest_interrupts_off();
}

int guest_main(void)
{
    check_timeout();
    check_pending();
    check_wake();
    check_wake_upcall();
    guest_print("idle: ok\n");
    return 0;
}
