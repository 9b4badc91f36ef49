/* SPDX-License-Identifier: MIT */
/*
 * A test ROM: random machines. Each case makes descriptor tables, gates and task states by
 * chance, good ones more often than not, enters ring 0 to 3 or virtual-8086 mode, and runs one
 * instruction that transfers control, loads a segment or touches the system. Every vector comes
 * back here, the double fault by a task of its own. One line for each case goes to port E9h: what
 * happened, and a sum over registers, tables, task states and stacks.
 *
 * Nothing here judges: the lines are compared with those of another processor. Ends by port F4h
 * after the last case, whose number is below.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#ifndef CASES
#define CASES 4000u
#endif
#ifndef FIRST
#define FIRST 0u
#endif
#ifndef SEED
#define SEED 1u
#endif

enum {
    GDT = 0x60000,
    LDT = 0x61000,
    IDT = 0x62000,
    TSS = 0x63000, /* ours, then one of 32 bits, one of 16, and the double fault's */
    TSS_A = 0x63200,
    TSS_B = 0x63400,
    TSS_DF = 0x63600,
    CODE = 0x70000,
    DATA = 0x80000,
    GDT_ENTRIES = 64,
    LDT_ENTRIES = 16,
    IDT_ENTRIES = 64,
    FIXED_ENTRIES = 20, /* of the GDT; the others are by chance */
    ENTRY = 0x100,      /* of the case, in CODE */
    STACK = 0x7f00,     /* in DATA */
};

enum {
    SEL_TSS = 0x18,
    SEL_DF = 0x20,
    SEL_LDT = 0x28,
    SEL_CODE0 = 0x40,
    SEL_CODE3 = 0x48,
    SEL_CODE0_16 = 0x50,
    SEL_CODE3_16 = 0x58,
    SEL_DATA0 = 0x60,
    SEL_DATA3 = 0x68,
    SEL_CONFORMING = 0x70,
    SEL_TSS_A = 0x78,
    SEL_TSS_B = 0x80,
    SEL_CODE1 = 0x88,
    SEL_DATA1 = 0x90,
};

extern u8 entries[], double_fault[];
extern u32 seen[32], seen_ss, seen_esp, frame_stack[2], regs[16];
void enter_case(void);
void run(void);

static u32 state;

static void out8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static u32 chance(u32 n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return n ? state % n : state;
}

static void put(const char *text)
{
    while (*text)
        out8(0xe9, (u8)*text++);
}

static void put_hex(u32 value, int digits)
{
    while (digits--)
        out8(0xe9, (u8) "0123456789abcdef"[value >> 4 * digits & 15]);
}

static void put32(u32 at, u32 value)
{
    *(volatile u32 *)at = value;
}

static void put16(u32 at, u32 value)
{
    *(volatile u16 *)at = (u16)value;
}

static void descriptor(u32 at, u32 base, u32 limit, u32 attr)
{
    put32(at, (limit & 0xffff) | base << 16);
    put32(at + 4, (base >> 16 & 0xff) | attr << 8 | (limit & 0xf0000) | (base & 0xff000000));
}

static void gate(u32 at, u32 attr, u32 selector, u32 offset, u32 count)
{
    put32(at, (offset & 0xffff) | selector << 16);
    put32(at + 4, (offset & 0xffff0000) | attr << 8 | count);
}

/* Selectors: the fixed ones of the cases, those by chance, the local table, nonsense. */
static u32 selector(void)
{
    u32 kind = chance(20), sel;
    if (kind == 0)
        return chance(4);
    if (kind == 1) {
        sel = chance(0x10000);
        return sel & 4 || sel >= SEL_CODE0 ? sel
                                           : sel | SEL_CODE0; /* never those of this program */
    }
    if (kind < 5)
        sel = chance(LDT_ENTRIES) * 8 + 4;
    else if (kind < 12)
        sel = SEL_CODE0 + chance(11) * 8;
    else
        sel = (FIXED_ENTRIES + chance(GDT_ENTRIES - FIXED_ENTRIES)) * 8;
    if (!chance(3))
        sel |= chance(4);
    return chance(3) ? sel : sel | 3;
}

static u32 offset(void)
{
    return chance(12) ? 0x1000 + chance(0xe000) : chance(3) ? 0xfffe + chance(4) : chance(0);
}

