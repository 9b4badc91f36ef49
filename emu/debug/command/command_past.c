/* SPDX-License-Identifier: MIT */
/*
 * Snapshots and the way back. The history knows instructions: back by one, and
 * back to the last place where the engine would have stopped. Everything else
 * (lines, calls, conditions, the writer of an address) is made of these here.
 */
#include "emu/debug/command/command_private.h"
#include "emu/debug/disassemble.h"
#include "emu/debug/session_step.h"

#include <stdlib.h>

static const struct target_history_ops *history_of(struct session *s, struct why *why)
{
    if (!s->target) {
        why_fail(why, -ESRCH, "there is no VM");
        return NULL;
    }
    if (!s->target->history)
        why_fail(why, -ENOTSUP,
                 "no past is kept of this VM: start it with --record DIR, or with "
                 "\"denali debug\" and --deterministic");
    return s->target->history;
}

/* For those that move; NULL, too, where only snapshots are kept. */
static const struct target_history_ops *past_of(struct session *s, struct why *why)
{
    const struct target_history_ops *h = history_of(s, why);
    if (!h || target_goes_back(s->target))
        return h;
    why_fail(why, -ENOTSUP, "of a PC no past is kept but its snapshots; \"snapshot restore NAME\"");
    return NULL;
}

/* What every move through time leaves behind. */
static int moved(struct session *s, int err, const struct target_stop *stop)
{
    s->frame = 0;
    s->thread = 0;
    if (!err) {
        s->target->stop = *stop;
        s->target->ended = false;
    }
    return err;
}

static int back_one(struct session *s, struct why *why)
{
    struct target_stop stop = {0};
    return moved(s, s->target->history->step_back(s->target, &stop, why), &stop);
}

/* To the latest stop before here that the conditions let through. */
static int back_to_stop(struct session *s, struct why *why)
{
    struct target_stop stop = {0};
    for (;;) {
        int err = s->target->history->continue_back(s->target, &stop, why);
        moved(s, err, &stop);
        if (err || stop.kind == TARGET_STOP_HISTORY ||
            breakpoints_filter(s->breakpoints, s->target, &stop))
            return err;
    }
}

static bool at_beginning(const struct session *s)
{
    return s->target->stop.kind == TARGET_STOP_HISTORY;
}

/* Back to where control last came to `address` with that esp (0: any). */
static int back_to_address(struct session *s, uint32_t address, uint32_t esp, struct why *why)
{
    struct cpu *cpu = target_cpu(s->target);
    struct target_stop stop = {0};
    int err = cpu_debug_break(cpu, address);
    if (err)
        return why_fail(why, err, "no memory");
    do {
        err = s->target->history->continue_back(s->target, &stop, why);
        moved(s, err, &stop);
    } while (!err && stop.kind != TARGET_STOP_HISTORY &&
             !(stop.kind == TARGET_STOP_BREAKPOINT && stop.eip == address &&
               (!esp || target_cpu(s->target)->gpr[ISA_ESP] == esp)) &&
             !breakpoints_filter(s->breakpoints, s->target, &stop));
    cpu_debug_unbreak(cpu, address);
    return err;
}

static bool function_start(struct session *s, uint32_t at, uint32_t *start)
{
    struct symbols_symbol symbol;
    if (!session_symbols(s) || !symbols_at(session_symbols(s), at, &symbol) || !symbol.function)
        return false;
    *start = symbol.address;
    return true;
}

/* One instruction back; if that is the end of a function that was called, to before the call. */
static int back_over(struct session *s, struct why *why)
{
    uint32_t esp = target_cpu(s->target)->gpr[ISA_ESP], before = 0, after = 0;
    bool named = function_start(s, target_eip(s->target), &before);
    int err = back_one(s, why);
    if (err || at_beginning(s) || !named || !function_start(s, target_eip(s->target), &after))
        return err;
    /* A return has led here: its stack is below ours. */
    if (after == before || target_cpu(s->target)->gpr[ISA_ESP] >= esp)
        return 0;
    err = back_to_address(s, after, esp - 4, why);
    return err || at_beginning(s) ? err : back_one(s, why);
}

