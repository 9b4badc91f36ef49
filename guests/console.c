/* SPDX-License-Identifier: MIT */
/* The console takes a write of 64 KiB whole, has two streams, and refuses what it cannot read. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

static char buf[65536];

int guest_main(void)
{
    for (unsigned i = 0; i < sizeof(buf); i++)
        buf[i] = (char)(i % 64 == 63 ? '\n' : 'A' + (i * 7 + i / 64) % 26);
    GUEST_CHECK_EQ(guest_write(1, buf, sizeof(buf)), sizeof(buf));
    GUEST_CHECK_EQ(guest_write(2, "errors\n", 7), 7);
    GUEST_CHECK_EQ(guest_write(1, buf, 0), 0);
    GUEST_CHECK_EQ(guest_write(1, (void *)0x8000, 16), DENALI_FAULT);
    GUEST_CHECK_EQ(guest_write(1, (void *)0xfffffff0, 0x20), DENALI_FAULT);
    GUEST_CHECK_EQ(guest_write(1, (void *)(uint32_t)(guest_regs.mem_bytes - 8), 16), DENALI_FAULT);
    GUEST_CHECK_EQ(guest_write(1, buf, 0x7fffffff), DENALI_FAULT);
    GUEST_CHECK_EQ(guest_write(1, buf, 0xffffffff), DENALI_FAULT);
    GUEST_CHECK_EQ(guest_write(3, buf, 1), DENALI_INVAL);
    return 0;
}
