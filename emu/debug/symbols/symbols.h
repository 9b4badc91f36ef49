/* SPDX-License-Identifier: MIT */
/*
 * Names and source lines of what runs in one machine: any number of ELF files
 * (modules), each with its load bias. An address leads to the nearest symbol
 * and to a file and line; a name or FILE:LINE leads to addresses.
 *
 * Files are read whole when they are added and never again; they are hostile.
 * Without libdw there are symbols but no lines, types or variables.
 * One thread at a time. Strings handed out live as long as their module.
 */
#ifndef DENALI_DEBUG_SYMBOLS_H
#define DENALI_DEBUG_SYMBOLS_H

#include "emu/base/base.h"
#include "emu/base/why.h"

struct symbols;
struct symbols_module;

MUST_CHECK int symbols_create(struct symbols **out);
/* NULL is harmless. */
void symbols_destroy(struct symbols *symbols);

/*
 * Adds the i386 ELF file at `path`; what it says of address A is true of A + bias. 0, or a
 * negative errno and `why`; -ENOEXEC: it is no such file. A file without symbols is no error.
 */
MUST_CHECK int symbols_add(struct symbols *symbols, const char *path, uint32_t bias,
                           struct why *why);
/* The same for one that is called `path` but lies at `place`. */
MUST_CHECK int symbols_add_copy(struct symbols *symbols, const char *path, const char *place,
                                uint32_t bias, struct why *why);
/* The same for a file's bytes, from malloc, which are taken over in any case; `name` is shown. */
MUST_CHECK int symbols_add_bytes(struct symbols *symbols, const char *name, uint8_t *bytes,
                                 size_t len, uint32_t bias, struct why *why);
/* Forgets the modules of that path. */
void symbols_remove(struct symbols *symbols, const char *path);

/* Modules in the order of their adding; NULL behind the last. */
const struct symbols_module *symbols_module(const struct symbols *symbols, unsigned n);
const char *symbols_module_path(const struct symbols_module *module);
/* The lowest address that its segments take, the one behind the highest, and its bias. */
void symbols_module_range(const struct symbols_module *module, uint32_t *low, uint32_t *high,
                          uint32_t *bias);
/* The n-th executable segment of all modules, in the machine's addresses. */
bool symbols_code_range(const struct symbols *symbols, unsigned n, uint32_t *low, uint32_t *high);
size_t symbols_module_count(const struct symbols_module *module); /* of its symbols */
bool symbols_module_has_lines(const struct symbols_module *module);

struct symbols_symbol {
    const char *name;
    const char *module; /* its path */
    uint32_t address, size;
    bool function; /* else data, or a label without type */
};

/* The symbol that holds the address; of several the innermost. */
bool symbols_at(const struct symbols *symbols, uint32_t address, struct symbols_symbol *out);
/* The n-th symbol of exactly that name; functions come first. */
bool symbols_find(const struct symbols *symbols, const char *name, unsigned n,
                  struct symbols_symbol *out);
/* Every symbol whose name begins with `prefix`, until fn returns false. */
void symbols_each(const struct symbols *symbols, const char *prefix,
                  bool (*fn)(void *opaque, const struct symbols_symbol *symbol), void *opaque);

/* " <name+0x1c>", or nothing if the address has no symbol. Returns `text`. */
#define SYMBOLS_TEXT 160
const char *symbols_text(const struct symbols *symbols, uint32_t address, char text[SYMBOLS_TEXT]);

struct symbols_line {
    const char *file; /* as the compiler was given it, made absolute where that is known */
    int line;
    uint32_t start, end; /* the run of instructions of that line around the address */
};

bool symbols_line_at(const struct symbols *symbols, uint32_t address, struct symbols_line *out);

/*
 * Where a breakpoint for FILE:LINE goes: one address for each function that has code for the
 * line, or for the next line that has some (`*line` is set to it). `file` may be the end of a
 * path. Returns how many were found, of which at most `room` are in `out`.
 */
unsigned symbols_line_addresses(const struct symbols *symbols, const char *file, int *line,
                                uint32_t *out, unsigned room);
/* Where a function that is entered at `address` has set up its frame; the address itself if that
 * is not known. */
uint32_t symbols_after_prologue(const struct symbols *symbols, uint32_t address);
/* Whether `file` is that path, or its end at a folder's name. */
bool symbols_names_file(const char *path, const char *file);
/* Every source file, until fn returns false. */
void symbols_each_file(const struct symbols *symbols, bool (*fn)(void *opaque, const char *file),
                       void *opaque);

#endif
