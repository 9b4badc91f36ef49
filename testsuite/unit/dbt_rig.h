/* SPDX-License-Identifier: MIT */
/*
 * Flat processors for the translator's tests. Guest code is 32-bit assembly in
 * the test's own text: GUEST(name, "..."), put at DBT_CODE by rig_load. It
 * ends with UD1, virtual instruction 1 (GUEST_END), which leaves run().
 */
#ifndef DENALI_DBT_RIG_H
#define DENALI_DBT_RIG_H

#include <check.h>
#include <string.h>

#include "dbt/dbt.h"
#include "emu/base/host.h"
#include "emu/machine/ram.h"

#define DBT_RAM (2 * MIB)
#define DBT_CODE 0x10000u
#define DBT_DATA 0x80000u
#define DBT_STACK 0xc0000u

/* A guest address of a label in GUEST text that is loaded at DBT_CODE. */
#define AT(label, name) "(" label " - guest_" name " + 0x10000)"

#define GUEST(name, text)                                                                          \
    extern const uint8_t guest_##name[], guest_##name##_end[];                                     \
    __asm__(".pushsection .rodata\n.code32\nguest_" #name ":\n" text "\nguest_" #name              \
            "_end:\n.code64\n.popsection\n")
#define GUEST_END "\n.byte 0x0f,0xb9,0xc1\n"

struct rig {
    struct engine *engine;
    struct ram *ram;
    struct cpu *cpu;
};

extern const struct cpu_flat rig_flat;

void rig_create(struct rig *rig, enum engine_kind kind, const struct engine_options *options);
/* Another machine on the same engine. */
void rig_join(struct rig *rig, const struct rig *first, uint64_t image);
void rig_part(struct rig *rig);
void rig_destroy(struct rig *rig);

void rig_load(struct rig *rig, uint32_t at, const uint8_t *from, const uint8_t *end);
#define RIG_LOAD(rig, name) rig_load((rig), DBT_CODE, guest_##name, guest_##name##_end)

uint32_t rig_peek(const struct rig *rig, uint32_t at);
void rig_poke(struct rig *rig, uint32_t at, uint32_t value);

/* Registers, flags (less `undefined`), eip, x87, SSE and all memory are the same. */
void rig_compare(const struct rig *a, const struct rig *b, uint32_t undefined);

#endif
