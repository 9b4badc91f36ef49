/* SPDX-License-Identifier: MIT */
/*
 * usage: vectors [--engine interp|dbt|lockstep] [--show N] [--reasons 1] FILE.MOO...
 *
 * Runs captures of single instructions of a real 80286 in real mode on the PC's
 * processor and compares registers, flags less the undefined ones, and memory.
 * What a 386 does differently on purpose is left out, each for a reason that
 * `reason_to_skip` tells. Exit status 1 if anything differs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/interp.h"
#include "testsuite/pc/moo.h"

#define RAM_BYTES (16 * MIB)
#define FLAGS_COMPARED 0x0cd5u
#define MODEL "286"

struct rig {
    struct ram *ram;
    struct bus *bus;
    struct irq_pin pin;
    struct cpu *cpu;
    struct engine *engine;
    uint64_t budget; /* none for the translator, which leaves budgets to the interpreter */
    unsigned show;
    bool show_skipped;
    unsigned passed, failed, skipped;
};

static const uint8_t reg_of[MOO_REGS] = {
    [MOO_AX] = ISA_EAX, [MOO_BX] = ISA_EBX, [MOO_CX] = ISA_ECX, [MOO_DX] = ISA_EDX,
    [MOO_CS] = ISA_CS,  [MOO_SS] = ISA_SS,  [MOO_DS] = ISA_DS,  [MOO_ES] = ISA_ES,
    [MOO_SP] = ISA_ESP, [MOO_BP] = ISA_EBP, [MOO_SI] = ISA_ESI, [MOO_DI] = ISA_EDI,
};

static bool is_segment(unsigned i)
{
    return i >= MOO_CS && i <= MOO_ES;
}

static uint16_t get_reg(const struct cpu *cpu, unsigned i)
{
    if (i == MOO_IP)
        return (uint16_t)cpu->eip;
    if (i == MOO_FLAGS)
        return (uint16_t)cpu->eflags;
    return is_segment(i) ? cpu->seg[reg_of[i]].selector : (uint16_t)cpu->gpr[reg_of[i]];
}

static void set_reg(struct cpu *cpu, unsigned i, uint16_t value)
{
    if (i == MOO_IP) {
        cpu->eip = value;
    } else if (i == MOO_FLAGS) {
        cpu->eflags = value;
    } else if (is_segment(i)) {
        cpu->seg[reg_of[i]].selector = value;
        cpu->seg[reg_of[i]].base = (uint32_t)value << 4;
    } else {
        cpu->gpr[reg_of[i]] = value;
    }
}

static void load(struct rig *rig, const struct moo_test *test)
{
    struct cpu *cpu = rig->cpu;
    cpu_reset(cpu);
    for (unsigned i = 0; i < MOO_REGS; i++)
        set_reg(cpu, i, test->before.reg[i]);
    cpu_refresh(cpu);
    for (uint32_t i = 0; i < test->before.count; i++) {
        const struct moo_byte *b = &test->before.byte[i];
        bus_write(rig->bus, b->address, 1, b->value);
    }
    cpu->engine->ops->forget(cpu->engine, cpu, 0, RAM_BYTES);
}

/* Of the full set, which misses a quotient overflow in them. */
static bool is_wrong_idiv(const struct isa_insn *insn, uint32_t index)
{
    static const uint32_t wrong[] = {952, 1085, 2653, 4297};
    if (insn->row->sem != ISA_SEM_IDIV || isa_operand_bytes(insn, 0) != 1)
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        if (wrong[i] == index)
            return true;
    }
    return false;
}

static const char *reason_to_skip(const struct moo_test *test, struct isa_insn *insn)
{
    if (test->faults && test->vector == CPU_UD)
        return "undefined on a 286";
    if (test->code_len - 1 > 10)
        return "longer than a 286 takes";
    bool locked = false;
    for (uint32_t i = 0; i < test->code_len; i++)
        locked |= test->code[i] == 0xf0;
    enum isa_status status = isa_decode(test->code, test->code_len, false, insn);
    if (status != ISA_OK && locked)
        return "LOCK that a 386 refuses";
    if (status != ISA_OK)
        return test->code[0] == 0x8e || test->code[0] == 0x8c ? "segment register that is none"
                                                              : NULL;
    if (insn->row->sem == ISA_SEM_MOV_SREG && insn->reg >= 4)
        return "segment register that a 286 lacks";
    return is_wrong_idiv(insn, test->index) ? "capture is wrong" : NULL;
}

/* The value that `address` should have afterwards. */
static bool expected_byte(const struct moo_test *test, uint32_t address, uint8_t *value)
{
    for (uint32_t i = 0; i < test->after.count; i++) {
        if (test->after.byte[i].address == address) {
            *value = test->after.byte[i].value;
            return true;
        }
    }
    return false;
}

/* Bits of the byte at `address` that are pushed flags which nobody compares. */
static uint8_t flags_in_memory(const struct moo_test *test, const struct isa_insn *insn,
                               uint32_t address, uint16_t undef)
{
    bool pushes = test->faults || (insn->row && insn->row->sem == ISA_SEM_PUSHF);
    uint32_t at =
        ((uint32_t)test->before.reg[MOO_SS] << 4) + ((test->before.reg[MOO_SP] - 2u) & 0xffff);
    uint16_t hidden = undef | (uint16_t)~FLAGS_COMPARED;
    if (!pushes || address - at > 1)
        return 0;
    return (uint8_t)(address == at ? hidden : hidden >> 8);
}

