/* SPDX-License-Identifier: MIT */
/* The stack: who called whom, with which arguments and variables; threads. */
#include "emu/debug/command/command_private.h"

#include <stdlib.h>

#define MAX_FRAMES 100000u

static void tell_frame(struct session *s, const struct expr_context *c, unsigned n,
                       struct command_out *out)
{
    struct symbols_line line;
    bool exact = (n == 0 || c->frame.inlined) && frame_line(&c->source, &c->frame, &line) &&
                 line.start == c->frame.eip;
    out_object(out, NULL);
    out_number(out, "level", n);
    session_frame_fields(c, out);
    out_close(out);
    out_text(out, "#%-3u", n);
    session_tell_frame(s, c, !exact, out);
    out_text(out, "\n");
}

struct listing {
    struct session *session;
    struct command_out *out;
    const char *indent;
    unsigned count;
};

static bool list_variable(void *opaque, const char *name, const struct value *value)
{
    struct listing *l = opaque;
    char *text = NULL;
    size_t len;
    FILE *into = open_memstream(&text, &len);
    if (!into)
        return false;
    value_print(l->session->target, session_symbols(l->session), value, 0, into);
    fclose(into);
    out_text(l->out, "%s%s = %s\n", l->indent, name, text);
    out_object(l->out, NULL);
    out_string(l->out, "name", "%s", name);
    out_string(l->out, "value", "%s", text);
    out_close(l->out);
    free(text);
    l->count++;
    return true;
}

static int run_backtrace(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    struct expr_context c;
    struct frame next;
    uint64_t limit;
    unsigned selected = s->frame, n = 0;
    bool full = !strncmp(args, "full", 4);
    int err =
        command_count(s, full ? args + 4 + strspn(args + 4, " ") : args, MAX_FRAMES, &limit, why);
    s->frame = 0;
    if (!err)
        err = session_context(s, &c, why);
    s->frame = selected;
    if (err)
        return err;
    out_list(out, "frames");
    for (bool more = true; more && n < limit; n++) {
        struct listing l = {s, out, "        ", 0};
        tell_frame(s, &c, n, out);
        if (full)
            frame_each_variable(&c.source, &c.frame, false, list_variable, &l);
        more = frame_outer(&c.source, &c.frame, &next);
        if (more)
            c.frame = next;
        if (more && n + 1 == limit)
            out_text(out, "(More stack frames follow...)\n");
    }
    out_close(out);
    return 0;
}

/* Shows the selected frame and its line. */
static int show(struct session *s, struct command_out *out, struct why *why)
{
    struct expr_context c;
    int err = session_context(s, &c, why);
    if (err)
        return err;
    out_list(out, "frames");
    tell_frame(s, &c, s->frame, out);
    out_close(out);
    session_tell_line(s, out);
    return 0;
}

static int select_frame(struct session *s, unsigned n, struct command_out *out, struct why *why)
{
    struct expr_context c;
    unsigned before = s->frame;
    s->frame = n;
    int err = session_context(s, &c, why);
    if (err) {
        s->frame = before;
        return err == -ENOENT ? why_fail(why, err, "there is no frame %u", n) : err;
    }
    return show(s, out, why);
}

static int run_frame(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint64_t n;
    int err = command_count(s, args, s->frame, &n, why);
    return err ? err : select_frame(s, n > MAX_FRAMES ? MAX_FRAMES : (unsigned)n, out, why);
}

static int run_up(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint64_t n;
    int err = command_count(s, args, 1, &n, why);
    if (err)
        return err;
    err = select_frame(s, s->frame + (unsigned)(n > MAX_FRAMES ? MAX_FRAMES : n), out, why);
    return err == -ENOENT ? why_fail(why, err, "this is the outermost frame that is known") : err;
}

static int run_down(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    uint64_t n;
    int err = command_count(s, args, 1, &n, why);
    if (err)
        return err;
    if (!s->frame && n)
        return why_fail(why, -EINVAL, "this is the innermost frame");
    return select_frame(s, n > s->frame ? 0 : s->frame - (unsigned)n, out, why);
}

static int variables(struct session *s, bool parameters, const char *args, struct command_out *out,
                     struct why *why)
{
    struct expr_context c;
    struct symbols_line line;
    struct listing l = {s, out, "", 0};
    int err = command_no_args(args, why);
    if (!err)
        err = session_context(s, &c, why);
    if (err)
        return err;
    if (!symbols_line_at(c.source.symbols, c.frame.where, &line))
        return why_fail(why, -ENOENT,
                        "nothing is known of variables here: this code was compiled without -g");
    out_list(out, "variables");
    frame_each_variable(&c.source, &c.frame, parameters, list_variable, &l);
    out_close(out);
    if (!l.count)
        out_text(out, parameters ? "No arguments.\n" : "No locals.\n");
    return 0;
}

