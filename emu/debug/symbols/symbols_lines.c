/* SPDX-License-Identifier: MIT */
/*
 * Source lines, by DWARF's line table. A row of the table says which line the
 * code from its address on belongs to; rows are sorted by address, and a row
 * that ends a sequence belongs to no line.
 */
#include "emu/debug/symbols/symbols_private.h"

#include <stdlib.h>
#include <string.h>

bool symbols_names_file(const char *path, const char *file)
{
    size_t a = strlen(path), b = strlen(file);
    return b && b <= a && !strcmp(path + a - b, file) &&
           (a == b || file[0] == '/' || path[a - b - 1] == '/');
}

#if HAVE_LIBDW

#define MAX_FOUND 256u

struct row {
    uint32_t address;
    int line;
    bool ends, statement;
    const char *file;
};

static bool row_at(Dwarf_Lines *lines, size_t n, struct row *out)
{
    Dwarf_Line *line = dwarf_onesrcline(lines, n);
    Dwarf_Addr address;
    if (!line || dwarf_lineaddr(line, &address) || dwarf_lineno(line, &out->line) ||
        dwarf_lineendsequence(line, &out->ends) || dwarf_linebeginstatement(line, &out->statement))
        return false;
    out->address = (uint32_t)address;
    out->file = dwarf_linesrc(line, NULL, NULL);
    return true;
}

/* The last row at or before pc. */
static bool find_row(Dwarf_Lines *lines, size_t count, uint32_t pc, size_t *out)
{
    size_t low = 0, high = count;
    struct row row;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (!row_at(lines, mid, &row))
            return false;
        if (row.address <= pc)
            low = mid + 1;
        else
            high = mid;
    }
    *out = low - 1;
    return low != 0;
}

static bool same_line(const struct row *a, const struct row *b)
{
    return !b->ends && a->line == b->line && a->file == b->file;
}

/* The rows around `n` that belong to the same line. */
static void extent(Dwarf_Lines *lines, size_t count, size_t n, const struct row *row,
                   struct symbols_line *out)
{
    struct row other;
    out->start = row->address;
    for (size_t i = n; i-- > 0 && row_at(lines, i, &other) && same_line(row, &other);)
        out->start = other.address;
    out->end = row->address + 1;
    for (size_t i = n + 1; i < count && row_at(lines, i, &other); i++) {
        out->end = other.address;
        if (!same_line(row, &other))
            break;
    }
}

bool symbols_line_at(const struct symbols *s, uint32_t address, struct symbols_line *out)
{
    struct symbols_module *m = symbols_module_at(s, address);
    Dwarf_Die unit;
    Dwarf_Lines *lines;
    size_t count, n;
    struct row row;
    if (!m || !symbols_unit_at(m, address - m->bias, &unit) ||
        dwarf_getsrclines(&unit, &lines, &count) ||
        !find_row(lines, count, address - m->bias, &n) || !row_at(lines, n, &row) || row.ends ||
        !row.file || row.line <= 0)
        return false;
    extent(lines, count, n, &row, out);
    out->file = row.file;
    out->line = row.line;
    out->start += m->bias;
    out->end += m->bias;
    return true;
}

bool symbols_module_has_lines(const struct symbols_module *m)
{
    return symbols_dwarf((struct symbols_module *)m) != NULL && m->ranges;
}

struct search {
    const char *file;
    int line, best; /* the line wanted; the nearest one behind it that has code, or 0 */
    const struct symbols *symbols;
    uint32_t found[MAX_FOUND];
    unsigned count;
};

static bool same_function(const struct search *s, uint32_t a, uint32_t b)
{
    struct symbols_symbol x, y;
    return symbols_at(s->symbols, a, &x) && symbols_at(s->symbols, b, &y) && x.address == y.address;
}

/* One place in each function: its lowest. */
static void keep(struct search *s, uint32_t address)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (s->found[i] == address || same_function(s, s->found[i], address)) {
            if (address < s->found[i])
                s->found[i] = address;
            return;
        }
    }
    if (s->count < MAX_FOUND)
        s->found[s->count++] = address;
}

static void take_row(struct search *s, const struct row *row, uint32_t bias)
{
    if (row->ends || !row->statement || row->line < s->line || (s->best && row->line > s->best))
        return;
    if (row->line != s->best) {
        s->best = row->line;
        s->count = 0;
    }
    keep(s, row->address + bias);
}

