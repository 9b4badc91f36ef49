/* SPDX-License-Identifier: MIT */
/* Devices and virtual instructions, with arguments that nobody would give. */
#include "testsuite/hostile/guest/attack.h"

static const uint32_t wild[] = {0,          1,          0xfff,       0x1000,       0xffff,
                                0x7fffffff, 0x80000000, 0xfffff000,  0xfffffffe,   0xffffffff,
                                MEMORY - 1, MEMORY,     MEMORY - 63, MEMORY + 4096};
#define WILD (sizeof(wild) / sizeof(wild[0]))

static bool inside_ram(uint32_t address, uint32_t len)
{
    return address >= 0x10000 && (uint64_t)address + len <= guest_regs.mem_bytes;
}

/* Lengths that wrap, and frames that reach beyond the end of memory. */
void attack_dev_nic_lengths(uint32_t round)
{
    for (unsigned i = 0; i < WILD; i++) {
        for (unsigned k = 0; k < WILD; k++) {
            uint32_t at = wild[i], len = wild[k] + (round & 3);
            int32_t came = nic_send((void *)at, len);
            GUEST_CHECK(came == DENALI_RANGE || came == DENALI_FAULT);
            came = nic_receive((void *)at, len);
            GUEST_CHECK(came == DENALI_RANGE || came == DENALI_FAULT || inside_ram(at, len));
        }
        int32_t came = nic_send(heap_end - 14 - i, 15 + i);
        GUEST_CHECK_EQ(came, DENALI_FAULT);
        GUEST_CHECK_EQ(nic_receive(heap_end - 60, 61 + i), DENALI_FAULT);
    }
    GUEST_CHECK_EQ(nic_send(heap, 1515), DENALI_RANGE);
    GUEST_CHECK_EQ(nic_send(heap, 65536), DENALI_RANGE);
    GUEST_CHECK_EQ(nic_send(heap, 0x10000 + 60), DENALI_RANGE);
    GUEST_CHECK_EQ(nic_send(heap, 13), DENALI_RANGE);
    GUEST_CHECK_EQ(nic_receive(heap, 13), DENALI_RANGE);
    GUEST_CHECK_EQ(nic_receive((void *)0x40, 64), DENALI_FAULT);
}

/* Buffers against PROTECT: the device has the guest's rights, not more. */
void attack_dev_dma_against_rights(uint32_t round)
{
    static struct denali_disk_request request;
    uint8_t *page = heap + (1 << 20);
    GUEST_CHECK_EQ(virtual_protect((uint32_t)page, 4096, round & 1), 0);
    GUEST_CHECK_EQ(nic_receive(page, 1514), DENALI_FAULT);
    GUEST_CHECK(nic_send(page, 60) == (round & 1 ? nic_send(page, 60) : DENALI_FAULT));
    guest_disk_request(&request, DENALI_DISK_READ, 1, page);
    disk_submit(&request, 1);
    while (*(volatile int32_t *)&request.status == DENALI_DISK_BUSY)
        guest_idle(1000000);
    GUEST_CHECK(request.status < 0);
    GUEST_CHECK_EQ(virtual_protect((uint32_t)page, 4096, 3), 0);
}

/* Length wrap in a descriptor: arrays whose end is beyond 4 GiB or beyond memory. */
void attack_dev_disk_descriptor_wrap(uint32_t round)
{
    static const uint32_t counts[] = {1,          2,          255,       256,        257,
                                      0x7ffffff,  0x8000000,  0x8000001, 0x10000000, 0x80000000,
                                      0xffffffff, 0xfffffff8, 0x08000000};
    for (unsigned i = 0; i < WILD; i++) {
        for (unsigned k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
            if (inside_ram(wild[i], 32))
                continue;
            GUEST_CHECK_EQ(disk_submit((void *)wild[i], counts[k]), DENALI_FAULT);
        }
    }
    /* The last descriptors of memory: those that are inside, and no more. */
    struct denali_disk_request *last = (void *)(heap_end - 32);
    memset(last, 0, 32);
    int32_t came = disk_submit(last, 1 + (round & 1));
    GUEST_CHECK(came <= 1);
    GUEST_CHECK(disk_submit((char *)last + 1, 1) <= 0);
    GUEST_CHECK(disk_submit(heap, 0) <= 0);
}

