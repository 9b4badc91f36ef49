/* SPDX-License-Identifier: MIT */
/* Commands that let the machine run. */
#include "emu/debug/command/command_private.h"
#include "emu/debug/session_step.h"

#include <stdlib.h>

/* The stop is told, then come temporary breakpoints' end and command lists. */
static int tell(struct session *s, struct command_out *out, struct why *why)
{
    const struct breakpoint *bp = breakpoints_hit(s->breakpoints, 0);
    if (!bp || !bp->commands || strcmp(bp->commands[0], "silent"))
        session_tell_stop(s, out);
    return command_stopped(s, out, why);
}

/* At a foreign stop a list of the breakpoint's commands runs; a command that runs again ends it. */
int command_stopped(struct session *s, struct command_out *out, struct why *why)
{
    struct breakpoint *bp = breakpoints_hit(s->breakpoints, 0);
    char **lines = NULL;
    size_t count = 0;
    int err = 0;
    while (bp && bp->commands && bp->commands[count])
        count++;
    if (count)
        lines = calloc(count, sizeof(*lines));
    for (size_t i = 0; lines && i < count; i++)
        lines[i] = strdup(bp->commands[i]);
    breakpoints_tidy(s->breakpoints);
    s->depth++;
    bool done = false;
    for (size_t i = 0; lines && i < count && lines[i] && !done; i++) {
        const struct command *row;
        const char *args;
        bool runs = !command_find(lines[i], &row, &args, why) && row->runs;
        if (!err && s->depth > 64)
            err = why_fail(why, -ELOOP, "command lists call each other without end");
        if (!err && (i || strcmp(lines[0], "silent")))
            err = command_run(s, lines[i], out, why);
        done = runs || err; /* the stop that follows has a list of its own */
    }
    s->depth--;
    for (size_t i = 0; lines && i < count; i++)
        free(lines[i]);
    free(lines);
    return err;
}

/* Where a step begins: in the same function only the line is told at its end. */
struct origin {
    bool named;
    struct symbols_symbol symbol;
};

static int begin_step(struct session *s, struct origin *origin, struct why *why)
{
    if (!s->target)
        return why_fail(why, -ESRCH, "there is no VM");
    origin->named = session_symbols(s) &&
                    symbols_at(session_symbols(s), target_eip(s->target), &origin->symbol);
    return 0;
}

static int tell_step(struct session *s, const struct origin *origin, struct command_out *out,
                     struct why *why)
{
    struct symbols_symbol now;
    struct expr_context c;
    if (s->target->stop.kind != TARGET_STOP_STEP || !origin->named ||
        !symbols_at(session_symbols(s), target_eip(s->target), &now) ||
        now.address != origin->symbol.address)
        return tell(s, out, why);
    out_object(out, "stop");
    out_string(out, "kind", "step");
    out_number(out, "vm", s->target->id);
    if (!session_context(s, &c, why))
        session_frame_fields(&c, out);
    session_tell_line(s, out);
    out_close(out);
    return 0;
}

static int run_continue(struct session *s, const char *args, struct command_out *out,
                        struct why *why)
{
    uint64_t ignore;
    struct breakpoint *bp = breakpoints_hit(s->breakpoints, 0);
    int err = command_count(s, args, 0, &ignore, why);
    if (err)
        return err;
    if (ignore > 1 && bp) {
        bp->ignore = ignore - 1;
        out_text(out, "Will ignore the next %llu hits of breakpoint %u.\n",
                 (unsigned long long)ignore - 1, bp->number);
    }
    out_text(out, "Continuing.\n");
    fflush(out->file);
    err = session_go(s, 0, why);
    return err ? err : tell(s, out, why);
}

static int run_stepi(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint64_t count;
    struct origin origin;
    int err = command_count(s, args, 1, &count, why);
    if (!err)
        err = begin_step(s, &origin, why);
    if (!err && count)
        err = session_go(s, count, why);
    return err ? err : tell_step(s, &origin, out, why);
}

static int run_nexti(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint64_t count;
    struct origin origin;
    bool arrived = true;
    int err = command_count(s, args, 1, &count, why);
    if (!err)
        err = begin_step(s, &origin, why);
    for (; !err && count && arrived; count--) {
        uint32_t behind, esp = target_cpu(s->target)->gpr[ISA_ESP];
        if (session_is_call(s, &behind)) {
            err = session_go_to(s, &behind, 1, esp, &arrived, why);
            if (!err && arrived)
                s->target->stop.kind = TARGET_STOP_STEP;
        } else {
            err = session_go(s, 1, why);
            arrived = !err && s->target->stop.kind == TARGET_STOP_STEP;
        }
    }
    return err ? err : tell_step(s, &origin, out, why);
}

static int step_lines(struct session *s, const char *args, bool over, struct command_out *out,
                      struct why *why)
{
    uint64_t count;
    struct origin origin;
    struct symbols_line line;
    bool good = true;
    int err = command_count(s, args, 1, &count, why);
    if (!err)
        err = begin_step(s, &origin, why);
    if (!err && !session_line_here(s, &line))
        out_text(out, "No source line is known here: running until the function returns.\n");
    for (; !err && count && good; count--)
        err = session_step_line(s, over, &good, why);
    return err ? err : tell_step(s, &origin, out, why);
}

static int run_step(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return step_lines(s, args, false, out, why);
}

