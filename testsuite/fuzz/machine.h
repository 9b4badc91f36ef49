/* SPDX-License-Identifier: MIT */
/*
 * A small machine as the debugger's target: flat, interpreted, with a program of a few
 * instructions or what an ELF file says. It ends after so many slices, so that nothing that a
 * client asks for takes long.
 */
#ifndef TESTSUITE_FUZZ_MACHINE_H
#define TESTSUITE_FUZZ_MACHINE_H

#include "emu/debug/loop.h"

struct fuzz_machine {
    struct target target;
    struct ram *ram;
    struct cpu *cpu;
    unsigned slices;
};

#define MACHINE_CODE 0x20000u

/* Added to the loop under that name. */
void fuzz_machine_make(struct fuzz_machine *m, struct loop *loop, const char *name);
/* Puts the segments of an ELF file into its memory; whatever does not fit is left out. */
void fuzz_machine_load(struct fuzz_machine *m, const uint8_t *elf, size_t len);
/* After the loop. */
void fuzz_machine_end(struct fuzz_machine *m);

#endif
