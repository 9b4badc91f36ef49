/* SPDX-License-Identifier: MIT */
/*
 * A Multiboot kernel to be debugged: it turns paging on (4 MiB mapped one to one, the same again
 * at C0000000h, one page alone and read-only at D0000000h), counts with a function of two lines in
 * the upper half, loads an x87 and a debug register, and ends through F4h with value 3.
 */
typedef unsigned int u32;

__attribute__((section(".multiboot"), used, aligned(4))) static const u32 header[3] = {
    0x1badb002, 3, 0u - (0x1badb002 + 3)};

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));
static u32 alone[1024] __attribute__((aligned(4096)));
volatile u32 count;

static void turn_paging_on(void)
{
    for (u32 i = 0; i < 1024; i++)
        table[i] = i << 12 | 3;
    alone[0] = (u32)&count & ~4095u;
    alone[0] |= 1;
    directory[0] = directory[0x300] = (u32)table | 3;
    directory[0x340] = (u32)alone | 1;
    __asm__ volatile("mov %0, %%cr3\n mov %%cr0, %%eax\n or $0x80000000, %%eax\n mov %%eax, %%cr0"
                     :
                     : "r"(directory)
                     : "eax", "memory");
}

__attribute__((noinline)) u32 bump(u32 by)
{
    u32 before = count;
    count = before + by;
    return before;
}

__attribute__((noinline)) void work(void)
{
    u32 (*high)(u32) = (u32(*)(u32))((u32)&bump + 0xc0000000u);
    for (u32 i = 1; i <= 10; i++)
        high(i);
    __asm__ volatile("fninit\n fldpi\n mov %0, %%eax\n mov %%eax, %%dr3" : : "r"(&count) : "eax");
}

void run(void)
{
    turn_paging_on();
    work();
    __asm__ volatile("outb %b0, $0xf4" : : "a"(count == 55 ? 3 : 0));
    for (;;)
        __asm__ volatile("hlt");
}

__asm__(".text\n.globl _start\n_start: cli\n mov $stack_top, %esp\n call run\n"
        ".bss\n.space 8192\nstack_top:\n.text\n");
