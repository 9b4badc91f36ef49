/* SPDX-License-Identifier: MIT */
/* PROTECT and DISCARD: rights of pages, contents given back, and what they refuse. */
#include "guests/lib/guest.h"

GUEST_MANIFEST(4 << 20, {DENALI_DEV_CONSOLE, 0, "console"});

enum rights { NONE = 0, READ = 1, WRITE = 3 };

static volatile uint32_t faults, last_address;

static int32_t protect(void *at, uint32_t bytes, enum rights rights)
{
    uint32_t eax = (uint32_t)at;
    __asm__ volatile("ud1 %%esi, %%eax" : "+a"(eax) : "c"(bytes), "d"(rights) : "memory", "cc");
    return (int32_t)eax;
}

static int32_t discard(void *at, uint32_t bytes)
{
    uint32_t eax = (uint32_t)at;
    __asm__ volatile("ud1 %%edi, %%eax" : "+a"(eax) : "c"(bytes) : "memory", "cc");
    return (int32_t)eax;
}

/* Gives the page the right that was missing and tries again. */
static void on_fault(struct denali_context *context, uint32_t vector, uint32_t error,
                     uint32_t address)
{
    (void)context;
    (void)error;
    GUEST_CHECK_EQ(vector, 14);
    faults++;
    last_address = address;
    GUEST_CHECK_EQ(protect((void *)(address & ~4095u), 4096, WRITE), 0);
}

int guest_main(void)
{
    volatile uint8_t *page = (volatile uint8_t *)(((uint32_t)__heap + 8191) & ~4095u);
    guest_faults_to(on_fault);
    page[10] = 1;
    GUEST_CHECK_EQ(protect((void *)page, 4096, READ), 0);
    GUEST_CHECK_EQ(page[10], 1);
    GUEST_CHECK_EQ(faults, 0);
    page[10] = 2;
    GUEST_CHECK_EQ(faults, 1);
    GUEST_CHECK_EQ(last_address, (uint32_t)page + 10);
    GUEST_CHECK_EQ(page[10], 2);
    GUEST_CHECK_EQ(protect((void *)page, 8192, NONE), 0);
    GUEST_CHECK_EQ(page[10], 2);
    GUEST_CHECK_EQ(faults, 2);
    page[4096] = 3;
    GUEST_CHECK_EQ(faults, 3);
    GUEST_CHECK_EQ(discard((void *)page, 8192), 0);
    GUEST_CHECK_EQ(page[10] | page[4096], 0);
    GUEST_CHECK(protect((void *)(page + 1), 4096, READ) < 0);
    GUEST_CHECK(protect((void *)page, 4095, READ) < 0);
    GUEST_CHECK(protect((void *)0x2000, 4096, WRITE) < 0);
    GUEST_CHECK(protect((void *)page, 0xfffff000, READ) < 0);
    GUEST_CHECK(protect((void *)page, 4096, (enum rights)9) < 0);
    GUEST_CHECK(discard((void *)0x2000, 4096) < 0);
    GUEST_CHECK(discard((void *)page, 1) < 0);
    GUEST_CHECK_EQ(faults, 3);
    guest_print("memory: ok\n");
    return 0;
}
