/* SPDX-License-Identifier: MIT */
/*
 * The translator and lockstep count a PC's instructions as the interpreter does: random programs
 * (jumps, calls, faults, interrupts, ports, strings, IF on and off) run in slices of random budgets
 * under both; after each slice the counts, registers and flags are the same, and the memory at the
 * end.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "dbt/lockstep/lockstep.h"
#include "emu/base/host_thread.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/pc/sysregs.h"

#define RAM_BYTES (4 * MIB)
#define IDT 0x2000u
#define GDT 0x1000u
#define CODE 0x10000u
#define DATA 0x20000u
#define STACK 0x30000u
#define HANDLERS 0x8000u
#define SCREEN 0x500000u
#define INTERRUPT 0x81u
#define SLICES 400u

struct machine {
    struct ram *ram;
    struct bus *bus;
    struct irq_pin pin;
    struct engine *engine;
    struct cpu *cpu;
    uint32_t asked; /* port 60h, that tells how often */
};

enum kind { INTERP, DBT, LOCKSTEP, BROKEN };

/* A translator that is wrong once: at an instruction count, in a register or in memory. */
struct broken {
    struct engine engine;
    struct engine *inner;
    uint64_t at;
    uint32_t memory; /* 0: a register */
};

static struct broken *broken_of(struct engine *engine)
{
    return CONTAINER_OF(engine, struct broken, engine);
}

static int broken_attach(struct engine *engine, struct cpu *cpu, uint64_t image)
{
    return broken_of(engine)->inner->ops->attach(broken_of(engine)->inner, cpu, image);
}

static void broken_detach(struct engine *engine, struct cpu *cpu)
{
    broken_of(engine)->inner->ops->detach(broken_of(engine)->inner, cpu);
}

static enum engine_exit broken_run(struct engine *engine, struct cpu *cpu, uint64_t budget)
{
    struct broken *b = broken_of(engine);
    uint64_t before = cpu->icount;
    enum engine_exit exit = b->inner->ops->run(b->inner, cpu, budget);
    if (before <= b->at && cpu->icount > b->at && b->memory)
        ram_base(cpu->ram)[b->memory] ^= 1;
    else if (before <= b->at && cpu->icount > b->at)
        cpu->gpr[ISA_EBP] ^= 4;
    return exit;
}

static void broken_forget(struct engine *engine, struct cpu *cpu, gpa_t gpa, uint64_t len)
{
    broken_of(engine)->inner->ops->forget(broken_of(engine)->inner, cpu, gpa, len);
}

static void broken_report(struct engine *engine, struct cpu *cpu, void *out)
{
    broken_of(engine)->inner->ops->report(broken_of(engine)->inner, cpu, out);
}

static void broken_destroy(struct engine *engine)
{
    broken_of(engine)->inner->ops->destroy(broken_of(engine)->inner);
    free(broken_of(engine));
}

static const struct engine_ops broken_ops = {.name = "broken",
                                             .attach = broken_attach,
                                             .detach = broken_detach,
                                             .run = broken_run,
                                             .forget = broken_forget,
                                             .report = broken_report,
                                             .destroy = broken_destroy};

static int create_broken(struct engine **out)
{
    const struct engine_options options = {.count = true, .exact = true};
    struct broken *b = calloc(1, sizeof(*b));
    ck_assert_ptr_nonnull(b);
    b->engine.ops = &broken_ops;
    b->at = UINT64_MAX;
    ck_assert_int_eq(dbt_create(&options, &b->inner), 0);
    return lockstep_create_pair(&b->engine, out);
}

static int create_engine(enum kind kind, struct engine **out)
{
    const struct engine_options options = {.count = true};
    if (kind == INTERP)
        return interp_create(out);
    if (kind == BROKEN)
        return create_broken(out);
    return kind == DBT ? dbt_create(&options, out) : lockstep_create(&options, out);
}

static uint32_t port_read(void *opaque, uint32_t offset, unsigned size)
{
    struct machine *m = opaque;
    (void)offset, (void)size;
    return m->asked++;
}

static const struct bus_ops port_ops = {port_read, NULL, 1};

static uint8_t ack(void *opaque)
{
    struct machine *m = opaque;
    m->pin.intr = false;
    return INTERRUPT;
}

static void poke(struct machine *m, uint32_t at, const void *bytes, size_t len)
{
    bus_write_bytes(m->bus, at, bytes, len);
}

