/* SPDX-License-Identifier: MIT */
/*
 * System instructions of the PC's processor: registers, privilege, models,
 * queries of descriptors, virtual-8086 mode, ports, alignment; and the points
 * where other emulators are wrong.
 */
#include "testsuite/unit/pc_rig.h"

/* Privilege */

static const struct {
    const char *code;
    uint8_t len;
} privileged[] = {
    {"\xf4", 1},         /* hlt */
    {"\x0f\x20\xc0", 3}, /* mov eax,cr0 */
    {"\x0f\x22\xd8", 3}, /* mov cr3,eax */
    {"\x0f\x21\xc0", 3}, /* mov eax,dr0 */
    {"\x0f\x06", 2},     /* clts */
    {"\x0f\x01\x10", 3}, /* lgdt [eax] */
    {"\x0f\x01\x18", 3}, /* lidt [eax] */
    {"\x0f\x00\xd0", 3}, /* lldt ax */
    {"\x0f\x00\xd8", 3}, /* ltr ax */
    {"\x0f\x01\xf0", 3}, /* lmsw ax */
    {"\x0f\x01\x38", 3}, /* invlpg [eax] */
    {"\x0f\x08", 2},     /* invd */
    {"\x0f\x09", 2},     /* wbinvd */
    {"\x0f\x30", 2},     /* wrmsr */
    {"\x0f\x32", 2},     /* rdmsr */
    {"\x0f\x35", 2},     /* sysexit */
    {"\xfa", 1},         /* cli */
    {"\xfb", 1},         /* sti */
    {"\xec", 1},         /* in al,dx */
    {"\x6c", 1},         /* insb */
    {"\xe6\x10", 2},     /* out 10h,al */
};

START_TEST(ring_3_may_not)
{
    pc_enter_ring3();
    pc_cpu->gpr[ISA_EAX] = DATA;
    pc_cpu->gpr[ISA_EDI] = DATA;
    pc_put(privileged[_i].code, privileged[_i].len);
    pc_want_error(CPU_GP, 0, CODE);
}
END_TEST

/* What is undefined, whoever asks. */
static const struct {
    const char *model, *code;
    uint8_t len;
} undefined[] = {
    {"max", "\xf0\x90", 2},                 /* LOCK on what cannot be locked */
    {"max", "\xf0\x01\xc3", 3},             /* on a register */
    {"max", "\xf0\x03\x03", 3},             /* on a memory source */
    {"max", "\xf0\x39\x03", 3},             /* on CMP */
    {"max", "\xc6\xc8\x01", 3},             /* C6 /1 */
    {"max", "\xc7\xd0\x01\x00\x00\x00", 6}, /* C7 /2 */
    {"max", "\x8f\xc8", 2},                 /* 8F /1 */
    {"max", "\x0f\x20\xc8", 3},             /* CR1 */
    {"max", "\x8e\xc8", 2},                 /* MOV CS */
    {"max", "\x8e\xf0", 2},                 /* a segment register that is none */
    {"max", "\xff\xfb", 2},                 /* FF /7 */
    {"max", "\x0f\x0b", 2},
    {"max", "\x62\xc0", 2},              /* BOUND of a register */
    {"max", "\x8d\xc0", 2},              /* LEA of a register */
    {"max", "\x0f\xaa", 2},              /* RSM outside of system management mode */
    {"386", "\x0f\xc8", 2},              /* BSWAP */
    {"386", "\x0f\xa2", 2},              /* CPUID */
    {"386", "\x0f\xb1\x03", 3},          /* CMPXCHG */
    {"386", "\x0f\xc1\x03", 3},          /* XADD */
    {"386", "\x0f\x01\x3b", 3},          /* INVLPG */
    {"386", "\x0f\x20\xe0", 3},          /* CR4 */
    {"486", "\x0f\x31", 2},              /* RDTSC */
    {"486", "\x0f\x32", 2},              /* RDMSR */
    {"486", "\x0f\xc7\x0b", 3},          /* CMPXCHG8B */
    {"pentium", "\x0f\x44\xc0", 3},      /* CMOV */
    {"pentium", "\x0f\x1f\x03", 3},      /* NOP Ev */
    {"pentium", "\xdb\xc0", 2},          /* FCMOVNB */
    {"pentium", "\x0f\x6f\xc0", 3},      /* MMX */
    {"pentium", "\x0f\x34", 2},          /* SYSENTER */
    {"pentium", "\x0f\xae\x03", 3},      /* FXSAVE */
    {"pentium3", "\x66\x0f\x58\xc0", 4}, /* ADDPD */
    {"pentium3", "\x0f\xae\xe8", 3},     /* LFENCE */
};

