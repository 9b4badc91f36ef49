/* SPDX-License-Identifier: MIT */
/* The table of commands and how a line finds its row. */
#include "emu/debug/command/command_private.h"

#include <ctype.h>
#include <stdlib.h>

#define MAX_LINE 4096

static const struct command *const groups[] = {
    command_running_rows, command_break_rows,    command_catch_rows,   command_stack_rows,
    command_data_rows,    command_register_rows, command_memory_rows,  command_code_rows,
    command_machine_rows, command_past_rows,     command_debugger_rows};

const struct command *command_row(unsigned n)
{
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        for (const struct command *row = groups[g]; row->name; row++)
            if (n-- == 0)
                return row;
    return NULL;
}

const char *command_group_name(enum command_group group)
{
    static const char *const names[COMMAND_GROUPS] = {
        [COMMAND_RUNNING] = "Running",         [COMMAND_STOPPING] = "Stopping",
        [COMMAND_STACK] = "The stack",         [COMMAND_DATA] = "Data",
        [COMMAND_CODE] = "Source and code",    [COMMAND_MACHINE] = "The machine",
        [COMMAND_PAST] = "Snapshots and past", [COMMAND_DEBUGGER] = "The debugger"};
    return names[group];
}

const char *command_word(const char *args, char word[COMMAND_WORD])
{
    size_t len = strcspn(args, " \t");
    snprintf(word, COMMAND_WORD, "%.*s", (int)len, args);
    return args + len + strspn(args + len, " \t");
}

/* A command's word ends also before a /: x/4x. */
static const char *name_word(const char *line, char word[COMMAND_WORD])
{
    size_t len = 0;
    while (isalnum((unsigned char)line[len]) || line[len] == '-' || line[len] == '_')
        len++;
    if (!len && *line)
        len = 1;
    snprintf(word, COMMAND_WORD, "%.*s", (int)len, line);
    return line + len + strspn(line + len, " \t");
}

static bool in_list(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; at && *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == len && !strncmp(at, word, len))
            return true;
    return false;
}

static bool is_pair(const struct command *row)
{
    return strchr(row->name, ' ') != NULL;
}

static const struct command *find_exact(const char *word)
{
    const struct command *row;
    for (unsigned n = 0; (row = command_row(n)); n++)
        if (!strcmp(row->name, word) || in_list(row->aliases, word))
            return row;
    return NULL;
}

/* Whether `word` begins the name's first word; or is it, where `whole`. */
static bool begins(const char *name, const char *word, bool whole)
{
    size_t len = strlen(word);
    return !strncmp(name, word, len) && (!whole || name[len] == ' ' || !name[len]);
}

static int ambiguous(const char *word, const struct command *a, const struct command *b,
                     struct why *why)
{
    return why_fail(why, -EINVAL, "\"%s\" may be %s or %s: say more of it", word, a->name, b->name);
}

static int unknown(const char *word, struct why *why)
{
    return why_fail(why, -ENOENT, "there is no command \"%.60s\"; \"help\" lists them", word);
}

/* The second word of "info registers". */
static int find_second(const char *first, const char *rest, const struct command **out,
                       const char **args, struct why *why)
{
    const struct command *row, *found = NULL;
    char word[COMMAND_WORD];
    const char *behind = name_word(rest, word);
    for (unsigned n = 0; *word && (row = command_row(n)); n++) {
        if (!is_pair(row) || !begins(row->name, first, true))
            continue;
        const char *second = strchr(row->name, ' ') + 1;
        if (!strcmp(second, word) || in_list(row->aliases, word)) {
            found = row;
            break;
        }
        if (strncmp(second, word, strlen(word)))
            continue;
        if (found)
            return ambiguous(word, found, row, why);
        found = row;
    }
    if (!found)
        return why_fail(why, -EINVAL, "\"%s%s%s\" is no command; \"help %s\" lists what may follow",
                        first, *word ? " " : "", word, first);
    *out = found;
    *args = behind;
    return 0;
}

/* The first word of a row's name. */
static void head_of(const struct command *row, char head[COMMAND_WORD])
{
    snprintf(head, COMMAND_WORD, "%.*s", (int)strcspn(row->name, " "), row->name);
}