static int32_t request_of(uint32_t op, uint32_t buffer, uint64_t block, uint32_t bytes)
{
    static struct denali_disk_request request;
    request = (struct denali_disk_request){op, buffer, block, bytes, DENALI_DISK_BUSY, 7, 0};
    int32_t came = disk_submit(&request, 1);
    while (came == 1 && *(volatile int32_t *)&request.status == DENALI_DISK_BUSY)
        guest_idle(1000000);
    GUEST_CHECK_EQ(request.tag, 7);
    return came == 1 ? request.status : DENALI_INVAL;
}

/* Blocks beyond the end (numbers whose byte offset wraps, too), odd buffers, odd operations. */
void attack_dev_disk_out_of_range(uint32_t round)
{
    uint32_t buffer = (uint32_t)heap + (1 << 20);
    uint64_t blocks = disk->blocks;
    const uint64_t beyond[] = {blocks,     blocks + 1,    1ull << 20,       1ull << 32,
                               1ull << 51, 1ull << 52,    (1ull << 52) + 1, 1ull << 63,
                               UINT64_MAX, UINT64_MAX - 1};
    for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        GUEST_CHECK(request_of(DENALI_DISK_READ, buffer, beyond[i], 4096) < 0);
        GUEST_CHECK(request_of(DENALI_DISK_WRITE, buffer, beyond[i], 4096) < 0);
    }
    for (unsigned i = 0; i < WILD; i++) {
        GUEST_CHECK(request_of(DENALI_DISK_READ, wild[i], 0, 4096) < 0);
        GUEST_CHECK(request_of(DENALI_DISK_WRITE, buffer, 0, wild[i] | 1) < 0);
    }
    GUEST_CHECK(request_of(0, buffer, 0, 4096) < 0);
    GUEST_CHECK(request_of(4 + round, buffer, 0, 4096) < 0);
    GUEST_CHECK(request_of(DENALI_DISK_READ, buffer + 512, 0, 4096) < 0);
    GUEST_CHECK(request_of(DENALI_DISK_READ, (uint32_t)heap_end, 0, 4096) < 0);
}

/* Descriptors and buffers that change, go, or overlap while the disk is at work. */
void attack_dev_disk_race(uint32_t round)
{
    struct denali_disk_request *r = (void *)(heap + (1 << 20));
    uint32_t buffer = (uint32_t)heap + (2 << 20);
    for (unsigned i = 0; i < 32; i++)
        guest_disk_request(&r[i], i & 1 ? DENALI_DISK_WRITE : DENALI_DISK_READ, i % disk->blocks,
                           (void *)(buffer + i % 4 * 4096));
    int32_t came = disk_submit(r, 32);
    for (unsigned i = 0; i < 32; i++) {
        volatile struct denali_disk_request *v = &r[i];
        v->buffer = draw();
        v->block = draw();
        v->bytes = draw();
        v->op = draw();
    }
    if (round & 1)
        GUEST_CHECK_EQ(virtual_discard(buffer, 16384), 0);
    if (round & 2)
        virtual_protect(buffer, 4096, 0);
    GUEST_CHECK(came >= 0);
    for (int32_t i = 0; i < came; i++) {
        while (*(volatile int32_t *)&r[i].status == DENALI_DISK_BUSY)
            guest_idle(1000000);
    }
    virtual_protect(buffer, 4096, 3);
}

/* Buffers that are the descriptors themselves, the code, the stack. */
void attack_dev_disk_overlap(uint32_t round)
{
    struct denali_disk_request *r = (void *)(heap + (1 << 20));
    uint8_t *block = heap + (2 << 20);
    memset(block, 0, 4096);
    guest_disk_request(r, DENALI_DISK_WRITE, 9, block);
    GUEST_CHECK_EQ(guest_disk_wait(disk, r), 0);
    for (unsigned i = 0; i < 16; i++)
        guest_disk_request(&r[i], DENALI_DISK_READ, 9, r);
    disk_submit(r, 16);
    guest_idle(3000000);
    guest_regs.pending = 0;
    (void)round;
}

