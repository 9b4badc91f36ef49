/* SPDX-License-Identifier: MIT */
/* Breakpoints and watchpoints: setting, changing, listing. */
#include "emu/debug/command/command_private.h"

#include <ctype.h>
#include <stdlib.h>

/* Where " if " begins in `args`; the text before it is copied to `before`. NULL: there is none. */
static const char *split_condition(const char *args, char *before, size_t room)
{
    const char *at = args;
    for (; *at; at++) {
        bool word = !strncmp(at, "if", 2) && (!at[2] || at[2] == ' ' || at[2] == '(') &&
                    (at == args || at[-1] == ' ');
        if (word)
            break;
    }
    size_t len = (size_t)(at - args);
    while (len && args[len - 1] == ' ')
        len--;
    snprintf(before, room, "%.*s", (int)len, args);
    return *at ? at + 2 + strspn(at + 2, " ") : NULL;
}

/* A condition must at least make sense where it is written, unless it names what is not here. */
static int check_condition(struct session *s, const char *condition, struct why *why)
{
    struct expr_context context;
    struct value v;
    struct why inner;
    if (!condition || !*condition)
        return condition ? why_fail(why, -EINVAL, "a condition should follow \"if\"") : 0;
    if (session_context(s, &context, &inner) ||
        expr_evaluate(&context, condition, NULL, &v, &inner) != -EINVAL)
        return 0;
    return why_fail(why, -EINVAL, "the condition makes no sense: %s", inner.text);
}

static void tell_place(struct session *s, uint32_t address, struct command_out *out)
{
    struct symbols_line line;
    char text[SYMBOLS_TEXT];
    struct symbols *symbols = session_symbols(s);
    out_text(out, "0x%08x", address);
    if (symbols_line_at(symbols, address, &line))
        out_text(out, ": file %s, line %d.", session_file(s, line.file), line.line);
    else
        out_text(out, "%s", symbols_text(symbols, address, text));
}

static void tell_new(struct session *s, const struct breakpoint *bp, struct command_out *out)
{
    static const char *const watches[] = {"", "Read watchpoint", "Watchpoint", "Access watchpoint"};
    if (bp->kind == BREAKPOINT_WATCH) {
        out_text(out, "%s %u: %s", watches[bp->access & 3], bp->number, bp->spec);
    } else {
        out_text(out, "%s %u at ", bp->temporary ? "Temporary breakpoint" : "Breakpoint",
                 bp->number);
        tell_place(s, bp->place[0], out);
        if (bp->places > 1)
            out_text(out, " (%u locations)", bp->places);
    }
    out_text(out, "\n");
    out_number(out, "breakpoint", bp->number);
    out_number(out, "address", bp->place[0]);
}

static int add_break(struct session *s, const char *args, bool temporary, struct command_out *out,
                     struct why *why)
{
    char spec[512];
    struct breakpoint like = {.kind = BREAKPOINT_CODE,
                              .enabled = true,
                              .temporary = temporary,
                              .spec = spec},
                      *bp;
    like.condition = (char *)split_condition(args, spec, sizeof(spec));
    int n = session_place(s, spec, true, like.place, BREAKPOINT_PLACES, why);
    if (n >= 0)
        n = check_condition(s, like.condition, why) ? -EINVAL : n;
    if (n < 0)
        return n;
    like.places = (unsigned)n;
    like.target = s->target->id;
    int err = breakpoints_add(s->breakpoints, &like, &bp, why);
    if (!err)
        tell_new(s, bp, out);
    return err;
}

static int run_break(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return add_break(s, args, false, out, why);
}

static int run_tbreak(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return add_break(s, args, true, out, why);
}

/* What is to be watched: where an expression's value lies. */
static int watched(struct session *s, const char *spec, struct breakpoint *like, struct why *why)
{
    struct expr_context context;
    struct value v;
    int err = session_context(s, &context, why);
    if (!err)
        err = expr_evaluate(&context, spec, NULL, &v, why);
    if (err)
        return err;
    if (v.place != VALUE_MEMORY)
        return why_fail(why, -EINVAL,
                        "\"%.60s\" is not in memory; to watch an address say *(u32 *)0x1234", spec);
    like->place[0] = v.address;
    like->len[0] = v.bits ? (v.bit_offset + v.bits + 7u) / 8 : type_size(&v.type);
    like->places = 1;
    if (!like->len[0])
        return why_fail(why, -EINVAL, "its size is not known; cast it: *(u32 *)&%.40s", spec);
    return 0;
}

