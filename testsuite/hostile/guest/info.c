/* SPDX-License-Identifier: MIT */
/* Looks for what should not be there: the host's addresses, a neighbour's bytes. */
#include "testsuite/hostile/guest/attack.h"

/* A pointer of a 64-bit host's process: an upper half that no number of ours has. */
static bool is_suspicious(uint32_t low, uint32_t high)
{
    return high >= 0x5500 && high <= 0x7fff && low != 0;
}

static void scan(const char *what, const void *from, uint32_t len)
{
    const uint32_t *w = from;
    for (uint32_t i = 0; i + 1 < len / 4; i++) {
        if (is_suspicious(w[i], w[i + 1])) {
            guest_print("%s: at %x: %08x%08x\n", what, (uint32_t)&w[i], w[i + 1], w[i]);
            guest_terminate(1);
        }
    }
}

/* Memory beyond the image is zero when the VM begins; so are rights, registers, x87. */
void attack_info_fresh_memory(uint32_t round)
{
    if (round)
        return attack_info_after_discard(round);
    uint32_t args = guest_regs.args_addr & ~4095u;
    for (uint32_t at = (uint32_t)heap; at < (uint32_t)heap_end; at += 4096) {
        for (uint32_t i = 0; i < 4096 && at != args; i += 4)
            GUEST_CHECK_EQ(*(uint32_t *)(at + i), 0);
    }
    static uint8_t image[512] __attribute__((aligned(16)));
    __asm__ volatile("fxsave %0" : "=m"(image));
    for (unsigned i = 32; i < 288; i++)
        GUEST_CHECK_EQ(image[i], 0);
    scan("fxsave", image, 512);
}

void attack_info_after_discard(uint32_t round)
{
    uint32_t bytes = 1 << 20;
    memset(heap + 4096, 0xa5, bytes);
    GUEST_CHECK_EQ(virtual_discard((uint32_t)heap + 4096, bytes), 0);
    for (uint32_t *w = (uint32_t *)(heap + 4096); w < (uint32_t *)(heap + 4096 + bytes); w++)
        GUEST_CHECK_EQ(*w, 0);
    guest_idle(1000 * (round & 7));
}

void attack_info_register_page(uint32_t round)
{
    const uint32_t *w = (const uint32_t *)(uint32_t)&guest_regs;
    for (uint32_t i = 0; i < 1024; i++) {
        if (i * 4 >= 0x40 && i * 4 < 0x88)
            continue; /* times, random numbers */
        if (i + 1 < 1024 && is_suspicious(w[i], w[i + 1]))
            guest_fail(__FILE__, i * 4, "the register page has a host's address");
    }
    for (uint32_t i = 0x800 / 4; i < 1024; i++)
        GUEST_CHECK_EQ(w[i], 0);
    guest_idle(100 * (round & 15));
}

/* Registers and saved contexts after each kind of exit. */
void attack_info_registers_after_exits(uint32_t round)
{
    static const uint8_t exits[][3] = {{0x0f, 0xa2, 0x90}, {0x0f, 0x31, 0x90}, {0x0f, 0xb9, 0xc4},
                                       {0x9c, 0x58, 0x90}, {0x0f, 0x0b, 0x90}, {0xf4, 0x90, 0x90},
                                       {0x8b, 0x00, 0x90}, {0xec, 0x90, 0x90}, {0xcc, 0x90, 0x90}};
    for (unsigned i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        struct registers r = {1, 2, 3, 4, harmless().esp, 6, 7, 8, 2};
        r.eax = 0x80000000;
        uint32_t came = try_bytes(exits[i], 3, &r);
        const uint32_t *in = &r.eax, *out = came ? &fault.context.eax : &try_out.eax;
        for (unsigned k = came ? 0 : 4; k < 8; k++)
            GUEST_CHECK_EQ(out[k], in[k]);
        if (came)
            GUEST_CHECK(fault.context.eip - (uint32_t)scratch < 4);
        scan("fault context", (const void *)&guest_regs.fault_context,
             sizeof(struct denali_context));
    }
    (void)round;
}

