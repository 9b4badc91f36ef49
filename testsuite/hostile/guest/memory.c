/* SPDX-License-Identifier: MIT */
/* Addresses at every edge of the window: an access is inside, or a page fault. */
#include "testsuite/hostile/guest/attack.h"

static bool inside(uint32_t address, uint32_t len)
{
    uint64_t end = (uint64_t)address + len, ram_end = guest_regs.mem_bytes;
    return end <= 0x1000 || (address >= 0x10000 && end <= ram_end);
}

/* Where things end or wrap. */
static const uint32_t edges[] = {0,          0x1000,     0x8000,     0x10000,
                                 MEMORY,     0x20000000, 0x7fffffff, 0x80000000,
                                 0xc0000000, 0xfffff000, 0xffff0000, 0xffffffff};
#define EDGES (sizeof(edges) / sizeof(edges[0]))

#define ACCESS(name, text)                                                                         \
    static void name(uint32_t a)                                                                   \
    {                                                                                              \
        __asm__ volatile(text : : "r"(a) : "eax", "ecx", "edx", "ebx", "memory", "cc");            \
    }
ACCESS(load1, "movb (%0), %%al")
ACCESS(load2, "movw (%0), %%ax")
ACCESS(load4, "movl (%0), %%eax")
ACCESS(load8, "movq (%0), %%mm0; emms")
ACCESS(load10, "fldt (%0); fstp %%st(0)")
ACCESS(load16, "movups (%0), %%xmm0")
ACCESS(change1, "orb $0, (%0)")
ACCESS(change2, "orw $0, (%0)")
ACCESS(change4, "lock; orl $0, (%0)")
ACCESS(add4, "addl $0, (%0)")
ACCESS(exchange8, "movl (%0), %%eax; movl %%eax, %%ebx; xorl %%edx, %%edx; xorl %%ecx, %%ecx; "
                  "lock; cmpxchg8b (%0)")
ACCESS(bit4, "btsl $0, (%0); btrl $0, (%0)")
ACCESS(shift4, "shldl $0, %%eax, (%0)")

static const struct access {
    void (*run)(uint32_t);
    uint8_t bytes;
    bool writes;
} accesses[] = {{load1, 1, false},   {load2, 2, false},   {load4, 4, false},    {load8, 8, false},
                {load10, 10, false}, {load16, 16, false}, {change1, 1, true},   {change2, 2, true},
                {change4, 4, true},  {add4, 4, true},     {exchange8, 8, true}, {bit4, 4, true},
                {shift4, 4, true}};
#define ACCESSES (sizeof(accesses) / sizeof(accesses[0]))

static void access_at(const struct access *access, uint32_t address)
{
    bool ok = inside(address, access->bytes);
    if (ok && access->writes && address < 0x20000)
        return; /* our own registers and stack */
    uint32_t came = try_function(access->run, address);
    GUEST_CHECK_EQ(came, ok ? 0 : FAULTS(FAULT_PAGE));
    if (!ok)
        GUEST_CHECK(fault.address - address < access->bytes);
}

void attack_mem_window_edges(uint32_t round)
{
    (void)round;
    for (unsigned e = 0; e < EDGES; e++) {
        for (uint32_t off = 0; off < 36; off++) {
            for (unsigned i = 0; i < ACCESSES; i++)
                access_at(&accesses[i], edges[e] + off - 18);
        }
    }
}

void attack_mem_any_address(uint32_t round)
{
    (void)round;
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t address = draw();
        if (address >= (uint32_t)heap_end || address < 0x10000)
            access_at(&accesses[draw_below(ACCESSES)], address);
    }
}

/* Sums of base, index and displacement are modulo 4 GiB, whatever their signs. */
static void displaced(uint32_t round)
{
    static volatile uint32_t word;
    uint32_t at = (uint32_t)&word, got;
    word = 0x600d0000 + round;
#define SUM(displacement)                                                                          \
    __asm__ volatile("movl " #displacement "(%1), %0"                                              \
                     : "=r"(got)                                                                   \
                     : "r"(at - (uint32_t)(displacement)));                                        \
    GUEST_CHECK_EQ(got, word)
    SUM(0x7fffffff);
    SUM(0x80000000);
    SUM(-0x7fffffff);
    SUM(0xfffffff0);
    SUM(-128);
    SUM(127);
#undef SUM
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t index = draw(), base = at - index * 8 - 0x12345678;
        __asm__ volatile("movl 0x12345678(%1,%2,8), %0" : "=r"(got) : "r"(base), "r"(index));
        GUEST_CHECK_EQ(got, word);
    }
}