static int add_watch(struct session *s, const char *args, enum cpu_watch_access access,
                     struct command_out *out, struct why *why)
{
    char spec[512];
    struct breakpoint like = {.kind = BREAKPOINT_WATCH,
                              .enabled = true,
                              .access = (uint8_t)access,
                              .spec = spec},
                      *bp;
    like.condition = (char *)split_condition(args, spec, sizeof(spec));
    if (!*spec)
        return why_fail(why, -EINVAL, "watch what? Say a variable, or *(u32 *)ADDRESS");
    int err = watched(s, spec, &like, why);
    if (!err)
        err = check_condition(s, like.condition, why);
    if (err)
        return err;
    like.target = s->target->id;
    err = breakpoints_add(s->breakpoints, &like, &bp, why);
    if (!err)
        tell_new(s, bp, out);
    return err;
}

static int run_watch(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return add_watch(s, args, CPU_WATCH_WRITE, out, why);
}

static int run_rwatch(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return add_watch(s, args, CPU_WATCH_READ, out, why);
}

static int run_awatch(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return add_watch(s, args, CPU_WATCH_ACCESS, out, why);
}

/* A breakpoint by the number that args begins with; `*rest` is what follows. */
static struct breakpoint *take_number(struct session *s, const char *args, const char **rest,
                                      struct why *why)
{
    char *end;
    unsigned long n = strtoul(args, &end, 10);
    struct breakpoint *bp =
        end > args && n <= UINT32_MAX ? breakpoints_find(s->breakpoints, (unsigned)n) : NULL;
    *rest = end + strspn(end, " \t");
    if (end == args)
        why_fail(why, -EINVAL,
                 "the number of a breakpoint should come first; \"info breakpoints\" "
                 "lists them");
    else if (!bp)
        why_fail(why, -ENOENT, "there is no breakpoint %lu; \"info breakpoints\" lists them", n);
    return bp;
}

static int run_condition(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    const char *rest;
    struct breakpoint *bp = take_number(s, args, &rest, why);
    int err = bp ? 0 : -EINVAL;
    if (!err && *rest)
        err = check_condition(s, rest, why);
    if (!err && breakpoint_set_condition(bp, rest))
        err = why_fail(why, -ENOMEM, "no memory");
    if (!err && !*rest)
        out_text(out, "Breakpoint %u now unconditional.\n", bp->number);
    return err;
}

static int run_ignore(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const char *rest;
    uint64_t count;
    struct breakpoint *bp = take_number(s, args, &rest, why);
    if (!bp)
        return -EINVAL;
    int err = command_count(s, rest, 0, &count, why);
    if (err)
        return err;
    bp->ignore = count;
    out_text(out, "Will ignore next %llu crossings of breakpoint %u.\n", (unsigned long long)count,
             bp->number);
    return 0;
}

/* "1 print x; continue", or the number alone: then lines up to "end" follow. */
static int run_commands(struct session *s, const char *args, struct command_out *out,
                        struct why *why)
{
    struct breakpoint *bp = NULL, *last;
    const char *rest = args;
    if (isdigit((unsigned char)*args) || !*args) {
        if (*args)
            bp = take_number(s, args, &rest, why);
        else
            for (last = breakpoints_next(s->breakpoints, NULL); last;
                 last = breakpoints_next(s->breakpoints, last))
                bp = last;
    }
    if (!bp)
        return *args && isdigit((unsigned char)*args)
                   ? -ENOENT
                   : why_fail(why, -EINVAL, "commands of which breakpoint? Say its number");
    breakpoint_clear_commands(bp);
    if (!*rest) {
        s->collect = bp->number;
        return 0;
    }
    while (*rest) {
        char line[1024];
        size_t len = strcspn(rest, ";");
        snprintf(line, sizeof(line), "%.*s", (int)len, rest);
        if (breakpoint_add_command(bp, line + strspn(line, " ")))
            return why_fail(why, -ENOMEM, "no memory");
        rest += len + (rest[len] == ';');
        rest += strspn(rest, " ");
    }
    (void)out;
    return 0;
}

typedef int (*each_fn)(struct session *s, struct breakpoint *bp, struct why *why);

