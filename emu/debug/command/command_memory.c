/* SPDX-License-Identifier: MIT */
/* The guest's memory: looking at it, searching, writing, files of the host. */
#include "emu/debug/command/command_private.h"
#include "emu/debug/disassemble.h"

#include <ctype.h>
#include <stdlib.h>

#define MAX_UNITS 1000000u
#define MAX_PATTERN 256u
#define CHUNK (64 * 1024u)
#define MEMORY_END INT64_C(0x100000000)

static int no_memory(uint32_t address, struct why *why)
{
    return why_fail(why, -EFAULT, "there is no memory at 0x%x", address);
}

static int read_linear(struct session *s, uint32_t address, void *out, uint64_t len,
                       struct why *why)
{
    if (s->target->ops->read(s->target, TARGET_LINEAR, address, out, len))
        return no_memory(address, why);
    return 0;
}

static void unit_value(const struct command_format *f, const uint8_t *bytes, struct value *out)
{
    uint64_t n = 0;
    memcpy(&n, bytes, f->size);
    *out = value_integer((int64_t)n, f->size, f->format == 'd');
    if (f->format == 'f') {
        *out = (struct value){.place = VALUE_BYTES};
        type_builtin(f->size == 8 ? "double" : "float", &out->type);
        memcpy(out->bytes, bytes, f->size);
    }
    memcpy(out->bytes, bytes, f->size);
}

static void tell_unit(struct session *s, const struct command_format *f, const uint8_t *bytes,
                      struct command_out *out)
{
    struct value v;
    uint64_t n = 0;
    unit_value(f, bytes, &v);
    memcpy(&n, bytes, f->size);
    out_number(out, NULL, (int64_t)n);
    out_text(out, "\t");
    value_print(s->target, session_symbols(s), &v, f->format == 'x' ? 'z' : f->format, out->file);
}

static unsigned per_line(const struct command_format *f)
{
    if (f->format == 'c')
        return 8;
    if (f->format == 'a' || f->size == 8)
        return 2;
    return f->size == 1 ? 8 : f->size == 2 ? 8 : 4;
}

static int show_units(struct session *s, const struct command_format *f, uint32_t at,
                      struct command_out *out, struct why *why)
{
    char text[SYMBOLS_TEXT];
    uint8_t bytes[8];
    unsigned width = per_line(f);
    int err = 0;
    for (uint64_t i = 0; i < f->count && !err; i++, at += f->size) {
        if (i && at < f->size)
            return why_fail(why, -EFAULT, "here memory ends");
        err = read_linear(s, at, bytes, f->size, why);
        if (err && i % width)
            out_text(out, "\n");
        else if (err)
            break;
        else if (i % width == 0)
            out_text(out, "0x%08x%s:", at, symbols_text(session_symbols(s), at, text));
        if (err)
            break;
        tell_unit(s, f, bytes, out);
        if (i % width == width - 1 || i + 1 == f->count)
            out_text(out, "\n");
    }
    s->next_examine = at;
    return err;
}

static int show_strings(struct session *s, const struct command_format *f, uint32_t at,
                        struct command_out *out, struct why *why)
{
    char text[SYMBOLS_TEXT], c;
    struct value v = value_integer(0, 4, false);
    struct type to;
    type_builtin("char", &to);
    v.type = type_pointer_to(&to);
    for (uint64_t i = 0; i < f->count; i++) {
        int err = read_linear(s, at, &c, 1, why);
        if (err)
            return err;
        out_text(out, "0x%08x%s:\t", at, symbols_text(session_symbols(s), at, text));
        memcpy(v.bytes, &at, 4);
        value_print(s->target, NULL, &v, 's', out->file);
        out_text(out, "\n");
        for (unsigned n = 0; n < 200 && !read_linear(s, at, &c, 1, NULL); n++, at++)
            if (!c)
                break;
        at++;
    }
    s->next_examine = at;
    return 0;
}

static int show_instructions(struct session *s, const struct command_format *f, uint32_t at,
                             struct command_out *out, struct why *why)
{
    uint32_t eip = target_eip(s->target);
    uint8_t byte;
    for (uint64_t i = 0; i < f->count; i++) {
        int err = read_linear(s, at, &byte, 1, why);
        if (err)
            return err;
        at += disassemble_one(s, at, at == eip ? "=> " : "   ", out);
    }
    s->next_examine = at;
    return 0;
}

/* Where to: an address, or a value in memory stands for its own place if it is an array. */
static int examine_at(struct session *s, const char *args, uint32_t *at, struct why *why)
{
    if (*args)
        return session_address(s, args, NULL, at, why);
    *at = s->next_examine;
    return 0;
}

