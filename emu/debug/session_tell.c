/* SPDX-License-Identifier: MIT */
/* Stops, frames and source lines as text, in gdb's manner, and as fields. */
#include "emu/debug/session_run.h"

#include "emu/debug/disassemble.h"
#include "emu/debug/names.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kind_names[TARGET_STOP_KINDS] = {
    [TARGET_STOP_NONE] = "none",
    [TARGET_STOP_START] = "start",
    [TARGET_STOP_STEP] = "step",
    [TARGET_STOP_ASKED] = "interrupted",
    [TARGET_STOP_BREAKPOINT] = "breakpoint",
    [TARGET_STOP_WATCHPOINT] = "watchpoint",
    [TARGET_STOP_FAULT] = "fault",
    [TARGET_STOP_INTERRUPT] = "interrupt",
    [TARGET_STOP_HYPERCALL] = "hypercall",
    [TARGET_STOP_PORT] = "port",
    [TARGET_STOP_EXITED] = "exited",
    [TARGET_STOP_DIED] = "died",
    [TARGET_STOP_HISTORY] = "history",
};

/* An image names its sources: a pipe would be waited for, a device would have no end. */
FILE *session_source_open(const char *file)
{
    struct stat st;
    int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return NULL;
    FILE *in = !fstat(fd, &st) && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
    if (!in)
        close(fd);
    return in;
}

bool session_source_line(const struct session *s, const char *file, int line, char *text,
                         size_t room)
{
    FILE *in = session_source_open(file);
    bool found = false;
    (void)s;
    if (!in)
        return false;
    for (int n = 1; n <= line && fgets(text, (int)room, in); n++) {
        size_t len = strlen(text);
        bool whole = len && text[len - 1] == '\n';
        found = n == line;
        text[strcspn(text, "\r\n")] = 0;
        for (int c = whole ? '\n' : 0; c != '\n' && c != EOF;)
            c = fgetc(in);
    }
    fclose(in);
    return found;
}

struct arguments {
    struct session *session;
    struct command_out *out;
    bool first;
};

static bool tell_argument(void *opaque, const char *name, const struct value *value)
{
    struct arguments *a = opaque;
    out_text(a->out, "%s%s=", a->first ? "" : ", ", name);
    a->first = false;
    if (type_kind(&value->type) == TYPE_STRUCT || type_kind(&value->type) == TYPE_ARRAY)
        out_text(a->out, "...");
    else
        value_print(a->session->target, session_symbols(a->session), value, 0, a->out->file);
    return true;
}

static const char *function_name(const struct expr_context *c, uint32_t *start)
{
    struct symbols_symbol symbol;
    if (!symbols_at(c->source.symbols, c->frame.where, &symbol))
        return NULL;
    const char *inlined = frame_inlined_name(&c->source, &c->frame);
    *start = symbol.address;
    return inlined ? inlined : symbol.name;
}

void session_tell_frame(struct session *s, const struct expr_context *c, bool with_address,
                        struct command_out *out)
{
    struct symbols_line line;
    struct arguments a = {s, out, true};
    uint32_t start = 0;
    const char *name = function_name(c, &start);
    bool lines = frame_line(&c->source, &c->frame, &line);
    if (with_address || !lines)
        out_text(out, "0x%08x in ", c->frame.eip);
    out_text(out, "%s (", name ? name : "??");
    if (lines)
        frame_each_variable(&c->source, &c->frame, true, tell_argument, &a);
    out_text(out, ")");
    if (lines)
        out_text(out, " at %s:%d", session_file(s, line.file), line.line);
}

void session_frame_fields(const struct expr_context *c, struct command_out *out)
{
    struct symbols_line line;
    uint32_t start;
    const char *name = function_name(c, &start);
    out_number(out, "pc", c->frame.eip);
    if (name) {
        out_string(out, "function", "%s", name);
        out_number(out, "offset", c->frame.eip - start);
    }
    if (frame_line(&c->source, &c->frame, &line)) {
        out_string(out, "file", "%s", line.file);
        out_number(out, "line", line.line);
    }
}

