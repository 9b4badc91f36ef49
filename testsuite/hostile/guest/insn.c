/* SPDX-License-Identifier: MIT */
/* Instructions that a guest has no right to, that are no instructions, or that talk to the host. */
#include "testsuite/hostile/guest/attack.h"

#define MUST(vector, ...) GUEST_CHECK_EQ(TRY(&r, __VA_ARGS__), FAULTS(vector))

void attack_insn_privileged(uint32_t round)
{
    struct registers r = harmless();
    r.eax = r.edx;
    MUST(FAULT_GP, 0xf4);             /* hlt */
    MUST(FAULT_GP, 0xfa);             /* cli */
    MUST(FAULT_GP, 0xfb);             /* sti */
    MUST(FAULT_GP, 0x0f, 0x01, 0x10); /* lgdt [eax] */
    MUST(FAULT_GP, 0x0f, 0x01, 0x18); /* lidt */
    MUST(FAULT_GP, 0x0f, 0x00, 0xd0); /* lldt ax */
    MUST(FAULT_GP, 0x0f, 0x00, 0xd8); /* ltr ax */
    MUST(FAULT_GP, 0x0f, 0x01, 0xf0); /* lmsw ax */
    MUST(FAULT_GP, 0x0f, 0x06);       /* clts */
    for (uint8_t reg = 0; reg < 8; reg++) {
        uint32_t came = TRY(&r, 0x0f, 0x20, (uint8_t)(0xc0 | reg << 3)); /* mov eax, crN */
        GUEST_CHECK(came == FAULTS(FAULT_GP) || came == FAULTS(FAULT_UD));
        came = TRY(&r, 0x0f, 0x22, (uint8_t)(0xc0 | reg << 3));
        GUEST_CHECK(came == FAULTS(FAULT_GP) || came == FAULTS(FAULT_UD));
        came = TRY(&r, 0x0f, 0x23, (uint8_t)(0xc0 | reg << 3)); /* mov drN, eax */
        GUEST_CHECK(came == FAULTS(FAULT_GP) || came == FAULTS(FAULT_UD));
    }
    r.ecx = 0xc0000080 + (round & 3); /* EFER, STAR, LSTAR */
    MUST(FAULT_GP, 0x0f, 0x30);       /* wrmsr */
    MUST(FAULT_GP, 0x0f, 0x32);       /* rdmsr */
    MUST(FAULT_GP, 0x0f, 0x33);       /* rdpmc */
    MUST(FAULT_GP, 0x0f, 0x08);       /* invd */
    MUST(FAULT_GP, 0x0f, 0x09);       /* wbinvd */
    MUST(FAULT_GP, 0x0f, 0x01, 0x38); /* invlpg [eax] */
}

/* Calls of the host's kernel: execve, exit, kill, mmap by all doors. */
void attack_insn_host_system_calls(uint32_t round)
{
    static const uint32_t calls[] = {1, 11, 37, 57, 59, 60, 62, 90, 120, 192, 231, 322};
    struct registers r = harmless();
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        r.eax = calls[i] | (round & 1 ? 0x40000000 : 0);
        r.ebx = r.edi = r.esi = r.edx;
        uint32_t came = TRY(&r, 0x0f, 0x05); /* syscall */
        GUEST_CHECK(came == FAULTS(FAULT_UD) || came == FAULTS(FAULT_GP));
        MUST(FAULT_GP, 0x0f, 0x34);             /* sysenter */
        GUEST_CHECK_EQ(TRY(&r, 0xcd, 0x80), 0); /* int 80: our own trap */
        GUEST_CHECK_EQ(try_out.eax, r.eax);
        GUEST_CHECK_EQ(guest_regs.trap_number, 0x80);
    }
    uint32_t came = TRY(&r, 0x0f, 0x07); /* sysret */
    GUEST_CHECK(came == FAULTS(FAULT_UD) || came == FAULTS(FAULT_GP));
    MUST(FAULT_GP, 0x0f, 0x35); /* sysexit */
}

void attack_insn_every_interrupt(uint32_t round)
{
    struct registers r = harmless();
    for (unsigned n = 0; n < 256; n++) {
        if (n == 3)
            continue;
        GUEST_CHECK_EQ(TRY(&r, 0xcd, (uint8_t)n), 0);
        GUEST_CHECK_EQ(guest_regs.trap_number, n);
    }
    guest_regs.trap_entry = 0;
    MUST(FAULT_GP, 0xcd, (uint8_t)(round | 4));
    guest_regs.trap_entry = 0xfffffff0; /* and nowhere */
    MUST(FAULT_PAGE, 0xcd, (uint8_t)(round | 4));
    extern char try_trapped[];
    guest_regs.trap_entry = (uint32_t)try_trapped;
}