static void displaced_out(uint32_t base)
{
    __asm__ volatile("movl 0x7fffffff(%0), %%eax" : : "r"(base) : "eax");
}

static void index_out(uint32_t index)
{
    __asm__ volatile("movl %%eax, -0x10(,%0,8)" : : "r"(index) : "eax", "memory");
}

void attack_mem_signed_displacement(uint32_t round)
{
    displaced(round);
    GUEST_CHECK_EQ(try_function(displaced_out, 0x7fffffff), FAULTS(FAULT_PAGE));
    GUEST_CHECK_EQ(fault.address, 0xfffffffeu);
    GUEST_CHECK_EQ(try_function(displaced_out, 0x10000000), FAULTS(FAULT_PAGE));
    GUEST_CHECK_EQ(fault.address, 0x8fffffffu);
    GUEST_CHECK_EQ(try_function(index_out, 0x10000000), FAULTS(FAULT_PAGE));
    GUEST_CHECK_EQ(try_function(index_out, 0x1fffffff), FAULTS(FAULT_PAGE));
}

/* 16-bit addresses stay in the first 64 KiB, where nothing is from 0x1000 on. */
void attack_mem_address_16(uint32_t round)
{
    struct registers r = harmless();
    r.ebx = 0xffff0000 | draw_below(0x10000);
    r.esi = 0xdead0000 | draw_below(0x10000);
    uint16_t disp = (uint16_t)(round * 7919), at = (uint16_t)(r.ebx + r.esi + disp);
    uint32_t came = TRY(&r, 0x67, 0x8b, 0x80, (uint8_t)disp, (uint8_t)(disp >> 8));
    GUEST_CHECK_EQ(came, at <= 0xffc ? 0 : FAULTS(FAULT_PAGE));
}

/* Strings. */

static uint32_t string(uint8_t prefix, uint8_t op, struct registers *r)
{
    return TRY(r, prefix, op);
}

void attack_mem_rep_across_guards(uint32_t round)
{
    static const uint8_t ops[] = {0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xa6, 0xa7};
    for (unsigned i = 0; i < sizeof(ops); i++) {
        for (unsigned down = 0; down < 2; down++) {
            struct registers r = harmless();
            uint32_t near = down ? 0x10008 : (uint32_t)heap_end - 8;
            r.eflags = down ? 0x402 : 2;
            r.ecx = round & 1 ? 0xffffffff : 0x40000000;
            r.edi = r.esi = near;
            r.eax = 0; /* memory there is zero, so that scans go on */
            memset((void *)(near - 8), 0, 16);
            uint8_t op = ops[i];
            GUEST_CHECK_EQ(
                string(op == 0xae || op == 0xaf || op == 0xa6 || op == 0xa7 ? 0xf3 : 0xf3, op, &r),
                FAULTS(FAULT_PAGE));
            GUEST_CHECK(fault.context.ecx >= r.ecx - 17 && fault.context.ecx < r.ecx);
        }
    }
}