static u32 some_limit(void)
{
    static const u32 limits[] = {0xffff, 0xffff, 0xffff, 0xffff, 0x67,
                                 0x2b,   0x66,   0x10,   0x7fff, 0x8000};
    return chance(20) ? limits[chance(10)] : chance(0x10000);
}

/* A gate with all by chance but its type and rights. */
static void some_gate(u32 at, u32 attr, u32 most)
{
    u32 sel = selector(), off = offset();
    gate(at, attr, sel, off, most ? chance(most) : 0);
}

static void some_segment(u32 at, u32 base, u32 attr)
{
    u32 limit = some_limit();
    descriptor(at, base, limit, attr);
}

/* At most 64 KiB, wherever. */
static void nonsense(u32 at)
{
    u32 attr = chance(0) & 0xf0ff00, limit = chance(attr & 0x800000 ? 16 : 0x10000);
    u32 sel = attr & 0x1000 ? 0 : selector();
    put32(at, sel << 16 | limit);
    put32(at + 4, attr | ((attr & 0x1800) == 0x1800 ? CODE : DATA) >> 16);
}

/*
 * Code and data of the cases' kinds, gates, task states, and anything at all. Each draw is a
 * statement of its own, here and everywhere: compilers choose the order within one.
 */
static void random_descriptor(u32 at)
{
    u32 attr = chance(8) ? 0x80 : 0;
    attr |= (chance(2) ? 3 : chance(4)) << 5;
    u32 big = chance(4) ? 0x4000 : 0, kind = chance(10), low = chance(8);
    switch (kind) {
    case 0:
    case 1:
        some_segment(at, CODE, 0x18 | low | attr | big);
        break;
    case 2:
    case 3:
        some_segment(at, DATA, 0x10 | low | attr | big);
        break;
    case 4:
    case 5:
        some_gate(at, (low < 5 ? 0x0c : 0x04) | attr, low & 1 ? 32 : 0);
        break;
    case 6:
        some_gate(at, 5 | attr, 0);
        break;
    case 7:
        some_segment(at, low & 1 ? TSS_A : TSS_B, (low & 2 ? 9 : 1) | (low > 5 ? 2 : 0) | attr);
        break;
    case 8:
        descriptor(at, LDT, low < 6 ? LDT_ENTRIES * 8 - 1 : chance(0x100), 2 | attr);
        break;
    default:
        nonsense(at);
    }
}

static void make_gdt(void)
{
    static const struct {
        u32 base, limit, attr;
    } fixed[FIXED_ENTRIES] = {
        {0, 0, 0},
        {0, 0xfffff, 0xc09b},
        {0, 0xfffff, 0xc093},
        {TSS, 0xff, 0x89},
        {TSS_DF, 0x67, 0x89},
        {LDT, LDT_ENTRIES * 8 - 1, 0x82},
        {0, 0xfffff, 0xc0f3},
        {0, 0, 0},
        {CODE, 0xffff, 0x409b},
        {CODE, 0xffff, 0x40fb},
        {CODE, 0xffff, 0x009b},
        {CODE, 0xffff, 0x00fb},
        {DATA, 0xffff, 0x4093},
        {DATA, 0xffff, 0x40f3},
        {CODE, 0xffff, 0x409f},
        {TSS_A, 0x67, 0x89},
        {TSS_B, 0x2b, 0x81},
        {CODE, 0xffff, 0x40bb},
        {DATA, 0xffff, 0x40b3},
        {0, 0, 0},
    };
    for (u32 i = 0; i < FIXED_ENTRIES; i++)
        descriptor(GDT + i * 8, fixed[i].base, fixed[i].limit, fixed[i].attr);
    for (u32 i = FIXED_ENTRIES; i < GDT_ENTRIES; i++)
        random_descriptor(GDT + i * 8);
    for (u32 i = 0; i < LDT_ENTRIES; i++)
        random_descriptor(LDT + i * 8);
}

static void random_gate(u32 at)
{
    static const u8 types[] = {0x0e, 0x0f, 0x06, 0x07, 0x05, 0x0c};
    u32 attr = chance(12) ? types[chance(5)] : chance(32);
    attr |= chance(8) ? 0x80 : 0;
    attr |= chance(3) ? 0x60 : chance(4) << 5;
    some_gate(at, attr, 0);
}