static void gate(struct machine *m, unsigned vector, uint32_t handler)
{
    const uint16_t word[4] = {(uint16_t)handler, 8, 0x8e00, (uint16_t)(handler >> 16)};
    poke(m, IDT + vector * 8, word, sizeof(word));
}

/* #UD and #PF step over the two bytes that faulted; the others only return. */
static void make_handlers(struct machine *m)
{
    static const uint8_t skip[] = "\x83\x04\x24\x02\xcf",
                         skip_error[] = "\x83\xc4\x04\x83\x04\x24\x02\xcf";
    static const uint64_t code = 0x00cf9a000000ffff, data = 0x00cf92000000ffff;
    poke(m, GDT + 8, &code, 8);
    poke(m, GDT + 16, &data, 8);
    poke(m, HANDLERS, skip, sizeof(skip) - 1);
    poke(m, HANDLERS + 16, skip_error, sizeof(skip_error) - 1);
    poke(m, HANDLERS + 32, "\xff\x05\x00\x0f\x02\x00\xcf", 7); /* inc dword [20f00h]; iret */
    gate(m, CPU_UD, HANDLERS);
    gate(m, CPU_GP, HANDLERS + 16);
    gate(m, 0x80, HANDLERS + 32);
    gate(m, INTERRUPT, HANDLERS + 32);
}

static void make(struct machine *m, enum kind kind)
{
    const struct cpu_config config = {.model = "pentium3", .pin = &m->pin};
    struct cpu_config full = config;
    memset(m, 0, sizeof(*m));
    m->pin = (struct irq_pin){.ack = ack, .opaque = m};
    ck_assert_int_eq(ram_create(RAM_BYTES, &m->ram), 0);
    ck_assert_int_eq(bus_create(m->ram, &m->bus), 0);
    full.bus = m->bus;
    ck_assert_int_eq(cpu_init_pc(&full, &m->cpu), 0);
    ck_assert_int_eq(bus_add_ports(m->bus, "counter", 0x60, 1, &port_ops, m), 0);
    ck_assert_int_eq(create_engine(kind, &m->engine), 0);
    ck_assert_int_eq(m->engine->ops->attach(m->engine, m->cpu, 0), 0);
    make_handlers(m);
    m->cpu->sys.cr0 |= CR0_PE;
    m->cpu->sys.gdt = (struct cpu_table){GDT, 0x17, 0};
    m->cpu->sys.idt = (struct cpu_table){IDT, 0x7ff, 0};
    for (unsigned i = 0; i < 6; i++)
        m->cpu->seg[i] = i == ISA_CS ? (struct cpu_seg){8, 0xc09b, 0, UINT32_MAX}
                                     : (struct cpu_seg){16, 0xc093, 0, UINT32_MAX};
    m->cpu->eip = CODE;
    m->cpu->gpr[ISA_ESP] = STACK;
    cpu_refresh(m->cpu);
}