/* Rows name few files: the answer for the last one is kept. */
static void search_unit(struct search *s, Dwarf_Die *unit, uint32_t bias)
{
    Dwarf_Lines *lines;
    size_t count;
    struct row row;
    const char *last = NULL;
    bool is_it = false;
    if (dwarf_getsrclines(unit, &lines, &count))
        return;
    for (size_t i = 0; i < count && row_at(lines, i, &row); i++) {
        if (row.file != last) {
            last = row.file;
            is_it = last && symbols_names_file(last, s->file);
        }
        if (is_it)
            take_row(s, &row, bias);
    }
}

unsigned symbols_line_addresses(const struct symbols *symbols, const char *file, int *line,
                                uint32_t *out, unsigned room)
{
    struct search s = {.file = file, .line = *line, .symbols = symbols};
    for (unsigned i = 0; i < symbols->modules; i++) {
        Dwarf_CU *at = NULL;
        Dwarf_Die unit;
        if (!symbols_dwarf(symbols->module[i]))
            continue;
        while (symbols_next_unit(symbols->module[i], &at, &unit))
            search_unit(&s, &unit, symbols->module[i]->bias);
    }
    for (unsigned i = 0; i < s.count && i < room; i++)
        out[i] = s.found[i];
    *line = s.best;
    return s.count;
}

/*
 * The second line of the function is behind its prologue, unless the compiler optimized: then
 * variables are known everywhere, and rows of other lines may come first.
 */
static bool is_optimized(Dwarf_Die *unit)
{
    Dwarf_Attribute attr;
    const char *at = dwarf_formstring(dwarf_attr(unit, DW_AT_producer, &attr));
    bool optimized = false;
    /* The last -O counts. */
    while (at && (at = strstr(at, " -O")))
        optimized = *(at += 3) != '0';
    return optimized;
}

uint32_t symbols_after_prologue(const struct symbols *s, uint32_t address)
{
    struct symbols_module *m = symbols_module_at(s, address);
    struct symbols_symbol symbol;
    Dwarf_Die unit;
    Dwarf_Lines *lines;
    size_t count, n;
    struct row row;
    if (!m || !symbols_at(s, address, &symbol) || !symbols_unit_at(m, address - m->bias, &unit) ||
        is_optimized(&unit) || dwarf_getsrclines(&unit, &lines, &count) ||
        !find_row(lines, count, address - m->bias, &n))
        return address;
    while (++n < count && row_at(lines, n, &row) && !row.ends) {
        uint32_t at = row.address + m->bias;
        if (at > address && row.line)
            return at - symbol.address < symbol.size ? at : address;
    }
    return address;
}

static bool each_file_of(Dwarf_Die *unit, bool (*fn)(void *opaque, const char *file), void *opaque)
{
    Dwarf_Files *files;
    size_t count;
    if (dwarf_getsrcfiles(unit, &files, &count))
        return true;
    for (size_t i = 0; i < count; i++) {
        const char *file = dwarf_filesrc(files, i, NULL, NULL);
        if (file && !fn(opaque, file))
            return false;
    }
    return true;
}

void symbols_each_file(const struct symbols *s, bool (*fn)(void *opaque, const char *file),
                       void *opaque)
{
    for (unsigned i = 0; i < s->modules; i++) {
        Dwarf_CU *at = NULL;
        Dwarf_Die unit;
        if (!symbols_dwarf(s->module[i]))
            continue;
        while (symbols_next_unit(s->module[i], &at, &unit))
            if (!each_file_of(&unit, fn, opaque))
                return;
    }
}

#else

bool symbols_line_at(const struct symbols *s, uint32_t address, struct symbols_line *out)
{
    (void)s, (void)address, (void)out;
    return false;
}

bool symbols_module_has_lines(const struct symbols_module *m)
{
    (void)m;
    return false;
}

unsigned symbols_line_addresses(const struct symbols *s, const char *file, int *line, uint32_t *out,
                                unsigned room)
{
    (void)s, (void)file, (void)out, (void)room;
    *line = 0;
    return 0;
}

uint32_t symbols_after_prologue(const struct symbols *s, uint32_t address)
{
    (void)s;
    return address;
}

void symbols_each_file(const struct symbols *s, bool (*fn)(void *opaque, const char *file),
                       void *opaque)
{
    (void)s, (void)fn, (void)opaque;
}

#endif