/* Far away, without any element that fits; the destination alone is outside. */
void attack_mem_rep_outside(uint32_t round)
{
    static const uint8_t ops[] = {0xa4, 0xa5, 0xaa, 0xab};
    for (unsigned i = 0; i < 64; i++) {
        struct registers r = harmless();
        r.edi = edges[(round + i) % EDGES] - draw_below(64);
        r.ecx = draw();
        if (r.edi < (uint32_t)heap_end)
            r.edi |= 0x80000000;
        uint8_t op = ops[i % 4];
        if (!r.ecx)
            continue;
        GUEST_CHECK_EQ(TRY(&r, 0xf3, op), FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(fault.context.ecx, r.ecx);
    }
}

/* All of memory up to its end and beyond: one instruction that takes long and then faults. */
void attack_mem_rep_everything(uint32_t round)
{
    struct registers r = harmless();
    r.edi = (uint32_t)heap + 0x1000;
    r.ecx = 0x3fffffff;
    r.eax = round;
    GUEST_CHECK_EQ(TRY(&r, 0xf3, 0xab), FAULTS(FAULT_PAGE));
    GUEST_CHECK_EQ(fault.context.edi, (uint32_t)heap_end);
    GUEST_CHECK_EQ(*(uint32_t *)(heap_end - 4), round);
    if (round & 1)
        GUEST_CHECK_EQ(
            virtual_discard((uint32_t)heap + 0x1000, (uint32_t)(heap_end - heap) - 0x1000), 0);
}

/* Stacks. */

static const uint32_t stacks[] = {0,          1,          2,          3,          4,
                                  7,          0x1000,     0x1002,     0x8000,     0x10000,
                                  0x10002,    MEMORY,     MEMORY + 2, MEMORY + 4, 0x80000000,
                                  0xfffffffd, 0xfffffffe, 0xffffffff};

/* Whether `len` bytes of stack from there on are ours. */
static void stack_op(uint32_t esp, int32_t from, uint32_t len, const uint8_t *code, uint32_t n)
{
    struct registers r = harmless();
    r.esp = esp;
    r.ebp = esp;
    r.eax = r.ecx = r.edx = (uint32_t)scratch + 64; /* where jumps go: INT, too */
    scratch[64] = 0xcd;
    scratch[65] = 0x78;
    uint32_t at = esp + (uint32_t)from;
    if (inside(at, len) && at < 0x20000)
        return; /* our own */
    uint32_t came = try_bytes(code, n, &r);
    if (inside(at, len))
        GUEST_CHECK(came == 0 || (code[0] == 0xc3 && came == FAULTS(FAULT_PAGE)));
    else
        GUEST_CHECK_EQ(came, FAULTS(FAULT_PAGE));
}
#define STACK(esp, from, len, ...)                                                                 \
    stack_op(esp, from, len, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

void attack_mem_stack_at_edges(uint32_t round)
{
    (void)round;
    for (unsigned i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
        uint32_t esp = stacks[i];
        STACK(esp, -4, 4, 0x50);             /* push eax */
        STACK(esp, -2, 2, 0x66, 0x50);       /* push ax */
        STACK(esp, -4, 4, 0x6a, 0xff);       /* push -1 */
        STACK(esp, -4, 4, 0x9c);             /* pushf */
        STACK(esp, -4, 4, 0xff, 0xd0);       /* call eax */
        STACK(esp, -4, 4, 0xe8, 0, 0, 0, 0); /* call next */
        STACK(esp, 0, 4, 0x58);              /* pop eax */
        STACK(esp, 0, 2, 0x66, 0x58);        /* pop ax */
        STACK(esp, 0, 4, 0x9d);              /* popf */
        STACK(esp, 0, 4, 0xc3);              /* ret */
        STACK(esp, 0, 4, 0xc9);              /* leave */
        STACK(esp, -4, 4, 0x0e);             /* push cs */
    }
}

void attack_mem_pusha_enter_wrap(uint32_t round)
{
    (void)round;
    for (unsigned i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
        for (uint32_t off = 0; off < 40; off += 4) {
            uint32_t esp = stacks[i] + off - 4;
            STACK(esp, -32, 32, 0x60);       /* pusha */
            STACK(esp, 0, 32, 0x61);         /* popa */
            STACK(esp, -16, 16, 0x66, 0x60); /* pushaw */
        }
    }
    struct registers r = harmless();
    for (unsigned i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
        r.ebp = stacks[i];
        TRY(&r, 0xc8, 0xff, 0xff, 31); /* enter 65535, 31: reads 30 frames along EBP */
        r.esp = stacks[i] | 0x80000000;
        GUEST_CHECK_EQ(TRY(&r, 0xc8, 0, 0, 31), FAULTS(FAULT_PAGE));
        r = harmless();
    }
}

/* Jumps and calls through pointers that lie outside, and to targets that do. */
void attack_mem_pointers_outside(uint32_t round)
{
    for (unsigned i = 0; i < EDGES; i++) {
        struct registers r = harmless();
        r.eax = edges[i] + round % 3 - 1;
        if (inside(r.eax, 4))
            continue;
        GUEST_CHECK_EQ(TRY(&r, 0xff, 0x20), FAULTS(FAULT_PAGE)); /* jmp [eax] */
        GUEST_CHECK_EQ(TRY(&r, 0xff, 0x10), FAULTS(FAULT_PAGE)); /* call [eax] */
        GUEST_CHECK_EQ(TRY(&r, 0xff, 0x30), FAULTS(FAULT_PAGE)); /* push [eax] */
        GUEST_CHECK_EQ(TRY(&r, 0xff, 0x28), FAULTS(FAULT_PAGE)); /* jmp far [eax] */
        GUEST_CHECK_EQ(TRY(&r, 0x8f, 0x00), FAULTS(FAULT_PAGE)); /* pop [eax] */
        GUEST_CHECK_EQ(TRY(&r, 0xc4, 0x08), FAULTS(FAULT_PAGE)); /* les ecx, [eax] */
        GUEST_CHECK_EQ(TRY(&r, 0x62, 0x08), FAULTS(FAULT_PAGE)); /* bound ecx, [eax] */
    }
}

/* fs_base and gs_base are the guest's words: any sum, and it is inside or faults. */
void attack_mem_thread_pointers(uint32_t round)
{
    for (unsigned i = 0; i < 200; i++) {
        struct registers r = harmless();
        uint32_t base = i < 2 * EDGES ? edges[i / 2] : draw();
        r.eax = i & 1 ? draw() : edges[(round + i) % EDGES] - base;
        uint32_t at = base + r.eax;
        guest_regs.fs_base = guest_regs.gs_base = base;
        GUEST_CHECK_EQ(TRY(&r, 0x64, 0x8b, 0x08), inside(at, 4) ? 0 : FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(TRY(&r, 0x65, 0x8b, 0x08), inside(at, 4) ? 0 : FAULTS(FAULT_PAGE));
        if (inside(at, 4))
            continue;
        GUEST_CHECK_EQ(TRY(&r, 0x65, 0xff, 0x30), FAULTS(FAULT_PAGE)); /* push gs:[eax] */
        r.edi = r.esi = r.eax;
        GUEST_CHECK_EQ(TRY(&r, 0x64, 0xa5), FAULTS(FAULT_PAGE)); /* movsd, from fs:[esi] */
    }
    guest_regs.fs_base = guest_regs.gs_base = 0;
}

/* A bit's number of 32 bits reaches 256 MiB both ways. */
void attack_mem_bit_offset(uint32_t round)
{
    static const uint8_t ops[] = {0xa3, 0xab, 0xb3, 0xbb};
    (void)round;
    for (unsigned i = 0; i < 400; i++) {
        struct registers r = harmless();
        r.eax = draw();
        r.ecx = draw();
        uint32_t at = r.eax + (uint32_t)(((int32_t)r.ecx >> 5) * 4);
        if (at < 0x80000000) {
            r.eax += 0x80000000;
            at += 0x80000000;
        }
        GUEST_CHECK_EQ(TRY(&r, 0x0f, ops[i % 4], 0x08), FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(TRY(&r, 0xf0, 0x0f, ops[1 + i % 3], 0x08), FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(fault.address - (at & ~3u) < 8, 1);
    }
}

void attack_mem_xlat(uint32_t round)
{
    (void)round;
    for (unsigned i = 0; i < 300; i++) {
        struct registers r = harmless();
        r.ebx = i < EDGES * 4 ? edges[i / 4] - (i & 3) * 64 : draw();
        r.eax = draw();
        uint32_t at = r.ebx + (r.eax & 255);
        GUEST_CHECK_EQ(TRY(&r, 0xd7), inside(at, 1) ? 0 : FAULTS(FAULT_PAGE));
    }
}

/* Operands of 28 to 512 bytes across the end. */
void attack_mem_large_operands(uint32_t round)
{
    (void)round;
    static const struct {
        uint8_t code[4], len;
        uint16_t bytes;
    } large[] = {{{0x0f, 0xae, 0x00}, 3, 512}, /* fxsave [eax] */
                 {{0x0f, 0xae, 0x08}, 3, 512}, /* fxrstor */
                 {{0xdd, 0x30}, 2, 108},       /* fnsave */
                 {{0xdd, 0x20}, 2, 108},       /* frstor */
                 {{0xd9, 0x30}, 2, 28},        /* fnstenv */
                 {{0xd9, 0x20}, 2, 28},        /* fldenv */
                 {{0xdf, 0x30}, 2, 10},        /* fbstp */
                 {{0x0f, 0xe7, 0x00}, 3, 8},   /* movntq */
                 {{0x66, 0x0f, 0xe7, 0x00}, 4, 16}};
    for (unsigned i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        struct registers r = harmless();
        r.eax = ((uint32_t)heap_end - large[i].bytes + 16) & ~15u;
        if (r.eax + large[i].bytes <= (uint32_t)heap_end)
            r.eax += 16;
        GUEST_CHECK_EQ(try_bytes(large[i].code, large[i].len, &r), FAULTS(FAULT_PAGE));
        r.eax = 0xfffffff0;
        GUEST_CHECK_EQ(try_bytes(large[i].code, large[i].len, &r), FAULTS(FAULT_PAGE));
        r.eax = 0xff0;
        GUEST_CHECK_EQ(try_bytes(large[i].code, large[i].len, &r) != 0, large[i].bytes > 16);
        guest_regs.magic = DENALI_ABI_MAGIC;
    }
}

/* A masked store goes where EDI says. */
void attack_mem_masked_store(uint32_t round)
{
    for (unsigned i = 0; i < EDGES; i++) {
        struct registers r = harmless();
        r.edi = edges[i] + round % 16;
        if (inside(r.edi, 16))
            continue;
        GUEST_CHECK_EQ(TRY(&r, 0x66, 0x0f, 0x76, 0xc0, 0x66, 0x0f, 0xf7, 0xc0), FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x76, 0xc0, 0x0f, 0xf7, 0xc0), FAULTS(FAULT_PAGE));
    }
}

/* Hints may name any address, and do nothing there. */
void attack_mem_prefetch_anywhere(uint32_t round)
{
    (void)round;
    for (unsigned i = 0; i < 300; i++) {
        struct registers r = harmless();
        r.eax = draw();
        GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x18, 0x08), 0);
        GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x18, 0x00), 0);
        TRY(&r, 0x0f, 0xae, 0x38); /* clflush */
        TRY(&r, 0x0f, 0x0d, 0x08); /* prefetchw */
    }
}

