/* SPDX-License-Identifier: MIT */
/*
 * Names of functions for reports, from the file's symbol table. Read only when
 * a report asks; a file whose table makes no sense simply has no names.
 */
#include "denali/image_private.h"

#include <stdlib.h>

#define MAX_SECTIONS 512u
#define MAX_TABLE_BYTES (64 * MIB)

static void *read_section(const struct image *image, const Elf32_Shdr *sh, size_t extra)
{
    if (sh->sh_size > MAX_TABLE_BYTES || (uint64_t)sh->sh_offset + sh->sh_size > image->file_bytes)
        return NULL;
    char *bytes = calloc(1, sh->sh_size + extra);
    if (bytes && image_read(image, sh->sh_offset, bytes, sh->sh_size)) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static void take_table(struct image *image, const Elf32_Shdr *table, unsigned count,
                       const Elf32_Shdr *sh)
{
    struct image_symbols *s = &image->symbols;
    if (sh->sh_link >= count || sh->sh_entsize != sizeof(Elf32_Sym))
        return;
    s->symbol = read_section(image, sh, 1);
    s->names = read_section(image, &table[sh->sh_link], 1); /* ended even if the table is not */
    s->names_len = table[sh->sh_link].sh_size;
    s->count = s->symbol && s->names ? sh->sh_size / sizeof(Elf32_Sym) : 0;
}

static void load_symbols(struct image *image)
{
    Elf32_Shdr table[MAX_SECTIONS];
    unsigned count = image->header.e_shnum;
    image->symbols.tried = true;
    if (count > MAX_SECTIONS || image->header.e_shentsize != sizeof(table[0]) ||
        image_read(image, image->header.e_shoff, table, count * sizeof(table[0])))
        return;
    for (unsigned i = 0; i < count; i++) {
        if (table[i].sh_type == SHT_SYMTAB) {
            take_table(image, table, count, &table[i]);
            return;
        }
    }
}

void image_symbols_free(struct image_symbols *symbols)
{
    free(symbols->symbol);
    free(symbols->names);
}

static bool holds(const Elf32_Sym *s, uint32_t address)
{
    unsigned type = ELF32_ST_TYPE(s->st_info);
    if ((type != STT_FUNC && type != STT_NOTYPE) || s->st_shndx == SHN_UNDEF ||
        s->st_shndx == SHN_ABS || s->st_value > address)
        return false;
    return s->st_size == 0 || address - s->st_value < s->st_size;
}

const char *image_symbol(struct image *image, uint32_t address, uint32_t *offset)
{
    struct image_symbols *s = &image->symbols;
    if (!s->tried)
        load_symbols(image);
    const Elf32_Sym *best = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const Elf32_Sym *sym = &s->symbol[i];
        if (holds(sym, address) && (!best || sym->st_value > best->st_value) &&
            sym->st_name < s->names_len && s->names[sym->st_name])
            best = sym;
    }
    if (!best)
        return NULL;
    *offset = address - best->st_value;
    return s->names + best->st_name;
}