START_TEST(undefined_instructions)
{
    pc_use_model(undefined[_i].model);
    pc_cpu->gpr[ISA_EBX] = DATA;
    pc_put(undefined[_i].code, undefined[_i].len);
    pc_want(CPU_UD, CODE);
}
END_TEST

START_TEST(an_instruction_of_16_bytes)
{
    PUT("\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x90");
    pc_want_error(CPU_GP, 0, CODE);
}
END_TEST

START_TEST(f6_and_f7_slash_1_are_test)
{
    pc_cpu->gpr[ISA_EAX] = 0x80;
    PUT("\xf6\xc8\x80\x9c\x5b\xf7\xc8\x00\x01\x00\x00\x9c\x59");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX] & 0xc0, 0x80);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX] & 0xc0, 0x40);
}
END_TEST

START_TEST(idiv_of_the_most_negative_number)
{
    pc_cpu->gpr[ISA_EAX] = 0x80000000;
    pc_cpu->gpr[ISA_EDX] = UINT32_MAX;
    pc_cpu->gpr[ISA_ECX] = UINT32_MAX;
    PUT("\xf7\xf9");
    pc_want(CPU_DE, CODE);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 0x80000000);
}
END_TEST

/* EFLAGS that can be changed, by model. */
static const struct {
    const char *model;
    uint32_t togglable;
} flag_cases[] = {{"386", 0}, {"486", EFLAGS_AC | EFLAGS_ID}, {"max", EFLAGS_AC | EFLAGS_ID}};

START_TEST(ac_and_id_by_model)
{
    pc_use_model(flag_cases[_i].model);
    PUT("\x68\x02\x00\x24\x00\x9d\x9c\x58"); /* push 240002h; popfd; pushfd; pop eax */
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & (EFLAGS_AC | EFLAGS_ID), flag_cases[_i].togglable);
}
END_TEST

START_TEST(cpuid_tells_the_model)
{
    static const struct {
        const char *model;
        uint32_t has, lacks;
    } cases[] = {
        {"486", 1, 1u << 4},
        {"pentium", 0x13f & ~0x40u, 1u << 15 | 1u << 23},
        {"pentium3", 1u << 25 | 1u << 24 | 1u << 23 | 1u << 15 | 1u << 11 | 1u << 6, 1u << 26},
        {"max", 1u << 26 | 1u << 13, 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        pc_use_model(cases[i].model);
        pc_cpu->gpr[ISA_EAX] = 1;
        PUT("\x0f\xa2");
        pc_run_steps(1);
        ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX] & cases[i].has, cases[i].has);
        ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX] & cases[i].lacks, 0);
    }
}
END_TEST

/* Control registers */

static const struct {
    const char *code;
    uint8_t len, at;
} bad_control[] = {
    {"\xb8\x00\x00\x00\x80\x0f\x22\xc0", 8, 5},                           /* PG without PE */
    {"\xb8\x01\x00\x00\x20\x0f\x22\xc0", 8, 5},                           /* NW without CD */
    {"\xb8\x00\x08\x00\x00\x0f\x22\xe0", 8, 5},                           /* CR4 bit 11 */
    {"\xb9\xff\xff\x00\x00\x0f\x32", 7, 5},                               /* RDMSR of none */
    {"\xb9\x77\x02\x00\x00\xb8\x02\x00\x00\x00\x31\xd2\x0f\x30", 14, 12}, /* PAT type 2 */
};

START_TEST(refused_control_bits)
{
    pc_put(bad_control[_i].code, bad_control[_i].len);
    pc_want_error(CPU_GP, 0, CODE + bad_control[_i].at);
}
END_TEST

START_TEST(lmsw_cannot_clear_pe)
{
    PUT("\x31\xc0\x0f\x01\xf0\x0f\x01\xe3");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX] & 0xf, 1);
}
END_TEST