/* The same request again and again, more than the queue holds. */
void attack_dev_disk_queue(uint32_t round)
{
    struct denali_disk_request *r = (void *)(heap + (1 << 20));
    for (unsigned i = 0; i < 600; i++)
        guest_disk_request(&r[i], DENALI_DISK_FLUSH, 0, NULL);
    int32_t came = disk_submit(r, 600);
    GUEST_CHECK(came > 0 && came <= (int32_t)DENALI_DISK_QUEUE);
    disk_submit(r, 600);
    for (int32_t i = 0; i < came; i++) {
        while (*(volatile int32_t *)&r[i].status == DENALI_DISK_BUSY)
            guest_idle(1000000);
    }
    (void)round;
}

void attack_dev_console_arguments(uint32_t round)
{
    for (unsigned i = 0; i < WILD; i++) {
        for (unsigned k = 0; k < WILD; k++) {
            if (inside_ram(wild[i], wild[k]) || !wild[k])
                continue;
            GUEST_CHECK(guest_out(console->port, wild[i], wild[k], 1) < 0);
        }
        if (wild[i] != 1)
            GUEST_CHECK(guest_out(console->port, (uint32_t)heap, 4, wild[i]) < 0);
    }
    GUEST_CHECK(guest_out(console->port, (uint32_t)heap_end - 4, 5, 1) < 0);
    (void)round;
}

/* All of memory to the console, in one instruction. */
void attack_dev_console_megabytes(uint32_t round)
{
    memset(heap, '.', 8 << 20);
    GUEST_CHECK_EQ(guest_out(console->port, (uint32_t)heap, 8 << 20, 1 + (round & 1)), 8 << 20);
}

void attack_dev_keyboard_arguments(uint32_t round)
{
    if (!keyboard)
        return;
    for (unsigned i = 0; i < WILD * WILD; i++) {
        uint32_t at = wild[i % WILD], room = wild[i / WILD];
        int32_t came = guest_in(keyboard->port, (void *)at, room);
        GUEST_CHECK(came <= 0 || inside_ram(at, room));
        GUEST_CHECK(guest_out(keyboard->port + 1, draw(), 0, 0) <= 0);
    }
    (void)round;
}

/* Times of 0, in the past, at the end of time; far more often than anybody could be told. */
void attack_dev_timer_times(uint32_t round)
{
    static const uint64_t times[] = {0,         1, UINT64_MAX - 1, 1ull << 63, (1ull << 63) - 1,
                                     1ull << 32};
    for (unsigned i = 0; i < 200; i++)
        guest_timer(times[(round + i) % 6]);
    guest_timer(guest_time_ns() - 1);
    guest_idle(1000000000);
    GUEST_CHECK(guest_regs.pending & DENALI_IRQ_TIMER);
    guest_regs.pending = 0;
}

void attack_dev_idle_arguments(uint32_t round)
{
    static const uint64_t times[] = {0, 1, 2, 999, 1000};
    for (unsigned i = 0; i < 500; i++)
        guest_idle(times[(round + i) % 5]);
    guest_timer(guest_time_ns() + 100000);
    guest_idle(UINT64_MAX - 1);
    guest_regs.pending = 0;
}

