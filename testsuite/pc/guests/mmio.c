/* SPDX-License-Identifier: MIT */
/*
 * A Multiboot kernel that turns on everything that PCI has and then reads and writes the start, the
 * end and random places of every window (VGA, BARs, APICs, ROM, what is nothing) with every size,
 * unaligned too; and every register of PCI's configuration space. Ends through F4h.
 */
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

__attribute__((section(".multiboot"), used, aligned(4))) static const u32 header[3] = {
    0x1badb002, 3, 0u - (0x1badb002 + 3)};

static u32 seed = 20260;
static u32 noise(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    return seed ^= seed << 5;
}

static void out32(u32 port, u32 value)
{
    __asm__ volatile("outl %0, %w1" : : "a"(value), "d"(port));
}
static u32 in32(u32 port)
{
    u32 value;
    __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port));
    return value;
}

static u32 pci_read(u32 devfn, u32 at)
{
    out32(0xcf8, 0x80000000u | devfn << 8 | at);
    return in32(0xcfc);
}
static void pci_write(u32 devfn, u32 at, u32 value)
{
    out32(0xcf8, 0x80000000u | devfn << 8 | at);
    out32(0xcfc, value);
}

static void touch(u32 at)
{
    volatile u8 *b = (volatile u8 *)at;
    u32 v = noise();
    (void)*b;
    (void)*(volatile u16 *)b;
    (void)*(volatile u32 *)b;
    *b = (u8)v;
    *(volatile u16 *)b = (u16)v;
    *(volatile u32 *)b = v;
    __asm__ volatile("fildll (%0)\n fistpll (%0)" : : "r"(b) : "memory");
}

static void hammer(u32 base, u32 len)
{
    for (u32 i = 0; i < 64; i++) {
        touch(base + i);
        touch(base + len - 8 - i);
    }
    for (u32 i = 0; i < 3000; i++)
        touch(base + noise() % (len - 8));
}

static void hammer_bars(void)
{
    for (u32 devfn = 0; devfn < 256; devfn++) {
        if (pci_read(devfn, 0) == 0xffffffffu)
            continue;
        pci_write(devfn, 4, 7);
        for (u32 bar = 0x10; bar < 0x28; bar += 4) {
            u32 value = pci_read(devfn, bar);
            if (value && !(value & 1))
                hammer(value & ~15u, 0x1000);
        }
    }
}

/* All functions but the bridges, whose registers may take memory away from under us. */
static void hammer_configuration(void)
{
    for (u32 devfn = 2 << 3; devfn < 256; devfn++) {
        for (u32 at = 0; at < 256; at += 4) {
            pci_write(devfn, at, noise());
            (void)pci_read(devfn, at);
        }
        for (u32 bar = 0x10; bar < 0x34; bar += 4)
            pci_write(devfn, bar, 0);
    }
}

/* VGA in each mode of its window and of the linear frame buffer, with sizes of all kinds. */
static void hammer_vga(void)
{
    for (u32 i = 0; i < 4000; i++) {
        static const u16 port[] = {0x3c4, 0x3c5, 0x3ce, 0x3cf, 0x3d4,
                                   0x3d5, 0x3c0, 0x3c2, 0x3c8, 0x3c9};
        __asm__ volatile("outb %b0, %w1" : : "a"(noise()), "d"(port[noise() % 10]));
        if (i % 16 == 0) {
            __asm__ volatile("outw %w0, %w1" : : "a"(noise() % 16), "d"(0x1ce));
            __asm__ volatile("outw %w0, %w1" : : "a"(noise()), "d"(0x1cf));
        }
        touch(0xa0000 + noise() % 0x1fff8);
    }
}

void run(void)
{
    hammer(0xa0000, 0x20000);
    hammer_bars();
    hammer_vga();
    hammer(0xc0000, 0x40000 - 0x20000);
    hammer(0xfec00000u, 0x1000);
    hammer(0xfee00000u, 0x1000);
    hammer(0xfff00000u, 0x100000 - 16);
    hammer(0xd0000000u, 0x100000);
    hammer_configuration();
    __asm__ volatile("outb %b0, $0xf4" : : "a"(0));
    for (;;)
        __asm__ volatile("hlt");
}
__asm__(".text\n.globl _start\n_start: cli\n fninit\n mov $stack_top, %esp\n call run\n"
        ".bss\n.space 8192\nstack_top:\n.text\n");