/* Back to the first instruction of the line before. */
static int back_line(struct session *s, bool over, struct why *why)
{
    struct symbols_line from = {0}, line;
    uint32_t start = 0, now = 0;
    bool named = function_start(s, target_eip(s->target), &start);
    int err = 0;
    bool known = session_line_here(s, &from), left = false;
    for (unsigned n = 0; n < 1000000 && !err; n++) {
        err = over ? back_over(s, why) : back_one(s, why);
        if (err || at_beginning(s) || !session_line_here(s, &line)) {
            if (!err && !at_beginning(s) && known)
                continue; /* code without lines is passed through */
            return err;
        }
        bool other = line.line != from.line || line.file != from.file ||
                     (named && function_start(s, target_eip(s->target), &now) && now != start);
        left |= other || !known;
        if (other)
            from = line, named = function_start(s, target_eip(s->target), &start);
        if (left && target_eip(s->target) == line.start)
            return 0;
    }
    return err;
}

static int tell(struct session *s, struct command_out *out)
{
    session_tell_stop(s, out);
    return 0;
}

typedef int (*back_fn)(struct session *s, struct why *why);

static int repeat(struct session *s, const char *args, back_fn fn, struct command_out *out,
                  struct why *why)
{
    uint64_t count;
    int err = command_count(s, args, 1, &count, why);
    if (!err && !past_of(s, why))
        err = -ENOTSUP;
    for (; !err && count; count--) {
        err = fn(s, why);
        if (!err && at_beginning(s))
            break;
    }
    return err ? err : tell(s, out);
}

static int back_step(struct session *s, struct why *why)
{
    return back_line(s, false, why);
}

static int back_next(struct session *s, struct why *why)
{
    return back_line(s, true, why);
}

static int run_reverse_stepi(struct session *s, const char *args, struct command_out *out,
                             struct why *why)
{
    return repeat(s, args, back_one, out, why);
}

static int run_reverse_nexti(struct session *s, const char *args, struct command_out *out,
                             struct why *why)
{
    return repeat(s, args, back_over, out, why);
}

static int run_reverse_step(struct session *s, const char *args, struct command_out *out,
                            struct why *why)
{
    return repeat(s, args, back_step, out, why);
}

static int run_reverse_next(struct session *s, const char *args, struct command_out *out,
                            struct why *why)
{
    return repeat(s, args, back_next, out, why);
}

static int run_reverse_continue(struct session *s, const char *args, struct command_out *out,
                                struct why *why)
{
    return repeat(s, args, back_to_stop, out, why);
}

/* To the call of the function that the selected frame is in. */
static int run_reverse_finish(struct session *s, const char *args, struct command_out *out,
                              struct why *why)
{
    struct expr_context c;
    uint32_t start;
    int err = command_no_args(args, why);
    if (!err && !past_of(s, why))
        err = -ENOTSUP;
    if (!err)
        err = session_context(s, &c, why);
    if (err)
        return err;
    if (!function_start(s, c.frame.where, &start))
        return why_fail(why, -ENOENT, "no function is known here");
    if (c.frame.eip != start)
        err = back_to_address(s, start, c.frame.has_cfa ? c.frame.cfa - 4 : 0, why);
    if (!err && !at_beginning(s))
        err = back_one(s, why);
    return err ? err : tell(s, out);
}

static int find_writer(struct session *s, uint32_t at, uint32_t len, struct why *why)
{
    struct target_stop stop = {0};
    int err = s->target->history->last_write(s->target, at, len, &stop, why);
    return moved(s, err, &stop);
}