static void unmake(struct machine *m)
{
    m->engine->ops->detach(m->engine, m->cpu);
    m->engine->ops->destroy(m->engine);
    cpu_fini_pc(m->cpu);
    bus_destroy(m->bus);
    ram_destroy(m->ram);
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

#define PIECE(text)                                                                                \
    {                                                                                              \
        sizeof(text) - 1, text                                                                     \
    }
static const struct piece {
    uint8_t len;
    const char *bytes;
} pieces[] = {
    PIECE("\x01\xd8"),                             /* add eax, ebx */
    PIECE("\x83\xd2\x07"),                         /* adc edx, 7 */
    PIECE("\x29\xc3"),                             /* sub ebx, eax */
    PIECE("\x40"),                                 /* inc eax */
    PIECE("\x39\xd0"),                             /* cmp eax, edx */
    PIECE("\x89\x05\x10\x00\x02\x00"),             /* mov [20010h], eax */
    PIECE("\x03\x1d\x10\x00\x02\x00"),             /* add ebx, [20010h] */
    PIECE("\x50\x5a"),                             /* push eax; pop edx */
    PIECE("\x75\x01\x40"),                         /* jnz over inc eax */
    PIECE("\x72\x03\x42\x42\x42"),                 /* jc over */
    PIECE("\x76\x02\x01\xc2"),                     /* jbe over */
    PIECE("\xe8\x02\x00\x00\x00\xeb\x02\x43\xc3"), /* call a function; over it */
    PIECE("\xb9\x05\x00\x00\x00\x40\xe2\xfd"),     /* a loop */
    PIECE("\xb9\x28\x00\x00\x00\x43\x49\x75\xfc"), /* another one */
    PIECE("\xfa"),                                 /* cli */
    PIECE("\xfb"),                                 /* sti */
    PIECE("\x9c\x9d"),                             /* pushf; popf */
    PIECE("\x0f\x0b"),                             /* ud2 */
    PIECE("\xcd\x80"),                             /* int 80h */
    PIECE("\xe4\x60"),                             /* in al, 60h */
    PIECE("\xe6\x61"),                             /* out 61h, al */
    PIECE("\xcd\x42"),                             /* a vector without a gate: #GP */
    PIECE("\xbe\x00\x00\x02\x00\xbf\x00\x04\x02\x00\xb9\x10\x00\x00\x00\xf3\xa5"), /* rep movsd */
    PIECE("\xbf\xf8\x0f\x02\x00\xb9\x08\x00\x00\x00\xf3\xab"), /* rep stosd over a page's end */
    PIECE("\x8e\xd8"),                                         /* mov ds, ax: #GP, or null */
    PIECE("\x16\x1f"),                                         /* push ss; pop ds */
    PIECE("\xa1\xfe\x0f\x02\x00"),                             /* mov eax, over a page's end */
    PIECE("\xff\x0d\x20\x0f\x02\x00"),                         /* dec dword [20f20h] */
};

static void write_program(struct machine *m, uint64_t seed)
{
    uint32_t at = CODE, end = CODE + 3 * PAGE_SIZE - 64;
    while (at < end) {
        const struct piece *piece = &pieces[next_random(&seed) % ARRAY_LEN(pieces)];
        bool skips_ds = piece->bytes[0] == '\x8e'; /* DS must stay good */
        if (skips_ds)
            poke(m, at, "\x16\x1f", 2);
        else
            poke(m, at, piece->bytes, piece->len);
        at += skips_ds ? 2 : piece->len;
    }
    const int32_t back = (int32_t)(CODE - (at + 5));
    poke(m, at, "\xe9", 1);
    poke(m, at + 1, &back, 4);
}

static void compare(const struct cpu *a, const struct cpu *b)
{
    ck_assert_uint_eq(a->icount, b->icount);
    ck_assert_uint_eq(a->eip, b->eip);
    ck_assert_uint_eq(a->eflags, b->eflags);
    ck_assert_mem_eq(a->gpr, b->gpr, sizeof(a->gpr));
}

#define MACHINES 3

static void run_all(struct machine *m, uint32_t budget, bool interrupt)
{
    for (unsigned i = 0; i < MACHINES; i++) {
        struct cpu *cpu = m[i].cpu;
        uint64_t before = cpu->icount;
        m[i].pin.intr |= interrupt;
        enum engine_exit exit = engine_run(cpu, budget);
        if (exit == ENGINE_EXIT_DIVERGED)
            m[i].engine->ops->report(m[i].engine, cpu, stdout);
        ck_assert_int_eq(exit, ENGINE_EXIT_BUDGET);
        ck_assert_uint_eq(cpu->icount - before, budget);
        ck_assert_int_eq(m[0].pin.intr, m[i].pin.intr);
        ck_assert_uint_eq(m[0].asked, m[i].asked);
        compare(m[0].cpu, cpu);
    }
}

START_TEST(counts_alike)
{
    struct machine m[MACHINES];
    uint64_t seed = 77 + (uint64_t)_i;
    for (unsigned i = 0; i < MACHINES; i++) {
        make(&m[i], (enum kind)i);
        write_program(&m[i], seed);
    }
    for (unsigned slice = 0; slice < SLICES; slice++) {
        uint32_t kind = next_random(&seed) % 4, size = next_random(&seed);
        uint32_t budget = kind == 0 ? 1 + size % 5 : kind == 1 ? 1 + size % 100 : 1 + size % 5000;
        run_all(m, budget, next_random(&seed) % 3 == 0);
    }
    for (unsigned i = 0; i < MACHINES; i++) {
        ck_assert_mem_eq(ram_base(m[0].ram), ram_base(m[i].ram), 0x40000);
        if (i)
            unmake(&m[i]);
    }
    unmake(&m[0]);
}
END_TEST

/* Lockstep sees what is wrong, near the place, and not before: in a register; in a page that the
 * code writes; in one that it never does, which is seen when all memory is compared. */
START_TEST(sees_what_is_wrong)
{
    static const uint32_t place[] = {0, DATA + 0x10, 0x123456};
    struct machine m;
    make(&m, BROKEN);
    write_program(&m, 77);
    struct lockstep_cpu *lc = m.cpu->engine_state;
    ck_assert_int_eq(engine_run(m.cpu, 20000), ENGINE_EXIT_BUDGET);
    struct broken *b = CONTAINER_OF(lockstep_subject(m.engine), struct broken, engine);
    b->at = 30000;
    b->memory = place[_i];
    ck_assert_int_eq(engine_run(m.cpu, 2 * MIB), ENGINE_EXIT_DIVERGED);
    bool late = lc->stretch.stray_since != UINT64_MAX;
    ck_assert_uint_le(m.cpu->icount, 30000 + (late ? MIB + MIB / 4 : 4000));
    ck_assert_uint_gt(m.cpu->icount, 25000);
    ck_assert(_i ? strncmp(lc->stretch.differs, "memory", 6) == 0
                 : !strcmp(lc->stretch.differs, "gpr"));
    ck_assert(late ? _i > 0 : _i < 2);
    ck_assert(!_i || lc->stretch.memory_at == place[_i]);
    char text[65536] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    m.engine->ops->report(m.engine, m.cpu, out);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, _i ? "memory at" : "* gpr"));
    unmake(&m);
}
END_TEST

