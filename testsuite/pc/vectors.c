/* SPDX-License-Identifier: MIT */
/*
 * usage: vectors [--engine interp|dbt|lockstep] [--model 286|386] [--show N] [--reasons 1] FILE...
 *
 * Runs captures of single instructions of a real 80286 or 80386 in real mode (moo.h) on the PC's
 * processor and compares registers, flags less the undefined ones, and memory. Without --model
 * each file's own processor is taken, and of a JSON file the one that its registers tell of.
 * What our models do differently on purpose is left out, each for a reason that
 * `reason_to_skip` tells. Exit status 1 if anything differs or cannot be read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/interp/interp.h"
#include "testsuite/pc/moo.h"

#define RAM_BYTES (16 * MIB)
#define STATUS_AND_DF 0x0cd5u
#define IOPL_AND_NT 0x7000u /* a 286 does not let real mode set them */

struct rig {
    const char *engine_name, *model;
    struct ram *ram;
    struct bus *bus;
    struct irq_pin pin;
    struct cpu *cpu;
    struct engine *engine;
    bool wide;       /* registers of the file at hand */
    uint32_t flags;  /* that are compared */
    uint64_t budget; /* none for the translator, which leaves budgets to the interpreter */
    unsigned show;
    bool show_skipped;
    unsigned passed, failed, skipped;
};

static const uint8_t reg_of[MOO_REGS] = {
    [MOO_AX] = ISA_EAX, [MOO_BX] = ISA_EBX, [MOO_CX] = ISA_ECX, [MOO_DX] = ISA_EDX,
    [MOO_CS] = ISA_CS,  [MOO_SS] = ISA_SS,  [MOO_DS] = ISA_DS,  [MOO_ES] = ISA_ES,
    [MOO_SP] = ISA_ESP, [MOO_BP] = ISA_EBP, [MOO_SI] = ISA_ESI, [MOO_DI] = ISA_EDI,
    [MOO_FS] = ISA_FS,  [MOO_GS] = ISA_GS,
};

static bool is_segment(unsigned i)
{
    return (i >= MOO_CS && i <= MOO_ES) || i >= MOO_FS;
}

static uint32_t get_reg(const struct cpu *cpu, unsigned i)
{
    if (i == MOO_IP)
        return cpu->eip;
    if (i == MOO_FLAGS)
        return cpu->eflags;
    return is_segment(i) ? cpu->seg[reg_of[i]].selector : cpu->gpr[reg_of[i]];
}

