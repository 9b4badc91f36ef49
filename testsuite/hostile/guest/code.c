/* SPDX-License-Identifier: MIT */
/* Code that changes, overlaps, ends where memory ends, or is no code. */
#include "testsuite/hostile/guest/attack.h"

#define INT77 0xcd, 0x77

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

/* Zeros are `add [eax], al`: here, a fault at once. */
static const struct registers nowhere = {.eax = 0x8000, .eflags = 2};

/* `mov eax, N; int` at an address; executes it and says what came. */
static void put_answer(uint8_t *at, uint32_t n)
{
    at[0] = 0xb8;
    put32(at + 1, n);
    at[5] = 0xcd;
    at[6] = 0x77;
}

static uint32_t answer_of(uint8_t *at)
{
    struct registers r = harmless();
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)at), 0);
    return try_out.eax;
}

void attack_code_self_modifying(uint32_t round)
{
    for (uint32_t i = 0; i < 100; i++) {
        put_answer(scratch + 64, round + i);
        GUEST_CHECK_EQ(answer_of(scratch + 64), round + i);
    }
}

/* An instruction that writes the one behind it, which the processor must not have read yet. */
void attack_code_writes_next_instruction(uint32_t round)
{
    struct registers r = harmless();
    r.ebx = (uint32_t)scratch + 3 + 1;
    r.ecx = round & 0xff;
    r.eax = 0;
    GUEST_CHECK_EQ(TRY(&r, 0x88, 0x0b, 0x90, 0xb0, 0x11), 0); /* mov [ebx], cl; nop; mov al, 11 */
    GUEST_CHECK_EQ(try_out.eax, round & 0xff);
}

/* A loop whose body is another one each time. */
void attack_code_loop_rewrites_itself(uint32_t round)
{
    /* again: add eax, 1; inc byte [again + 2]; dec ecx; jnz again */
    struct registers r = harmless();
    r.eax = 0;
    r.ecx = 50;
    r.ebx = (uint32_t)scratch + 2;
    GUEST_CHECK_EQ(TRY(&r, 0x83, 0xc0, 0x01, 0xfe, 0x03, 0x49, 0x75, 0xf8), 0);
    GUEST_CHECK_EQ(try_out.eax, 50 * 51 / 2);
    (void)round;
}

/* An instruction over two pages, the second of which changes. */
void attack_code_across_pages(uint32_t round)
{
    uint8_t *at = heap + 8192 - 3;
    put_answer(at, round);
    GUEST_CHECK_EQ(answer_of(at), round);
    heap[8192] ^= 0xff; /* the third byte of the number */
    GUEST_CHECK_EQ(answer_of(at), round ^ 0xff0000);
    heap[8192 - 1] ^= 0xff;
    GUEST_CHECK_EQ(answer_of(at), round ^ 0xffff00);
    GUEST_CHECK_EQ(virtual_discard((uint32_t)heap + 8192, 4096), 0);
    GUEST_CHECK(try_registers(&nowhere, (uint32_t)at) != 0);
}

/* Every byte of a piece of code is entered, also those in the middle of instructions. */
void attack_code_middle_of_instructions(uint32_t round)
{
    for (uint32_t i = 0; i < 64; i++)
        scratch[256 + i] = (uint8_t)(0xb8 + (i * 7 + round) % 8); /* mov r32, imm32, everywhere */
    for (uint32_t i = 64; i < 96; i++)
        scratch[256 + i] = i & 1 ? 0x77 : 0xcd;
    for (uint32_t i = 0; i < 64; i++) {
        struct registers r = harmless();
        try_registers(&r, (uint32_t)scratch + 256 + i);
    }
}

static uint32_t jump_to(uint32_t where)
{
    struct registers r = harmless();
    r.eax = where;
    return TRY(&r, 0xff, 0xe0); /* jmp eax */
}

void attack_code_jumps_everywhere(uint32_t round)
{
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t where = i < 256 ? i << 24 | (round * 4099 & 0xffffff) : draw();
        if (where >= 0x10000 && where < (uint32_t)heap_end)
            continue;
        uint32_t came = jump_to(where);
        if (where < 0x1000)
            continue; /* the register page: data, but ours */
        GUEST_CHECK_EQ(came, FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(fault.context.eip, where);
    }
}

