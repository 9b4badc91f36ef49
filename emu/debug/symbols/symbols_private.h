/* SPDX-License-Identifier: MIT */
/* What the files symbols_*.c and unwind.c share. */
#ifndef DENALI_DEBUG_SYMBOLS_PRIVATE_H
#define DENALI_DEBUG_SYMBOLS_PRIVATE_H

#include "emu/debug/symbols/symbols.h"

#include "config.h"

#include <elf.h>

#if HAVE_LIBDW
#include <dwarf.h>
#include <elfutils/libdw.h>

/* A range of addresses (of the file, without bias) and the unit that tells of it. */
struct symbols_unit_range {
    uint32_t low, high;
    Dwarf_Off unit;
};
#endif

struct symbols_entry {
    uint32_t address, size, name; /* offset in the file of the NUL-ended name */
    uint32_t reach;               /* how far it may be taken for: its size, or its section's end */
    uint16_t section;
    uint8_t type, binding;
};

#define SYMBOLS_MAX_CODE 8u

struct symbols_module {
    char *path;
    uint8_t *bytes; /* the file, and a NUL behind it */
    size_t len;
    uint32_t bias, low, high; /* low, high: without bias */
    struct symbols_code {
        uint32_t low, high;
    } code[SYMBOLS_MAX_CODE]; /* executable segments */
    unsigned codes;
    struct symbols_entry *entry;
    size_t entries; /* by address */
    bool dwarf_tried;
#if HAVE_LIBDW
    Elf *elf;
    Dwarf *dwarf; /* NULL: none */
    Dwarf_CFI *frames, *eh_frames;
    struct symbols_unit_range *range;
    size_t ranges; /* by low */
#endif
};

struct symbols {
    struct symbols_module **module;
    unsigned modules;
};

/* symbols_elf.c: fills in low, high and entries from bytes. -ENOEXEC, -ENOMEM. */
MUST_CHECK int symbols_elf_read(struct symbols_module *module, struct why *why);

/* The module whose segments hold the address, or NULL. */
struct symbols_module *symbols_module_at(const struct symbols *symbols, uint32_t address);

static inline const char *symbols_entry_name(const struct symbols_module *module,
                                             const struct symbols_entry *entry)
{
    return (const char *)module->bytes + entry->name;
}

/* symbols_dwarf.c */
void symbols_dwarf_close(struct symbols_module *module);
#if HAVE_LIBDW
/* The module's DWARF, opened at the first call; NULL: it has none. */
Dwarf *symbols_dwarf(struct symbols_module *module);
/* The unit that holds an address of the file. */
bool symbols_unit_at(struct symbols_module *module, uint32_t pc, Dwarf_Die *unit);
/* The next unit's DIE; `*at` is NULL at first. */
bool symbols_next_unit(struct symbols_module *module, Dwarf_CU **at, Dwarf_Die *unit);
#endif

#endif
