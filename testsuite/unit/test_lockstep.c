/* SPDX-License-Identifier: MIT */
/*
 * Lockstep must be silent about an engine that is right and name what a wrong
 * one does. The subject is the interpreter itself, tampered with at one address.
 */
#include <stdio.h>

#include "dbt/lockstep/lockstep.h"
#include "testsuite/unit/interp_rig.h"

enum tamper { NOTHING, FLAG, UNDEFINED_FLAG, REGISTER, XMM, MEMORY, FAULT_ADDRESS, EARLY_EXIT };

/* An engine that goes wrong when eip comes to `at`. */
struct broken {
    struct engine engine;
    struct engine *inner;
    enum tamper tamper;
    uint32_t at;
};

static void tamper(struct cpu *c, enum tamper what)
{
    switch (what) {
    case FLAG:
        c->eflags ^= ISA_F_Z;
        break;
    case UNDEFINED_FLAG:
        c->eflags ^= ISA_F_A;
        break;
    case REGISTER:
        c->gpr[ISA_ESI] += 1;
        break;
    case XMM:
        c->fpu.xmm[7][15] ^= 0x80;
        break;
    case MEMORY:
        ram_base(c->ram)[DATA + 0x123] ^= 1;
        break;
    case FAULT_ADDRESS:
        c->fault.address += 1;
        break;
    default:
        break;
    }
}

static enum engine_exit broken_run(struct engine *base, struct cpu *c, uint64_t budget)
{
    struct broken *b = CONTAINER_OF(base, struct broken, engine);
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    while (budget-- && exit == ENGINE_EXIT_BUDGET) {
        exit = b->inner->ops->run(b->inner, c, 1);
        if (c->eip == b->at) {
            tamper(c, b->tamper);
            if (b->tamper == EARLY_EXIT)
                return ENGINE_EXIT_HYPERCALL;
        }
    }
    return exit;
}

static int broken_attach(struct engine *base, struct cpu *c, uint64_t image)
{
    struct broken *b = CONTAINER_OF(base, struct broken, engine);
    return b->inner->ops->attach(b->inner, c, image);
}

static void broken_detach(struct engine *base, struct cpu *c)
{
    struct broken *b = CONTAINER_OF(base, struct broken, engine);
    b->inner->ops->detach(b->inner, c);
}

static void broken_stop(struct engine *base, struct cpu *c)
{
    struct broken *b = CONTAINER_OF(base, struct broken, engine);
    b->inner->ops->stop(b->inner, c);
}

static void broken_report(struct engine *base, struct cpu *c, void *out)
{
    (void)base, (void)c;
    fprintf(out, "host code: none\n");
}

static void broken_destroy(struct engine *base)
{
    struct broken *b = CONTAINER_OF(base, struct broken, engine);
    b->inner->ops->destroy(b->inner);
    free(b);
}

static const struct engine_ops broken_ops = {
    .name = "broken",
    .attach = broken_attach,
    .detach = broken_detach,
    .run = broken_run,
    .stop = broken_stop,
    .report = broken_report,
    .destroy = broken_destroy,
};

/* Puts the rig under lockstep with a subject that goes wrong at `at`. */
static void use_lockstep(enum tamper what, uint32_t at)
{
    struct broken *b = calloc(1, sizeof(*b));
    b->engine.ops = &broken_ops;
    b->tamper = what;
    b->at = at;
    ck_assert_int_eq(interp_create(&b->inner), 0);
    engine->ops->detach(engine, cpu);
    engine->ops->destroy(engine);
    ck_assert_int_eq(lockstep_create_pair(&b->engine, &engine), 0);
    ck_assert_int_eq(engine->ops->attach(engine, cpu, 0), 0);
}

/* inc eax; mov [DATA], eax; cmp eax, 10; jne CODE; nop; hypercall 9 */
#define COUNT_TO_TEN "\x40\xa3\x00\x00\x02\x00\x83\xf8\x0a\x75\xf5\x90\x0f\xb9\xc9\x90"
#define AT_NOP (CODE + 11)

/* A copy of the report, as text. */
static char *report(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    engine->ops->report(engine, cpu, out);
    fclose(out);
    return text;
}

static void want_report(const char *part)
{
    char *text = report();
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
    free(text);
}

START_TEST(agreement_is_silent)
{
    use_lockstep(NOTHING, 0);
    PUT(COUNT_TO_TEN);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(cpu->exit.hypercall, 9);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 10);
    ck_assert_uint_eq(peek32(DATA), 10);
    ck_assert_uint_eq(cpu->icount, 42);
    char *text = report();
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(budget_is_exact)
{
    use_lockstep(NOTHING, 0);
    PUT("\x40\xeb\xfd");
    ck_assert_int_eq(run(12345), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->icount, 12345);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 6173);
}
END_TEST

START_TEST(flipped_flag_is_caught)
{
    use_lockstep(FLAG, AT_NOP);
    PUT(COUNT_TO_TEN);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_DIVERGED);
    /* The block that differs is the tenth turn: the processor stands before it, memory too. */
    ck_assert_uint_eq(cpu->eip, CODE);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 9);
    ck_assert_uint_eq(peek32(DATA), 9);
    want_report("differ in eflags, 4 instructions from eip 00010000");
    want_report("* eflags       00000297  00000246  00000206");
    want_report("  gpr[0]       00000009  0000000a  0000000a");
    want_report("00010009  75f5                    jne 0x10000");
    want_report("host code: none");
}
END_TEST