START_TEST(tables_with_16_bit_operands_have_24_bits)
{
    pc_poke32(DATA, 0x4321ffff);
    pc_poke32(DATA + 4, 0xffff8765);
    pc_cpu->gpr[ISA_EBX] = DATA;
    PUT("\x66\x0f\x01\x1b\x0f\x01\x4b\x10");
    pc_run_steps(2);
    ck_assert_uint_eq(pc_peek32(DATA + 0x12), 0x654321);
    ck_assert_uint_eq(pc_peek16(DATA + 0x10), 0xffff);
}
END_TEST

/* Queries */

struct query {
    uint32_t selector;
    unsigned attr;
    bool ring3;
    bool lar, lsl, verr, verw;
};

static const struct query queries[] = {
    {FREE, A_DATA32, false, true, true, true, true},
    {FREE, A_DATA32 & ~SEG_WRITABLE, false, true, true, true, false},
    {FREE, A_CODE32, false, true, true, true, false},
    {FREE, A_CODE32 & ~SEG_READABLE, false, true, true, false, false},
    {FREE | 3, A_DATA32, false, false, false, false, false},
    {FREE, A_DATA32, true, false, false, false, false},
    {FREE | 3, A_CODE32 | SEG_CONFORMING, true, true, true, true, false},
    {FREE, A_DATA32 & ~SEG_PRESENT, false, true, true, true, true},
    {FREE, 0x80 | SYS_LDT, false, true, true, false, false},
    {FREE, 0x80 | SYS_TSS32, false, true, true, false, false},
    {FREE, 0x80 | SYS_CALL32, false, true, false, false, false},
    {FREE, 0x80 | SYS_TASK_GATE, false, true, false, false, false},
    {FREE, 0x80 | SYS_INT32, false, false, false, false, false},
    {FREE, 0x80, false, false, false, false, false},
    {0, 0, false, false, false, false, false},
    {0x1000, 0, false, false, false, false, false},
};

START_TEST(lar_lsl_verr_verw)
{
    const struct query *q = &queries[_i];
    pc_set_descriptor(GDT, FREE, 0x123456, 0x54321, q->attr);
    if (q->ring3)
        pc_enter_ring3();
    pc_cpu->gpr[ISA_EBX] = q->selector;
    /* lar eax,ebx; setz dl; lsl ecx,ebx; setz dh; verr bx; setz ah..: through SI and DI */
    PUT("\x0f\x02\xc3\x0f\x94\xc2\x0f\x03\xcb\x0f\x94\xc6\x0f\x00\xe3\x9c\x5e\x0f\x00\xeb\x9c\x5f");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX] & 1, q->lar);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX] >> 8 & 1, q->lsl);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESI] >> 6 & 1, q->verr);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDI] >> 6 & 1, q->verw);
    if (q->lar)
        ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], pc_peek32(GDT + FREE + 4) & 0xffff00);
    if (q->lsl)
        ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX], q->attr & SEG_GRANULAR ? 0x54321fff : 0x54321);
}
END_TEST

START_TEST(arpl)
{
    pc_cpu->gpr[ISA_EAX] = 0x10;
    pc_cpu->gpr[ISA_ECX] = 0x23;
    PUT("\x63\xc8\x9c\x5e\x63\xc8\x9c\x5f");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 0x13);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESI] & 0x40, 0x40);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDI] & 0x40, 0);
}
END_TEST

static const char *const pm_only[] = {"\x63\xc8",     "\x0f\x02\xc3", "\x0f\x03\xc3",
                                      "\x0f\x00\xe0", "\x0f\x00\xc0", "\x0f\x00\xd0",
                                      "\x0f\x00\xd8"};
static const uint8_t pm_only_len[] = {2, 3, 3, 3, 3, 3, 3};

START_TEST(selectors_mean_nothing_in_real_mode)
{
    pc_enter_real();
    pc_put(pm_only[_i], pm_only_len[_i]);
    ck_assert_uint_eq(pc_run(), CPU_UD);
}
END_TEST

/* Ports */

static void open_ports(void)
{
    pc_cpu->sys.tr.limit = 0x68 + 8;
    pc_poke32(TSS + 0x68, 0xfffffff0);
    pc_poke32(TSS + 0x6c, 0xffffff7f);
}

START_TEST(the_map_of_ports)
{
    open_ports();
    pc_enter_ring3();
    PUT("\xe4\x00\xe5\x00\xe4\x03\x66\xe5\x03"); /* in al,0; in eax,0; in al,3; in ax,3 */
    pc_want_error(CPU_GP, 0, CODE + 6);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & 0xff, 0xff);
}
END_TEST