/* RESUME from everywhere, with every flag and target. */
void attack_dev_resume_anywhere(uint32_t round)
{
    struct registers r = harmless();
    for (unsigned i = 0; i < WILD; i++) {
        r.eax = wild[i];
        if (wild[i] < 0x1000 && wild[i] + 48 <= 0x1000)
            continue;
        if (inside_ram(wild[i], 48))
            continue;
        GUEST_CHECK(TRY(&r, 0x0f, 0xb9, 0xc2) != 0);
    }
    struct denali_context *c = (void *)(heap + (1 << 20));
    for (unsigned i = 0; i < 100; i++) {
        *c = (struct denali_context){.eip = wild[i % WILD] | 0x80000000,
                                     .eflags = draw() & ~0x100u,
                                     .esp = draw(),
                                     .reserved = draw()};
        r.eax = (uint32_t)c;
        GUEST_CHECK_EQ(TRY(&r, 0x0f, 0xb9, 0xc2), FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(fault.context.eip, c->eip);
    }
    r.eax = (uint32_t)heap_end - 44; /* cut off by the end */
    GUEST_CHECK(TRY(&r, 0x0f, 0xb9, 0xc2) != 0);
    (void)round;
}

/* TRAPRET to everywhere. */
void attack_dev_trapret_anywhere(uint32_t round)
{
    struct registers r = harmless();
    for (unsigned i = 0; i < WILD; i++) {
        if (wild[i] < 0x10000 || inside_ram(wild[i], 1))
            continue;
        guest_regs.trap_eip = wild[i] + (round & 7);
        guest_regs.trap_enabled = 0;
        uint32_t eip = guest_regs.trap_eip;
        if (eip < 0x10000)
            continue;
        GUEST_CHECK_EQ(TRY(&r, 0x0f, 0xb9, 0xc3), FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(fault.context.eip, eip);
    }
}

/* All functions and registers; reserved ones are faults, others do what they do. */
void attack_dev_virtual_instructions(uint32_t round)
{
    for (unsigned fn = 0; fn < 64; fn++) {
        struct registers r = harmless();
        r.eax = wild[(round + fn) % WILD];
        r.ecx = wild[(round * 3 + fn) % WILD];
        r.edx = fn == 6 ? draw() : 0;
        r.ebx = wild[(round * 5 + fn) % WILD];
        if (fn < 4 || fn == 7 || (fn == 6 && inside_ram(r.eax, r.ecx)))
            continue;
        uint32_t came = TRY(&r, 0x0f, 0xb9, (uint8_t)(0xc0 | fn));
        if (fn >= 8)
            GUEST_CHECK_EQ(came, FAULTS(FAULT_UD));
        GUEST_CHECK(came == 0 || fn >= 5);
        GUEST_CHECK_EQ(TRY(&r, 0x0f, 0xb9, (uint8_t)(fn & 0x3f)), FAULTS(FAULT_UD)); /* memory */
    }
}

/* Names for the host's statistics: without an end, outside, a new one each time. */
void attack_dev_unknown_names(uint32_t round)
{
    struct registers r = harmless();
    for (unsigned i = 0; i < WILD; i++) {
        r.eax = round;
        r.ebx = wild[i];
        TRY(&r, 0x0f, 0xb9, 0xc5);
    }
    char *name = (char *)heap + (1 << 20);
    memset(name, 'x', 4096);
    r.ebx = (uint32_t)name;
    TRY(&r, 0x0f, 0xb9, 0xc5);
    memset(heap_end - 8, 'y', 8);
    r.ebx = (uint32_t)heap_end - 8;
    TRY(&r, 0x0f, 0xb9, 0xc5);
    for (unsigned i = 0; i < 200; i++) {
        r.eax = draw();
        name[0] = (char)('a' + i % 26);
        name[1] = (char)draw();
        name[2] = 0;
        r.ebx = (uint32_t)name;
        TRY(&r, 0x0f, 0xb9, 0xc5);
    }
}

/* Entries of interrupts and faults that lead nowhere: the VM ends, and another one comes. */
void attack_dev_wild_entries(uint32_t round)
{
    guest_print("round 1\n");
    guest_idle(200000);
    guest_regs.fault_entry = wild[draw_below(WILD)];
    guest_regs.fault_stack = wild[draw_below(WILD)];
    guest_regs.upcall_entry = 0xfffffff0;
    guest_regs.upcall_stack = wild[draw_below(WILD)];
    guest_regs.fault_active = round;
    guest_regs.intr_enabled = 0xffffffff;
    guest_timer(0);
    guest_poll();
    for (;;)
        guest_idle(1000);
}