/* The engine looks targets up by address: those at the ends of any table. */
void attack_code_dispatch_ends(uint32_t round)
{
    static const uint32_t where[] = {0xffffffff, 0xfffffffe, 0xfffffffc, 0xffff0000, 0x80000000,
                                     0x7fffffff, 0x7ffffffe, 0x40000000, 0x3fffffff, 0xfffff,
                                     0x1000,     0xffff,     MEMORY,     MEMORY + 1, 0xdeadbeef};
    for (unsigned i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
        if (where[i] == 0xfffff)
            continue;
        uint32_t came = jump_to(where[i]);
        GUEST_CHECK_EQ(came, FAULTS(FAULT_PAGE));
        struct registers r = harmless();
        r.esp = r.edx;
        *(uint32_t *)r.esp = where[i];
        GUEST_CHECK_EQ(TRY(&r, 0xc3), FAULTS(FAULT_PAGE)); /* ret */
        *(uint32_t *)r.esp = where[i];
        GUEST_CHECK_EQ(TRY(&r, 0xc2, 4, 0), FAULTS(FAULT_PAGE)); /* ret 4 */
        GUEST_CHECK_EQ(TRY(&r, 0xff, 0xd0) != 0, 1);             /* call eax: 0 */
    }
    (void)round;
}

static void overlap(uint8_t *at, uint32_t n)
{
    /* jmp +1 into: b8 (imm of the one before) cd 77 .. */
    static const uint8_t code[] = {0xeb, 0x01, 0xb9, 0xb8, 0, 0, 0, 0, 0xcd, 0x77};
    memcpy(at, code, sizeof(code));
    put32(at + 4, n);
}

void attack_code_overlapping(uint32_t round)
{
    struct registers r = harmless();
    overlap(scratch + 512, round);
    GUEST_CHECK_EQ(answer_of(scratch + 512), round);
    try_soon(&r, (uint32_t)scratch + 514); /* the same bytes, other instructions */
    overlap(scratch + 512, ~round);
    GUEST_CHECK_EQ(answer_of(scratch + 512), ~round);
}

/* Memory ends in the middle of an instruction, or behind one. */
void attack_code_last_byte(uint32_t round)
{
    uint8_t *last = heap_end - 1;
    struct registers r = harmless();
    static const uint8_t starts[] = {0xb8, 0x0f, 0x66, 0xf0, 0xe8, 0xe9, 0x81, 0xc8, 0xa1, 0x9a};
    for (unsigned i = 0; i < sizeof(starts); i++) {
        *last = starts[i];
        GUEST_CHECK_EQ(try_registers(&r, (uint32_t)last), FAULTS(FAULT_PAGE));
        GUEST_CHECK_EQ(fault.context.eip, (uint32_t)last);
        GUEST_CHECK_EQ(fault.address, (uint32_t)heap_end);
    }
    *last = 0x90;
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)last), FAULTS(FAULT_PAGE));
    GUEST_CHECK_EQ(fault.context.eip, (uint32_t)heap_end);
    put_answer(heap_end - 7, round);
    GUEST_CHECK_EQ(answer_of(heap_end - 7), round);
    heap_end[-2] = 0xeb; /* jmp +0: beyond */
    heap_end[-1] = 0x00;
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)heap_end - 2), FAULTS(FAULT_PAGE));
    GUEST_CHECK_EQ(fault.context.eip, (uint32_t)heap_end);
}

/* Fifteen bytes are an instruction, sixteen are a fault. */
void attack_code_prefix_flood(uint32_t round)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
    uint8_t code[32];
    for (unsigned n = 1; n < 20; n++) {
        for (unsigned i = 0; i < n; i++)
            code[i] = prefixes[(i * 7 + round) % (round & 1 ? 10 : 1)];
        code[n] = 0x90;
        struct registers r = harmless();
        uint32_t came = try_bytes(code, n + 1, &r);
        GUEST_CHECK(came == 0 || n >= 15 || (round & 1));
        GUEST_CHECK(n < 15 || came == FAULTS(FAULT_GP) || came == FAULTS(FAULT_UD));
    }
    memset(heap + 8192, 0x66, 8192); /* pages of nothing but prefixes */
    struct registers r = harmless();
    GUEST_CHECK(try_registers(&r, (uint32_t)heap + 8192) != 0);
}