START_TEST(the_map_needs_a_byte_to_spare)
{
    open_ports();
    pc_poke32(TSS + 0x6c, 0);
    pc_cpu->sys.tr.limit = 0x68 + 7;
    pc_enter_ring3();
    PUT("\xe4\x37\xe4\x3f"); /* byte 6 and 7; the second would need byte 8 */
    pc_want_error(CPU_GP, 0, CODE + 2);
}
END_TEST

START_TEST(iopl_opens_all_ports)
{
    pc_enter_ring3();
    pc_cpu->eflags |= EFLAGS_IOPL;
    PUT("\xe4\x37");
    pc_want_ok();
}
END_TEST

/* Alignment */

START_TEST(alignment_is_checked_at_ring_3)
{
    pc_cpu->sys.cr0 |= CR0_AM;
    pc_cpu->eflags |= EFLAGS_AC;
    pc_cpu->gpr[ISA_EBX] = DATA + 1;
    PUT("\x8b\x03"); /* nobody minds at ring 0 */
    pc_run_steps(1);
    pc_enter_ring3();
    PUT("\x8a\x03\x66\x8b\x43\x01\x66\x8b\x43\x02"); /* a byte, a word in place, one that is not */
    pc_want_error(CPU_AC, 0, CODE + 8);
}
END_TEST

/* The coprocessor */

static const struct {
    uint32_t cr0;
    const char *code;
    unsigned vector;
} fpu_cases[] = {
    {CR0_EM, "\xd9\xe8", CPU_NM}, /* fld1 */
    {CR0_TS, "\xd9\xe8", CPU_NM},
    {CR0_TS, "\x9b\x90", VEC_OK}, /* fwait minds TS with MP only */
    {CR0_TS | CR0_MP, "\x9b\x90", CPU_NM},
    {CR0_EM, "\x9b\x90", VEC_OK},
};

START_TEST(device_not_available)
{
    pc_cpu->sys.cr0 |= fpu_cases[_i].cr0;
    pc_put(fpu_cases[_i].code, 2);
    PUT("\xcd\x80");
    pc_want(fpu_cases[_i].vector, fpu_cases[_i].vector == VEC_OK ? CODE + 4 : CODE);
}
END_TEST

START_TEST(sse_needs_cr4_osfxsr)
{
    PUT("\x0f\x58\xc0");
    pc_want(CPU_UD, CODE);
}
END_TEST

START_TEST(an_x87_exception_waits_for_the_next_instruction)
{
    pc_cpu->sys.cr0 |= CR0_NE;
    pc_cpu->fpu.control = 0x37b; /* division by zero is unmasked */
    /* fninit would mask it: fld1; fldz; fdivp; nop; fld1 */
    pc_cpu->fpu.tag = 0;
    PUT("\xd9\xe8\xd9\xee\xde\xf9\x90\xd9\xe8");
    pc_want(CPU_MF, CODE + 7);
}
END_TEST

START_TEST(x87_stack_faults_are_told)
{
    pc_cpu->fpu.control = 0x37f;
    pc_cpu->fpu.tag = 0;
    PUT("\xd8\xc1\xdf\xe0"); /* fadd of empty registers; fnstsw ax */
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & 0x41, 0x41); /* IE, SF */
}
END_TEST

/* Fast system calls */

START_TEST(sysenter_and_sysexit)
{
    pc_cpu->sys.sysenter_cs = CODE0;
    pc_cpu->sys.sysenter_esp = STACK0;
    pc_cpu->sys.sysenter_eip = 0x12000;
    pc_poke(0x12000, "\x90\x0f\x35", 3);
    pc_enter_ring3();
    pc_cpu->eflags |= ISA_F_I;
    pc_cpu->gpr[ISA_ECX] = STACK3;
    pc_cpu->gpr[ISA_EDX] = CODE + 2;
    PUT("\x0f\x34\x90");
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->cpl, 0);
    ck_assert_uint_eq(pc_cpu->seg[ISA_SS].selector, DATA0);
    ck_assert_uint_eq(pc_cpu->eflags & ISA_F_I, 0);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, CODE + 3);
    ck_assert_uint_eq(pc_cpu->cpl, 3);
    ck_assert_uint_eq(pc_cpu->seg[ISA_CS].selector, CODE3);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK3);
}
END_TEST