static int run_x(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct command_format f = {1, s->examine_format, 0};
    uint32_t at;
    args = command_take_format(args, &f, why);
    if (!args)
        return -EINVAL;
    if (!s->target)
        return why_fail(why, -ESRCH, "there is no VM");
    if (f.count > MAX_UNITS)
        return why_fail(why, -EINVAL, "%u units at most", MAX_UNITS);
    if (!f.size)
        f.size = f.format == 'c' ? 1 : f.format == 'a' ? 4 : s->examine_size;
    if (f.format == 'f' && f.size < 4)
        f.size = 4;
    int err = examine_at(s, args, &at, why);
    if (err)
        return err;
    s->examine_format = f.format;
    if (f.format != 'c' && f.format != 'a' && f.format != 's' && f.format != 'i')
        s->examine_size = f.size;
    out_number(out, "address", at);
    out_list(out, f.format == 'i' ? "instructions" : "values");
    if (f.format == 'i')
        err = show_instructions(s, &f, at, out, why);
    else if (f.format == 's')
        err = show_strings(s, &f, at, out, why);
    else
        err = show_units(s, &f, at, out, why);
    out_close(out);
    return err;
}

/* "TEXT" or numbers of a size each: the bytes to search for or to write. */
static int take_pattern(struct session *s, const char *args, unsigned size,
                        uint8_t bytes[MAX_PATTERN], unsigned *len, struct why *why)
{
    static const char *const what[] = {[1] = "a byte", [2] = "a halfword", [4] = "a word"};
    const int64_t high = size == 8 ? INT64_MAX : (INT64_C(1) << 8 * size) - 1;
    const int64_t low = size == 8 ? INT64_MIN : -(INT64_C(1) << (8 * size - 1));
    int err = 0;
    *len = 0;
    if (*args == '"') {
        for (args++; *args && *args != '"' && *len < MAX_PATTERN; args++)
            bytes[(*len)++] = (uint8_t)*args;
        return *args == '"' && *len ? 0 : why_fail(why, -EINVAL, "the closing \" is missing");
    }
    while (*args && *len + size <= MAX_PATTERN) {
        int64_t n;
        err = session_number(s, args, &args, size == 8 ? "this" : what[size], low, high, &n, why);
        if (err)
            return err;
        memcpy(bytes + *len, &n, size);
        *len += size;
        args += strspn(args, " ,");
    }
    if (*args)
        return why_fail(why, -E2BIG, "a pattern is of %u bytes at most", MAX_PATTERN);
    if (!*len)
        err = why_fail(why, -EINVAL, "numbers or a \"text\" should follow");
    return err;
}

/* Reads in pieces that overlap by the pattern; unreadable pages are skipped. */
static unsigned search(struct session *s, uint64_t at, uint64_t end, const uint8_t *pattern,
                       unsigned len, uint64_t limit, struct command_out *out)
{
    char text[SYMBOLS_TEXT];
    uint8_t *piece = malloc(PAGE_SIZE + MAX_PATTERN);
    unsigned found = 0;
    while (piece && at < end && end - at >= len && found < limit) {
        uint64_t page = (at | PAGE_MASK) - at + 1, room = end - at;
        uint64_t have = page + len - 1 < room ? page + len - 1 : room;
        while (have >= len && s->target->ops->read(s->target, TARGET_LINEAR, at, piece, have))
            have = have > page ? page : 0;
        for (uint64_t i = 0; have >= len && i <= have - len && found < limit; i++) {
            uint32_t here = (uint32_t)(at + i);
            if (memcmp(piece + i, pattern, len))
                continue;
            out_text(out, "0x%08x%s\n", here, symbols_text(session_symbols(s), here, text));
            out_number(out, NULL, here);
            found++;
        }
        at += page;
    }
    free(piece);
    return found;
}

static int run_search(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct command_format f = {1000, 'x', 4};
    uint32_t from;
    int64_t to = 0;
    uint8_t pattern[MAX_PATTERN];
    unsigned len = 0;
    args = command_take_format(args, &f, why);
    if (!args)
        return -EINVAL;
    int err = session_address(s, args, &args, &from, why);
    args += err ? 0 : strspn(args, " ,");
    if (!err)
        err = session_number(s, args, &args, "the end", (int64_t)from + 1, MEMORY_END, &to, why);
    args += err ? 0 : strspn(args, " ,");
    if (!err)
        err = take_pattern(s, args, f.size, pattern, &len, why);
    if (err)
        return err;
    out_list(out, "found");
    unsigned found = search(s, from, (uint64_t)to, pattern, len, f.count, out);
    out_close(out);
    out_text(out, "%u found.\n", found);
    return 0;
}

static int run_write(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct command_format f = {1, 'x', 1};
    uint32_t at;
    uint8_t bytes[MAX_PATTERN];
    unsigned len;
    args = command_take_format(args, &f, why);
    if (!args)
        return -EINVAL;
    int err = session_address(s, args, &args, &at, why);
    if (!err)
        err = take_pattern(s, args + strspn(args, " ,"), f.size, bytes, &len, why);
    if (!err && s->target->ops->write(s->target, TARGET_LINEAR, at, bytes, len))
        err = no_memory(at, why);
    if (!err)
        out_text(out, "%u bytes written at 0x%x.\n", len, at);
    return err;
}