/* Long and short forms with every displacement and immediate: 11 to 15 bytes of code. */
void attack_code_longest_instructions(uint32_t round)
{
    struct registers r = harmless();
    uint32_t at = r.edx + 4096;
    *(volatile uint32_t *)at = 0;
    r.eax = at - 0x11223344 - (r.ecx = draw()) * 8;
    uint8_t code[] = {0x36, 0x3e, 0x2e, 0x26, 0xf0,             /* lock, segments */
                      0x81, 0x84, 0xc8, 0x44, 0x33, 0x22, 0x11, /* add dword [eax+ecx*8+..], */
                      0x01, 0x00, 0x00, 0x00};
    GUEST_CHECK(try_bytes(code, 16, &r) != 0);
    GUEST_CHECK_EQ(*(volatile uint32_t *)at, 0);
    GUEST_CHECK_EQ(try_bytes(code + 1, 15, &r), 0);
    GUEST_CHECK_EQ(*(volatile uint32_t *)at, 1);
    (void)round;
}

/* As many beginnings of code as there are bytes. */
void attack_code_translation_bomb(uint32_t round)
{
    uint8_t *code = heap + (4 << 20);
    struct registers r = harmless();
    memset(code, 0x90, 4096);
    code[4094] = 0xcd;
    code[4095] = 0x77;
    for (uint32_t i = 0; i < 4094; i += 1 + round % 3)
        GUEST_CHECK_EQ(try_registers(&r, (uint32_t)code + i), 0);
    code[round % 4000] = 0x90; /* and all of them are stale */
}

/* More code than any cache holds, all of it executed. */
void attack_code_cache_exhaustion(uint32_t round)
{
    uint8_t *from = heap + (2 << 20), *to = heap_end - 4096;
    struct registers r = harmless();
    for (uint8_t *at = from; at + 32 < to; at += 32) {
        uint32_t n = round + (uint32_t)at;
        put_answer(at, n);
        at[7] = 0xf4;
    }
    for (uint8_t *at = from; at + 32 < to; at += 32) {
        if (try_registers(&r, (uint32_t)at) || try_out.eax != round + (uint32_t)at)
            guest_fail(__FILE__, __LINE__, "the wrong code ran");
    }
}

/* Blocks as long as they come, with an exit to the kernel in each. */
void attack_code_large_blocks(uint32_t round)
{
    uint8_t *code = heap + (4 << 20);
    struct registers r = harmless();
    for (uint32_t i = 0; i < 60000; i += 6) {
        static const uint8_t add[] = {0x81, 0xc0, 1, 0, 0, 0};
        memcpy(code + i, add, 6);
    }
    code[60000] = 0xcd;
    code[60001] = 0x77;
    r.eax = round;
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)code), 0);
    GUEST_CHECK_EQ(try_out.eax, round + 10000);
    code[round % 10000 * 6 + 2] = 2;
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)code), 0);
    GUEST_CHECK_EQ(try_out.eax, round + 10001);
}

/* Returns that no call belongs to, calls that nobody returns from. */
void attack_code_return_storm(uint32_t round)
{
    struct registers r = harmless();
    uint32_t *stack = (uint32_t *)(r.esp = r.edx);
    scratch[300] = 0xc3;
    for (uint32_t i = 0; i < 5000; i++)
        stack[i] = (uint32_t)scratch + 300;
    stack[5000] = (uint32_t)scratch + 310;
    scratch[310] = 0xcd;
    scratch[311] = 0x77;
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)scratch + 300), 0);
    GUEST_CHECK_EQ(try_out.esp, r.esp + 4 * 5001);
    r.ecx = 5000; /* call next, over and over */
    r.esp = r.edx + 4 * 5000;
    GUEST_CHECK_EQ(TRY(&r, 0xe8, 0, 0, 0, 0, 0x49, 0x75, 0xf8), 0);
    GUEST_CHECK_EQ(try_out.esp, r.edx);
    (void)round;
}

/* A million different targets of one jump. */
void attack_code_indirect_storm(uint32_t round)
{
    uint8_t *table = heap + (6 << 20);
    struct registers r = harmless();
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t *at = table + i * 16;
        static const uint8_t code[] = {0x83, 0xc6, 16, 0x49, 0x74, 0x02, 0xff, 0xe6, 0xcd, 0x77};
        memcpy(at, code, sizeof(code)); /* add esi, 16; dec ecx; jz out; jmp esi; out: int */
    }
    r.esi = (uint32_t)table;
    r.ecx = 19999;
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)table), 0);
    GUEST_CHECK_EQ(try_out.esi, (uint32_t)table + 16 * 19999);
    table[16 * (round % 19999)] = 0x83;
}

