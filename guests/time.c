/* SPDX-License-Identifier: MIT */
/*
 * Time never goes back, passes without an exit to the kernel, agrees with the
 * processor's counter, and ends a sleep neither early nor, on a machine with a
 * processor to spare, a millisecond late.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_TIMER, 0, "timer"});

#define MS 1000000ull
#define SLEEPS 15

static void check_monotonic(void)
{
    uint64_t last = guest_time_ns(), start = last;
    for (unsigned i = 0; i < 300000; i++) {
        uint64_t now = guest_time_ns();
        GUEST_CHECK(now >= last);
        last = now;
    }
    GUEST_CHECK(last > start);
}

/* A loop that makes no exit sees time pass. */
static void check_passes(void)
{
    uint64_t start = guest_time_ns();
    while (guest_time_ns() - start < 5 * MS)
        ;
}

static void check_counter(void)
{
    uint64_t tsc = guest_rdtsc(), start = guest_time_ns();
    guest_idle(50 * MS);
    tsc = guest_rdtsc() - tsc;
    uint64_t ns = guest_time_ns() - start;
    /* ns * hz / 1e9 against the counts, to 5 % */
    uint64_t want = ns / 1000 * (guest_regs.cpu_hz / 1000) / 1000;
    GUEST_CHECK(tsc > want - want / 20 && tsc < want + want / 20);
}

/* How late one sleep of `ms` ends, by idle or by the timer; early is a failure. */
static uint64_t lateness(unsigned ms, bool by_timer)
{
    uint64_t start = guest_time_ns(), due = start + ms * MS;
    if (by_timer) {
        guest_regs.pending = 0;
        guest_timer(due);
        while (!(guest_regs.pending & DENALI_IRQ_TIMER))
            guest_idle(UINT64_MAX);
        guest_regs.pending = 0;
    } else {
        guest_idle(ms * MS);
    }
    uint64_t now = guest_time_ns();
    GUEST_CHECK(now >= due);
    return now - due;
}

static uint64_t median_lateness(bool by_timer)
{
    uint64_t late[SLEEPS];
    for (unsigned i = 0; i < SLEEPS; i++) {
        uint64_t this = lateness(1 + i, by_timer);
        unsigned at = i;
        for (; at && late[at - 1] > this; at--)
            late[at] = late[at - 1];
        late[at] = this;
    }
    return late[SLEEPS / 2];
}

int guest_main(void)
{
    check_monotonic();
    check_passes();
    check_counter();
    GUEST_CHECK(median_lateness(false) < MS);
    GUEST_CHECK(median_lateness(true) < MS);
    guest_print("time: ok\n");
    return 0;
}