/* A device that writes to memory when it is asked: over the code that asked, over data. */
static void overwrite(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct machine *m = opaque;
    (void)offset, (void)size;
    uint32_t asked = ++m->asked;
    bus_write_bytes(m->bus, DATA + 0xffe, &asked, 4); /* over a page's end */
    bus_write_bytes(m->bus, CODE, "\x42\x42", 2);     /* inc edx, twice, instead of the OUT */
    if (value & 0x40)
        bus_write_bytes(m->bus, CODE, "\xe6\x70", 2);
}

static const struct bus_ops overwrite_ops = {port_read, overwrite, 1};

START_TEST(devices_write_where_they_are_asked)
{
    struct machine m[MACHINES];
    for (unsigned i = 0; i < MACHINES; i++) {
        make(&m[i], (enum kind)i);
        ck_assert_int_eq(bus_add_ports(m[i].bus, "overwriter", 0x70, 1, &overwrite_ops, &m[i]), 0);
        /* out 70h, al; inc eax; add ebx, [20ffeh]; in al, 70h; add edx, eax; mov [20ffch], edx;
         * jmp to the start; over and over; eax's bit 6 lets the OUT be there again */
        poke(&m[i], CODE,
             "\xe6\x70\x40\x03\x1d\xfe\x0f\x02\x00\xe4\x70\x01\xc2\x89\x15\xfc\x0f\x02\x00"
             "\x34\x41\xe6\x70\xeb\xe7",
             25);
    }
    for (unsigned slice = 0; slice < 40; slice++)
        run_all(m, 1 + 37 * slice, false);
    ck_assert_uint_gt(m[0].asked, 100);
    for (unsigned i = 1; i < MACHINES; i++)
        ck_assert_mem_eq(ram_base(m[0].ram), ram_base(m[i].ram), 0x40000);
    for (unsigned i = 0; i < MACHINES; i++)
        unmake(&m[i]);
}
END_TEST

/* More than r12 holds at a time. */
START_TEST(counts_far)
{
    struct machine m[MACHINES];
    for (unsigned i = 0; i < MACHINES; i++) {
        make(&m[i], (enum kind)i);
        poke(&m[i], CODE, "\x40\x01\xc3\x83\xd2\x01\x72\xf8\xeb\xf6", 10);
    }
    for (unsigned slice = 0; slice < 4; slice++)
        run_all(m, 1500001, false);
    struct engine_counters counters;
    m[DBT].engine->ops->counters(m[DBT].engine, &counters);
    ck_assert_uint_lt(counters.interpreted, 1000); /* it was translated */
    for (unsigned i = 0; i < MACHINES; i++)
        unmake(&m[i]);
}
END_TEST

static uint32_t screen_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return 0;
}

static void screen_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct machine *m = opaque;
    (void)size;
    m->asked = m->asked * 31 + offset + value;
}

static const struct bus_ops screen_ops = {screen_read, screen_write, 1 | 2 | 4};

