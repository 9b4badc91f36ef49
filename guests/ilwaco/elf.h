/* SPDX-License-Identifier: MIT */
/* ELF, 32 bits, as far as starting a program needs it. */
#ifndef ILWACO_ELF_H
#define ILWACO_ELF_H

#include <stdint.h>

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

_Static_assert(sizeof(struct elf_header) == 52, "elf header");
_Static_assert(sizeof(struct elf_phdr) == 32, "program header");

enum elf_type { ET_EXEC = 2, ET_DYN = 3 };
enum elf_phdr_type { PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6 };
enum elf_flags { PF_X = 1, PF_W = 2, PF_R = 4 };
#define EM_386 3

#endif
