/* SPDX-License-Identifier: MIT */
/*
 * lcov's tracefile from DWARF. A line ran if code that its rows begin with ran; a function
 * if its first instruction did. Branches are the conditional jumps of each line; which of
 * the two ways were gone is known from the edges.
 *
 * Everything is gathered first and sorted by source file, because several units may hold
 * code of one file.
 */
#include "emu/debug/coverage_private.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_LIBDW

#include "emu/isa/isa.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

enum item_kind { ITEM_FUNCTION, ITEM_LINE, ITEM_BRANCH };

struct item {
    const char *file;
    enum item_kind kind;
    int line;
    const char *name; /* of a function */
    uint32_t address;
    bool ran, taken, passed; /* of a branch: each way */
};

struct lcov {
    struct coverage *c;
    const struct coverage_file *f;
    Dwarf *dwarf;
    Elf *elf;
    struct coverage_run *run;
    size_t runs;
    struct item *item;
    size_t items, room;
    bool no_memory;
};

static bool ran(const struct lcov *l, uint32_t address)
{
    return coverage_ran(l->run, l->runs, address);
}

static void add(struct lcov *l, const struct item *item)
{
    if (l->items == l->room) {
        size_t room = l->room ? 2 * l->room : 1024;
        struct item *bigger = realloc(l->item, room * sizeof(*bigger));
        l->no_memory = l->no_memory || !bigger;
        if (!bigger)
            return;
        l->item = bigger;
        l->room = room;
    }
    l->item[l->items++] = *item;
}

/* Lines, and the conditional jumps between one row and the next. */

static void add_branch(struct lcov *l, const struct item *line, const struct isa_insn *insn,
                       uint32_t at)
{
    struct item b = {.file = line->file, .kind = ITEM_BRANCH, .line = line->line, .address = at};
    uint32_t end = at + insn->len, target = end + (uint32_t)insn->imm;
    b.ran = ran(l, at);
    b.taken = coverage_has_edge(l->c, end, target);
    b.passed = coverage_has_edge(l->c, end, end);
    add(l, &b);
}

static bool is_branch(const struct isa_insn *insn)
{
    return (insn->row->attr & ISA_T_BRANCH) && insn->row->op[0].method == ISA_M_J;
}

/* The bytes of code at a loaded address, as far as the segment has them. */
static const uint8_t *code_at(const struct lcov *l, uint32_t address, size_t *len)
{
    size_t count = 0, size;
    const char *raw = elf_rawfile(l->elf, &size);
    Elf32_Phdr *ph = elf32_getphdr(l->elf);
    if (elf_getphdrnum(l->elf, &count) || !raw || !ph)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = address - l->f->offset - ph[i].p_vaddr;
        if (ph[i].p_type != PT_LOAD || at >= ph[i].p_filesz || ph[i].p_offset > size ||
            ph[i].p_filesz > size - ph[i].p_offset)
            continue;
        *len = ph[i].p_filesz - at;
        return (const uint8_t *)raw + ph[i].p_offset + at;
    }
    return NULL;
}

static void add_branches(struct lcov *l, const struct item *line, uint32_t end)
{
    size_t have = 0;
    const uint8_t *code = code_at(l, line->address, &have);
    struct isa_insn insn;
    if (!code || end - line->address > have)
        return;
    for (uint32_t at = line->address; at < end; at += insn.len) {
        const uint8_t *from = code + (at - line->address);
        size_t left = have - (at - line->address);
        if (isa_decode(from, left < ISA_MAX_LENGTH ? left : ISA_MAX_LENGTH, true, &insn) != ISA_OK)
            return;
        if (is_branch(&insn))
            add_branch(l, line, &insn, at);
    }
}

struct row {
    uint32_t address;
    int line;
    bool ends, statement;
    const char *file;
};

static bool read_row(const struct lcov *l, Dwarf_Lines *lines, size_t n, struct row *out)
{
    Dwarf_Line *line = dwarf_onesrcline(lines, n);
    Dwarf_Addr address;
    if (!line || dwarf_lineaddr(line, &address) || dwarf_lineno(line, &out->line) ||
        dwarf_lineendsequence(line, &out->ends) || dwarf_linebeginstatement(line, &out->statement))
        return false;
    out->address = (uint32_t)address + l->f->offset;
    out->file = dwarf_linesrc(line, NULL, NULL);
    return out->file != NULL;
}

static void add_lines(struct lcov *l, Dwarf_Die *unit)
{
    Dwarf_Lines *lines;
    size_t count;
    struct row row, next;
    if (dwarf_getsrclines(unit, &lines, &count))
        return;
    for (size_t n = 0; n + 1 < count; n++) {
        if (!read_row(l, lines, n, &row) || !read_row(l, lines, n + 1, &next) || row.ends ||
            !row.line || next.address < row.address)
            continue;
        struct item item = {.file = row.file,
                            .kind = ITEM_LINE,
                            .line = row.line,
                            .address = row.address,
                            .ran = ran(l, row.address)};
        if (row.statement)
            add(l, &item);
        add_branches(l, &item, next.address);
    }
}

/* Functions. */

struct function_walk {
    struct lcov *l;
};