START_TEST(undefined_flag_is_not_compared)
{
    use_lockstep(UNDEFINED_FLAG, CODE + 2);
    PUT("\x31\xdb\x74\x00\x0f\xb9\xc9"); /* xor ebx, ebx leaves AF undefined */
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert(cpu->eflags & ISA_F_A); /* the subject's state lives on */
}
END_TEST

/* ... and an instruction that reads it sees the same in both engines. */
START_TEST(undefined_flag_may_be_read)
{
    use_lockstep(UNDEFINED_FLAG, CODE + 2);
    PUT("\x31\xdb\x9c\x58\x0f\xb9\xc9"); /* xor ebx, ebx; pushf; pop eax */
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert(cpu->gpr[ISA_EAX] & ISA_F_A);
}
END_TEST

START_TEST(register_is_caught)
{
    use_lockstep(REGISTER, AT_NOP);
    PUT(COUNT_TO_TEN);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_DIVERGED);
    want_report("* gpr[6]       00000000  00000000  00000001");
}
END_TEST

START_TEST(xmm_is_caught)
{
    use_lockstep(XMM, AT_NOP);
    PUT(COUNT_TO_TEN);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_DIVERGED);
    want_report("differ in fpu.xmm[7]");
}
END_TEST

START_TEST(memory_is_caught)
{
    use_lockstep(MEMORY, AT_NOP);
    PUT(COUNT_TO_TEN);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_DIVERGED);
    want_report("differ in memory");
    want_report("memory at 00020123: interpreter 00, subject 01");
}
END_TEST

START_TEST(exit_is_caught)
{
    use_lockstep(EARLY_EXIT, AT_NOP);
    PUT(COUNT_TO_TEN);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_DIVERGED);
    want_report("differ in the way it ended");
}
END_TEST

START_TEST(faults_agree_or_not)
{
    use_lockstep(NOTHING, 0);
    PUT("\x90\xa1\x00\x00\x00\xff");
    want_page_fault(CODE + 1, 0xff000000, CPU_PF_USER);
    ck_assert_uint_eq(cpu->icount, 1);
    engine->ops->detach(engine, cpu);
    ck_assert_int_eq(engine->ops->attach(engine, cpu, 0), 0);
    use_lockstep(FAULT_ADDRESS, CODE + 1);
    cpu->eip = CODE;
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_DIVERGED);
    want_report("differ in the fault");
    want_report("address ff000001");
}
END_TEST

static uint64_t counting_tsc(void *opaque)
{
    return (*(uint64_t *)opaque)++;
}

START_TEST(both_read_the_same_time)
{
    use_lockstep(NOTHING, 0);
    uint64_t tsc = 100;
    cpu->virtual_tsc = 1;
    cpu->read_tsc = counting_tsc;
    cpu->read_tsc_opaque = &tsc;
    PUT("\x0f\x31\x01\xc3\xeb\xfa"); /* rdtsc; add ebx, eax; jmp */
    ck_assert_int_eq(run(3000), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(tsc, 1100);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], (100 + 1099) * 500);
    cpu->virtual_tsc = 0;
    ck_assert_int_eq(run(3000), ENGINE_EXIT_BUDGET);
    ck_assert(cpu->read_tsc == counting_tsc);
}
END_TEST

START_TEST(stop_ends_the_run)
{
    use_lockstep(NOTHING, 0);
    PUT("\xeb\xfe");
    engine_stop(cpu);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_STOP);
    ck_assert_int_eq(run(1000), ENGINE_EXIT_BUDGET);
}
END_TEST

START_TEST(self_modification_is_undone)
{
    use_lockstep(NOTHING, 0);
    /* loop: inc eax; xor byte [loop], 3 (inc eax <-> inc ebx); jmp loop */
    PUT("\x40\x80\x35\x00\x00\x01\x00\x03\xeb\xf6");
    ck_assert_int_eq(run(3000), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 500);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], 500);
}
END_TEST

/* One instruction that writes many pages: all of them are undone, compared, and kept. */
START_TEST(large_writes)
{
    use_lockstep(NOTHING, 0);
    PUT("\xf3\xaa\x0f\xb9\xc9");
    cpu->gpr[ISA_EAX] = 0x5a;
    cpu->gpr[ISA_EDI] = 0x50001;
    cpu->gpr[ISA_ECX] = 0x9fffe;
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(ram_base(ram)[0x50000], 0);
    ck_assert_uint_eq(ram_base(ram)[0x50001], 0x5a);
    ck_assert_uint_eq(ram_base(ram)[0xefffe], 0x5a);
    ck_assert_uint_eq(ram_base(ram)[0xeffff], 0);
}
END_TEST

static const TTest *const *const tests[] = {
    &agreement_is_silent,
    &budget_is_exact,
    &flipped_flag_is_caught,
    &undefined_flag_is_not_compared,
    &undefined_flag_may_be_read,
    &register_is_caught,
    &xmm_is_caught,
    &memory_is_caught,
    &exit_is_caught,
    &faults_agree_or_not,
    &both_read_the_same_time,
    &stop_ends_the_run,
    &self_modification_is_undone,
    &large_writes,
};

int main(void)
{
    return rig_main("lockstep", tests, ARRAY_LEN(tests));
}