/* Rights. */

void attack_mem_protect_storm(uint32_t round)
{
    static const uint32_t rights[] = {0, 1, 3};
    uint32_t page = (uint32_t)heap + (2 << 20) + 4096 * draw_below(1024);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t what = rights[draw_below(3)];
        GUEST_CHECK_EQ(virtual_protect(page, 4096, what), 0);
        GUEST_CHECK_EQ(try_function(load4, page + 128), what ? 0 : FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(try_function(change4, page + 128), what == 3 ? 0 : FAULTS(FAULT_PAGE));
    }
    GUEST_CHECK_EQ(virtual_protect(page, 4096, 3), 0);
    (void)round;
}

/* Every other page, until the host says AGAIN. */
void attack_mem_protect_everywhere(uint32_t round)
{
    int32_t came = 0;
    for (uint32_t a = (uint32_t)heap + 8192; !came && a < (uint32_t)heap_end; a += 8192)
        came = virtual_protect(a, 4096, round & 1 ? 3 : 1);
    GUEST_CHECK(came == 0 || came == DENALI_AGAIN);
}

void attack_mem_protect_discard_arguments(uint32_t round)
{
    for (unsigned i = 0; i < 200; i++) {
        uint32_t address = edges[draw_below(EDGES)] & ~0xfffu, bytes = draw() & ~0xfffu;
        bool inside_ram = address >= 0x10000 && (uint64_t)address + bytes <= guest_regs.mem_bytes;
        if (inside_ram && bytes)
            continue;
        GUEST_CHECK(!bytes || virtual_protect(address, bytes, 3) < 0);
        GUEST_CHECK(!bytes || virtual_discard(address, bytes) < 0);
        GUEST_CHECK_EQ(virtual_protect(address | 1, 4096, 3), DENALI_RANGE);
        GUEST_CHECK_EQ(virtual_discard((uint32_t)heap, 4095), DENALI_RANGE);
    }
    GUEST_CHECK_EQ(virtual_protect((uint32_t)heap, 4096, 2), DENALI_INVAL);
    GUEST_CHECK_EQ(virtual_protect((uint32_t)heap, 4096, 7 + round), DENALI_INVAL);
    GUEST_CHECK(virtual_protect(0xfffff000, 0x2000, 3) < 0);
    GUEST_CHECK(virtual_discard(0xfffff000, 0x12000) < 0);
    GUEST_CHECK(virtual_discard(0, 4096) < 0);
}

/* The kernel reads each word of the register page with suspicion. */
void attack_mem_register_page_garbage(uint32_t round)
{
    uint32_t saved[1024], *page = (uint32_t *)(uint32_t)&guest_regs;
    memcpy(saved, page, 4096);
    for (uint32_t i = round % 1024, n = 0; n < 64; n++, i = (i + 17) % 1024) {
        if (i * 4 >= 0x88 && i * 4 < 0xc8)
            continue; /* where interrupts, faults and traps go: dev_wild_entries */
        page[i] = draw();
        guest_idle(0);
        guest_poll();
        GUEST_CHECK(nic_receive((void *)0xfffffff0, 64) < 0);
    }
    memcpy(page, saved, 0x88);
    memcpy((char *)page + 0xc8, (char *)saved + 0xc8, 4096 - 0xc8);
}
