/* SPDX-License-Identifier: MIT */
/* A Multiboot kernel on the first serial line: a greeting, each letter back as a capital, q ends
 * it. */
typedef unsigned int u32;
typedef unsigned char u8;

__attribute__((section(".multiboot"), used, aligned(4))) static const u32 header[3] = {
    0x1badb002, 3, 0u - (0x1badb002 + 3)};

static void out8(u32 port, u8 value)
{
    __asm__ volatile("outb %0, %w1" : : "a"(value), "d"(port));
}
static u8 in8(u32 port)
{
    u8 value;
    __asm__ volatile("inb %w1, %0" : "=a"(value) : "d"(port));
    return value;
}

void run(void)
{
    out8(0x3fa, 7); /* FIFOs on */
    for (const char *at = "hello\n"; *at; at++)
        out8(0x3f8, (u8)*at);
    for (;;) {
        if (!(in8(0x3fd) & 1))
            continue;
        u8 c = in8(0x3f8);
        out8(0x3f8, c >= 'a' && c <= 'z' ? c - 32 : c);
        if (c == 'q')
            out8(0xf4, 5);
    }
}
__asm__(".text\n.globl _start\n_start: cli\n mov $stack_top, %esp\n call run\n"
        ".bss\n.space 8192\nstack_top:\n.text\n");