static bool same_registers(const struct rig *rig, const struct moo_test *test, uint16_t undef,
                           char *why, size_t room)
{
    for (unsigned i = 0; i < MOO_REGS; i++) {
        bool told = test->after.mask >> i & 1;
        uint16_t want = told ? test->after.reg[i] : test->before.reg[i];
        uint16_t mask = i == MOO_FLAGS ? (uint16_t)(FLAGS_COMPARED & ~undef) : 0xffff;
        uint16_t have = get_reg(rig->cpu, i);
        if ((have ^ want) & mask) {
            snprintf(why, room, "register %u is %04x and should be %04x", i, have & mask,
                     want & mask);
            return false;
        }
    }
    return true;
}

static bool same_memory(const struct rig *rig, const struct moo_test *test,
                        const struct isa_insn *insn, uint16_t undef, char *why, size_t room)
{
    const struct moo_state *lists[2] = {&test->before, &test->after};
    for (unsigned list = 0; list < 2; list++) {
        for (uint32_t i = 0; i < lists[list]->count; i++) {
            uint32_t address = lists[list]->byte[i].address;
            uint8_t want = lists[list]->byte[i].value;
            expected_byte(test, address, &want);
            uint8_t have = (uint8_t)bus_read(rig->bus, address, 1);
            uint8_t mask = (uint8_t)~flags_in_memory(test, insn, address, undef);
            if ((have ^ want) & mask) {
                snprintf(why, room, "byte at %06x is %02x and should be %02x", address, have, want);
                return false;
            }
        }
    }
    return true;
}

static void tell(struct rig *rig, const char *file, const struct moo_test *test, const char *why)
{
    if (!rig->show)
        return;
    rig->show--;
    printf("%s %u %s:", file, test->index, test->name);
    for (uint32_t i = 0; i < test->code_len; i++)
        printf(" %02x", test->code[i]);
    printf("%s%d: %s\n", test->faults ? " vector " : " ", test->vector, why);
}

/* The instruction, perhaps a fault, and the HLT that follows either. */
#define STEPS 8

static void run_test(struct rig *rig, const char *file, const struct moo_test *test)
{
    struct isa_insn insn;
    char why[128];
    const char *reason = reason_to_skip(test, &insn);
    if (reason) {
        rig->skipped++;
        if (rig->show_skipped)
            printf("%s\n", reason);
        return;
    }
    load(rig, test);
    uint16_t undef = insn.row ? isa_flags(&insn).undef : 0;
    enum engine_exit exit = engine_run(rig->cpu, rig->budget);
    bool good = exit == ENGINE_EXIT_HALT;
    if (!good)
        snprintf(why, sizeof(why), "run ended with %d at %04x:%04x", exit,
                 rig->cpu->seg[ISA_CS].selector, rig->cpu->eip);
    good = good && same_registers(rig, test, undef, why, sizeof(why)) &&
           same_memory(rig, test, &insn, undef, why, sizeof(why));
    if (good) {
        rig->passed++;
        return;
    }
    rig->failed++;
    tell(rig, file, test, why);
}

static int run_file(struct rig *rig, const char *path)
{
    struct moo moo;
    const char *file = strrchr(path, '/');
    if (moo_open(path, &moo))
        return 1;
    for (uint32_t i = 0; i < moo.count; i++)
        run_test(rig, file ? file + 1 : path, &moo.test[i]);
    moo_close(&moo);
    return 0;
}

static int create_engine(const char *name, struct engine **out)
{
    struct engine_options options = {.count = true};
    if (!strcmp(name, "interp"))
        return interp_create(out);
    if (!strcmp(name, "dbt"))
        return dbt_create(&options, out);
    return lockstep_create(&options, out);
}

static int make_rig(struct rig *rig, const char *engine)
{
    int err = ram_create(RAM_BYTES, &rig->ram);
    if (!err)
        err = bus_create(rig->ram, &rig->bus);
    struct cpu_config config = {.model = MODEL, .bus = rig->bus, .pin = &rig->pin};
    if (!err)
        err = cpu_init_pc(&config, &rig->cpu);
    if (!err)
        err = create_engine(engine, &rig->engine);
    if (!err)
        err = rig->engine->ops->attach(rig->engine, rig->cpu, 0);
    return err;
}

static void free_rig(struct rig *rig)
{
    rig->engine->ops->detach(rig->engine, rig->cpu);
    rig->engine->ops->destroy(rig->engine);
    cpu_fini_pc(rig->cpu);
    bus_destroy(rig->bus);
    ram_destroy(rig->ram);
}

int main(int argc, char **argv)
{
    struct rig rig = {.show = 20};
    const char *engine = "interp";
    int i = 1, status = 0;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (!strcmp(argv[i], "--engine"))
            engine = argv[i + 1];
        else if (!strcmp(argv[i], "--show"))
            rig.show = (unsigned)atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--reasons"))
            rig.show_skipped = atoi(argv[i + 1]);
    }
    rig.budget = strcmp(engine, "dbt") ? STEPS : ENGINE_UNLIMITED;
    int err = make_rig(&rig, engine);
    if (err) {
        printf("SKIP: the engine %s does not run a PC (%s)\n", engine, strerror(-err));
        return 77;
    }
    for (; i < argc; i++)
        status |= run_file(&rig, argv[i]);
    printf("%s: %u passed, %u failed, %u left out\n", engine, rig.passed, rig.failed, rig.skipped);
    free_rig(&rig);
    return status || rig.failed || !rig.passed;
}
