/* SPDX-License-Identifier: MIT */
/* The program: source lines, instructions, symbols, files. */
#include "emu/debug/command/command_private.h"
#include "emu/debug/disassemble.h"

#include <ctype.h>
#include <stdlib.h>

#define MAX_LISTED 5000u

/* Source lines before the instruction, when it begins another line. */
static void tell_source(struct session *s, uint32_t at, struct symbols_line *last,
                        struct command_out *out)
{
    struct symbols_line line;
    char text[512];
    if (!s->settings.source || !symbols_line_at(session_symbols(s), at, &line) ||
        (line.line == last->line && line.file == last->file))
        return;
    *last = line;
    if (session_source_line(s, line.file, line.line, text, sizeof(text)))
        out_text(out, "%d\t%s\n", line.line, text);
}

static void disassemble_range(struct session *s, uint32_t from, uint64_t end, uint64_t limit,
                              struct command_out *out)
{
    struct symbols_line last = {0};
    uint32_t eip = target_eip(s->target);
    uint8_t byte;
    uint64_t next = from;
    out_list(out, "instructions");
    for (uint64_t n = 0; next < end && n < limit; n++) {
        uint32_t at = (uint32_t)next;
        if (s->target->ops->read(s->target, TARGET_LINEAR, at, &byte, 1)) {
            out_text(out, "   0x%08x: there is no memory\n", at);
            break;
        }
        tell_source(s, at, &last, out);
        next += disassemble_one(s, at, at == eip ? "=> " : "   ", out);
    }
    out_close(out);
    s->next_disassemble = (uint32_t)next;
}

/* A length, or an end behind `from`. */
static int take_end(struct session *s, const char *args, bool length, uint32_t from, uint64_t *to,
                    struct why *why)
{
    const int64_t end = INT64_C(0x100000000);
    int64_t n;
    int err = session_number(s, args, NULL, length ? "the length" : "the end",
                             length ? 1 : (int64_t)from + 1, length ? end - from : end, &n, why);
    if (!err)
        *to = (uint64_t)n + (length ? from : 0);
    return err;
}

/* FROM,TO or FROM,+LENGTH; else the function that holds FROM. */
static int take_code(struct session *s, const char *args, uint32_t *from, uint64_t *to,
                     struct why *why)
{
    struct expr_context context;
    struct symbols_symbol symbol;
    const char *comma = strchr(args, ',');
    int err = session_context(s, &context, why);
    if (err)
        return err;
    *from = context.frame.eip;
    if (comma) {
        err = session_address(s, args, &args, from, why);
        args += err ? 0 : strspn(args, " ,");
        bool length = *args == '+';
        return err ? err : take_end(s, args + length, length, *from, to, why);
    }
    if (*args) {
        int n = session_place(s, args, false, from, 1, why);
        if (n < 0)
            return n;
    }
    bool named = symbols_at(context.source.symbols, *from, &symbol) && symbol.size;
    *to = named ? (uint64_t)symbol.address + symbol.size : (uint64_t)*from + 64;
    *from = named ? symbol.address : *from;
    return 0;
}

static int run_disassemble(struct session *s, const char *args, struct command_out *out,
                           struct why *why)
{
    uint32_t from;
    uint64_t to;
    int err = take_code(s, args, &from, &to, why);
    if (!err)
        disassemble_range(s, from, to, MAX_LISTED, out);
    return err;
}

static int no_source(const char *file, struct why *why)
{
    return why_fail(why, -ENOENT, "the source %s cannot be read here", file);
}

static int list_lines(struct session *s, int first, int last, struct command_out *out,
                      struct why *why)
{
    char text[512];
    int n = first < 1 ? 1 : first;
    if (!session_source_line(s, s->list_file, n, text, sizeof(text))) {
        FILE *file = session_source_open(s->list_file);
        if (!file)
            return no_source(s->list_file, why);
        fclose(file);
        return why_fail(why, -ENOENT, "%s has no line %d", s->list_file, n);
    }
    out_string(out, "file", "%s", s->list_file);
    out_list(out, "lines");
    for (; n <= last && session_source_line(s, s->list_file, n, text, sizeof(text)); n++) {
        out_text(out, "%d\t%s\n", n, text);
        out_string(out, NULL, "%s", text);
    }
    out_close(out);
    s->list_line = n;
    return 0;
}

/* Around a place. */
static int list_place(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint32_t at;
    struct symbols_line line;
    int n = session_place(s, args, false, &at, 1, why);
    if (n < 0)
        return n;
    if (!symbols_line_at(session_symbols(s), at, &line))
        return why_fail(why, -ENOENT, "no source line is known of 0x%x", at);
    snprintf(s->list_file, sizeof(s->list_file), "%s", line.file);
    int half = (int)s->settings.listsize / 2;
    return list_lines(s, line.line - half, line.line - half + (int)s->settings.listsize - 1, out,
                      why);
}