/* What tells the host's own time, processor, or number of it. */
void attack_insn_host_numbers(uint32_t round)
{
    struct registers r = harmless();
    GUEST_CHECK(TRY(&r, 0x0f, 0x01, 0xf9) != 0);       /* rdtscp: processor's number */
    GUEST_CHECK(TRY(&r, 0xf3, 0x0f, 0xc7, 0xf8) != 0); /* rdpid */
    GUEST_CHECK(TRY(&r, 0x0f, 0xc7, 0xf0) != 0);       /* rdrand */
    GUEST_CHECK(TRY(&r, 0x0f, 0xc7, 0xf8) != 0);       /* rdseed */
    GUEST_CHECK(TRY(&r, 0x0f, 0x01, 0xd0) != 0);       /* xgetbv */
    GUEST_CHECK(TRY(&r, 0xf3, 0x0f, 0xae, 0xc0) != 0); /* rdfsbase */
    GUEST_CHECK(TRY(&r, 0xf3, 0x0f, 0xae, 0xd0) != 0); /* wrfsbase */
    GUEST_CHECK(TRY(&r, 0xf3, 0x0f, 0xae, 0xd8) != 0); /* wrgsbase */
    GUEST_CHECK(TRY(&r, 0x0f, 0x01, 0xf8) != 0);       /* swapgs */
    GUEST_CHECK(TRY(&r, 0x0f, 0x01, 0xee) != 0);       /* rdpkru */
    GUEST_CHECK(TRY(&r, 0x0f, 0x01, 0xef) != 0);       /* wrpkru */
    r.eax = r.edx;
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x01, 0x00), 0); /* sgdt [eax] */
    GUEST_CHECK_EQ(*(uint32_t *)r.eax, 0);
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x01, 0x08), 0); /* sidt */
    GUEST_CHECK_EQ(*(uint32_t *)r.eax, 0);
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x00, 0xc0), 0); /* sldt eax */
    GUEST_CHECK_EQ(try_out.eax & 0xffff, 0);
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x00, 0xc8), 0); /* str eax */
    GUEST_CHECK_EQ(try_out.eax & 0xffff, 0);
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x01, 0xe0), 0); /* smsw eax */
    GUEST_CHECK_EQ(try_out.eax & 0xffff, 0x33);
    r.eax = 0x33 + (round & 0xf8); /* the host's own code segment and others */
    r.ecx = 0x1234;
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x03, 0xc8), 0); /* lsl ecx, eax */
    GUEST_CHECK_EQ(try_out.ecx, 0x1234);
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0x02, 0xc8), 0); /* lar */
    GUEST_CHECK_EQ(try_out.ecx, 0x1234);
}

void attack_insn_cpuid(uint32_t round)
{
    for (uint32_t i = 0; i < 128; i++) {
        uint32_t leaf = i < 32   ? i
                        : i < 48 ? 0x40000000 + i - 32
                        : i < 64 ? 0x80000000 + i - 48
                                 : draw();
        uint32_t a = leaf, b, c = round, d;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        if (leaf == 1) {
            GUEST_CHECK_EQ(c & ~1u, 0); /* nothing beyond SSE2 */
            GUEST_CHECK_EQ(d & (1u << 26), 1u << 26);
            GUEST_CHECK_EQ(b >> 24, 0); /* no number of the host's processor */
        }
        if (leaf == 7)
            GUEST_CHECK_EQ(b, 0);
    }
}

/* Selectors are only numbers. */
void attack_insn_segment_registers(uint32_t round)
{
    for (uint32_t i = 0; i < 64; i++) {
        struct registers r = harmless();
        r.eax = (i * 0x0421 + round) & 0xffff;
        for (uint8_t reg = 0; reg < 6; reg++) {
            if (reg == 1)
                continue;
            GUEST_CHECK_EQ(
                TRY(&r, 0x8e, (uint8_t)(0xc0 | reg << 3), 0x8c, (uint8_t)(0xc2 | reg << 3)), 0);
            GUEST_CHECK_EQ(try_out.edx & 0xffff, r.eax);
        }
        GUEST_CHECK_EQ(TRY(&r, 0x8b, 0x0a, 0x36, 0x8b, 0x0a, 0x26, 0x8b, 0x0a), 0);
    }
    struct registers r = harmless();
    MUST(FAULT_UD, 0x8e, 0xc8); /* mov cs, ax */
    MUST(FAULT_UD, 0x8e, 0xf0); /* no sixth and seventh */
    MUST(FAULT_UD, 0x8e, 0xf8);
    r.eax = 0x2b;
    TRY(&r, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x8e, 0xe0, 0x8e, 0xe8);
}