void session_tell_line(struct session *s, struct command_out *out)
{
    struct expr_context c;
    struct symbols_line line;
    struct why why;
    char text[512];
    if (session_context(s, &c, &why))
        return;
    if (!frame_line(&c.source, &c.frame, &line)) {
        if (s->frame == 0)
            disassemble_one(s, c.frame.eip, "=> ", out);
        return;
    }
    bool inside = c.frame.eip != line.start && s->frame == 0;
    if (inside)
        out_text(out, "0x%08x\t", c.frame.eip);
    if (session_source_line(s, line.file, line.line, text, sizeof(text)))
        out_text(out, "%d\t%s\n", line.line, text);
    else
        out_text(out, "%d\tin %s\n", line.line, line.file);
    snprintf(s->list_file, sizeof(s->list_file), "%s", line.file);
    s->list_line = line.line;
    s->list_fresh = true;
}

static void tell_value(const struct session *s, const struct breakpoint *bp, const char *label,
                       const uint8_t *bytes, unsigned len, struct command_out *out)
{
    uint64_t n = 0;
    (void)s, (void)bp;
    memcpy(&n, bytes, len > 8 ? 8 : len);
    if (len == 1 || len == 2 || len == 4 || len == 8)
        out_text(out, "%s = %lld (0x%llx)\n", label,
                 (long long)(int64_t)(n << (64 - 8 * len)) >> (64 - 8 * len),
                 (unsigned long long)n);
    else {
        out_text(out, "%s =", label);
        for (unsigned i = 0; i < len; i++)
            out_text(out, " %02x", bytes[i]);
        out_text(out, "\n");
    }
}

static void tell_watch(struct session *s, const struct breakpoint *bp, struct command_out *out)
{
    static const char *const names[] = {"", "Read watchpoint", "Watchpoint", "Access watchpoint"};
    const struct cpu_watch_hit *hit = &s->target->stop.hit;
    char text[SYMBOLS_TEXT];
    if (bp && bp->kind == BREAKPOINT_CATCH) {
        out_text(out, "\nCatchpoint %u (%u bytes of code at 0x%08x%s were written)\n", bp->number,
                 hit->len, hit->linear, symbols_text(session_symbols(s), hit->linear, text));
    } else if (bp)
        out_text(out, "\n%s %u: %s\n\n", names[hit->at_access & 3], bp->number, bp->spec);
    else
        out_text(out, "\nWatchpoint of gdb at 0x%x\n\n", hit->at);
    if (bp && bp->kind == BREAKPOINT_CATCH) {
        /* What the code was is in the disassembly. */
    } else if (memcmp(hit->before, hit->after, hit->values)) {
        tell_value(s, bp, "Old value", hit->before, hit->values, out);
        tell_value(s, bp, "New value", hit->after, hit->values, out);
    } else if (hit->values) {
        tell_value(s, bp, "Value", hit->after, hit->values, out);
    }
    out_text(out, "%s at 0x%08x%s\n", hit->access & CPU_WATCH_WRITE ? "written" : "read", hit->eip,
             symbols_text(session_symbols(s), hit->eip, text));
    out_string(out, "access", "%s", hit->access & CPU_WATCH_WRITE ? "write" : "read");
    out_number(out, "address", hit->linear);
    out_number(out, "by", hit->eip);
}

static void tell_fault(const struct cpu_fault *f, struct command_out *out)
{
    out_text(out, "\nFault: %s (vector %u", cpu_vector_name(f->vector), f->vector);
    if (f->has_error)
        out_text(out, ", error 0x%x", f->error);
    out_text(out, ")");
    if (f->vector == CPU_PF)
        out_text(out, ": %s at 0x%08x",
                 f->error & CPU_PF_WRITE   ? "write"
                 : f->error & CPU_PF_FETCH ? "jump"
                                           : "read",
                 f->address);
    out_text(out, "\n");
    out_number(out, "vector", f->vector);
    out_number(out, "fault_address", f->address);
}

static const char *name_or(enum names_kind kind, uint32_t number, const char *otherwise)
{
    const char *name = names_of(kind, number);
    return name ? name : otherwise;
}

