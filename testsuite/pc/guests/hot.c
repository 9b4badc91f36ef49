/* SPDX-License-Identifier: MIT */
/* A Multiboot kernel that computes for a while, with a function beside that nobody calls. Ends
 * through F4h, status 7. */
typedef unsigned int u32;
__attribute__((section(".multiboot"), used, aligned(4))) static const u32 header[3] = {
    0x1badb002, 3, 0u - (0x1badb002 + 3)};

static u32 table[4096];
u32 calls;

__attribute__((noinline)) void never(void)
{
    calls++;
}

__attribute__((noinline)) u32 mix(u32 a, u32 b)
{
    table[a & 4095] += b;
    return a * 1664525u + 1013904223u + (b >> 3);
}

void run(void)
{
    u32 x = 1;
    for (u32 i = 0; i < 10000000; i++)
        x = mix(x, i);
    if (x == 7)
        never();
    __asm__ volatile("outb %b0, $0xf4" : : "a"(3));
    for (;;)
        __asm__ volatile("hlt");
}
__asm__(".text\n.globl _start\n_start: cli\n mov $stack_top, %esp\n call run\n"
        ".bss\n.space 8192\nstack_top:\n.text\n");