/* Far transfers, to the 64-bit code segment among others. */
void attack_insn_far_transfers(uint32_t round)
{
    static const uint16_t selectors[] = {0, 0x23, 0x33, 0x10, 0xffff, 7};
    struct registers r = harmless();
    for (unsigned i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
        uint32_t to = (uint32_t)scratch + 256;
        uint8_t lo = (uint8_t)selectors[i], hi = (uint8_t)(selectors[i] >> 8);
        scratch[256] = 0x48; /* dec eax; a REX prefix there */
        scratch[257] = 0xcd;
        scratch[258] = 0x77;
        GUEST_CHECK_EQ(TRY(&r, 0xea, (uint8_t)to, (uint8_t)(to >> 8), (uint8_t)(to >> 16),
                           (uint8_t)(to >> 24), lo, hi),
                       0);
        GUEST_CHECK_EQ(try_out.eax, r.eax - 1);
        GUEST_CHECK_EQ(TRY(&r, 0x9a, (uint8_t)to, (uint8_t)(to >> 8), (uint8_t)(to >> 16),
                           (uint8_t)(to >> 24), lo, hi),
                       0);
        uint32_t *stack = (uint32_t *)(r.esp - 12);
        struct registers s = r;
        s.esp -= 12;
        stack[0] = to;
        stack[1] = selectors[i];
        stack[2] = draw();
        GUEST_CHECK_EQ(TRY(&s, 0xcb), 0); /* retf */
        stack[0] = to;
        stack[1] = selectors[i];
        stack[2] = draw() & ~0x100u;
        GUEST_CHECK_EQ(TRY(&s, 0xcf), 0); /* iret with any flags */
    }
    (void)round;
}

/* All flags that POPF, IRET and RESUME can ask for. */
void attack_insn_popf_everything(uint32_t round)
{
    for (uint32_t i = 0; i < 256; i++) {
        struct registers r = harmless();
        r.eax = (draw() | (round & 1 ? 0x24000 : 0)) & ~0x100u; /* not TF: below */
        GUEST_CHECK_EQ(TRY(&r, 0x50, 0x9d, 0x9c, 0x58), 0);     /* push eax; popf; pushf; pop eax */
        GUEST_CHECK_EQ(try_out.eax & 0x33300, 0x200);           /* VM, RF, IOPL 0; IF 1; TF 0 */
        *(volatile uint32_t *)(r.edx + 1) = 1;                  /* AC: unaligned is fine */
        GUEST_CHECK_EQ(TRY(&r, 0x50, 0x9d, 0x8b, 0x42, 0x01), 0);
        GUEST_CHECK_EQ(try_out.eax, 1);
    }
    struct registers r = harmless();
    r.eax = 0x100;
    MUST(FAULT_DEBUG, 0x50, 0x9d, 0x90, 0x90);
    r.eflags = 0x4002; /* NT: IRET is no task switch */
    TRY(&r, 0xcf);
}

void attack_insn_transactions(uint32_t round)
{
    struct registers r = harmless();
    GUEST_CHECK(TRY(&r, 0xc7, 0xf8, 0, 0, 0, 0) != 0); /* xbegin */
    GUEST_CHECK(TRY(&r, 0x0f, 0x01, 0xd5) != 0);       /* xend */
    GUEST_CHECK(TRY(&r, 0x0f, 0x01, 0xd6) != 0);       /* xtest */
    GUEST_CHECK(TRY(&r, 0xc6, 0xf8, 0x00) != 0);       /* xabort */
    *(volatile uint32_t *)r.edx = round;
    r.eax = 1;
    GUEST_CHECK_EQ(TRY(&r, 0xf2, 0xf0, 0x01, 0x02), 0); /* xacquire lock add: as without */
    GUEST_CHECK_EQ(*(volatile uint32_t *)r.edx, round + 1);
}

/* AVX, AVX-512, XOP, APX: not in this processor. */
void attack_insn_vector_encodings(uint32_t round)
{
    struct registers r = harmless();
    for (uint32_t i = 0; i < 200; i++) {
        uint8_t a = (uint8_t)(0xc0 | draw()), b = (uint8_t)draw(), c = (uint8_t)draw(),
                op = (uint8_t)draw();
        MUST(FAULT_UD, 0xc5, a, op, 0xc0);       /* VEX, two bytes */
        MUST(FAULT_UD, 0xc4, a, b, op, 0xc0);    /* VEX, three */
        MUST(FAULT_UD, 0x62, a, b, c, op, 0xc0); /* EVEX */
        GUEST_CHECK(TRY(&r, 0x8f, (uint8_t)(0xe8 | (a & 7)), b, op, 0xc0) != 0); /* XOP */
    }
    (void)round;
}