static void tell_writer(struct session *s, uint32_t at, uint32_t len, struct command_out *out)
{
    const struct cpu_watch_hit *hit = &s->target->stop.hit;
    char text[SYMBOLS_TEXT], insn[DISASSEMBLE_TEXT];
    struct symbols_line line;
    out_text(out, "0x%x (%u bytes) was last written at instruction %llu, by\n", at, len,
             (unsigned long long)s->target->stop.icount);
    disassemble_text(s, hit->eip, insn);
    out_text(out, "0x%08x%s:\t%s\n", hit->eip, symbols_text(session_symbols(s), hit->eip, text),
             insn);
    if (symbols_line_at(session_symbols(s), hit->eip, &line)) {
        char source[512];
        out_text(out, "%s:%d", session_file(s, line.file), line.line);
        if (session_source_line(s, line.file, line.line, source, sizeof(source)))
            out_text(out, "\t%s", source);
        out_text(out, "\n");
    }
    out_number(out, "by", hit->eip);
    out_number(out, "instruction", (int64_t)s->target->stop.icount);
}

static int run_who_wrote(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    struct expr_context c;
    struct value v;
    int64_t n, len = 4;
    if (!*args)
        return why_fail(why, -EINVAL, "who wrote what? An address, or a variable");
    int err = past_of(s, why) ? session_context(s, &c, why) : -ENOTSUP;
    if (!err)
        err = expr_evaluate(&c, args, &args, &v, why);
    if (err)
        return err;
    if (*args == ',')
        args++;
    if (v.place == VALUE_MEMORY) {
        n = v.address;
        len = type_size(&v.type) ? type_size(&v.type) : 4;
    } else {
        err = value_number(s->target, &v, &n, why);
    }
    if (!err && *args)
        err = expr_number(&c, args, NULL, &len, why);
    if (!err && (len < 1 || len > 4096))
        err = why_fail(why, -EINVAL, "from 1 to 4096 bytes");
    if (!err && (n < INT32_MIN || n > (int64_t)UINT32_MAX ||
                 (uint64_t)(uint32_t)n + (uint64_t)len > (uint64_t)UINT32_MAX + 1))
        err = why_fail(why, -EINVAL, "%lld bytes at 0x%llx reach beyond the end of memory",
                       (long long)len, (unsigned long long)n);
    if (!err)
        err = find_writer(s, (uint32_t)n, (uint32_t)len, why);
    if (err)
        return err;
    if (at_beginning(s)) {
        out_text(out, "Nobody wrote 0x%x between the beginning of the history and here.\n",
                 (uint32_t)n);
        return 0;
    }
    tell_writer(s, (uint32_t)n, (uint32_t)len, out);
    return 0;
}

static int run_save(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    char name[COMMAND_WORD];
    const struct target_history_ops *h = history_of(s, why);
    if (!h)
        return -ENOTSUP;
    command_word(args, name);
    if (!*name)
        snprintf(name, sizeof(name), "s%llu", (unsigned long long)h->now(s->target));
    int err = h->save(s->target, name, why);
    if (!err)
        out_text(out, "Snapshot %s is taken at instruction %llu.\n", name,
                 (unsigned long long)h->now(s->target));
    return err;
}

static int run_restore(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct target_stop stop = {0};
    const struct target_history_ops *h = history_of(s, why);
    if (!h)
        return -ENOTSUP;
    if (!*args)
        return why_fail(why, -EINVAL, "which snapshot? \"snapshot list\" tells their names");
    int err = moved(s, h->restore(s->target, args, &stop, why), &stop);
    return err ? err : tell(s, out);
}

static int run_list(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const struct target_history_ops *h = history_of(s, why);
    const char *name;
    uint64_t icount;
    unsigned n = 0;
    int err = h ? command_no_args(args, why) : -ENOTSUP;
    if (err)
        return err;
    out_list(out, "snapshots");
    for (; h->saved(s->target, n, &name, &icount); n++) {
        out_text(out, "%-20s at instruction %llu%s\n", name, (unsigned long long)icount,
                 icount == h->now(s->target) ? " (here)" : "");
        out_object(out, NULL);
        out_string(out, "name", "%s", name);
        out_number(out, "instruction", (int64_t)icount);
        out_close(out);
    }
    out_close(out);
    if (!n)
        out_text(out, "There are no snapshots; \"snapshot save NAME\" takes one.\n");
    return 0;
}