START_TEST(sysenter_without_a_selector)
{
    PUT("\x0f\x34");
    pc_want_error(CPU_GP, 0, CODE);
}
END_TEST

/* Virtual-8086 mode */

START_TEST(the_frame_of_a_v86_interrupt)
{
    pc_enter_v86(3);
    PUT("\x90\xcd\x80");
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK0 - 36);
    const uint32_t want[9] = {3,         CODE >> 4,   EFLAGS_FIXED | EFLAGS_VM | EFLAGS_IOPL,
                              0x1000,    STACK0 >> 4, DATA >> 4,
                              DATA >> 4, DATA >> 4,   DATA >> 4};
    for (unsigned i = 0; i < 9; i++)
        ck_assert_uint_eq(pc_frame(i), want[i]);
    ck_assert_uint_eq(pc_cpu->seg[ISA_DS].selector, 0);
    ck_assert_uint_eq(pc_cpu->eflags & EFLAGS_VM, 0);
}
END_TEST

START_TEST(iret_into_v86_mode)
{
    const uint32_t words[9] = {0x20,      CODE >> 4, 0x23202, 0x800, STACK0 >> 4,
                               DATA >> 4, DATA >> 4, 0x1234,  0x5678};
    pc_cpu->gpr[ISA_ESP] = STACK0 - 36;
    pc_poke(STACK0 - 36, words, sizeof(words));
    PUT("\xcf");
    pc_poke(CODE + 0x20, "\x90", 1);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, 0x21);
    ck_assert_uint_eq(pc_cpu->cpl, 3);
    ck_assert_uint_eq(pc_cpu->eflags, 0x23202);
    ck_assert_uint_eq(pc_cpu->seg[ISA_GS].selector, 0x5678);
    ck_assert_uint_eq(pc_cpu->seg[ISA_GS].base, 0x56780);
    ck_assert_uint_eq(pc_cpu->seg[ISA_SS].limit, 0xffff);
}
END_TEST

static const char *const iopl_sensitive[] = {"\xfa", "\xfb", "\x9c", "\x9d", "\xcd\x80", "\xcf"};
static const uint8_t iopl_sensitive_len[] = {1, 1, 1, 1, 2, 1};

START_TEST(v86_with_iopl_below_3)
{
    pc_enter_v86(0);
    pc_put(iopl_sensitive[_i], iopl_sensitive_len[_i]);
    pc_want_error(CPU_GP, 0, 0);
    ck_assert_uint_eq(pc_frame(3) >> 17 & 1, 1);
}
END_TEST

START_TEST(int3_of_v86_mode_does_not_ask_iopl)
{
    pc_enter_v86(0);
    PUT("\xcc");
    ck_assert_uint_eq(pc_run(), CPU_BP);
}
END_TEST

START_TEST(a_v86_handler_must_be_at_ring_0)
{
    pc_set_gate(pc_gate_at(0x55), A_GATE | A_RING3 | SYS_INT32, CODE3 & ~3u, 0x12000, 0);
    pc_enter_v86(3);
    PUT("\xcd\x55");
    pc_want_error(CPU_GP, CODE3 & ~3u, 0);
}
END_TEST

START_TEST(v86_always_asks_the_map_of_ports)
{
    pc_enter_v86(3);
    PUT("\xe4\x10");
    pc_want_error(CPU_GP, 0, 0);
}
END_TEST

START_TEST(vme_lends_vif)
{
    pc_enter_v86(0);
    pc_cpu->sys.cr4 |= CR4_VME;
    PUT("\xfb\x9c\x58\xfa\x9c\x5b\xf4"); /* sti; pushf; pop ax; cli; pushf; pop bx */
    pc_want_error(CPU_GP, 0, 6);         /* the HLT */
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & 0x3200, 0x3200);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX] & 0x3200, 0x3000);
    ck_assert_uint_eq(pc_frame(3) & ISA_F_I, 0);
}
END_TEST

/* Before the next instruction, whatever it is; not where IOPL is 3. */
START_TEST(a_virtual_interrupt_that_waits_is_told)
{
    pc_enter_v86(_i ? 3 : 0);
    pc_cpu->sys.cr4 |= CR4_VME;
    pc_cpu->eflags |= EFLAGS_VIF | EFLAGS_VIP;
    PUT("\x90\xf4");
    pc_want_error(CPU_GP, 0, _i ? 1 : 0);
}
END_TEST