static void add_screen(struct machine *m)
{
    const struct bus_region_config config = {.name = "screen",
                                             .space = BUS_MEMORY,
                                             .len = PAGE_SIZE,
                                             .ops = &screen_ops,
                                             .opaque = m,
                                             .priority = BUS_NORMAL};
    struct bus_region *region;
    ck_assert_int_eq(bus_region_create(m->bus, &config, &region), 0);
    bus_region_map(region, SCREEN);
}

struct stopper {
    struct machine *m;
    uint32_t done;
};

static void stop_all_the_time(void *opaque)
{
    struct stopper *s = opaque;
    while (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE))
        s->m->engine->ops->stop(s->m->engine, s->m->cpu);
}

/* Another thread wants the processor back while a repetition writes to a device. */
START_TEST(stopped_in_a_repetition)
{
    struct machine m[MACHINES];
    for (unsigned i = 0; i < MACHINES; i++) {
        make(&m[i], (enum kind)i);
        add_screen(&m[i]);
        /* again: inc eax; edi = SCREEN; ecx = 40; jmp; rep stosd; jmp again */
        poke(&m[i], CODE, "\x40\xbf\x00\x00\x50\x00\xb9\x28\x00\x00\x00\xeb\x00\xf3\xab\xeb\xef",
             17);
        struct stopper stopper = {&m[i], 0};
        struct host_thread thread;
        if (i)
            ck_assert_int_eq(host_thread_start(&thread, "stopper", stop_all_the_time, &stopper), 0);
        while (m[i].cpu->icount < 6000) {
            enum engine_exit exit = engine_run(m[i].cpu, 6000 - m[i].cpu->icount);
            if (exit == ENGINE_EXIT_DIVERGED)
                m[i].engine->ops->report(m[i].engine, m[i].cpu, stdout);
            ck_assert(exit == ENGINE_EXIT_BUDGET || exit == ENGINE_EXIT_STOP);
        }
        __atomic_store_n(&stopper.done, 1, __ATOMIC_RELEASE);
        if (i)
            host_thread_join(&thread);
        compare(m[0].cpu, m[i].cpu);
        ck_assert_uint_eq(m[0].asked, m[i].asked);
    }
    for (unsigned i = 0; i < MACHINES; i++)
        unmake(&m[i]);
}
END_TEST

struct kicker {
    struct cpu *cpu;
    volatile bool done;
};

static void *kick_often(void *opaque)
{
    struct kicker *s = opaque;
    while (!s->done) {
        engine_stop(s->cpu);
        for (volatile unsigned i = 0; i < 30000; i++)
            ;
    }
    return NULL;
}

/* Kicks from another thread, while the translator runs code that calls the interpreter all the
 * time: the count is that of what was done, as EAX counts it. */
START_TEST(counts_with_kicks)
{
    struct machine m;
    pthread_t thread;
    make(&m, DBT);
    /* sgdt [20100h]; inc eax; nop x 6; jmp to the start: 9 instructions */
    poke(&m, CODE, "\x0f\x01\x05\x00\x01\x02\x00\x40\x90\x90\x90\x90\x90\x90\xeb\xf0", 16);
    struct kicker kicker = {m.cpu, false};
    ck_assert_int_eq(pthread_create(&thread, NULL, kick_often, &kicker), 0);
    unsigned stops = 0;
    while (m.cpu->icount < 9 * 300000 || stops < 20) {
        stops += engine_run(m.cpu, 9 * 1000000) == ENGINE_EXIT_STOP;
        uint32_t at = m.cpu->eip - CODE, done = at == 0 ? 0 : at == 7 ? 1 : at - 6;
        ck_assert_uint_eq(m.cpu->icount,
                          9 * (uint64_t)m.cpu->gpr[ISA_EAX] + done - (at > 7 ? 9 : 0));
    }
    kicker.done = true;
    pthread_join(thread, NULL);
    unmake(&m);
}
END_TEST

int main(void)
{
    struct engine *engine;
    const struct engine_options options = {.count = true};
    if (dbt_create(&options, &engine) || !__builtin_cpu_supports("bmi2")) {
        puts("SKIP: no translator of PCs on this host");
        return 77;
    }
    engine->ops->destroy(engine);
    Suite *suite = suite_create("pc_count");
    TCase *tcase = tcase_create("count");
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, counts_alike, 0, 12);
    tcase_add_test(tcase, counts_far);
    tcase_add_test(tcase, stopped_in_a_repetition);
    tcase_add_test(tcase, counts_with_kicks);
    tcase_add_loop_test(tcase, sees_what_is_wrong, 0, 3);
    tcase_add_test(tcase, devices_write_where_they_are_asked);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