static int copy_out(struct session *s, FILE *file, uint64_t at, uint64_t len, struct why *why)
{
    uint8_t *piece = malloc(CHUNK);
    int err = piece ? 0 : why_fail(why, -ENOMEM, "no memory");
    while (!err && len) {
        uint32_t now = len < CHUNK ? (uint32_t)len : CHUNK;
        err = read_linear(s, (uint32_t)at, piece, now, why);
        if (!err && fwrite(piece, 1, now, file) != now)
            err = why_fail(why, -EIO, "cannot write the file: %s", strerror(errno));
        at += now;
        len -= now;
    }
    free(piece);
    return err;
}

/* FILE ADDRESS LENGTH */
static int take_range(struct session *s, const char *args, char path[COMMAND_WORD], uint32_t *at,
                      int64_t *len, struct why *why)
{
    args = command_word(args, path);
    if (!*path || !*args)
        return why_fail(why, -EINVAL, "say FILE ADDRESS LENGTH");
    int err = session_address(s, args, &args, at, why);
    if (err)
        return err;
    args += strspn(args, " ,");
    if (!*args)
        return why_fail(why, -EINVAL, "how many bytes? Say FILE ADDRESS LENGTH");
    return session_number(s, args, NULL, "the length", 1, MEMORY_END - *at, len, why);
}

static int run_dump(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    char path[COMMAND_WORD];
    uint32_t at;
    int64_t len;
    int err = take_range(s, args, path, &at, &len, why);
    if (err)
        return err;
    FILE *file = fopen(path, "wbe");
    if (!file)
        return why_fail(why, -errno, "cannot write %s: %s", path, strerror(errno));
    err = copy_out(s, file, at, (uint64_t)len, why);
    if (fclose(file) && !err)
        err = why_fail(why, -EIO, "cannot write %s: %s", path, strerror(errno));
    if (!err)
        out_text(out, "%lld bytes from 0x%x are in %s.\n", (long long)len, at, path);
    return err;
}

static int run_restore(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    char path[COMMAND_WORD];
    uint8_t piece[4096];
    uint32_t at = 0, total = 0;
    args = command_word(args, path);
    if (!*path || !*args)
        return why_fail(why, -EINVAL, "say FILE ADDRESS");
    int err = session_address(s, args, NULL, &at, why);
    FILE *file = err ? NULL : fopen(path, "rbe");
    if (!err && !file)
        return why_fail(why, -errno, "cannot read %s: %s", path, strerror(errno));
    for (size_t n; !err && (n = fread(piece, 1, sizeof(piece), file)); total += (uint32_t)n)
        if (s->target->ops->write(s->target, TARGET_LINEAR, (uint64_t)at + total, piece, n))
            err = no_memory(at + total, why);
    if (file)
        fclose(file);
    if (!err)
        out_text(out, "%u bytes of %s are at 0x%x.\n", total, path, at);
    return err;
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, fn)                    \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_DATA, .complete = complete_, .run = fn               \
    }

const struct command command_memory_rows[] = {
    ROW("x", NULL, "[/COUNT FORMAT SIZE] [ADDRESS]", "look at memory",
        "FORMAT: x d u o t c a f, s for text, i for instructions. SIZE: b h w g for 1, 2, 4, 8 "
        "bytes.\nWithout an address it goes on where the last one ended. ADDRESS is any "
        "expression.",
        "x/8xw $esp", COMPLETE_EXPRESSION, run_x),
    ROW("search", "find", "[/COUNT SIZE] FROM, TO, NUMBER... | \"TEXT\"", "search memory",
        "FROM to before TO. NUMBERs are SIZE wide each (w, unless said).",
        "search 0x20000, 0x30000, \"rent\"", COMPLETE_EXPRESSION, run_search),
    ROW("write", NULL, "[/SIZE] ADDRESS NUMBER... | \"TEXT\"", "write bytes into memory",
        "NUMBERs are bytes unless SIZE (h w g) says otherwise. Watchpoints do not see it.\nA "
        "comma behind ADDRESS keeps a negative NUMBER from being taken off it.",
        "write &accounts[3].name \"x\"", COMPLETE_EXPRESSION, run_write),
    ROW("dump", NULL, "FILE ADDRESS LENGTH", "write memory into a file of the host", NULL,
        "dump memory.bin 0x20000 4096", COMPLETE_FILE, run_dump),
    ROW("restore", NULL, "FILE ADDRESS", "write a file of the host into memory", NULL,
        "restore memory.bin 0x20000", COMPLETE_FILE, run_restore),
    {.name = NULL},
};
