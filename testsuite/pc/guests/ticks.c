/* SPDX-License-Identifier: MIT */
/*
 * A Multiboot kernel with a timer's interrupts and paging: counts ticks while it works, calls
 * through a second mapping at C0000000h, and ends by port F4h with what it has counted.
 */
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

__attribute__((section(".multiboot"), used, aligned(4))) static const u32 header[3] = {
    0x1badb002, 3, 0u - (0x1badb002 + 3)};

struct gate {
    u16 low, selector, type, high;
};

static struct gate idt[256];
static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));
static u8 stack[16384] __attribute__((used));
volatile u32 ticks, total, last_tick = 50;
u32 secret[4] __attribute__((aligned(4096))) = {1, 2, 3, 4};

static void out8(u32 port, u8 value)
{
    __asm__ volatile("outb %0, %w1" : : "a"(value), "d"(port));
}

void on_tick(void)
{
    ticks++;
    out8(0x20, 0x20);
}

void tick_entry(void);
__asm__("tick_entry: pusha; call on_tick; popa; iret");
__asm__(".globl _start; _start: mov $stack + 16384, %esp; call kernel_main; 1: hlt; jmp 1b");

static const u32 gdt[] = {0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300};

static void load_tables(void)
{
    struct {
        u16 limit;
        u32 base;
    } __attribute__((packed)) g = {sizeof(gdt) - 1, (u32)gdt}, i = {sizeof(idt) - 1, (u32)idt};
    __asm__ volatile("lgdt %0; lidt %1; ljmp $8, $1f; 1: mov %2, %%ds; mov %2, %%es; mov %2, %%ss"
                     :
                     : "m"(g), "m"(i), "r"(16)
                     : "memory");
}

static void start_timer(void)
{
    u32 at = (u32)tick_entry;
    idt[32] = (struct gate){(u16)at, 8, 0x8e00, (u16)(at >> 16)};
    out8(0x20, 0x11), out8(0x21, 32), out8(0x21, 4), out8(0x21, 1), out8(0x21, 0xfe);
    out8(0x43, 0x34), out8(0x40, 1193 & 255), out8(0x40, 1193 >> 8);
    __asm__ volatile("sti");
}

static void start_paging(void)
{
    for (u32 i = 0; i < 1024; i++)
        table[i] = i << 12 | 3;
    directory[0] = directory[768] = (u32)table | 3;
    __asm__ volatile("mov %0, %%cr3; mov %1, %%cr0" : : "r"(directory), "r"(0x80000011) : "memory");
}

u32 work(u32 n)
{
    u32 sum = 0;
    for (u32 i = 0; i < n; i++) {
        sum += i ^ secret[i & 3];
        secret[i & 3] += 1;
    }
    total += sum;
    return sum;
}

void kernel_main(void)
{
    u32 (*high)(u32) = (u32(*)(u32))((u32)work + 0xc0000000);
    load_tables();
    start_paging();
    start_timer();
    work(10);
    high(5);
    while (ticks < last_tick)
        work(100);
    __asm__ volatile("cli");
    out8(0xf4, (u8)secret[0]);
}
