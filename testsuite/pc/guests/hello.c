/* SPDX-License-Identifier: MIT */
/*
 * A Multiboot kernel that checks what its loader promised and tells it at port
 * E9h; its status by port F4h is 1 (value 0) when all holds.
 */
typedef unsigned int u32;
typedef unsigned char u8;

struct info {
    u32 flags, lower, upper, device, text, modules, module, symbols[4], map_len, map, drives_len,
        drives, config, name;
};

__attribute__((section(".multiboot"), used, aligned(4))) static const u32 header[3] = {
    0x1badb002, 3, 0u - (0x1badb002 + 3)};
static u32 zero[4096]; /* must be so */
static u32 set[2] = {0x12345678, 0x9abcdef0};

static void out8(unsigned port, u8 value)
{
    __asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"(port));
}

static void put(const char *text)
{
    while (*text)
        out8(0xe9, (u8)*text++);
}

static void put_number(u32 v)
{
    for (int i = 28; i >= 0; i -= 4)
        out8(0xe9, (u8) "0123456789abcdef"[v >> i & 15]);
}

static void line(const char *name, u32 v)
{
    put(name);
    put(" ");
    put_number(v);
    put("\n");
}

static u32 count_ram(const struct info *in)
{
    u32 sum = 0;
    for (u32 at = in->map; at < in->map + in->map_len; at += *(const u32 *)at + 4) {
        const u32 *e = (const u32 *)at;
        if (e[5] == 1)
            sum += e[3];
    }
    return sum;
}

static void end(u32 status)
{
    out8(0xf4, (u8)status);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void run(u32 magic, const struct info *in)
{
    u32 bad = magic != 0x2badb002;
    for (unsigned i = 0; i < 4096; i++)
        bad |= zero[i] ? 2 : 0;
    bad |= set[0] != 0x12345678 || set[1] != 0x9abcdef0 ? 4 : 0;
    bad |= (in->flags & 0x245) != 0x245 ? 8 : 0;
    put("text ");
    put((const char *)in->text);
    put("\n");
    line("ram", count_ram(in));
    line("device", in->flags & 2 ? in->device : 0);
    for (u32 i = 0; in->flags & 8 && i < in->modules; i++) {
        const u32 *m = (const u32 *)in->module + 4 * i;
        put("module ");
        put((const char *)m[2]);
        line("", m[1] - m[0]);
        out8(0xe9, *(const u8 *)m[0]);
        put("\n");
        bad |= m[0] & 4095 ? 16 : 0;
    }
    line("bad", bad);
    end(bad);
}

__asm__(
    ".text\n.globl _start\n_start: cli\n mov $stack_top, %esp\n push %ebx\n push %eax\n call run\n"
    ".bss\n.space 8192\nstack_top:\n.text\n");
