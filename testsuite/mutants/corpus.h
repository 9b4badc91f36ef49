/* SPDX-License-Identifier: MIT */
/*
 * Real code for the verifier: an i386 ELF program's segments in a window of
 * their own, and the places in them where an instruction begins. A block can
 * be translated at each.
 */
#ifndef DENALI_MUTANTS_CORPUS_H
#define DENALI_MUTANTS_CORPUS_H

#include "dbt/image.h"
#include "emu/machine/ram.h"

struct corpus {
    struct ram *ram;
    struct cpu *cpu;
    struct image *image;
    uint32_t *start; /* guest addresses, in order */
    uint32_t starts, room;
};

/* `counting`: blocks of the kind that counts instructions. False, with a message, if the file is
 * no i386 program with code in it. */
bool corpus_open(struct corpus *corpus, const char *path, bool counting);
void corpus_close(struct corpus *corpus);

/*
 * The translation that begins at start[index], in the cache but not published: good until the
 * next call. NULL: this one is the interpreter's.
 */
struct block *corpus_block(struct corpus *corpus, uint32_t index);

#endif