static int run_locals(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return variables(s, false, args, out, why);
}

static int run_args(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    return variables(s, true, args, out, why);
}

static int run_info_frame(struct session *s, const char *args, struct command_out *out,
                          struct why *why)
{
    static const char *const hows[] = {"the processor's registers", "call frame information",
                                       "the entry of a function", "frame pointers"};
    struct expr_context c;
    struct frame caller;
    char text[SYMBOLS_TEXT];
    int err = command_no_args(args, why);
    if (!err)
        err = session_context(s, &c, why);
    if (err)
        return err;
    out_text(out, "Frame %u: eip = 0x%x%s\n", s->frame, c.frame.eip,
             symbols_text(c.source.symbols, c.frame.where, text));
    if (c.frame.has_cfa)
        out_text(out, " its caller's esp was 0x%x\n", c.frame.cfa);
    out_text(out, " found by %s\n", hows[c.frame.how]);
    if (frame_next(&c.source, &c.frame, &caller))
        out_text(out, " called from 0x%x%s\n", caller.eip,
                 symbols_text(c.source.symbols, caller.where, text));
    else
        out_text(out, " nobody is known to have called it\n");
    return 0;
}

static int run_threads(struct session *s, const char *args, struct command_out *out,
                       struct why *why)
{
    struct target_thread t;
    char text[SYMBOLS_TEXT];
    unsigned n = 0;
    int err = command_no_args(args, why);
    if (err)
        return err;
    if (!s->target)
        return why_fail(why, -ESRCH, "there is no VM");
    out_list(out, "threads");
    for (; session_thread(s, n, &t); n++) {
        bool selected = s->thread ? t.number == s->thread : t.running;
        if (!n)
            out_text(out, "  Id   Name             State      Where\n");
        out_text(out, "%c %-4u %-16s %-10s 0x%08x%s\n", selected ? '*' : ' ', t.number, t.name,
                 t.running ? "running" : t.state, t.eip,
                 symbols_text(session_symbols(s), t.eip, text));
        out_object(out, NULL);
        out_number(out, "id", t.number);
        out_string(out, "name", "%s", t.name);
        out_string(out, "state", "%s", t.running ? "running" : t.state);
        out_number(out, "pc", t.eip);
        out_close(out);
    }
    out_close(out);
    if (!n)
        out_text(out, "No threads are known: the processor itself is all there is.\n");
    return 0;
}

static int run_thread(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct target_thread t;
    uint64_t number;
    int err = command_count(s, args, 0, &number, why);
    if (err)
        return err;
    if (!*args) {
        out_text(out, s->thread ? "Thread %u is selected.\n" : "The processor is selected.\n",
                 s->thread);
        return 0;
    }
    for (unsigned n = 0; session_thread(s, n, &t); n++) {
        if (t.number != number)
            continue;
        s->thread = t.running ? 0 : t.number;
        s->frame = 0;
        return show(s, out, why);
    }
    return why_fail(why, -ENOENT, "there is no thread %llu; \"info threads\" lists them",
                    (unsigned long long)number);
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, fn)                               \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_STACK, .run = fn                                     \
    }

const struct command command_stack_rows[] = {
    ROW("backtrace", "bt where", "[full] [COUNT]", "who called whom",
        "By call frame information where a file has some, else by frame pointers. \"full\" shows\n"
        "the variables of each frame.",
        "backtrace", run_backtrace),
    ROW("frame", "f", "[NUMBER]", "select a frame, or show the selected one", NULL, "frame 1",
        run_frame),
    ROW("up", NULL, "[COUNT]", "select the frame that called this one", NULL, "up", run_up),
    ROW("down", NULL, "[COUNT]", "select the frame that this one called", NULL, "down 0", run_down),
    ROW("info locals", NULL, "", "the selected frame's variables", NULL, "info locals", run_locals),
    ROW("info args", NULL, "", "the selected frame's arguments", NULL, "info args", run_args),
    ROW("info frame", NULL, "", "how the selected frame was found", NULL, "info frame",
        run_info_frame),
    ROW("info threads", NULL, "", "threads of the guest's operating system",
        "Ilwaco's threads are found by its symbols; other guests have the processor alone.",
        "info threads", run_threads),
    ROW("thread", "t", "[NUMBER]", "select the thread whose registers and stack are shown", NULL,
        "thread", run_thread),
    {.name = NULL},
};