/* For "1 3 5-7", or for all where nothing is said. */
static int each(struct session *s, const char *args, each_fn fn, struct why *why)
{
    int err = 0;
    if (!*args) {
        struct breakpoint *bp = breakpoints_next(s->breakpoints, NULL), *next;
        for (; bp && !err; bp = next) {
            next = breakpoints_next(s->breakpoints, bp);
            err = fn(s, bp, why);
        }
        return err;
    }
    while (*args && !err) {
        const char *rest;
        struct breakpoint *bp = take_number(s, args, &rest, why);
        unsigned last = bp ? bp->number : 0;
        if (!bp)
            return -ENOENT;
        if (*rest == '-') {
            struct breakpoint *end = take_number(s, rest + 1, &rest, why);
            if (!end)
                return -ENOENT;
            last = end->number;
        }
        for (struct breakpoint *next; bp && bp->number <= last && !err; bp = next) {
            next = breakpoints_next(s->breakpoints, bp);
            err = fn(s, bp, why);
        }
        args = rest;
    }
    return err;
}

static int enable_one(struct session *s, struct breakpoint *bp, struct why *why)
{
    return breakpoints_enable(s->breakpoints, bp, true, why);
}

static int disable_one(struct session *s, struct breakpoint *bp, struct why *why)
{
    return breakpoints_enable(s->breakpoints, bp, false, why);
}

static int delete_one(struct session *s, struct breakpoint *bp, struct why *why)
{
    (void)why;
    breakpoints_remove(s->breakpoints, bp);
    return 0;
}

static int run_enable(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    (void)out;
    return each(s, args, enable_one, why);
}

static int run_disable(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    (void)out;
    return each(s, args, disable_one, why);
}

static int run_delete(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    (void)out;
    return each(s, args, delete_one, why);
}

static const char *type_name(const struct breakpoint *bp)
{
    static const char *const watches[] = {"", "read watchpoint", "watchpoint", "acc watchpoint"};
    if (bp->kind == BREAKPOINT_WATCH)
        return watches[bp->access & 3];
    return bp->kind == BREAKPOINT_CATCH ? "catchpoint" : "breakpoint";
}

static void list_place(struct session *s, struct target *target, uint32_t address,
                       struct command_out *out)
{
    struct session_vm *vm = session_vm(s, target);
    struct symbols_line line;
    char text[SYMBOLS_TEXT];
    if (!vm)
        return;
    out_text(out, "0x%08x%s", address, symbols_text(vm->symbols, address, text));
    if (symbols_line_at(vm->symbols, address, &line))
        out_text(out, " at %s:%d", session_file(s, line.file), line.line);
}

static void list_details(const struct breakpoint *bp, struct command_out *out)
{
    if (bp->condition)
        out_text(out, "\tstop only if %s\n", bp->condition);
    if (bp->hits)
        out_text(out, "\t%s already hit %llu time%s\n",
                 bp->kind == BREAKPOINT_CODE ? "breakpoint" : type_name(bp),
                 (unsigned long long)bp->hits, bp->hits == 1 ? "" : "s");
    if (bp->ignore)
        out_text(out, "\tignore next %llu hits\n", (unsigned long long)bp->ignore);
    for (size_t i = 0; bp->commands && bp->commands[i]; i++)
        out_text(out, "        %s\n", bp->commands[i]);
}

static void list_fields(const struct breakpoint *bp, struct command_out *out)
{
    out_object(out, NULL);
    out_number(out, "number", bp->number);
    out_string(out, "type", "%s", type_name(bp));
    out_number(out, "vm", bp->target);
    out_bool(out, "enabled", bp->enabled);
    out_bool(out, "temporary", bp->temporary);
    out_string(out, "what", "%s", bp->spec);
    out_list(out, "addresses");
    for (unsigned n = 0; n < bp->places; n++)
        out_number(out, NULL, bp->place[n]);
    out_close(out);
    if (bp->condition)
        out_string(out, "condition", "%s", bp->condition);
    out_number(out, "hits", (int64_t)bp->hits);
    out_number(out, "ignore", (int64_t)bp->ignore);
    out_close(out);
}

static void list_one(struct session *s, const struct breakpoint *bp, struct command_out *out)
{
    struct target *target = loop_find(s->loop, bp->target);
    out_text(out, "%-7u %-15s %-4s %-3c ", bp->number, type_name(bp),
             bp->temporary ? "del" : "keep", bp->enabled ? 'y' : 'n');
    if (bp->kind == BREAKPOINT_CODE && target)
        list_place(s, target, bp->place[0], out);
    else
        out_text(out, "%s", bp->spec);
    if (loop_targets(s->loop) > 1)
        out_text(out, " in VM %u", bp->target);
    out_text(out, "\n");
    for (unsigned n = 1; bp->kind == BREAKPOINT_CODE && target && n < bp->places; n++) {
        out_text(out, "%u.%-29u ", bp->number, n + 1);
        list_place(s, target, bp->place[n], out);
        out_text(out, "\n");
    }
    list_details(bp, out);
    list_fields(bp, out);
}