static void make_idt(void)
{
    for (u32 v = 0; v < 32; v++)
        gate(IDT + v * 8, v == 3 ? 0xee : 0x8e, 8, (u32)entries + v * 16, 0);
    gate(IDT + 8 * 8, 0x85, SEL_DF, 0, 0);
    for (u32 v = 32; v < IDT_ENTRIES; v++)
        random_gate(IDT + v * 8);
    if (!chance(6))
        random_gate(IDT + 13 * 8);
    if (!chance(12))
        random_gate(IDT + 6 * 8);
}

static u32 some_flags(void)
{
    u32 flags = 2 | (chance(0) & 0x3cd5);
    flags |= chance(10) ? 0 : 0x4000;
    flags |= chance(12) ? 0 : 0x20000;
    return flags;
}

static void task32(u32 at)
{
    put32(at, chance(0x10000));
    for (u32 i = 0; i < 3; i++) {
        put32(at + 4 + i * 8, chance(10) ? 0x4000 + chance(0x3000) : chance(16));
        put32(at + 8 + i * 8, i == 0 ? SEL_DATA0 : i == 1 ? SEL_DATA1 | 1 : selector());
        if (!chance(10))
            put32(at + 8 + i * 8, selector());
    }
    put32(at + 28, 0);
    put32(at + 32, offset());
    put32(at + 36, some_flags());
    for (u32 i = 0; i < 8; i++)
        put32(at + 40 + i * 4, i == 4 ? 0x4000 + chance(0x3000) : chance(0));
    for (u32 i = 0; i < 6; i++)
        put32(at + 72 + i * 4, selector());
    u32 ring = chance(2) ? 3 : 0;
    if (chance(4)) {
        put32(at + 76, ring ? SEL_CODE3 | 3 : SEL_CODE0);
        put32(at + 80, ring ? SEL_DATA3 | 3 : SEL_DATA0);
        for (u32 i = 0; i < 6; i++) {
            if (i != 1 && i != 2 && chance(8))
                put32(at + 72 + i * 4, SEL_DATA3 | 3);
        }
    }
    if (*(volatile u32 *)(at + 36) & 0x20000)
        put32(at + 76, CODE >> 4);
    put32(at + 96, chance(6) ? SEL_LDT : chance(2) ? 0 : selector());
    put32(at + 100, (chance(8) ? 0 : 1) | 0x880000);
}

static void task16(u32 at)
{
    static const u8 selectors[] = {34, 36, 38, 40, 42};
    put16(at, chance(0x10000));
    for (u32 i = 0; i < 3; i++) {
        put16(at + 2 + i * 4, 0x4000 + chance(0x3000));
        put16(at + 4 + i * 4, i == 0 ? SEL_DATA0 : i == 1 ? SEL_DATA1 | 1 : selector());
    }
    put16(at + 14, offset());
    put16(at + 16, some_flags());
    for (u32 i = 0; i < 8; i++)
        put16(at + 18 + i * 2, i == 4 ? 0x4000 + chance(0x3000) : chance(0));
    u32 ring = chance(2) ? 3 : 0;
    for (u32 i = 0; i < 5; i++)
        put16(at + selectors[i], selector());
    if (chance(4)) {
        put16(at + 34, SEL_DATA3 | 3);
        put16(at + 36, ring ? SEL_CODE3 | 3 : SEL_CODE0);
        put16(at + 38, ring ? SEL_DATA3 | 3 : SEL_DATA0);
        put16(at + 40, SEL_DATA3 | 3);
    }
    put16(at + 42, chance(6) ? SEL_LDT : chance(2) ? 0 : selector());
}

