/* SPDX-License-Identifier: MIT */
/* Places in the program, as people write them. */
#include "emu/debug/session.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int all_digits(const char *text)
{
    const char *c = text;
    while (isdigit((unsigned char)*c))
        c++;
    return c > text && !*c;
}

/* The file and line where the selected frame stands. */
static int present_line(struct session *s, struct symbols_line *out, struct why *why)
{
    struct expr_context context;
    int err = session_context(s, &context, why);
    if (!err && !frame_line(&context.source, &context.frame, out))
        err = why_fail(why, -ENOENT,
                       "no source line is known here: say FILE:LINE, a function or *ADDRESS");
    return err;
}

static int at_line(struct session *s, const char *file, int line, uint32_t *out, unsigned room,
                   struct why *why)
{
    int wanted = line;
    if (line < 1)
        return why_fail(why, -ENOENT, "there is no line %d; lines begin with 1", line);
    const struct symbols *symbols = session_symbols(s);
    unsigned n = symbols ? symbols_line_addresses(symbols, file, &line, out, room) : 0;
    if (!n)
        return why_fail(why, -ENOENT,
                        "there is no code for line %d of \"%s\"; \"info sources\" lists files",
                        wanted, file);
    return (int)(n < room ? n : room);
}

static int at_function(struct session *s, const char *name, bool after_prologue, uint32_t *out,
                       unsigned room, struct why *why)
{
    const struct symbols *symbols = session_symbols(s);
    struct symbols_symbol symbol;
    unsigned count = 0;
    for (unsigned n = 0; symbols && count < room && symbols_find(symbols, name, n, &symbol); n++) {
        /* Functions come first; a label will do where there is none. */
        if (!symbol.function && count)
            break;
        out[count++] =
            after_prologue ? symbols_after_prologue(symbols, symbol.address) : symbol.address;
    }
    if (!count)
        return why_fail(why, -ENOENT,
                        "there is no function \"%.80s\"; \"info functions %.40s\" searches, and an "
                        "address is written *0x1234",
                        name, name);
    return (int)count;
}

/* Of functions of one name, those that the file has. */
static int keep_file(struct session *s, const char *file, uint32_t *out, int count,
                     const char *name, struct why *why)
{
    struct symbols_line line;
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (symbols_line_at(session_symbols(s), out[i], &line) &&
            symbols_names_file(line.file, file))
            out[kept++] = out[i];
    return kept ? kept
                : why_fail(why, -ENOENT, "no function \"%.60s\" is in \"%.60s\"", name, file);
}

/* FILE:LINE or FILE:FUNCTION. */
static int in_file(struct session *s, const char *text, const char *colon, bool after_prologue,
                   uint32_t *out, unsigned room, struct why *why)
{
    char file[512];
    if ((size_t)(colon - text) >= sizeof(file) || colon == text)
        return why_fail(why, -EINVAL, "\"%.60s\" is no place: say FILE:LINE", text);
    snprintf(file, sizeof(file), "%.*s", (int)(colon - text), text);
    if (all_digits(colon + 1))
        return at_line(s, file, atoi(colon + 1), out, room, why);
    int n = at_function(s, colon + 1, after_prologue, out, room, why);
    return n < 0 ? n : keep_file(s, file, out, n, colon + 1, why);
}

static int at_address(struct session *s, const char *text, uint32_t *out, struct why *why)
{
    int err = session_address(s, text, NULL, out, why);
    return err ? err : 1;
}

static int relative(struct session *s, const char *text, uint32_t *out, unsigned room,
                    struct why *why)
{
    struct symbols_line here;
    int err = present_line(s, &here, why);
    int offset = isdigit((unsigned char)*text) ? 0 : here.line;
    return err ? err : at_line(s, here.file, offset + atoi(text), out, room, why);
}

int session_place(struct session *s, const char *text, bool after_prologue, uint32_t *out,
                  unsigned room, struct why *why)
{
    struct expr_context context;
    const char *colon = strrchr(text, ':');
    if (!*text) {
        int err = session_context(s, &context, why);
        out[0] = err ? 0 : context.frame.eip;
        return err ? err : 1;
    }
    if (*text == '*')
        return at_address(s, text + 1, out, why);
    if (!strncmp(text, "0x", 2) || *text == '$')
        return at_address(s, text, out, why);
    if (colon)
        return in_file(s, text, colon, after_prologue, out, room, why);
    if (all_digits(text) || ((*text == '+' || *text == '-') && all_digits(text + 1)))
        return relative(s, text, out, room, why);
    return at_function(s, text, after_prologue, out, room, why);
}