/* What gdb has set is in the engine alone. */
static unsigned list_foreign(struct session *s, struct target *target, struct command_out *out)
{
    const struct cpu_debug *d = target_cpu(target)->debug;
    unsigned count = 0;
    for (uint32_t i = 0; d && i < d->breaks_count; i++) {
        uint32_t at = d->breaks[i].linear;
        if (d->breaks[i].count <= breakpoints_count_at(s->breakpoints, target, at))
            continue;
        out_text(out, "gdb     breakpoint      keep y   ");
        list_place(s, target, at, out);
        out_text(out, "\n");
        count++;
    }
    return count;
}

static int run_info(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    unsigned count = 0;
    int err = command_no_args(args, why);
    if (err)
        return err;
    if (breakpoints_next(s->breakpoints, NULL))
        out_text(out, "Num     Type            Disp Enb What\n");
    out_list(out, "breakpoints");
    for (struct breakpoint *bp = NULL; (bp = breakpoints_next(s->breakpoints, bp)); count++)
        list_one(s, bp, out);
    out_close(out);
    for (unsigned n = 0; n < loop_targets(s->loop); n++)
        count += list_foreign(s, loop_target(s->loop, n), out);
    if (!count)
        out_text(out, "No breakpoints or watchpoints.\n");
    return 0;
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, fn)                    \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_STOPPING, .complete = complete_, .run = fn           \
    }

#define PLACES                                                                                     \
    "PLACE is a function, FILE:LINE, LINE of the present file, +N or -N lines from here, an\n"     \
    "address as 0x20010, or *EXPRESSION; nothing means the present instruction.\n"                 \
    "With \"if\", it only stops when the expression is not 0."

const struct command command_break_rows[] = {
    ROW("break", "b br", "[PLACE] [if CONDITION]", "stop when control comes to a place", PLACES,
        "break audit if accounts[0].balance < 0", COMPLETE_PLACE, run_break),
    ROW("tbreak", "tb", "[PLACE] [if CONDITION]", "the same, once", PLACES, "tbreak accounts.c:66",
        COMPLETE_PLACE, run_tbreak),
    ROW("watch", NULL, "EXPRESSION [if CONDITION]", "stop when a write changes the value",
        "The value must lie in memory; to watch an address say *(u32 *)0x1234. It stops after the\n"
        "instruction that wrote, and tells the old and the new value. Where the expression's\n"
        "value lies is found out once: a local variable's place is watched also after its "
        "function\nhas returned.",
        "watch accounts[1].balance if accounts[1].balance < 0", COMPLETE_EXPRESSION, run_watch),
    ROW("rwatch", NULL, "EXPRESSION [if CONDITION]", "stop when the value is read", NULL,
        "rwatch accounts[1].balance", COMPLETE_EXPRESSION, run_rwatch),
    ROW("awatch", NULL, "EXPRESSION [if CONDITION]", "stop when the value is read or written", NULL,
        "awatch accounts[1].balance", COMPLETE_EXPRESSION, run_awatch),
    ROW("condition", NULL, "NUMBER [CONDITION]", "change a breakpoint's condition, or take it away",
        NULL, "condition 1 amount > 10", COMPLETE_EXPRESSION, run_condition),
    ROW("ignore", NULL, "NUMBER COUNT", "pass over a breakpoint's next COUNT hits", NULL,
        "ignore 1 2", COMPLETE_NOTHING, run_ignore),
    ROW("commands", NULL, "[NUMBER [COMMAND; ...]]", "commands to run when a breakpoint stops",
        "Without commands behind the number, the lines that follow up to \"end\" are taken. A\n"
        "first line \"silent\" keeps the stop from being told.",
        "commands 1 print amount; continue", COMPLETE_NOTHING, run_commands),
    ROW("enable", NULL, "[NUMBER...]", "let breakpoints stop again",
        "Numbers may be ranges as 2-5; nothing means all.", "enable 1", COMPLETE_NOTHING,
        run_enable),
    ROW("disable", "dis", "[NUMBER...]", "keep breakpoints, but do not stop there", NULL,
        "disable 1", COMPLETE_NOTHING, run_disable),
    ROW("delete", "d", "[NUMBER...]", "take breakpoints away; all where nothing is said", NULL,
        "delete 1", COMPLETE_NOTHING, run_delete),
    ROW("info breakpoints", "b watchpoints", "", "list breakpoints, watchpoints and catchpoints",
        "Those that an attached gdb has set are listed as \"gdb\".", "info breakpoints",
        COMPLETE_NOTHING, run_info),
    {.name = NULL},
};