static void make_tasks(void)
{
    for (u32 i = 0; i < 0x200; i++)
        put32(TSS + i * 4, 0);
    task32(TSS_A);
    task16(TSS_B);
    for (u32 i = 0; i < 3; i++) {
        put32(TSS + 4 + i * 8, STACK - 0x1000 + i * 0x400);
        put32(TSS + 8 + i * 8, i == 0 ? SEL_DATA0 : i == 1 ? SEL_DATA1 | 1 : selector());
    }
    if (!chance(12))
        put32(TSS + 8, selector());
    put32(TSS, selector()); /* the link of an IRET with NT */
    put32(TSS + 100, chance(6) ? 0x880000 : chance(0x120) << 16);
    for (u32 i = 0; i < 24; i++) /* redirection, ports */
        put32(TSS + 0x68 + i * 4, chance(3) ? chance(0) : 0);
    put32(TSS_DF + 32, (u32)double_fault);
    put32(TSS_DF + 36, 2);
    put32(TSS_DF + 56, 0x5e000);
    for (u32 i = 0; i < 6; i++)
        put32(TSS_DF + 72 + i * 4, i == 1 ? 8 : 0x10);
}

/* The instruction */

static u8 *code;

static void byte(u32 value)
{
    *code++ = (u8)value;
}

static void word(u32 value, u32 bytes)
{
    while (bytes--) {
        byte(value);
        value >>= 8;
    }
}

/* A far pointer in DATA, and an operand that names it. */
static void far_memory(u32 reg, int wide_code, u32 bytes)
{
    put32(DATA + 0x200, offset());
    put16(DATA + 0x200 + bytes, selector());
    byte(wide_code ? 5 | reg << 3 : 6 | reg << 3);
    word(0x200, wide_code ? 4 : 2);
}

/* What returns: every word may be any part of a frame, but mostly its own. */
static void return_frame(u32 bytes, int with_flags, u32 ring, u32 v86)
{
    u32 at = DATA + STACK, inner = chance(4);
    u32 cs = inner ? (ring == 0 && chance(2) ? SEL_CODE0 : SEL_CODE3 | 3) : selector();
    u32 words[10], n = 0, flags = some_flags();
    flags |= chance(8) ? 0 : 0x30000;
    words[n++] = offset();
    words[n++] =
        v86 || (with_flags && ring == 0 && bytes == 4 && (flags & 0x20000)) ? CODE >> 4 : cs;
    if (with_flags)
        words[n++] = flags;
    words[n++] = STACK - 0x800 + chance(0x100);
    words[n++] = chance(4) ? SEL_DATA3 | 3 : selector();
    while (n < 10)
        words[n++] = chance(3) ? (chance(2) ? 0x7000 : SEL_DATA3 | 3) : selector();
    for (u32 i = 0; i < n; i++) {
        if (bytes == 4)
            put32(at + i * 4, words[i]);
        else
            put16(at + i * 2, words[i]);
    }
}

static void size_prefix(int wide_code, u32 bytes)
{
    if ((bytes == 4) != wide_code)
        byte(0x66);
}

/* Returns which kind it was. */
static u32 make_code(int wide_code, u32 ring, u32 v86)
{
    static const u8 selector_ops[][2] = {
        {0x8e, 0xd8}, {0x8e, 0xc0}, {0x8e, 0xd0}, {0x8e, 0xe0}, {0x8e, 0xe8}};
    static const u8 plain[][3] = {
        {1, 0xf4},       {1, 0xfa},       {1, 0xfb},       {1, 0x9c},       {1, 0x9d},
        {2, 0xe4, 0xe8}, {2, 0xe4, 0x80}, {2, 0x0f, 0x06}, {2, 0x0f, 0x08}, {2, 0x0f, 0x0b},
        {2, 0x0f, 0x09}, {1, 0xcc},       {1, 0xce},       {1, 0xf1}};
    u32 kind = chance(v86 ? 5 : 10), bytes = chance(3) ? 4 : 2;
    code = (u8 *)(CODE + ENTRY);
    switch (v86 && kind < 2 ? 4 : kind) {
    case 0:
        size_prefix(wide_code, bytes);
        byte(chance(2) ? 0x9a : 0xea);
        word(offset(), bytes);
        word(selector(), 2);
        break;
    case 1:
        size_prefix(wide_code, bytes);
        byte(0xff);
        far_memory(chance(2) ? 3 : 5, wide_code, bytes);
        break;
    case 2:
    case 5:
        size_prefix(wide_code, bytes);
        kind = chance(3);
        return_frame(bytes, kind == 2, ring, v86);
        byte(0xca + kind + (kind == 2 ? 3 : 0));
        if (kind == 0)
            word(chance(8), 2);
        kind = 2;
        break;
    case 3: {
        u32 i = chance(5);
        byte(selector_ops[i][0]);
        byte(selector_ops[i][1]);
        break;
    }
    case 4:
    case 6:
        byte(0xcd);
        byte(chance(5) ? 32 + chance(IDT_ENTRIES - 32) : chance(0x60));
        break;
    case 7:
        byte(0x0f);
        byte(0);
        byte(0xc0 | (v86 || ring ? chance(8) : 2 + chance(4)) << 3);
        break;
    case 8:
        if (chance(3) == 0) {
            byte(0x63);
            byte(0xc8);
        } else {
            size_prefix(wide_code, bytes);
            byte(0x0f);
            byte(2 + chance(2));
            byte(0xc8);
        }
        break;
    default: {
        u32 i = ring ? chance(14) : 3 + chance(2);
        put32(DATA + STACK, some_flags());
        size_prefix(wide_code, bytes);
        for (u32 n = 1; n <= plain[i][0]; n++)
            byte(plain[i][n]);
    }
    }
    return kind;
}