static void set_reg(struct cpu *cpu, unsigned i, uint32_t value)
{
    if (i == MOO_IP) {
        cpu->eip = value & 0xffff;
    } else if (i == MOO_FLAGS) {
        cpu->eflags = (value & 0x7fd5) | EFLAGS_FIXED;
    } else if (is_segment(i)) {
        cpu->seg[reg_of[i]].selector = (uint16_t)value;
        cpu->seg[reg_of[i]].base = (value & 0xffff) << 4;
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

/* What a 286 does and a 386 does not. */
static const char *reason_of_286(const struct moo_test *test, struct isa_insn *insn)
{
    if (test->faults && test->vector == CPU_UD)
        return "undefined on a 286";
    if (test->code_len - 1 > 10)
        return "longer than a 286 takes";
    bool locked = memchr(test->code, 0xf0, test->code_len);
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

/* Bits that a 386 keeps in its registers and that nobody defines. */
static const char *reason_of_386(const struct moo_test *test, struct isa_insn *insn)
{
    if (isa_decode(test->code, test->code_len, false, insn) != ISA_OK)
        return NULL;
    switch (insn->row->sem) {
    case ISA_SEM_SMSW:
    case ISA_SEM_MOV_CR:
    case ISA_SEM_MOV_DR:
        return "reserved bits of a system register";
    default:
        return NULL;
    }
}

static const char *reason_to_skip(const struct rig *rig, const struct moo_test *test,
                                  struct isa_insn *insn)
{
    *insn = (struct isa_insn){0};
    return rig->wide ? reason_of_386(test, insn) : reason_of_286(test, insn);
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

/* Where the instruction, or its fault, has pushed the flags. */
static uint32_t pushed_flags(const struct rig *rig, const struct moo_test *test,
                             const struct isa_insn *insn)
{
    unsigned bytes = !test->faults && insn->opsize == 4 ? 4 : 2;
    uint32_t sp = test->before.reg[MOO_SP];
    if (rig->wide && test->faults)
        return test->flags_at;
    return ((test->before.reg[MOO_SS] & 0xffff) << 4) + ((sp - bytes) & 0xffff);
}

/* Bits of the byte at `address` that are pushed flags which nobody compares. */
static uint8_t flags_in_memory(const struct rig *rig, const struct moo_test *test,
                               const struct isa_insn *insn, uint32_t address, uint32_t undef)
{
    bool pushes = test->faults || (insn->row && insn->row->sem == ISA_SEM_PUSHF);
    uint32_t at = pushed_flags(rig, test, insn), hidden = undef | ~rig->flags;
    unsigned bytes = !test->faults && insn->opsize == 4 ? 4 : 2;
    if (!pushes || address - at >= bytes)
        return 0;
    return (uint8_t)(hidden >> 8 * (address - at));
}

static bool same_registers(const struct rig *rig, const struct moo_test *test, uint32_t undef,
                           char *why, size_t room)
{
    for (unsigned i = 0; i < MOO_REGS; i++) {
        bool told = test->after.mask >> i & 1;
        uint32_t want = told ? test->after.reg[i] : test->before.reg[i];
        uint32_t mask = test->defined[i] & (rig->wide && !is_segment(i) ? UINT32_MAX : 0xffff);
        uint32_t have = get_reg(rig->cpu, i);
        if (i == MOO_FLAGS)
            mask &= rig->flags & ~undef;
        if ((have ^ want) & mask) {
            snprintf(why, room, "register %u is %04x and should be %04x", i, have & mask,
                     want & mask);
            return false;
        }
    }
    return true;
}

static bool same_memory(const struct rig *rig, const struct moo_test *test,
                        const struct isa_insn *insn, uint32_t undef, char *why, size_t room)
{
    const struct moo_state *lists[2] = {&test->before, &test->after};
    for (unsigned list = 0; list < 2; list++) {
        for (uint32_t i = 0; i < lists[list]->count; i++) {
            uint32_t address = lists[list]->byte[i].address;
            uint8_t want = lists[list]->byte[i].value;
            expected_byte(test, address, &want);
            uint8_t have = (uint8_t)bus_read(rig->bus, address, 1);
            uint8_t mask = (uint8_t)~flags_in_memory(rig, test, insn, address, undef);
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
    const char *reason = reason_to_skip(rig, test, &insn);
    if (reason) {
        rig->skipped++;
        if (rig->show_skipped)
            printf("%s\n", reason);
        return;
    }
    load(rig, test);
    uint32_t undef = insn.row ? isa_flags(&insn).undef : 0;
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

static int create_engine(const char *name, struct engine **out)
{
    struct engine_options options = {.count = true};
    if (!strcmp(name, "interp"))
        return interp_create(out);
    if (!strcmp(name, "dbt"))
        return dbt_create(&options, out);
    return lockstep_create(&options, out);
}

static void free_rig(struct rig *rig)
{
    if (rig->cpu && rig->cpu->engine)
        rig->engine->ops->detach(rig->engine, rig->cpu);
    if (rig->engine)
        rig->engine->ops->destroy(rig->engine);
    if (rig->cpu)
        cpu_fini_pc(rig->cpu);
    if (rig->bus)
        bus_destroy(rig->bus);
    if (rig->ram)
        ram_destroy(rig->ram);
    rig->engine = NULL;
    rig->cpu = NULL;
    rig->bus = NULL;
    rig->ram = NULL;
}

static int make_rig(struct rig *rig, const char *model)
{
    int err = ram_create(RAM_BYTES, &rig->ram);
    if (!err)
        err = bus_create(rig->ram, &rig->bus);
    struct cpu_config config = {.model = model, .bus = rig->bus, .pin = &rig->pin};
    if (!err)
        err = cpu_init_pc(&config, &rig->cpu);
    if (!err)
        err = create_engine(rig->engine_name, &rig->engine);
    if (!err)
        err = rig->engine->ops->attach(rig->engine, rig->cpu, 0);
    rig->flags = strcmp(model, "286") ? STATUS_AND_DF | IOPL_AND_NT : STATUS_AND_DF;
    rig->model = model;
    return err;
}

static int use_model(struct rig *rig, const char *model)
{
    if (rig->model && !strcmp(rig->model, model))
        return 0;
    free_rig(rig);
    return make_rig(rig, model);
}

/* NULL: none that we have. */
static const char *model_of(const struct moo *moo)
{
    if (!strcmp(moo->cpu, "C286") || (!moo->cpu[0] && !moo->wide))
        return "286";
    return moo->wide ? "386" : NULL;
}

static int run_file(struct rig *rig, const char *path, const char *model)
{
    struct moo moo;
    const char *file = strrchr(path, '/');
    if (moo_open(path, &moo))
        return 1;
    model = model ? model : model_of(&moo);
    rig->wide = moo.wide;
    int err = model ? use_model(rig, model) : -ENOTSUP;
    for (uint32_t i = 0; i < moo.count && !err; i++)
        run_test(rig, file ? file + 1 : path, &moo.test[i]);
    if (err)
        fprintf(stderr, "%s: no model of its processor \"%s\" (%s)\n", path, moo.cpu,
                strerror(-err));
    moo_close(&moo);
    return err != 0;
}

int main(int argc, char **argv)
{
    struct rig rig = {.show = 20, .engine_name = "interp"};
    const char *model = NULL;
    int i = 1, status = 0;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (!strcmp(argv[i], "--engine"))
            rig.engine_name = argv[i + 1];
        else if (!strcmp(argv[i], "--model"))
            model = argv[i + 1];
        else if (!strcmp(argv[i], "--show"))
            rig.show = (unsigned)atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--reasons"))
            rig.show_skipped = atoi(argv[i + 1]);
    }
    rig.budget = strcmp(rig.engine_name, "dbt") ? STEPS : ENGINE_UNLIMITED;
    int err = make_rig(&rig, model ? model : "286");
    if (err) {
        printf("SKIP: the engine %s does not run a PC (%s)\n", rig.engine_name, strerror(-err));
        return 77;
    }
    for (; i < argc; i++)
        status |= run_file(&rig, argv[i], model);
    printf("%s: %u passed, %u failed, %u left out\n", rig.engine_name, rig.passed, rig.failed,
           rig.skipped);
    free_rig(&rig);
    return status || rig.failed || !rig.passed;
}