static int run_forget(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const struct target_history_ops *h = history_of(s, why);
    (void)out;
    if (!h)
        return -ENOTSUP;
    if (!*args)
        return why_fail(why, -EINVAL, "which snapshot? \"snapshot list\" tells their names");
    return h->forget(s->target, args, why);
}

static void diff_registers(struct session *s, const char *name, struct command_out *out)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    const struct cpu *now = target_cpu(s->target);
    struct cpu *then = calloc(1, sizeof(*then));
    if (then && !s->target->history->saved_cpu(s->target, name, then)) {
        for (unsigned i = 0; i < 8; i++)
            if (then->gpr[i] != now->gpr[i])
                out_text(out, "%-10s 0x%08x -> 0x%08x\n", names[i], then->gpr[i], now->gpr[i]);
        if (then->eip != now->eip)
            out_text(out, "%-10s 0x%08x -> 0x%08x\n", "eip", then->eip, now->eip);
        if (then->eflags != now->eflags)
            out_text(out, "%-10s 0x%08x -> 0x%08x\n", "eflags", then->eflags, now->eflags);
    }
    free(then);
}

/* Words of one page that were different then; how many were told. */
static unsigned diff_page(struct session *s, const char *name, uint64_t page, unsigned room,
                          struct command_out *out)
{
    uint32_t then[PAGE_SIZE / 4], now[PAGE_SIZE / 4];
    char text[SYMBOLS_TEXT];
    unsigned told = 0;
    if (s->target->history->read_saved(s->target, name, page, then, PAGE_SIZE) ||
        s->target->ops->read(s->target, TARGET_PHYSICAL, page, now, PAGE_SIZE))
        return 0;
    for (unsigned i = 0; i < PAGE_SIZE / 4 && told < room; i++) {
        uint32_t at = (uint32_t)page + i * 4;
        if (then[i] == now[i])
            continue;
        out_text(out, "0x%08x%s: 0x%08x -> 0x%08x\n", at,
                 symbols_text(session_symbols(s), at, text), then[i], now[i]);
        out_object(out, NULL);
        out_number(out, "address", at);
        out_number(out, "then", then[i]);
        out_number(out, "now", now[i]);
        out_close(out);
        told++;
    }
    return told;
}

static int run_diff(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const struct target_history_ops *h = history_of(s, why);
    char name[COMMAND_WORD];
    uint64_t page = 0, limit;
    unsigned told = 0, pages = 0;
    int err = 0;
    args = command_word(args, name);
    if (!h)
        return -ENOTSUP;
    if (!*name)
        return why_fail(why, -EINVAL, "which snapshot? \"snapshot list\" tells their names");
    err = command_count(s, args, 200, &limit, why);
    if (err)
        return err;
    diff_registers(s, name, out);
    out_list(out, "words");
    while ((err = h->differs(s->target, name, &page)) == 0) {
        if (told < limit)
            told += diff_page(s, name, page, (unsigned)(limit - told), out);
        pages++;
        page += PAGE_SIZE;
    }
    out_close(out);
    const char *known;
    uint64_t icount;
    for (unsigned n = 0; h->saved(s->target, n, &known, &icount); n++) {
        if (strcmp(known, name))
            continue;
        out_text(out, "%u pages differ%s.\n", pages,
                 told == limit ? "; say how many words are to be shown for more" : "");
        out_number(out, "pages", pages);
        return 0;
    }
    return why_fail(why, -ENOENT, "there is no snapshot %.60s; \"snapshot list\" tells their names",
                    name);
}