/* The x87 remembers where it executed last: that is the guest's address, not the translation's. */
void attack_info_x87_addresses(uint32_t round)
{
    static uint8_t image[512] __attribute__((aligned(16)));
    struct registers r = harmless();
    r.eax = (uint32_t)image;
    *(float *)r.edx = 1.5f;
    for (unsigned form = 0; form < 3; form++) {
        static const uint8_t store[3][3] = {
            {0xd9, 0x30, 0x90}, {0xdd, 0x30, 0x90}, {0x0f, 0xae, 0x00}};
        memset(image, 0, sizeof(image));
        GUEST_CHECK_EQ(
            TRY(&r, 0xd9, 0x02, 0xd8, 0x0a, store[form][0], store[form][1], store[form][2]), 0);
        uint32_t eip, data;
        memcpy(&eip, image + (form == 2 ? 8 : 12), 4);
        memcpy(&data, image + (form == 2 ? 16 : 20), 4);
        GUEST_CHECK(eip == 0 || eip - (uint32_t)scratch < 16);
        GUEST_CHECK(data == 0 || data == r.edx);
        scan("x87", image, sizeof(image));
    }
    TRY(&r, 0xdd, 0xd8);
    (void)round;
}

/* Whether anything was left on the stack, or beside it, by whoever served an exit. */
void attack_info_below_the_stack(uint32_t round)
{
    struct registers r = harmless();
    memset((void *)(r.esp - 4096), 0, 8192);
    TRY(&r, 0x0f, 0xa2);
    TRY(&r, 0xf4);
    TRY(&r, 0x0f, 0xb9, 0xc4);
    TRY(&r, 0xcd, 0x30);
    TRY(&r, 0xf0, 0xff, 0x02);
    for (uint32_t *w = (uint32_t *)(r.esp - 4096); w < (uint32_t *)(r.esp + 4096); w++)
        GUEST_CHECK_EQ(*w, 0);
    (void)round;
}

/* Only frames for us, and no byte beyond what we are told. */
void attack_info_neighbours_frames(uint32_t round)
{
    static uint8_t buffer[2048];
    int32_t len;
    memset(buffer, 0xee, sizeof(buffer));
    while ((len = nic_receive(buffer, 1514)) > 0) {
        GUEST_CHECK((buffer[0] & 1) || !memcmp(buffer, target.own_mac, 6));
        for (uint32_t i = (uint32_t)len; i < sizeof(buffer); i++)
            GUEST_CHECK_EQ(buffer[i], 0xee);
        memset(buffer, 0xee, sizeof(buffer));
    }
    guest_idle(1000000);
    guest_regs.pending = 0;
    (void)round;
}

/* The disk beyond what was ever written is zero, and nobody else's. */
void attack_info_disk_contents(uint32_t round)
{
    static struct denali_disk_request request;
    uint8_t *block = heap + (1 << 20);
    uint32_t number = 32 + draw_below(32);
    memset(block, 0xee, 4096);
    guest_disk_request(&request, DENALI_DISK_READ, number, block);
    GUEST_CHECK_EQ(guest_disk_wait(disk, &request), 0);
    scan("disk", block, 4096);
    (void)round;
}

/* Time goes on, is the same by both clocks, and tells nothing else. */
void attack_info_clocks(uint32_t round)
{
    uint64_t last = 0;
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t now = guest_time_ns();
        GUEST_CHECK(now >= last);
        last = now;
    }
    guest_idle(10000);
    GUEST_CHECK(guest_time_ns() >= last);
    (void)round;
}

/* Flags and segment registers that the host had. */
void attack_info_flags_and_segments(uint32_t round)
{
    struct registers r = harmless();
    GUEST_CHECK_EQ(TRY(&r, 0x9c, 0x58, 0x8c, 0xd9, 0x8c, 0xe2, 0x8c, 0xeb), 0);
    GUEST_CHECK_EQ(try_out.eax & 0xffc3f300u & ~0x200u, 0);
    GUEST_CHECK((try_out.edx & 0xffff) == 0 || (try_out.edx & 0xffff) == (try_out.ebx & 0xffff) ||
                round);
}