/* The disk and the network write code that was executed: the old is not executed again. */
void attack_code_stale_after_dma(uint32_t round)
{
    static struct denali_disk_request request;
    uint8_t *page = heap + (1 << 20), *other = page + 4096;
    put_answer(other, 0x5eed0000 + round);
    guest_disk_request(&request, DENALI_DISK_WRITE, 5, other);
    GUEST_CHECK_EQ(guest_disk_wait(disk, &request), 0);
    put_answer(page, 1);
    GUEST_CHECK_EQ(answer_of(page), 1);
    guest_disk_request(&request, DENALI_DISK_READ, 5, page);
    GUEST_CHECK_EQ(guest_disk_wait(disk, &request), 0);
    GUEST_CHECK_EQ(answer_of(page), 0x5eed0000 + round);
    GUEST_CHECK_EQ(virtual_discard((uint32_t)page, 4096), 0);
    GUEST_CHECK(try_registers(&nowhere, (uint32_t)page) != 0);
}

/* Rights are taken from code that was executed, and given back. */
void attack_code_protect_executed(uint32_t round)
{
    uint8_t *page = heap + (1 << 20);
    struct registers r = harmless();
    put_answer(page, round);
    GUEST_CHECK_EQ(answer_of(page), round);
    GUEST_CHECK_EQ(virtual_protect((uint32_t)page, 4096, 0), 0);
    GUEST_CHECK_EQ(try_registers(&r, (uint32_t)page), FAULTS(FAULT_PAGE));
    GUEST_CHECK_EQ(virtual_protect((uint32_t)page, 4096, 1), 0);
    GUEST_CHECK_EQ(answer_of(page), round);
    GUEST_CHECK_EQ(virtual_protect((uint32_t)page, 4096, 3), 0);
    put_answer(page, ~round);
    GUEST_CHECK_EQ(answer_of(page), ~round);
}

/* Bytes like any others are executed, from many starts. */
void attack_code_random_bytes(uint32_t round)
{
    uint8_t *code = heap + (1 << 20) + 8192;
    for (unsigned n = 0; n < 200; n++) {
        struct registers r = harmless();
        for (unsigned i = 0; i < 64; i += 4)
            put32(code + i, draw());
        r.esi = r.edi = r.ebx = (uint32_t)heap + (8 << 20) + (draw() & 0xfffff);
        r.eax = draw();
        r.edx = draw() & 0xffff; /* ports among them */
        memset(code + 64, 0xcc, 64);
        try_soon(&r, (uint32_t)code);
    }
    (void)round;
}

/* The same with prefixes and opcodes that exist. */
void attack_code_random_instructions(uint32_t round)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64, 0x65, 0x26};
    uint8_t *code = heap + (1 << 20) + 8192;
    for (unsigned n = 0; n < 100; n++) {
        struct registers r = harmless();
        uint32_t at = 0;
        while (at < 200) {
            if (!draw_below(4))
                code[at++] = prefixes[draw_below(8)];
            if (!draw_below(3))
                code[at++] = 0x0f;
            code[at++] = (uint8_t)draw();
            code[at++] = (uint8_t)(draw_below(8) << 3 | draw_below(4) << 6 | draw_below(8));
            if (draw_below(2))
                put32(code + at, 0x40 - draw_below(0x80)), at += 4;
        }
        memset(code + at, 0xcc, 32);
        r.eax = r.edx;
        r.ecx = 0x1000;
        try_soon(&r, (uint32_t)code);
    }
    (void)round;
}

/* What makes 16 bits of EIP, or another size of stack. */
void attack_code_sixteen_bits(uint32_t round)
{
    struct registers r = harmless();
    r.eax = (uint32_t)scratch;
    GUEST_CHECK(TRY(&r, 0x66, 0xe9, 0x00, 0x00) != 0);   /* jmp rel16: EIP & ffff */
    GUEST_CHECK(TRY(&r, 0x66, 0xe8, 0x00, 0x00) != 0);   /* call rel16 */
    GUEST_CHECK(TRY(&r, 0x66, 0xeb, 0x00) != 0);         /* jmp rel8, of 16 bits */
    GUEST_CHECK(TRY(&r, 0x66, 0xff, 0xe0) != 0);         /* jmp ax */
    GUEST_CHECK(TRY(&r, 0x66, 0xc3) != 0);               /* ret, 16 bits */
    GUEST_CHECK(TRY(&r, 0x66, 0x75, 0xf0) == 0 || true); /* jnz, 16 bits */
    r.ecx = 0x10000;
    GUEST_CHECK_EQ(TRY(&r, 0x67, 0xe3, 0x00), 0); /* jcxz looks at CX alone */
    GUEST_CHECK_EQ(TRY(&r, 0x67, 0xe2, 0xfd), 0); /* loop with CX: 65,536 times */
    (void)round;
}
