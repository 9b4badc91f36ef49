/* SPDX-License-Identifier: MIT */
/*
 * A Multiboot kernel that writes and reads every port with every size, with
 * values of a generator, but those that would end it (F4h, reset, power-off). Ends through F4h.
 */
typedef unsigned int u32;
__attribute__((section(".multiboot"), used, aligned(4))) static const u32 header[3] = {
    0x1badb002, 3, 0u - (0x1badb002 + 3)};

static u32 seed = 12345;
static u32 noise(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    return seed ^= seed << 5;
}

static int spared(u32 port)
{
    return (port >= 0xf1 && port <= 0xf7) || (port >= 0x601 && port <= 0x605) || port == 0x64 ||
           port == 0x92 || port == 0x61 || port == 0x91 || port == 0x63 || port == 0x62 ||
           port == 0x60 || (port >= 0xcf6 && port <= 0xcf9) || (port >= 0x90 && port <= 0x92);
}

void run(void)
{
    for (u32 round = 0; round < 2; round++) {
        for (u32 port = 0; port < 65536; port++) {
            u32 v = noise();
            if (spared(port))
                continue;
            __asm__ volatile("outb %b0, %w1" : : "a"(v), "d"(port));
            __asm__ volatile("outw %w0, %w1" : : "a"(v), "d"(port));
            __asm__ volatile("outl %0, %w1" : : "a"(v), "d"(port));
            __asm__ volatile("inb %w1, %b0" : "=a"(v) : "d"(port));
            __asm__ volatile("inw %w1, %w0" : "=a"(v) : "d"(port));
            __asm__ volatile("inl %w1, %0" : "=a"(v) : "d"(port));
        }
    }
    __asm__ volatile("outb %b0, $0xf4" : : "a"(0));
    for (;;)
        __asm__ volatile("hlt");
}
__asm__(".text\n.globl _start\n_start: cli\n mov $stack_top, %esp\n call run\n"
        ".bss\n.space 8192\nstack_top:\n.text\n");
