/* SPDX-License-Identifier: MIT */
/*
 * The symbol table of an i386 ELF file. Every offset comes from a file that
 * may be hostile, so each is checked against the file's length before it is
 * followed; what makes no sense is left out.
 */
#include "emu/debug/symbols/symbols_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* `count` things of `size` bytes at `offset`, or NULL if the file does not hold them. */
static const void *part(const struct symbols_module *m, uint64_t offset, uint64_t size,
                        uint64_t count)
{
    if (count > m->len || offset > m->len || size * count > m->len - offset)
        return NULL;
    return m->bytes + offset;
}

static const Elf32_Ehdr *header_of(const struct symbols_module *m)
{
    const Elf32_Ehdr *h = part(m, 0, sizeof(*h), 1);
    if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS32 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_386)
        return NULL;
    return h;
}

/* Headers may lie at odd offsets: they are copied. */
static bool section_header(const struct symbols_module *m, const Elf32_Ehdr *h, unsigned n,
                           Elf32_Shdr *out)
{
    const void *at = n < h->e_shnum && h->e_shentsize == sizeof(*out)
                         ? part(m, h->e_shoff + (uint64_t)n * sizeof(*out), sizeof(*out), 1)
                         : NULL;
    if (at)
        memcpy(out, at, sizeof(*out));
    return at != NULL;
}

static void find_extent(struct symbols_module *m, const Elf32_Ehdr *h)
{
    m->low = UINT32_MAX;
    for (unsigned i = 0; i < h->e_phnum && h->e_phentsize == sizeof(Elf32_Phdr); i++) {
        Elf32_Phdr ph;
        const void *at = part(m, h->e_phoff + (uint64_t)i * sizeof(ph), sizeof(ph), 1);
        if (!at)
            break;
        memcpy(&ph, at, sizeof(ph));
        if (ph.p_type != PT_LOAD || ph.p_memsz > UINT32_MAX - ph.p_vaddr)
            continue;
        if (ph.p_vaddr < m->low)
            m->low = ph.p_vaddr;
        if (ph.p_vaddr + ph.p_memsz > m->high)
            m->high = ph.p_vaddr + ph.p_memsz;
        if ((ph.p_flags & PF_X) && ph.p_memsz && m->codes < SYMBOLS_MAX_CODE)
            m->code[m->codes++] = (struct symbols_code){ph.p_vaddr, ph.p_vaddr + ph.p_memsz};
    }
    if (m->low > m->high)
        m->low = m->high = 0;
}

/* .symtab, else .dynsym. */
static bool find_table(const struct symbols_module *m, const Elf32_Ehdr *h, Elf32_Shdr *table,
                       Elf32_Shdr *names)
{
    static const uint32_t types[] = {SHT_SYMTAB, SHT_DYNSYM};
    for (unsigned t = 0; t < ARRAY_LEN(types); t++)
        for (unsigned i = 0; section_header(m, h, i, table); i++)
            if (table->sh_type == types[t] && section_header(m, h, table->sh_link, names) &&
                names->sh_type == SHT_STRTAB)
                return true;
    return false;
}

static bool is_wanted(const Elf32_Sym *s)
{
    unsigned type = ELF32_ST_TYPE(s->st_info);
    return (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE) &&
           s->st_shndx != SHN_UNDEF && s->st_name;
}

/* A label has no size: it reaches to the end of its section. */
static uint32_t reach_of(const struct symbols_module *m, const Elf32_Sym *s)
{
    Elf32_Ehdr header;
    Elf32_Shdr section;
    memcpy(&header, m->bytes, sizeof(header));
    if (s->st_size || s->st_shndx >= SHN_LORESERVE ||
        !section_header(m, &header, s->st_shndx, &section) ||
        s->st_value - section.sh_addr >= section.sh_size)
        return s->st_size;
    return section.sh_addr + section.sh_size - s->st_value;
}

static bool take(const struct symbols_module *m, const Elf32_Sym *s, const Elf32_Shdr *names,
                 struct symbols_entry *out)
{
    if (!is_wanted(s) || s->st_name >= names->sh_size)
        return false;
    const char *text = part(m, names->sh_offset, names->sh_size, 1);
    if (!text || !text[s->st_name] || !memchr(text + s->st_name, 0, names->sh_size - s->st_name))
        return false;
    *out = (struct symbols_entry){.address = s->st_value,
                                  .size = s->st_size,
                                  .reach = reach_of(m, s),
                                  .name = (uint32_t)(names->sh_offset + s->st_name),
                                  .section = s->st_shndx,
                                  .type = ELF32_ST_TYPE(s->st_info),
                                  .binding = ELF32_ST_BIND(s->st_info)};
    return true;
}

/* By address; at one address the best name last: a function's, a global one, one with a size. */
static int compare(const void *a, const void *b)
{
    const struct symbols_entry *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    int fx = (x->type == STT_FUNC) * 4 + (x->size != 0) * 2 + (x->binding == STB_GLOBAL);
    int fy = (y->type == STT_FUNC) * 4 + (y->size != 0) * 2 + (y->binding == STB_GLOBAL);
    if (fx != fy)
        return fx - fy;
    return x->name < y->name ? 1 : x->name > y->name ? -1 : 0;
}

static int read_table(struct symbols_module *m, const Elf32_Shdr *table, const Elf32_Shdr *names)
{
    size_t count = table->sh_entsize == sizeof(Elf32_Sym) ? table->sh_size / sizeof(Elf32_Sym) : 0;
    const uint8_t *at = part(m, table->sh_offset, sizeof(Elf32_Sym), count);
    if (!at || !count)
        return 0;
    m->entry = calloc(count, sizeof(*m->entry));
    if (!m->entry)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        Elf32_Sym s;
        memcpy(&s, at + i * sizeof(s), sizeof(s));
        m->entries += take(m, &s, names, &m->entry[m->entries]);
    }
    qsort(m->entry, m->entries, sizeof(*m->entry), compare);
    return 0;
}

int symbols_elf_read(struct symbols_module *m, struct why *why)
{
    Elf32_Shdr table, names;
    Elf32_Ehdr header;
    const Elf32_Ehdr *h = header_of(m);
    if (!h)
        return why_fail(why, -ENOEXEC, "%s is not an i386 ELF file: it has no symbols to use",
                        m->path);
    memcpy(&header, h, sizeof(header));
    find_extent(m, &header);
    if (find_table(m, &header, &table, &names) && read_table(m, &table, &names))
        return why_fail(why, -ENOMEM, "no memory for the symbols of %s", m->path);
    return 0;
}