/* 64-bit forms: what is a REX prefix to the host is INC and DEC here. */
void attack_insn_rex_bytes(uint32_t round)
{
    for (uint8_t op = 0x40; op < 0x50; op++) {
        struct registers r = {round, round, round, round, harmless().esp, round, round, round, 2};
        uint32_t before[8] = {round, round, round, round, r.esp, round, round, round};
        GUEST_CHECK_EQ(TRY(&r, op, 0xb8, 1, 2, 3, 4), 0); /* REX.W mov rax would take 8 bytes */
        before[0] = 0x04030201;
        if (op & 7)
            before[op & 7] += op < 0x48 ? 1 : (uint32_t)-1;
        GUEST_CHECK_EQ(try_out.eax, before[0]);
        GUEST_CHECK_EQ(try_out.ecx, before[1]);
        GUEST_CHECK_EQ(try_out.esp, before[4]);
        GUEST_CHECK_EQ(try_out.edi, before[7]);
    }
    struct registers r = harmless();
    GUEST_CHECK_EQ(TRY(&r, 0x48, 0x0f, 0x05) != 0, 1); /* dec eax; syscall */
    GUEST_CHECK_EQ(TRY(&r, 0x63, 0xc8), 0);            /* arpl, movsxd there */
}

void attack_insn_virtualization(uint32_t round)
{
    static const uint8_t third[] = {0xc1, 0xc2, 0xc3, 0xc4, 0xd4, 0xd8, 0xd9,
                                    0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xc8,
                                    0xc9, 0xcf, 0xd7, 0xc0, 0xfa, 0xfb, 0xfc};
    struct registers r = harmless();
    for (unsigned i = 0; i < sizeof(third); i++)
        GUEST_CHECK(TRY(&r, 0x0f, 0x01, third[i]) != 0); /* vmcall ... vmrun ... enclu, monitor */
    GUEST_CHECK(TRY(&r, 0x0f, 0x37) != 0);               /* getsec */
    GUEST_CHECK(TRY(&r, 0x0f, 0x78, 0xc8) != 0);         /* vmread */
    GUEST_CHECK(TRY(&r, 0x0f, 0x79, 0xc8) != 0);         /* vmwrite */
    GUEST_CHECK(TRY(&r, 0x0f, 0xc7, 0x32) != 0);         /* vmptrld */
    GUEST_CHECK(TRY(&r, 0xf3, 0x0f, 0xae, 0xf0) != 0);   /* umonitor */
    GUEST_CHECK(TRY(&r, 0xf2, 0x0f, 0xae, 0xf0) != 0);   /* umwait */
    GUEST_CHECK(TRY(&r, 0x66, 0x0f, 0xae, 0xf0) != 0);   /* tpause */
    GUEST_CHECK(TRY(&r, 0x0f, 0xaa) != 0);               /* rsm */
    (void)round;
}

static uint32_t no_device_port(void)
{
    uint32_t port = draw() & 0xffff;
    return port >= DENALI_PORT_BASE && port < DENALI_PORT_BASE + 16 * DENALI_PORT_STRIDE ? 0x80
                                                                                         : port;
}

void attack_insn_all_ports(uint32_t round)
{
    for (uint32_t i = 0; i < 300; i++) {
        struct registers r = harmless();
        r.edx = i & 1 ? no_device_port() : (round * 150 + i / 2) & 0xffff;
        MUST(FAULT_GP, 0xec);       /* in al, dx */
        MUST(FAULT_GP, 0xee);       /* out dx, al */
        MUST(FAULT_GP, 0x66, 0xed); /* in ax, dx */
        MUST(FAULT_GP, 0x66, 0xef);
        MUST(FAULT_GP, 0xe4, (uint8_t)i);
        MUST(FAULT_GP, 0xe7, (uint8_t)i);
        MUST(FAULT_GP, 0x6c); /* insb */
        MUST(FAULT_GP, 0xf3, 0x6f);
        if (i & 1) {
            MUST(FAULT_GP, 0xed);
            MUST(FAULT_GP, 0xef);
        }
    }
}