static int run_next(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return step_lines(s, args, true, out, why);
}

static int run_finish(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct expr_context c;
    bool arrived = false;
    struct value result;
    int err = command_no_args(args, why);
    if (!err)
        err = session_context(s, &c, why);
    if (err)
        return err;
    bool has_value = frame_result_type(&c.source, &c.frame, &result.type);
    out_text(out, "Run till exit from #%u  ", s->frame);
    session_tell_frame(s, &c, false, out);
    out_text(out, "\n");
    fflush(out->file);
    err = session_finish(s, s->frame, &arrived, why);
    if (err)
        return err;
    err = tell(s, out, why);
    if (err || !arrived || !has_value || !type_is_scalar(&result.type))
        return err;
    struct cpu *cpu = target_cpu(s->target);
    uint32_t pair[2] = {cpu->gpr[ISA_EAX], cpu->gpr[ISA_EDX]};
    result.place = VALUE_BYTES;
    result.bits = 0;
    memset(result.bytes, 0, sizeof(result.bytes));
    memcpy(result.bytes, pair, sizeof(pair));
    session_show_value(s, &result, 0, "Value returned is ", out);
    return 0;
}

/* To one of the places, or until the selected frame returns. */
static int go_to_place(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct origin origin;
    uint32_t to[BREAKPOINT_PLACES + 1];
    struct frame_source source = {s->target, session_symbols(s)};
    struct frame frame, caller;
    bool arrived;
    int n = begin_step(s, &origin, why);
    if (!n)
        n = session_place(s, args, true, to, BREAKPOINT_PLACES, why);
    if (n < 0)
        return n;
    if (frame_at(&source, s->frame, &frame) && frame_next(&source, &frame, &caller))
        to[n++] = caller.eip;
    int err = session_go_to(s, to, (unsigned)n, 0, &arrived, why);
    if (!err && arrived)
        s->target->stop.kind = TARGET_STOP_STEP;
    return err ? err : tell_step(s, &origin, out, why);
}

/* Without a place: as next, but a jump backwards is run through. */
static int run_until(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct symbols_line before, line;
    struct origin origin;
    bool good = true;
    if (*args)
        return go_to_place(s, args, out, why);
    int err = begin_step(s, &origin, why);
    if (err || !session_line_here(s, &before))
        return err ? err : step_lines(s, "", true, out, why);
    uint32_t cfa = session_cfa(s);
    do
        err = session_step_line(s, true, &good, why);
    while (!err && good && session_cfa(s) == cfa && session_line_here(s, &line) &&
           line.start <= before.start);
    return err ? err : tell_step(s, &origin, out, why);
}

static int run_advance(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    if (!*args)
        return why_fail(why, -EINVAL, "advance to where? Say a function, FILE:LINE or *ADDRESS");
    return go_to_place(s, args, out, why);
}

static int run_kill(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    int err = command_no_args(args, why);
    if (err)
        return err;
    if (!s->target || s->target->ended)
        return why_fail(why, -ESRCH, "the VM has ended already");
    s->target->ops->kill(s->target);
    err = session_go(s, 0, why);
    return err ? err : tell(s, out, why);
}

static int run_interrupt(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    (void)out;
    int err = command_no_args(args, why);
    if (!err)
        loop_interrupt(s->loop);
    return err;
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, fn)                    \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_RUNNING, .complete = complete_, .runs = true,        \
        .run = fn                                                                                  \
    }

const struct command command_running_rows[] = {
    ROW("continue", "c", "[COUNT]", "let it run until something stops it",
        "With COUNT, the breakpoint that it stands at is passed over COUNT - 1 more times.",
        "continue", COMPLETE_NOTHING, run_continue),
    ROW("step", "s", "[COUNT]", "run to the next source line, into functions that are called",
        "A function without lines is run through as a whole.", "step", COMPLETE_NOTHING, run_step),
    ROW("next", "n", "[COUNT]", "run to the next source line, over functions that are called", NULL,
        "next 2", COMPLETE_NOTHING, run_next),
    ROW("stepi", "si", "[COUNT]", "run one instruction, or COUNT", NULL, "stepi 3",
        COMPLETE_NOTHING, run_stepi),
    ROW("nexti", "ni", "[COUNT]", "run one instruction, over what it calls",
        "A repeated string instruction is gone over as a whole.", "nexti", COMPLETE_NOTHING,
        run_nexti),
    ROW("finish", "fin", "", "run until the selected frame has returned, and tell its value", NULL,
        "finish", COMPLETE_NOTHING, run_finish),
    ROW("until", "u", "[PLACE]", "as next, but out of loops; or run to a place of this frame",
        "With PLACE it stops there or when the frame returns, whatever comes first.", "until",
        COMPLETE_PLACE, run_until),
    ROW("advance", NULL, "PLACE", "run to a place", "It also stops when the frame returns.",
        "advance audit", COMPLETE_PLACE, run_advance),
    ROW("kill", "k", "", "end the VM", NULL, "kill", COMPLETE_NOTHING, run_kill),
    {.name = "interrupt",
     .syntax = "",
     .summary = "stop what runs, as Ctrl-C does",
     .help = "For the JSON socket, which hears commands while the machine runs.",
     .example = "interrupt",
     .group = COMMAND_RUNNING,
     .run = run_interrupt},
    {.name = NULL},
};