static int run_goto(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct target_stop stop = {0};
    uint64_t to;
    const struct target_history_ops *h = past_of(s, why);
    if (!h)
        return -ENOTSUP;
    if (!*args)
        return why_fail(why, -EINVAL, "go to which instruction? \"info history\" tells the range");
    int err = command_count(s, args, 0, &to, why);
    if (!err)
        err = moved(s, h->seek(s->target, to, &stop, why), &stop);
    return err ? err : tell(s, out);
}

static int run_history(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    const struct target_history_ops *h = past_of(s, why);
    int err = h ? command_no_args(args, why) : -ENOTSUP;
    if (err)
        return err;
    out_text(out, "Instructions %llu to %llu can be gone to; now %llu.\n",
             (unsigned long long)h->first(s->target), (unsigned long long)h->last(s->target),
             (unsigned long long)h->now(s->target));
    out_number(out, "first", (int64_t)h->first(s->target));
    out_number(out, "last", (int64_t)h->last(s->target));
    out_number(out, "now", (int64_t)h->now(s->target));
    return 0;
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, runs_, fn)             \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_PAST, .complete = complete_, .runs = runs_,          \
        .run = fn                                                                                  \
    }

const struct command command_past_rows[] = {
    ROW("reverse-step", "rs", "[COUNT]", "back to the beginning of the line before", NULL,
        "reverse-step", COMPLETE_NOTHING, true, run_reverse_step),
    ROW("reverse-next", "rn", "[COUNT]", "the same, over functions that were called", NULL,
        "reverse-next", COMPLETE_NOTHING, true, run_reverse_next),
    ROW("reverse-stepi", "rsi", "[COUNT]", "back one instruction", NULL, "reverse-stepi",
        COMPLETE_NOTHING, true, run_reverse_stepi),
    ROW("reverse-nexti", "rni", "[COUNT]", "back one instruction, over what it called", NULL,
        "reverse-nexti", COMPLETE_NOTHING, true, run_reverse_nexti),
    ROW("reverse-continue", "rc", "[COUNT]",
        "back to where a breakpoint or watchpoint stops, or to the beginning", NULL,
        "reverse-continue", COMPLETE_NOTHING, true, run_reverse_continue),
    ROW("reverse-finish", NULL, "", "back to the call of the selected frame's function", NULL,
        "reverse-finish", COMPLETE_NOTHING, true, run_reverse_finish),
    ROW("who wrote", NULL, "EXPRESSION | ADDRESS[, LENGTH]",
        "go back to the last write to a place, and tell who did it",
        "It then stands right after the instruction that wrote.", "who wrote accounts[1].balance",
        COMPLETE_EXPRESSION, true, run_who_wrote),
    ROW("snapshot save", NULL, "[NAME]", "keep the state of the VM under a name", NULL,
        "snapshot save here", COMPLETE_NOTHING, false, run_save),
    ROW("snapshot restore", NULL, "NAME", "go back to a snapshot; breakpoints stay", NULL,
        "snapshot restore here", COMPLETE_NOTHING, true, run_restore),
    ROW("snapshot list", NULL, "", "the snapshots and where they were taken", NULL, "snapshot list",
        COMPLETE_NOTHING, false, run_list),
    ROW("snapshot diff", NULL, "NAME [COUNT]", "what differs between a snapshot and now",
        "Registers, then words of memory: at most COUNT (200).", "snapshot diff here",
        COMPLETE_NOTHING, false, run_diff),
    ROW("snapshot delete", NULL, "NAME", "forget a snapshot", NULL, "snapshot delete here",
        COMPLETE_NOTHING, false, run_forget),
    ROW("goto", NULL, "INSTRUCTION", "go to a place of the history, by its instruction count", NULL,
        "goto $icount - 10", COMPLETE_NOTHING, true, run_goto),
    ROW("info history", NULL, "", "which past can be gone to", NULL, "info history",
        COMPLETE_NOTHING, false, run_history),
    {.name = NULL},
};