/* The line of a place; a bare number is one of the file that is listed. */
static int take_line(struct session *s, const char *text, int *line, struct why *why)
{
    uint32_t at;
    struct symbols_line found;
    *line = atoi(text);
    if (*line > 0 && strspn(text, "0123456789") == strlen(text) && s->list_file[0])
        return 0;
    int n = session_place(s, text, false, &at, 1, why);
    if (n < 0)
        return n;
    if (!symbols_line_at(session_symbols(s), at, &found))
        return why_fail(why, -ENOENT, "no source line is known of 0x%x", at);
    *line = found.line;
    if (!s->list_file[0] || !isdigit((unsigned char)*text))
        snprintf(s->list_file, sizeof(s->list_file), "%s", found.file);
    return 0;
}

/* FIRST,LAST; FIRST, and ,LAST are as many lines as are usual. */
static int list_range(struct session *s, const char *args, const char *comma,
                      struct command_out *out, struct why *why)
{
    char first_text[256];
    const char *last_text = comma + 1 + strspn(comma + 1, " ");
    int first = 0, last = 0, size = (int)s->settings.listsize;
    snprintf(first_text, sizeof(first_text), "%.*s", (int)(comma - args), args);
    int err = *first_text ? take_line(s, first_text, &first, why) : 0;
    if (!err && *last_text)
        err = take_line(s, last_text, &last, why);
    if (err)
        return err;
    if (!*first_text)
        first = last - size + 1;
    if (!*last_text)
        last = first + size - 1;
    if (last < first)
        return why_fail(why, -EINVAL, "line %d is before line %d", last, first);
    return list_lines(s, first, last, out, why);
}

static int run_list(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const char *comma = strchr(args, ',');
    if (comma)
        return list_range(s, args, comma, out, why);
    if (*args && strcmp(args, "-"))
        return list_place(s, args, out, why);
    if (!s->list_file[0] || !s->list_line)
        return list_place(s, "", out, why);
    int size = (int)s->settings.listsize;
    if (*args == '-') {
        int end = s->list_line - size - 1;
        if (end < 1)
            return why_fail(why, -EINVAL, "this is the beginning of the file");
        return list_lines(s, end - size + 1, end, out, why);
    }
    /* The first list after a stop shows the line in the middle. */
    if (s->list_fresh) {
        s->list_fresh = false;
        return list_lines(s, s->list_line - size / 2, s->list_line - size / 2 + size - 1, out, why);
    }
    return list_lines(s, s->list_line, s->list_line + size - 1, out, why);
}

static int run_line(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint32_t at[BREAKPOINT_PLACES];
    struct symbols_line line;
    char text[SYMBOLS_TEXT];
    int count = session_place(s, args, false, at, BREAKPOINT_PLACES, why);
    if (count < 0)
        return count;
    for (int i = 0; i < count; i++) {
        if (!symbols_line_at(session_symbols(s), at[i], &line))
            return why_fail(why, -ENOENT, "no source line is known of 0x%x", at[i]);
        out_text(out, "Line %d of \"%s\" is at 0x%x%s and ends at 0x%x.\n", line.line, line.file,
                 line.start, symbols_text(session_symbols(s), line.start, text), line.end);
        out_string(out, "file", "%s", line.file);
        out_number(out, "line", line.line);
        out_number(out, "start", line.start);
        out_number(out, "end", line.end);
    }
    return 0;
}

static int run_symbol(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint32_t at;
    struct symbols_symbol symbol;
    int err = session_address(s, args, NULL, &at, why);
    if (err)
        return err;
    if (!symbols_at(session_symbols(s), at, &symbol))
        return why_fail(why, -ENOENT, "no symbol holds 0x%x", at);
    if (at == symbol.address)
        out_text(out, "%s in %s\n", symbol.name, session_file(s, symbol.module));
    else
        out_text(out, "%s + %u in %s\n", symbol.name, at - symbol.address,
                 session_file(s, symbol.module));
    out_string(out, "name", "%s", symbol.name);
    out_number(out, "offset", at - symbol.address);
    return 0;
}

static int run_address(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct symbols_symbol symbol;
    unsigned n = 0;
    for (; session_symbols(s) && symbols_find(session_symbols(s), args, n, &symbol); n++) {
        out_text(out, "\"%s\" is at 0x%x in %s, %u bytes.\n", symbol.name, symbol.address,
                 session_file(s, symbol.module), symbol.size);
        out_number(out, "address", symbol.address);
    }
    return n ? 0 : why_fail(why, -ENOENT, "there is no symbol \"%.80s\"", args);
}

struct search {
    struct session *session;
    const char *part;
    bool functions;
    unsigned count;
    struct command_out *out;
};

static bool list_symbol(void *opaque, const struct symbols_symbol *symbol)
{
    struct search *l = opaque;
    if (symbol->function != l->functions || !strstr(symbol->name, l->part))
        return true;
    out_text(l->out, "0x%08x  %s\n", symbol->address, symbol->name);
    out_object(l->out, NULL);
    out_number(l->out, "address", symbol->address);
    out_string(l->out, "name", "%s", symbol->name);
    out_close(l->out);
    return ++l->count < MAX_LISTED;
}