static void tell_catch(const struct target_stop *stop, const struct breakpoint *bp,
                       struct command_out *out)
{
    out_text(out, "\nCatchpoint %u", bp ? bp->number : 0);
    switch (stop->kind) {
    case TARGET_STOP_INTERRUPT:
        out_text(out, " (interrupts 0x%x delivered:", stop->number);
        for (unsigned bit = 0; bit < 32; bit++)
            if (stop->number >> bit & 1)
                out_text(out, " %s", name_or(NAMES_INTERRUPT, 1u << bit, "unknown"));
        out_text(out, ")");
        break;
    case TARGET_STOP_HYPERCALL:
        out_text(out, " (virtual instruction %u: %s)", stop->number,
                 name_or(NAMES_HYPERCALL, stop->number, "reserved"));
        break;
    default:
        out_text(out, " (%s port 0x%x)", stop->write ? "out to" : "in from", stop->number);
    }
    out_text(out, "%s%s\n", stop->text[0] ? ": " : "", stop->text);
    out_number(out, "number", stop->number);
}

static void tell_break(struct session *s, struct command_out *out)
{
    const struct breakpoint *bp = breakpoints_hit(s->breakpoints, 0);
    const struct cpu *cpu = target_cpu(s->target);
    if (!bp)
        out_text(out, "\nBreakpoint of gdb, ");
    else if (bp->kind == BREAKPOINT_CATCH)
        out_text(out, "\nCatchpoint %u (system call %u: %s), ", bp->number, cpu->gpr[ISA_EAX],
                 name_or(NAMES_SYSCALL, cpu->gpr[ISA_EAX], "unknown"));
    else
        out_text(out, "\n%s %u, ", bp->temporary ? "Temporary breakpoint" : "Breakpoint",
                 bp->number);
}

static void tell_why(struct session *s, struct command_out *out)
{
    const struct target_stop *stop = &s->target->stop;
    struct breakpoint *bp = breakpoints_hit(s->breakpoints, 0);
    switch (stop->kind) {
    case TARGET_STOP_BREAKPOINT:
        tell_break(s, out);
        break;
    case TARGET_STOP_WATCHPOINT:
        tell_watch(s, bp, out);
        break;
    case TARGET_STOP_FAULT:
        if (bp)
            out_text(out, "\nCatchpoint %u", bp->number);
        tell_fault(&stop->fault, out);
        break;
    case TARGET_STOP_INTERRUPT:
    case TARGET_STOP_HYPERCALL:
    case TARGET_STOP_PORT:
        tell_catch(stop, bp, out);
        break;
    case TARGET_STOP_ASKED:
        out_text(out, "\nInterrupted.\n");
        break;
    case TARGET_STOP_HISTORY:
        out_text(out, "\n%s\n", stop->text[0] ? stop->text : "No more history.");
        break;
    default:
        break;
    }
}

static void tell_end(struct session *s, struct command_out *out)
{
    const struct target_stop *stop = &s->target->stop;
    out_text(out, "[VM %u (%s) ", s->target->id, s->target->name);
    if (stop->kind == TARGET_STOP_EXITED && !stop->status)
        out_text(out, "exited normally]\n");
    else if (stop->kind == TARGET_STOP_EXITED)
        out_text(out, "exited with status %d]\n", stop->status);
    else
        out_text(out, "ended: %s]\n", stop->text);
    out_number(out, "status", stop->status);
    if (stop->has_fault)
        tell_fault(&stop->fault, out);
}

void session_tell_stop(struct session *s, struct command_out *out)
{
    const struct target_stop *stop = &s->target->stop;
    struct expr_context c;
    struct symbols_line line;
    struct why why;
    out_object(out, "stop");
    out_string(out, "kind", "%s", kind_names[stop->kind]);
    out_number(out, "vm", s->target->id);
    for (unsigned n = 0; breakpoints_hit(s->breakpoints, n); n++)
        if (!n)
            out_number(out, "breakpoint", breakpoints_hit(s->breakpoints, n)->number);
    if (stop->text[0])
        out_string(out, "text", "%s", stop->text);
    bool exited = stop->kind == TARGET_STOP_EXITED;
    if (exited || stop->kind == TARGET_STOP_DIED)
        tell_end(s, out);
    else
        tell_why(s, out);
    if (*breakpoints_trouble(s->breakpoints))
        out_text(out, "(the condition cannot be told: %s)\n", breakpoints_trouble(s->breakpoints));
    if (!exited && !session_context(s, &c, &why)) {
        session_frame_fields(&c, out);
        bool lines = frame_line(&c.source, &c.frame, &line);
        session_tell_frame(s, &c, !lines || c.frame.eip != line.start, out);
        out_text(out, "\n");
        session_tell_line(s, out);
    }
    out_close(out);
}