static int add_function(Dwarf_Die *die, void *opaque)
{
    struct lcov *l = ((struct function_walk *)opaque)->l;
    Dwarf_Addr low;
    struct item item = {.kind = ITEM_FUNCTION};
    if (dwarf_lowpc(die, &low) || dwarf_decl_line(die, &item.line))
        return DWARF_CB_OK; /* inlined, or only declared */
    item.file = dwarf_decl_file(die);
    item.name = dwarf_diename(die);
    item.address = (uint32_t)low + l->f->offset;
    item.ran = ran(l, item.address);
    if (item.file && item.name)
        add(l, &item);
    return DWARF_CB_OK;
}

/* Writing. */

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    if (order)
        return order;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->address < y->address ? -1 : x->address > y->address;
}

struct totals {
    unsigned found, hit;
};

static size_t write_functions(const struct item *item, size_t count, FILE *out)
{
    struct totals t = {0, 0};
    size_t n = 0;
    for (; n < count && item[n].kind == ITEM_FUNCTION; n++)
        fprintf(out, "FN:%d,%s\n", item[n].line, item[n].name);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "FNDA:%d,%s\n", item[i].ran, item[i].name);
        t.found++;
        t.hit += item[i].ran;
    }
    fprintf(out, "FNF:%u\nFNH:%u\n", t.found, t.hit);
    return n;
}

static size_t write_lines(const struct item *item, size_t count, FILE *out)
{
    struct totals t = {0, 0};
    size_t n = 0;
    while (n < count && item[n].kind == ITEM_LINE) {
        int line = item[n].line;
        bool hit = false;
        for (; n < count && item[n].kind == ITEM_LINE && item[n].line == line; n++)
            hit = hit || item[n].ran;
        fprintf(out, "DA:%d,%d\n", line, hit);
        t.found++;
        t.hit += hit;
    }
    fprintf(out, "LF:%u\nLH:%u\n", t.found, t.hit);
    return n;
}

static const char *way(const struct item *branch, bool gone)
{
    return !branch->ran ? "-" : gone ? "1" : "0";
}

static size_t write_branches(const struct item *item, size_t count, FILE *out)
{
    struct totals t = {0, 0};
    size_t n = 0;
    unsigned block = 0;
    for (; n < count && item[n].kind == ITEM_BRANCH; n++, block++) {
        const struct item *b = &item[n];
        if (n && b->address == item[n - 1].address)
            continue; /* two rows begin at one place */
        if (!n || b->line != item[n - 1].line)
            block = 0;
        fprintf(out, "BRDA:%d,%u,0,%s\nBRDA:%d,%u,1,%s\n", b->line, block, way(b, b->taken),
                b->line, block, way(b, b->passed));
        t.found += 2;
        t.hit += (b->ran && b->taken) + (b->ran && b->passed);
    }
    fprintf(out, "BRF:%u\nBRH:%u\n", t.found, t.hit);
    return n;
}

static void write_files(struct lcov *l, FILE *out)
{
    if (l->items)
        qsort(l->item, l->items, sizeof(l->item[0]), compare_items);
    for (size_t n = 0; n < l->items;) {
        size_t end = n;
        while (end < l->items && !strcmp(l->item[end].file, l->item[n].file))
            end++;
        fprintf(out, "TN:denali\nSF:%s\n", l->item[n].file);
        n += write_functions(l->item + n, end - n, out);
        size_t lines = n;
        while (lines < end && l->item[lines].kind == ITEM_LINE)
            lines++;
        write_branches(l->item + lines, end - lines, out);
        write_lines(l->item + n, lines - n, out);
        fprintf(out, "end_of_record\n");
        n = end;
    }
}

static void gather(struct lcov *l)
{
    Dwarf_CU *at = NULL;
    Dwarf_Die unit, sub;
    uint8_t type;
    struct function_walk walk = {l};
    while (dwarf_get_units(l->dwarf, at, &at, NULL, &type, &unit, &sub) == 0) {
        if (dwarf_tag(&unit) != DW_TAG_compile_unit)
            continue;
        add_lines(l, &unit);
        dwarf_getfuncs(&unit, add_function, &walk, 0);
    }
}

/* A file without DWARF has no lines; names are the DWARF's, so it is written before it is closed.
 */
static int write_file_of(struct lcov *l, const struct coverage_file *f, FILE *out)
{
    l->f = f;
    l->elf = elf_begin(fileno(f->in), ELF_C_READ, NULL);
    l->dwarf = l->elf ? dwarf_begin_elf(l->elf, DWARF_C_READ, NULL) : NULL;
    if (l->dwarf)
        gather(l);
    write_files(l, out);
    l->items = 0;
    dwarf_end(l->dwarf);
    elf_end(l->elf);
    return l->no_memory ? -ENOMEM : 0;
}

const bool coverage_has_lcov = true;

int coverage_lcov(struct coverage *c, FILE *out)
{
    struct lcov l = {.c = c};
    elf_version(EV_CURRENT);
    int err = coverage_runs(c, &l.run, &l.runs);
    for (unsigned i = 0; !err && i < c->files; i++)
        err = write_file_of(&l, &c->file[i], out);
    free(l.item);
    free(l.run);
    return err;
}

#else

const bool coverage_has_lcov = false;

int coverage_lcov(struct coverage *c, FILE *out)
{
    (void)c, (void)out;
    return -ENOTSUP;
}

#endif
