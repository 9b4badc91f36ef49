/* SPDX-License-Identifier: MIT */
/* As much of everything as there is to be had. */
#include "testsuite/hostile/guest/attack.h"

static void on_interrupt(uint32_t batch)
{
    (void)batch;
    guest_timer(guest_time_ns() + 500); /* and again, as soon as it has returned */
}

void attack_dos_spin(uint32_t round)
{
    for (volatile uint32_t i = 0; i < 1000000; i++)
        ;
    (void)round;
}

void attack_dos_yield_storm(uint32_t round)
{
    for (unsigned i = 0; i < 10000; i++)
        guest_idle(0);
    (void)round;
}

void attack_dos_interrupt_storm(uint32_t round)
{
    guest_interrupts_on(on_interrupt);
    guest_timer(0);
    for (volatile uint32_t i = 0; i < 100000; i++)
        ;
    guest_interrupts_off();
    guest_timer(UINT64_MAX);
    (void)round;
}

/* Sleeps that end just when they are about to be worth something. */
void attack_dos_short_sleeps(uint32_t round)
{
    for (unsigned i = 0; i < 100; i++) {
        guest_idle(20000 + draw_below(40000));
        for (volatile uint32_t k = 0; k < 2000 * (i % 10); k++)
            ;
    }
    (void)round;
}

/* Idles for long, then takes a whole quantum: looks like somebody who answers. */
void attack_dos_feigned_interactive(uint32_t round)
{
    for (unsigned i = 0; i < 10; i++)
        guest_idle(300000);
    for (volatile uint32_t i = 0; i < 3000000; i++)
        ;
    (void)round;
}

void attack_dos_page_thrash(uint32_t round)
{
    for (uint8_t *at = heap; at < heap_end; at += 4096)
        *(volatile uint32_t *)at = round;
}

void attack_dos_dirty_discard(uint32_t round)
{
    uint32_t bytes = (uint32_t)(heap_end - heap) - 4096;
    attack_dos_page_thrash(round);
    GUEST_CHECK_EQ(virtual_discard((uint32_t)heap + 4096, bytes), 0);
}

/* One page at a time: a system call and a fault of the host's for each. */
void attack_dos_discard_storm(uint32_t round)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t *page = heap + 4096 * (1 + draw_below(4000));
        *(volatile uint32_t *)page = round;
        GUEST_CHECK_EQ(virtual_discard((uint32_t)page, 4096), 0);
        GUEST_CHECK_EQ(*(volatile uint32_t *)page, 0);
    }
}

void attack_dos_fault_storm(uint32_t round)
{
    struct registers r = harmless();
    for (unsigned i = 0; i < 2000; i++) {
        r.eax = 0x80000000 + i * 4096;
        GUEST_CHECK_EQ(TRY(&r, 0x8b, 0x00), FAULTS(FAULT_PAGE));
    }
    (void)round;
}

void attack_dos_trap_storm(uint32_t round)
{
    struct registers r = harmless();
    for (unsigned i = 0; i < 20000; i++)
        TRY(&r, 0xcd, 0x30);
    (void)round;
}

/* Atomic operations across cache lines stop the bus of a real machine. */
void attack_dos_split_locks(uint32_t round)
{
    volatile uint32_t *at = (volatile uint32_t *)(heap + 4096 + 62);
    for (unsigned i = 0; i < 2000; i++)
        __asm__ volatile("lock; incl %0" : "+m"(*at));
    at = (volatile uint32_t *)(heap + 8192 - 2);
    for (unsigned i = 0; i < 500; i++)
        __asm__ volatile("lock; incl %0" : "+m"(*at));
    (void)round;
}

/* Single instructions that take long. */
void attack_dos_slow_instructions(uint32_t round)
{
    struct registers r = harmless();
    uint32_t *m = (uint32_t *)r.edx;
    m[0] = 1;
    m[1] = 0;
    m[2] = 0; /* a denormal of 80 bits */
    for (unsigned i = 0; i < 200; i++) {
        GUEST_CHECK_EQ(TRY(&r, 0xdb, 0x2a, 0xd9, 0xfe, 0xd9, 0xf2, 0xdd, 0xd8, 0xd9, 0xff), 0);
        GUEST_CHECK_EQ(TRY(&r, 0xdb, 0x2a, 0xdf, 0x32), 0); /* fbstp */
        uint32_t a = 0, b, c = 0, d;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        __asm__ volatile("mfence" : : : "memory");
    }
    (void)round;
}

/* Copies of megabytes in one instruction, none of which ends within a quantum. */
void attack_dos_long_strings(uint32_t round)
{
    uint32_t count = (uint32_t)(heap_end - heap) / 2 - 8192;
    void *to = heap + 4096 + count, *from = heap + 4096;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    (void)round;
}

void attack_dos_backward_strings(uint32_t round)
{
    uint32_t count = 1 << 20;
    void *to = heap + (4 << 20), *from = heap + (8 << 20);
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    (void)round;
}

/* Code that changes itself as fast as it can. */
void attack_dos_self_modification(uint32_t round)
{
    struct registers r = harmless();
    r.ebx = (uint32_t)scratch + 1;
    r.ecx = 20000;
    /* again: mov eax, imm; inc dword [ebx]; dec ecx; jnz again */
    GUEST_CHECK_EQ(TRY(&r, 0xb8, 0, 0, 0, 0, 0xff, 0x03, 0x49, 0x75, 0xf6), 0);
    GUEST_CHECK_EQ(try_out.eax, 19999);
    (void)round;
}

void attack_dos_console_storm(uint32_t round)
{
    for (unsigned i = 0; i < 2000; i++)
        guest_write(1 + (i & 1), "All work and no play. All work and no play. All work...\n", 56);
    (void)round;
}

void attack_dos_disk_storm(uint32_t round)
{
    struct denali_disk_request *r = (void *)(heap + (1 << 20));
    for (unsigned i = 0; i < 128; i++)
        guest_disk_request(&r[i], i & 1 ? DENALI_DISK_WRITE : DENALI_DISK_READ,
                           (i * 7 + round) % disk->blocks, heap + (2 << 20) + i * 4096);
    int32_t came = disk_submit(r, 128);
    for (int32_t i = 0; i < came; i++) {
        while (*(volatile int32_t *)&r[i].status == DENALI_DISK_BUSY)
            guest_idle(100000);
    }
    guest_regs.pending = 0;
}

void attack_dos_disk_flush_storm(uint32_t round)
{
    struct denali_disk_request *r = (void *)(heap + (1 << 20));
    for (unsigned i = 0; i < 32; i++) {
        if (i & 1)
            guest_disk_request(&r[i], DENALI_DISK_FLUSH, 0, NULL);
        else
            guest_disk_request(&r[i], DENALI_DISK_WRITE, i, heap + (2 << 20));
    }
    int32_t came = disk_submit(r, 32);
    for (int32_t i = 0; i < came; i++) {
        while (*(volatile int32_t *)&r[i].status == DENALI_DISK_BUSY)
            guest_idle(100000);
    }
    guest_regs.pending = 0;
    (void)round;
}

/* Comes, and dies at once. */
void attack_dos_crash_loop(uint32_t round)
{
    guest_print("round 1\n");
    guest_regs.fault_entry = 0;
    *(volatile uint32_t *)0xfffffff0 = round;
}