START_TEST(vme_redirects_software_interrupts)
{
    pc_enter_v86(0);
    pc_cpu->sys.cr4 |= CR4_VME;
    pc_cpu->sys.tr.limit = 0xff;
    pc_poke16(TSS + 102, 0x88); /* the 32 bytes before are the map */
    pc_poke32(0x55 * 4, (CODE >> 4) << 16 | 0x40);
    pc_poke(CODE + 0x40, "\x90", 1);
    PUT("\xcd\x55");
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, 0x41);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], 0x1000 - 6);
    ck_assert_uint_eq(pc_cpu->eflags & EFLAGS_VM, EFLAGS_VM);
}
END_TEST

/* Stack */

START_TEST(push_of_a_segment_register_writes_16_bits)
{
    pc_poke32(STACK0 - 4, 0xffffffff);
    PUT("\x1e");
    pc_run_steps(1);
    ck_assert_uint_eq(pc_peek32(STACK0 - 4), 0xffff0000u | DATA0);
}
END_TEST

START_TEST(pushfd_hides_rf_and_vm)
{
    pc_cpu->eflags |= EFLAGS_RF;
    PUT("\x9c");
    pc_run_steps(1);
    ck_assert_uint_eq(pc_frame(0), 2);
}
END_TEST

START_TEST(state_survives_a_save)
{
    uint8_t *saved = malloc(state_size(&cpu_state_list));
    uint8_t *saved_pc = malloc(state_size(&cpu_pc_state_list));
    pc_enable_paging();
    pc_enter_ring3();
    PUT("\x40\x40\x40");
    pc_run_steps(1);
    state_save(&cpu_state_list, pc_cpu, saved);
    state_save(&cpu_pc_state_list, pc_cpu, saved_pc);
    cpu_reset(pc_cpu);
    state_load(&cpu_state_list, pc_cpu, saved);
    state_load(&cpu_pc_state_list, pc_cpu, saved_pc);
    cpu_refresh(pc_cpu);
    free(saved);
    free(saved_pc);
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 3);
    ck_assert_uint_eq(pc_frame(1), CODE3);
}
END_TEST

static const TTest *const *const tests[] = {
    &an_instruction_of_16_bytes,
    &f6_and_f7_slash_1_are_test,
    &idiv_of_the_most_negative_number,
    &cpuid_tells_the_model,
    &lmsw_cannot_clear_pe,
    &tables_with_16_bit_operands_have_24_bits,
    &arpl,
    &the_map_of_ports,
    &the_map_needs_a_byte_to_spare,
    &iopl_opens_all_ports,
    &alignment_is_checked_at_ring_3,
    &sse_needs_cr4_osfxsr,
    &an_x87_exception_waits_for_the_next_instruction,
    &x87_stack_faults_are_told,
    &sysenter_and_sysexit,
    &sysenter_without_a_selector,
    &the_frame_of_a_v86_interrupt,
    &iret_into_v86_mode,
    &int3_of_v86_mode_does_not_ask_iopl,
    &a_v86_handler_must_be_at_ring_0,
    &v86_always_asks_the_map_of_ports,
    &vme_lends_vif,
    &vme_redirects_software_interrupts,
    &push_of_a_segment_register_writes_16_bits,
    &pushfd_hides_rf_and_vm,
    &state_survives_a_save,
};

static const struct pc_rig_loop loops[] = {
    {&ring_3_may_not, ARRAY_LEN(privileged)},
    {&undefined_instructions, ARRAY_LEN(undefined)},
    {&ac_and_id_by_model, ARRAY_LEN(flag_cases)},
    {&refused_control_bits, ARRAY_LEN(bad_control)},
    {&lar_lsl_verr_verw, ARRAY_LEN(queries)},
    {&selectors_mean_nothing_in_real_mode, ARRAY_LEN(pm_only)},
    {&device_not_available, ARRAY_LEN(fpu_cases)},
    {&v86_with_iopl_below_3, ARRAY_LEN(iopl_sensitive)},
    {&a_virtual_interrupt_that_waits_is_told, 2},
};

int main(void)
{
    return pc_rig_main("pc_system", tests, ARRAY_LEN(tests), loops, ARRAY_LEN(loops));
}