/* Every opcode of the three large maps, with registers and with memory, under every prefix. */
static void sweep_one(uint8_t prefix, uint8_t map, uint8_t op, uint8_t modrm)
{
    struct registers r = harmless();
    uint8_t code[16];
    uint32_t n = 0;
    r.eax = r.ebx = r.edx;
    r.ecx = 2;
    if (prefix)
        code[n++] = prefix;
    if (map) {
        code[n++] = 0x0f;
        if (map > 1)
            code[n++] = map;
    }
    code[n++] = op;
    code[n++] = modrm;
    memcpy(scratch, code, n);
    memset(scratch + n, 0x90, 8);
    scratch[n + 8] = 0xcd;
    scratch[n + 9] = 0x77;
    try_soon(&r, (uint32_t)scratch);
}

void attack_insn_opcode_sweep(uint32_t round)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf2, 0xf3, 0xf0}, maps[] = {1, 0x38, 0x3a, 0};
    uint8_t prefix = prefixes[round % 5], map = maps[round / 5 % 4];
    for (uint32_t op = 0; op < 256; op++) {
        if (!map && op == 0xcd)
            continue;
        for (uint32_t modrm = 0; modrm < 256; modrm += 1 + 6 * (map > 1)) {
            if (map == 1 && op == 0xb9 &&
                (modrm == 0xc0 || modrm == 0xc1 || modrm == 0xc2 || modrm == 0xc3))
                continue; /* idle, the end, resume, trapret: dev_virtual_instructions */
            sweep_one(prefix, map, (uint8_t)op, (uint8_t)modrm);
        }
    }
}

/* LOCK on what cannot be locked. */
void attack_insn_illegal_locks(uint32_t round)
{
    struct registers r = harmless();
    r.eax = r.edx;
    MUST(FAULT_UD, 0xf0, 0x90);
    MUST(FAULT_UD, 0xf0, 0x8b, 0x00);       /* mov */
    MUST(FAULT_UD, 0xf0, 0x01, 0xc8);       /* add to a register */
    MUST(FAULT_UD, 0xf0, 0x39, 0x08);       /* cmp */
    MUST(FAULT_UD, 0xf0, 0xff, 0x10);       /* call */
    MUST(FAULT_UD, 0xf0, 0xff, 0xe0);       /* jmp */
    MUST(FAULT_UD, 0xf0, 0xc3);             /* ret */
    MUST(FAULT_UD, 0xf0, 0xed);             /* in */
    MUST(FAULT_UD, 0xf0, 0x0f, 0xa2);       /* cpuid */
    MUST(FAULT_UD, 0xf0, 0x0f, 0xc7, 0xc8); /* cmpxchg8b eax: hung a processor once */
    (void)round;
}

/* x87 and SSE: unmasked errors are faults of the guest's own. */
void attack_insn_float_faults(uint32_t round)
{
    struct registers r = harmless();
    uint32_t *m = (uint32_t *)r.edx;
    m[0] = 0x0300; /* all unmasked */
    m[1] = 0;      /* MXCSR */
    GUEST_CHECK_EQ(TRY(&r, 0xd9, 0x2a, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b), FAULTS(16));
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0xae, 0x52, 0x04, 0x0f, 0x57, 0xc0, 0x0f, 0x5e, 0xc0), FAULTS(19));
    m[1] = 0x1f80;
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0xae, 0x52, 0x04), 0);
    m[1] = 0xffff0000 | round; /* reserved bits of MXCSR */
    GUEST_CHECK(TRY(&r, 0x0f, 0xae, 0x52, 0x04) == FAULTS(FAULT_GP));
    m[1] = 0x1f80;
    GUEST_CHECK_EQ(TRY(&r, 0x0f, 0xae, 0x52, 0x04), 0);
    r.edx |= 4;
    MUST(FAULT_GP, 0x0f, 0x28, 0x02); /* movaps, not aligned */
}

/* Division by nothing, in all its forms. */
void attack_insn_divide(uint32_t round)
{
    struct registers r = harmless();
    for (unsigned i = 0; i < 30; i++) {
        r.eax = round;
        r.ecx = 0;
        MUST(FAULT_DIVIDE, 0xf7, 0xf1);
        MUST(FAULT_DIVIDE, 0xf6, 0xf1);
        MUST(FAULT_DIVIDE, 0xd4, 0x00); /* aam 0 */
        r.eax = 0x80000000;
        r.edx = 0xffffffff;
        r.ecx = 0xffffffff;
        MUST(FAULT_DIVIDE, 0xf7, 0xf9); /* idiv: the quotient does not fit */
        r = harmless();
    }
}