/* The sum */

static u32 sum;

static void add(u32 value)
{
    sum = (sum ^ value) * 16777619u;
    sum ^= sum >> 15;
}

static void add_memory(u32 at, u32 bytes)
{
    for (u32 i = 0; i < bytes; i += 4)
        add(*(volatile u32 *)(at + i));
}

static void load_tables(void)
{
    struct {
        u16 limit;
        u32 base;
    } __attribute__((packed)) gdtr = {GDT_ENTRIES * 8 - 1, GDT}, idtr = {IDT_ENTRIES * 8 - 1, IDT};
    __asm__ volatile("lgdt %0\n lidt %1\n lldt %w2\n ltr %w3"
                     :
                     : "m"(gdtr), "m"(idtr), "r"(SEL_LDT), "r"(SEL_TSS));
}

static void set_cr4(u32 value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value));
}

/* Puts the frame of the way in at the top of a stack. */
static void make_entry(u32 ring, u32 v86, int wide_code, u32 flags)
{
    u32 ss = ring == 0 ? SEL_DATA0 : ring == 3 ? SEL_DATA3 | 3 : SEL_DATA1 | 1, words[9], n = 0;
    u32 cs = ring == 0   ? (wide_code ? SEL_CODE0 : SEL_CODE0_16)
             : wide_code ? SEL_CODE3 | 3
                         : SEL_CODE3_16 | 3;
    if (ring == 1)
        cs = SEL_CODE1 | 1;
    if (v86)
        cs = CODE >> 4;
    words[n++] = ENTRY;
    words[n++] = cs;
    words[n++] = flags;
    if (ring) {
        words[n++] = STACK;
        words[n++] = v86 ? DATA >> 4 : ss;
    }
    for (u32 i = 0; i < 4 && v86; i++)
        words[n++] = DATA >> 4;
    u32 at = ring ? 0x5d000 : DATA + STACK - 12;
    for (u32 i = 0; i < n; i++)
        put32(at + i * 4, words[i]);
    frame_stack[0] = ring ? at : STACK - 12;
    frame_stack[1] = ring ? 0x10 : SEL_DATA0;
}

static u32 some_entry_flags(u32 v86)
{
    u32 flags = 2 | (chance(0) & 0x38d5);
    flags |= chance(20) ? 0 : 0x100;
    if (!v86)
        return flags | (chance(8) ? 0 : 0x4000);
    flags |= 0x20000 | (chance(3) ? 0 : 0x3000);
    return flags | (chance(0) & 0x180000);
}

static void make_registers(void)
{
    for (u32 i = 0; i < 4; i++)
        regs[i] = chance(6) ? SEL_DATA3 | 3 : 0;
    regs[3] = SEL_DATA3 | 3;
    for (u32 i = 4; i < 11; i++)
        regs[i] = selector();
    for (u32 i = 4; i < 11; i++)
        regs[i] |= chance(2) ? chance(0) << 16 : 0;
}

#ifdef DUMP
static void dump(u32 at, u32 words)
{
    for (u32 i = 0; i < words; i++) {
        if (i % 8 == 0) {
            put("  ");
            put_hex(at + i * 4, 5);
        }
        put(" ");
        put_hex(*(volatile u32 *)(at + i * 4), 8);
        if (i % 8 == 7 || i + 1 == words)
            put("\n");
    }
}
#endif

