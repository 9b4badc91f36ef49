/* SPDX-License-Identifier: MIT */
/*
 * The engines against each other: any bytes as flat code, run by the interpreter and by the
 * translator in lockstep, every translation verified. They never differ, and no translation is
 * refused. The input: 8 registers, flags, what is in FS and GS, then code, then data behind a
 * length. fuzz: max_len=512
 */
#include "dbt/dbt.h"
#include "emu/base/host.h"
#include "emu/machine/ram.h"
#include "testsuite/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMORY (1 * MIB)
#define CODE 0x10000u
#define CODE_MAX 0x1000u
#define DATA 0x80000u
#define STEPS 400u
#define SLICES 8u

static const struct cpu_flat flat = {
    .fs_base = 0x40,
    .gs_base = 0x44,
    .trap_entry = 0x48,
    .trap_eip = 0x4c,
    .trap_number = 0x50,
    .trap_enabled = 0x54,
    .intr_enabled = 0x58,
    .pending = 0x5c,
    .trapret_code = 3,
    .resume_code = 2,
};

static struct engine *the_engine(void)
{
    static struct engine *engine;
    const struct engine_options options = {.verify = true, .count = true};
    if (!engine)
        FUZZ_REQUIRE(lockstep_create(&options, &engine) == 0);
    return engine;
}

/* Places in code and data, small numbers, or anything. */
static uint32_t word(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    uint32_t v = (uint32_t)(*random >> 32);
    switch (v & 7) {
    case 0:
        return v;
    case 1:
        return v >> 24;
    case 2:
        return CODE + (v >> 8 & 0xff);
    default:
        return DATA + (v >> 8 & 0x7fff);
    }
}

/* Registers, virtual ones and data follow from the first byte; the rest is code. */
static void load(struct ram *ram, struct cpu *cpu, struct fuzz_in *in)
{
    static const uint32_t user =
        ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O | ISA_F_D;
    static const uint8_t end[] = {0x0f, 0xb9, 0xc1}; /* a virtual instruction, which leaves run() */
    uint64_t random = fuzz_u8(in);
    uint32_t virtual[4] = {0}, data[64];
    for (unsigned i = 0; i < 8; i++)
        cpu->gpr[i] = word(&random);
    cpu->eflags = (cpu->eflags & ~user) | (word(&random) & user);
    for (unsigned i = 0; i < 3; i++)
        virtual[i] = random & 0x100 ? word(&random) : 0;
    for (unsigned i = 0; i < ARRAY_LEN(data); i++)
        data[i] = word(&random);
    size_t got;
    const uint8_t *code = fuzz_bytes(in, CODE_MAX, &got);
    FUZZ_REQUIRE(ram_write(ram, flat.fs_base, virtual, 12) == 0);
    FUZZ_REQUIRE(ram_write(ram, DATA, data, sizeof(data)) == 0);
    FUZZ_REQUIRE(ram_write(ram, CODE, code, got) == 0);
    FUZZ_REQUIRE(ram_write(ram, CODE + got, end, sizeof(end)) == 0);
    cpu->eip = CODE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_in in = {data, len};
    struct engine *engine = the_engine();
    struct ram *ram;
    FUZZ_REQUIRE(ram_create(MEMORY, &ram) == 0);
    struct cpu *cpu = cpu_init_flat(ram, &flat);
    FUZZ_REQUIRE(engine->ops->attach(engine, cpu, 0) == 0);
    FUZZ_REQUIRE(ram_set_access(ram, 0x1000, 0xf000, HOST_NONE) == 0);
    load(ram, cpu, &in);
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    for (unsigned i = 0; i < SLICES && exit == ENGINE_EXIT_BUDGET; i++)
        exit = engine_run(cpu, STEPS >> i);
    if (exit == ENGINE_EXIT_DIVERGED || exit == ENGINE_EXIT_REJECTED) {
        engine->ops->report(engine, cpu, stderr);
        fuzz_fail(__FILE__, __LINE__, "the engines agree");
    }
    engine->ops->detach(engine, cpu);
    ram_destroy(ram);
    return 0;
}