/* Exactly one name, or one group, begins with the word. */
static int find_prefix(const char *word, const char *rest, const struct command **out,
                       const char **args, struct why *why)
{
    const struct command *row, *found = NULL;
    char head[COMMAND_WORD] = "", other[COMMAND_WORD];
    for (unsigned n = 0; (row = command_row(n)); n++) {
        if (!begins(row->name, word, false))
            continue;
        head_of(row, other);
        if (found && strcmp(head, other))
            return ambiguous(word, found, row, why);
        if (!found || !is_pair(row))
            found = row;
        snprintf(head, sizeof(head), "%s", other);
    }
    if (!found)
        return unknown(word, why);
    if (is_pair(found))
        return find_second(head, rest, out, args, why);
    *out = found;
    *args = rest;
    return 0;
}

static bool is_group(const char *word)
{
    const struct command *row;
    for (unsigned n = 0; (row = command_row(n)); n++)
        if (is_pair(row) && begins(row->name, word, true))
            return true;
    return false;
}

int command_find(const char *line, const struct command **out, const char **args, struct why *why)
{
    char word[COMMAND_WORD];
    const char *rest = name_word(line + strspn(line, " \t"), word);
    if (!strcmp(word, "i"))
        snprintf(word, sizeof(word), "info");
    const struct command *row = find_exact(word);
    if (row && !is_pair(row)) {
        *out = row;
        *args = rest;
        return 0;
    }
    if (is_group(word))
        return find_second(word, rest, out, args, why);
    return find_prefix(word, rest, out, args, why);
}

static int refuse(const struct session *s, const struct command *row, struct why *why)
{
    if (s->running && strcmp(row->name, "interrupt"))
        return why_fail(why, -EBUSY, "the machine runs; \"interrupt\" stops it");
    if (s->in_gdb && row->runs)
        return why_fail(why, -EINVAL, "%s lets the machine run; from gdb use gdb's own command",
                        row->name);
    return 0;
}

/* A line of "commands" goes into the list. */
static int collect(struct session *s, const char *line, struct why *why)
{
    struct breakpoint *bp = breakpoints_find(s->breakpoints, s->collect);
    if (!strcmp(line, "end") || !bp)
        s->collect = 0;
    else if (breakpoint_add_command(bp, line))
        return why_fail(why, -ENOMEM, "no memory");
    return 0;
}

int command_run(struct session *s, const char *line, struct command_out *out, struct why *why)
{
    char trimmed[MAX_LINE];
    const struct command *row;
    const char *args;
    line += strspn(line, " \t\r\n");
    size_t len = strlen(line);
    while (len && isspace((unsigned char)line[len - 1]))
        len--;
    if (!len || *line == '#')
        return 0;
    if (len >= sizeof(trimmed))
        return why_fail(why, -EINVAL, "the line is longer than %d characters", MAX_LINE - 1);
    memcpy(trimmed, line, len);
    trimmed[len] = 0;
    if (s->collect)
        return collect(s, trimmed, why);
    int err = command_find(trimmed, &row, &args, why);
    if (!err)
        err = refuse(s, row, why);
    return err ? err : row->run(s, args, out, why);
}

int command_no_args(const char *args, struct why *why)
{
    return *args ? why_fail(why, -EINVAL, "this takes no argument: \"%.60s\"", args) : 0;
}

int command_count(struct session *s, const char *args, uint64_t otherwise, uint64_t *out,
                  struct why *why)
{
    struct expr_context context;
    int64_t n;
    *out = otherwise;
    if (!*args)
        return 0;
    int err = session_context(s, &context, why);
    if (!err)
        err = expr_number(&context, args, NULL, &n, why);
    if (!err && n < 0)
        err = why_fail(why, -EINVAL, "%lld is negative", (long long)n);
    if (!err)
        *out = (uint64_t)n;
    return err;
}

const char *command_take_format(const char *args, struct command_format *f, struct why *why)
{
    static const char sizes[] = "bhwg", formats[] = "xduotcasfiz";
    char *end = (char *)args;
    if (*args != '/')
        return args;
    args++;
    if (isdigit((unsigned char)*args)) {
        f->count = strtoul(args, &end, 10);
        args = end;
    }
    for (; *args && *args != ' ' && *args != '\t'; args++) {
        const char *size = strchr(sizes, *args);
        if (size)
            f->size = 1u << (size - sizes);
        else if (strchr(formats, *args))
            f->format = *args;
        else {
            why_fail(why, -EINVAL,
                     "'%c' is no format; say /COUNT, one of %s and one of %s (x/8xw $esp)", *args,
                     formats, sizes);
            return NULL;
        }
    }
    return args + strspn(args, " \t");
}
