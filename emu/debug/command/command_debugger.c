/* SPDX-License-Identifier: MIT */
/* The debugger itself: help, command files, the end. */
#include "emu/debug/command/command_private.h"

#include <stdlib.h>

#define MAX_SOURCE_DEPTH 16u

static void each_alias(const char *aliases, FILE *out)
{
    for (const char *at = aliases; at && *at;) {
        size_t len = strcspn(at, " ");
        fprintf(out, ", %.*s", (int)len, at);
        at += len + (at[len] == ' ');
    }
}

void command_print_help(const struct command *row, FILE *out)
{
    fprintf(out, "%s", row->name);
    each_alias(row->aliases, out);
    fprintf(out, " -- %s\n\n  %s%s%s\n", row->summary, row->name, *row->syntax ? " " : "",
            row->syntax);
    if (row->help)
        fprintf(out, "\n%s\n", row->help);
    fprintf(out, "\nExample: %s\n", row->example);
}

static void print_markdown(const struct command *row, FILE *out)
{
    fprintf(out, "- `%s%s%s`", row->name, *row->syntax ? " " : "", row->syntax);
    if (row->aliases)
        fprintf(out, " (%s)", row->aliases);
    fprintf(out, ": %s.", row->summary);
    for (const char *at = row->help; at && *at;) {
        size_t len = strcspn(at, "\n");
        fprintf(out, "\n  %.*s", (int)len, at);
        at += len + (at[len] == '\n');
    }
    fprintf(out, "\n  Example: `%s`\n", row->example);
}

void command_print_reference(FILE *out, bool markdown)
{
    const struct command *row;
    for (unsigned group = 0; group < COMMAND_GROUPS; group++) {
        fprintf(out, markdown ? "\n### %s\n\n" : "\n%s\n\n", command_group_name(group));
        for (unsigned n = 0; (row = command_row(n)); n++) {
            if (row->group != group)
                continue;
            if (markdown)
                print_markdown(row, out);
            else
                fprintf(out, "  %-18s %s\n", row->name, row->summary);
        }
    }
}

static void help_field(const struct command *row, struct command_out *out)
{
    out_object(out, NULL);
    out_string(out, "name", "%s", row->name);
    out_string(out, "aliases", "%s", row->aliases ? row->aliases : "");
    out_string(out, "syntax", "%s", row->syntax);
    out_string(out, "summary", "%s", row->summary);
    out_string(out, "help", "%s", row->help ? row->help : "");
    out_string(out, "example", "%s", row->example);
    out_close(out);
}

/* Rows whose name begins with the word: "help info". */
static unsigned list_beginning(const char *word, struct command_out *out)
{
    const struct command *row;
    size_t len = strlen(word);
    unsigned found = 0;
    for (unsigned n = 0; (row = command_row(n)); n++) {
        if (strncmp(row->name, word, len) || (row->name[len] != ' ' && row->name[len]))
            continue;
        found++;
        out_text(out, "  %-18s %s\n", row->name, row->summary);
        help_field(row, out);
    }
    return found;
}

static int run_help(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const struct command *row;
    const char *rest;
    (void)s;
    if (!*args || !strcmp(args, "all")) {
        command_print_reference(out->file, false);
        out_text(out, "\nhelp COMMAND tells more of one. Names may be shortened.\n");
        out_list(out, "commands");
        for (unsigned n = 0; (row = command_row(n)); n++)
            help_field(row, out);
        out_close(out);
        return 0;
    }
    if (!command_find(args, &row, &rest, why)) {
        command_print_help(row, out->file);
        out_list(out, "commands");
        help_field(row, out);
        out_close(out);
        return 0;
    }
    out_list(out, "commands");
    unsigned found = list_beginning(args, out);
    out_close(out);
    return found
               ? 0
               : why_fail(why, -ENOENT, "there is no command \"%.60s\"; \"help\" lists them", args);
}

static int run_quit(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    (void)out;
    int err = command_no_args(args, why);
    if (!err)
        s->quit = true;
    return err;
}

static int run_lines(struct session *s, FILE *file, const char *path, struct command_out *out,
                     struct why *why)
{
    char *line = NULL;
    size_t room = 0;
    int err = 0;
    for (unsigned n = 1; !err && !s->quit && getline(&line, &room, file) > 0; n++) {
        struct why inner;
        err = command_run(s, line, out, &inner);
        fflush(out->file);
        if (err)
            why_fail(why, err, "%s:%u: %.240s", path, n, inner.text);
    }
    free(line);
    return err;
}

int command_source(struct session *s, const char *path, struct command_out *out, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return why_fail(why, -errno, "cannot read the commands of %s: %s", path, strerror(errno));
    int err = s->depth >= MAX_SOURCE_DEPTH
                  ? why_fail(why, -ELOOP, "command files read each other without end: %s", path)
                  : 0;
    s->depth++;
    if (!err)
        err = run_lines(s, file, path, out, why);
    s->depth--;
    fclose(file);
    return err;
}

static int run_source(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    if (!*args)
        return why_fail(why, -EINVAL, "which file? source FILE");
    return command_source(s, args, out, why);
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, fn)                    \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_DEBUGGER, .complete = complete_, .run = fn           \
    }

const struct command command_debugger_rows[] = {
    ROW("help", "h", "[COMMAND]", "what can be done, or more of one command", NULL, "help break",
        COMPLETE_COMMAND, run_help),
    ROW("source", NULL, "FILE", "run the commands of a file",
        "It ends at the first command that fails.", "source commands", COMPLETE_FILE, run_source),
    ROW("quit", "q exit", "", "end the session and the VMs", NULL, "quit", COMPLETE_NOTHING,
        run_quit),
    {.name = NULL},
};
