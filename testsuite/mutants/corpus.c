/* SPDX-License-Identifier: MIT */
/*
 * Segments are found with libelf; instructions by walking what is executable
 * from its start, one byte on where nothing can be decoded. That this meets
 * data now and then is welcome: it is code nobody wrote.
 */
#include "testsuite/mutants/corpus.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbt/translate.h"

/* Position-independent programs are linked at 0. */
#define PIE_BASE 0x10000u
#define TOP (4 * GIB - 64 * KIB)

static const struct cpu_flat words = {.fs_base = 0x40,
                                      .gs_base = 0x44,
                                      .trap_entry = 0x48,
                                      .trap_eip = 0x4c,
                                      .trap_number = 0x50,
                                      .trap_enabled = 0x54,
                                      .intr_enabled = 0x58,
                                      .pending = 0x5c,
                                      .trapret_code = 3,
                                      .resume_code = 2};

static bool push_start(struct corpus *c, uint32_t eip)
{
    if (c->starts == c->room) {
        uint32_t room = c->room ? 2 * c->room : 1024;
        uint32_t *start = realloc(c->start, room * sizeof(*start));
        if (!start)
            return false;
        c->start = start;
        c->room = room;
    }
    c->start[c->starts++] = eip;
    return true;
}

static bool walk(struct corpus *c, const uint8_t *bytes, uint32_t len, uint32_t eip)
{
    for (uint32_t at = 0; at < len;) {
        struct isa_insn insn;
        enum isa_status how = isa_decode(
            bytes + at, len - at < ISA_MAX_LENGTH ? len - at : ISA_MAX_LENGTH, true, &insn);
        if (how == ISA_OK && !push_start(c, eip + at))
            return false;
        at += how == ISA_OK ? insn.len : 1;
    }
    return true;
}

static bool load_segment(struct corpus *c, int fd, const GElf_Phdr *ph, uint32_t base)
{
    uint64_t at = ph->p_vaddr + base;
    if (ph->p_filesz > 256 * MIB || at > TOP || ph->p_filesz > TOP - at)
        return false;
    uint8_t *bytes = malloc(ph->p_filesz + 1);
    bool ok = bytes && pread(fd, bytes, ph->p_filesz, (off_t)ph->p_offset) == (ssize_t)ph->p_filesz;
    ok = ok && !ram_write(c->ram, at, bytes, ph->p_filesz);
    if (ok && (ph->p_flags & PF_X))
        ok = walk(c, bytes, (uint32_t)ph->p_filesz, (uint32_t)at);
    free(bytes);
    return ok;
}

static bool load_program(struct corpus *c, int fd)
{
    GElf_Ehdr eh;
    size_t count = 0;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    bool ok =
        elf && gelf_getehdr(elf, &eh) && eh.e_machine == EM_386 && !elf_getphdrnum(elf, &count);
    for (size_t i = 0; ok && i < count; i++) {
        GElf_Phdr ph;
        ok = gelf_getphdr(elf, (int)i, &ph) != NULL;
        if (ok && ph.p_type == PT_LOAD && ph.p_filesz)
            ok = load_segment(c, fd, &ph, eh.e_type == ET_DYN ? PIE_BASE : 0);
    }
    elf_end(elf);
    return ok && c->starts;
}

bool corpus_open(struct corpus *c, const char *path, bool counting)
{
    *c = (struct corpus){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && !ram_create(TOP, &c->ram);
    if (ok) {
        c->cpu = cpu_init_flat(c->ram, &words);
        ok = !image_create(0, c->cpu, 0, &c->image);
    }
    if (ok) {
        c->image->counting = counting;
        ok = load_program(c, fd);
    }
    if (!ok)
        fprintf(stderr, "%s: no i386 program that can be read\n", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

void corpus_close(struct corpus *c)
{
    if (c->image)
        image_destroy(c->image);
    if (c->ram)
        ram_destroy(c->ram);
    free(c->start);
    *c = (struct corpus){0};
}

struct block *corpus_block(struct corpus *c, uint32_t index)
{
    bool again;
    struct block *block = translate_block(c->image, c->ram, c->start[index], 0, &again);
    if (!block && again) {
        image_segment_next(c->image);
        block = translate_block(c->image, c->ram, c->start[index], 0, &again);
    }
    return block;
}
