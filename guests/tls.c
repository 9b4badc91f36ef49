/* SPDX-License-Identifier: MIT */
/* FS: and GS: add the words of the register page, at once when they change, also below the base. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

static uint32_t area[3][16];

static uint32_t fs_read(int32_t at)
{
    uint32_t value;
    __asm__ volatile("movl %%fs:(%1), %0" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static uint32_t gs_read(int32_t at)
{
    uint32_t value;
    __asm__ volatile("movl %%gs:(%1), %0" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static void gs_write(int32_t at, uint32_t value)
{
    __asm__ volatile("movl %0, %%gs:(%1)" : : "r"(value), "r"(at) : "memory");
}

int guest_main(void)
{
    for (uint32_t i = 0; i < 48; i++)
        area[i / 16][i % 16] = 1000 + i;
    GUEST_CHECK_EQ(guest_regs.fs_base | guest_regs.gs_base, 0);
    GUEST_CHECK_EQ(fs_read((int32_t)&area[1][3]), 1019);
    for (uint32_t round = 0; round < 30000; round++) {
        unsigned thread = round % 3;
        guest_regs.fs_base = (uint32_t)area[thread];
        guest_regs.gs_base = (uint32_t)area[(thread + 1) % 3] + 32;
        GUEST_CHECK_EQ(fs_read(8), 1000 + 16 * thread + 2);
        GUEST_CHECK_EQ(gs_read(-4), 1000 + 16 * ((thread + 1) % 3) + 7);
        gs_write(0, round);
        GUEST_CHECK_EQ(area[(thread + 1) % 3][8], round);
    }
    /* Loading a selector changes nothing but the selector. */
    uint16_t selector;
    __asm__ volatile("movw %w1, %%gs; movw %%gs, %w0" : "=r"(selector) : "r"(0x33));
    GUEST_CHECK_EQ(selector, 0x33);
    GUEST_CHECK_EQ(gs_read(-32), area[((30000 - 1) % 3 + 1) % 3][0]);
    guest_print("tls: ok\n");
    return 0;
}
