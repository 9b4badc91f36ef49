/* SPDX-License-Identifier: MIT */
/* A flat processor in 1 MiB of RAM under the interpreter, made anew for each test. */
#ifndef DENALI_INTERP_RIG_H
#define DENALI_INTERP_RIG_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/base/host.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/interp/interp.h"

#define RAM_BYTES (1 * MIB)
#define CODE 0x10000u
#define DATA 0x20000u
#define STACK 0x40000u

extern const struct cpu_flat flat;
extern struct ram *ram;
extern struct cpu *cpu;
extern struct engine *engine;

void poke(uint32_t at, const void *bytes, size_t len);
void poke32(uint32_t at, uint32_t value);
uint32_t peek32(uint32_t at);

/* Code at CODE, from a string of bytes. */
#define PUT(text) poke(CODE, (text), sizeof(text) - 1)

enum engine_exit run(uint64_t budget);

/* Runs and wants a fault at `eip`. */
void want_fault(unsigned vector, uint32_t eip);
void want_page_fault(uint32_t eip, uint32_t address, uint32_t error);

void protect(uint32_t at, uint32_t len, unsigned prot);

/* Runs the tests of a suite, each in a fresh rig; the exit status of main. */
int rig_main(const char *name, const TTest *const *const *tests, size_t count);

#endif