static void tell(u32 number, u32 kind, u32 ring, u32 v86)
{
    u32 tr = 0, ldtr = 0, dr6, vector = seen[12], error = seen[13];
    __asm__ volatile("str %w0\n sldt %w1\n mov %%dr6, %2" : "+r"(tr), "+r"(ldtr), "=r"(dr6));
    sum = 2166136261u;
    add(tr);
    add(ldtr);
    add(vector);
    add(error);
    if (vector != 8) {
        for (u32 i = 0; i < 8; i++)
            add(i == 3 ? 0 : seen[i]);
        for (u32 i = 8; i < 12; i++)
            add(seen[i] & 0xffff);
        add(seen[14]);
        add(seen[15] & 0xffff);
        add(seen[16]);
        add(seen_esp);
        add(seen_ss & 0xffff);
    }
    u32 registers = sum;
    sum = 2166136261u;
    add_memory(GDT, GDT_ENTRIES * 8);
    add_memory(LDT, LDT_ENTRIES * 8);
    u32 tables = sum;
    sum = 2166136261u;
    add_memory(TSS, TSS_DF - TSS);
    u32 tasks = sum;
    put_hex(number, 5);
    put(v86 ? " v86" : ring == 0 ? " r0" : ring == 1 ? " r1" : " r3");
    put(" k");
    put_hex(kind, 1);
    for (u32 i = 0; i < 9; i++) {
        out8(0xe9, i ? ':' : ' ');
        put_hex(*(u8 *)(CODE + ENTRY + i), 2);
    }
    put(" -> ");
    put_hex(vector, 2);
    put(" ");
    put_hex(error, 4);
    if (vector != 8) {
        put(" ");
        put_hex(seen[15], 4);
        put(":");
        put_hex(seen[14], 8);
        put(" ");
        put_hex(seen[16], 8);
    }
    put(" tr ");
    put_hex(tr, 4);
    put(" sums ");
    put_hex(registers, 8);
    put(" ");
    put_hex(tables, 8);
    put(" ");
    put_hex(tasks, 8);
    put("\n");
#ifdef DUMP
    dump(GDT, GDT_ENTRIES * 2);
    dump(LDT, LDT_ENTRIES * 2);
    dump(IDT, IDT_ENTRIES * 2);
    dump(TSS, 32);
    dump(TSS_A, 28);
    dump(TSS_B, 12);
    dump((u32)seen, 20);
    dump((u32)regs, 12);
#endif
}

static void one_case(u32 number)
{
    static const u8 rings[] = {0, 0, 3, 3, 3, 1, 3, 3};
    state = (number + SEED * 0x10001) * 2654435761u | 1;
    for (u32 i = 0; i < 8; i++)
        chance(0);
    u32 ring = rings[chance(8)], v86 = ring == 3 && !chance(4);
    int wide_code = !v86 && (ring == 1 || chance(3));
    make_gdt();
    make_idt();
    make_tasks();
    for (u32 i = 0; i < 0x40; i++)
        put32(DATA + STACK - 0x40 + i * 4, chance(0) & 0xffff);
    for (u32 i = 0; i < 0x10000; i += 4)
        put32(CODE + i, 0xcccccccc);
    for (u32 i = 0; i < 32; i++)
        seen[i] = 0;
    u32 kind = make_code(wide_code, ring, v86);
    u32 flags = some_entry_flags(v86);
    make_registers();
    make_entry(ring, v86, wide_code, flags);
    load_tables();
    set_cr4(v86 && chance(2) ? 1 : 0);
    __asm__ volatile("mov %0, %%dr6" : : "r"(0));
    enter_case();
    tell(number, kind, ring, v86);
    set_cr4(0);
}

void run(void)
{
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    for (u32 i = 0; i < 0x10000; i += 4)
        put32(DATA + i, 0);
    for (u32 v = 0; v < 256; v++)
        put32(v * 4, 0x70002000 + v * 16);
    for (u32 i = FIRST; i < CASES; i++) {
        out8(0x80, (u8)i);
        one_case(i);
    }
    put("end\n");
    out8(0xf4, 0);
}
