/* SPDX-License-Identifier: MIT */
/* Time: the kernel's last word, carried on by the processor's counter. */
#include "guests/lib/guest.h"

/* a * mul >> 32, without losing the top: a may have all 64 bits. */
static uint64_t scale(uint64_t a, uint32_t mul)
{
    return (a >> 32) * mul + ((a & UINT32_MAX) * mul >> 32);
}

uint64_t guest_time_ns(void)
{
    uint64_t now;
    uint32_t seq;
    do {
        seq = guest_regs.time_seq;
        now = guest_regs.time_ns;
        uint32_t mul = guest_regs.tsc_mul;
        if (mul)
            now += scale(guest_rdtsc() - guest_regs.time_tsc, mul);
    } while ((seq & 1) || seq != guest_regs.time_seq);
    return now;
}

void guest_timer(uint64_t when_ns)
{
    const volatile struct denali_device *timer = guest_need(DENALI_DEV_TIMER, NULL);
    guest_out(timer->port + DENALI_PORT_TIMER, (uint32_t)when_ns, (uint32_t)(when_ns >> 32), 0);
}