static int list_symbols(struct session *s, const char *args, bool functions,
                        struct command_out *out, struct why *why)
{
    struct search l = {s, args, functions, 0, out};
    if (!session_symbols(s))
        return why_fail(why, -ESRCH, "there is no VM");
    out_list(out, "symbols");
    symbols_each(session_symbols(s), "", list_symbol, &l);
    out_close(out);
    if (!l.count)
        return why_fail(why, -ENOENT, "no %s has \"%.60s\" in its name",
                        functions ? "function" : "variable", args);
    return 0;
}

static int run_functions(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    return list_symbols(s, args, true, out, why);
}

static int run_variables(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    return list_symbols(s, args, false, out, why);
}

static bool list_file(void *opaque, const char *file)
{
    struct search *l = opaque;
    if (!strstr(file, l->part))
        return true;
    out_text(l->out, "%s\n", file);
    out_string(l->out, NULL, "%s", file);
    return ++l->count < MAX_LISTED;
}

static int run_sources(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct search l = {s, args, false, 0, out};
    if (!session_symbols(s))
        return why_fail(why, -ESRCH, "there is no VM");
    out_list(out, "files");
    symbols_each_file(session_symbols(s), list_file, &l);
    out_close(out);
    if (!l.count)
        return why_fail(why, -ENOENT, "no source file is known%s", *args ? " of that name" : "");
    return 0;
}

static int run_files(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const struct symbols_module *m;
    uint32_t low, high, bias;
    int err = command_no_args(args, why);
    if (!err && !session_symbols(s))
        err = why_fail(why, -ESRCH, "there is no VM");
    if (err)
        return err;
    out_list(out, "files");
    for (unsigned n = 0; (m = symbols_module(session_symbols(s), n)); n++) {
        symbols_module_range(m, &low, &high, &bias);
        out_text(out, "0x%08x-0x%08x  %s%s  %zu symbols\n", low, high, symbols_module_path(m),
                 symbols_module_has_lines(m) ? "" : " (no lines)", symbols_module_count(m));
        out_object(out, NULL);
        out_string(out, "path", "%s", symbols_module_path(m));
        out_number(out, "low", low);
        out_number(out, "high", high);
        out_number(out, "bias", bias);
        out_close(out);
    }
    out_close(out);
    return 0;
}

static int run_add(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    char path[COMMAND_WORD];
    uint32_t bias = 0;
    args = command_word(args, path);
    if (!*path)
        return why_fail(why, -EINVAL, "which file? Say FILE and, if it is moved, by how much");
    int err = *args ? session_address(s, args, NULL, &bias, why) : 0;
    if (!err && !session_symbols(s))
        err = why_fail(why, -ESRCH, "there is no VM");
    if (!err)
        err = symbols_add(session_symbols(s), path, bias, why);
    if (!err)
        out_text(out, "Symbols of %s are added.\n", path);
    return err;
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, fn)                    \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_CODE, .complete = complete_, .run = fn               \
    }

const struct command command_code_rows[] = {
    ROW("list", "l", "[PLACE | FIRST,LAST | -]", "source lines",
        "Without an argument around the present line, then on; \"-\" goes back.", "list audit",
        COMPLETE_PLACE, run_list),
    ROW("disassemble", NULL, "[PLACE | FROM,TO | FROM,+LENGTH]", "instructions with source lines",
        "The whole function that holds the place. \"set source off\" leaves out the source.",
        "disassemble post", COMPLETE_PLACE, run_disassemble),
    ROW("info line", NULL, "[PLACE]", "where a source line's code lies", NULL,
        "info line accounts.c:66", COMPLETE_PLACE, run_line),
    ROW("info symbol", NULL, "ADDRESS", "the symbol that holds an address", NULL, "info symbol $pc",
        COMPLETE_EXPRESSION, run_symbol),
    ROW("info address", NULL, "SYMBOL", "where a symbol lies", NULL, "info address accounts",
        COMPLETE_EXPRESSION, run_address),
    ROW("info functions", NULL, "[PART]", "functions, or those with PART in the name", NULL,
        "info functions aud", COMPLETE_NOTHING, run_functions),
    ROW("info variables", NULL, "[PART]", "variables of files, or those with PART in the name",
        NULL, "info variables acc", COMPLETE_NOTHING, run_variables),
    ROW("info sources", NULL, "[PART]", "source files", NULL, "info sources accounts",
        COMPLETE_NOTHING, run_sources),
    ROW("info files", NULL, "", "the files whose symbols are known, and where they lie", NULL,
        "info files", COMPLETE_NOTHING, run_files),
    ROW("add-symbol-file", NULL, "FILE [OFFSET]", "read the symbols of one more ELF file",
        "OFFSET is added to its addresses.", "add-symbol-file accounts", COMPLETE_FILE, run_add),
    {.name = NULL},
};
