/* SPDX-License-Identifier: MIT */
/* Registers of all kinds, of the processor and of the virtual architecture. */
#include "emu/debug/command/command_private.h"

#include <stdlib.h>

static void tell_flags(uint32_t eflags, struct command_out *out)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } flags[] = {{0, "CF"},  {2, "PF"},  {4, "AF"},  {6, "ZF"},  {7, "SF"},
                 {8, "TF"},  {9, "IF"},  {10, "DF"}, {11, "OF"}, {14, "NT"},
                 {16, "RF"}, {17, "VM"}, {18, "AC"}, {21, "ID"}};
    out_text(out, "[");
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (eflags >> flags[i].bit & 1)
            out_text(out, " %s", flags[i].name);
    out_text(out, " ]");
}

static void tell_register(struct session *s, const struct expr_context *c, const char *name,
                          struct command_out *out)
{
    struct value v;
    int64_t n;
    char text[SYMBOLS_TEXT];
    if (!expr_register(c, name, &v))
        return;
    if (value_number(s->target, &v, &n, NULL)) {
        out_text(out, "%-10s <not saved>\n", name);
        return;
    }
    out_text(out, "%-10s 0x%-10llx ", name, (unsigned long long)n & UINT32_MAX);
    if (!strcmp(name, "eflags"))
        tell_flags((uint32_t)n, out);
    else if (!strcmp(name, "eip"))
        out_text(out, "0x%x%s", (uint32_t)n, symbols_text(c->source.symbols, (uint32_t)n, text));
    else
        out_text(out, "%d", (int32_t)n);
    out_text(out, "\n");
    out_number(out, name, (uint32_t)n);
}

static void tell_general(struct session *s, const struct expr_context *c, struct command_out *out)
{
    static const char *const names[] = {"eax", "ecx",    "edx", "ebx", "esp", "ebp", "esi", "edi",
                                        "eip", "eflags", "cs",  "ss",  "ds",  "es",  "fs",  "gs"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        tell_register(s, c, names[i], out);
}

static void tell_float(struct session *s, struct command_out *out)
{
    const struct cpu_fpu *f = &target_cpu(s->target)->fpu;
    unsigned top = f->status >> 11 & 7;
    for (unsigned i = 0; i < 8; i++) {
        struct value v = {.place = VALUE_BYTES};
        type_builtin("long double", &v.type);
        memcpy(v.bytes, f->st[i], 10);
        out_text(out, "st%u        ", i);
        if (f->tag >> ((top + i) & 7) & 1)
            value_print(s->target, NULL, &v, 0, out->file);
        else
            out_text(out, "empty");
        out_text(out, "\t(raw 0x");
        for (int b = 9; b >= 0; b--)
            out_text(out, "%02x", f->st[i][b]);
        out_text(out, ")\n");
    }
    out_text(out, "control    0x%04x\nstatus     0x%04x (top %u)\ntags       0x%02x\n", f->control,
             f->status, top, f->tag);
    out_number(out, "control", f->control);
    out_number(out, "status", f->status);
}

static void tell_vector(struct session *s, struct command_out *out)
{
    const struct cpu_fpu *f = &target_cpu(s->target)->fpu;
    for (unsigned i = 0; i < 8; i++) {
        char hex[33], name[8];
        float single[4];
        double twice[2];
        memcpy(single, f->xmm[i], 16);
        memcpy(twice, f->xmm[i], 16);
        for (int b = 0; b < 16; b++)
            snprintf(hex + 2 * b, 3, "%02x", f->xmm[i][15 - b]);
        snprintf(name, sizeof(name), "xmm%u", i);
        out_text(out, "%s       0x%s  {%g, %g, %g, %g}  {%g, %g}\n", name, hex, (double)single[0],
                 (double)single[1], (double)single[2], (double)single[3], twice[0], twice[1]);
        out_string(out, name, "%s", hex);
    }
    out_text(out, "mxcsr      0x%04x\n", f->mxcsr);
    out_number(out, "mxcsr", f->mxcsr);
}

static void tell_segments(struct session *s, const struct expr_context *c, struct command_out *out)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    const struct cpu *cpu = target_cpu(s->target);
    for (unsigned i = 0; i < 6; i++) {
        const struct cpu_seg *seg = &cpu->seg[i];
        if (cpu->flat)
            out_text(out, "%s         0x%04x\n", names[i], seg->selector);
        else
            out_text(out, "%s         0x%04x  base 0x%08x  limit 0x%08x  attributes 0x%04x\n",
                     names[i], seg->selector, seg->base, seg->limit, seg->attr);
        out_number(out, names[i], seg->selector);
    }
    if (cpu->flat) {
        tell_register(s, c, "fs_base", out);
        tell_register(s, c, "gs_base", out);
    }
}

static void tell_control(struct session *s, struct command_out *out)
{
    const struct cpu *cpu = target_cpu(s->target);
    const struct cpu_sys *y = &cpu->sys;
    if (cpu->flat) {
        out_text(out, "A Denali VM has no control registers; \"info registers virtual\" shows its "
                      "own.\n");
        return;
    }
    out_text(out, "cr0        0x%08x\ncr2        0x%08x\ncr3        0x%08x\ncr4        0x%08x\n",
             y->cr0, y->cr2, y->cr3, y->cr4);
    out_text(out, "gdt        0x%08x limit 0x%04x\nidt        0x%08x limit 0x%04x\n", y->gdt.base,
             y->gdt.limit, y->idt.base, y->idt.limit);
    out_text(out, "ldt        0x%04x base 0x%08x\ntr         0x%04x base 0x%08x\ncpl        %u\n",
             y->ldt.selector, y->ldt.base, y->tr.selector, y->tr.base, cpu->cpl);
    out_number(out, "cr0", y->cr0);
    out_number(out, "cr3", y->cr3);
    out_number(out, "cpl", cpu->cpl);
}

static void tell_debug(struct session *s, struct command_out *out)
{
    const struct cpu_sys *y = &target_cpu(s->target)->sys;
    for (unsigned i = 0; i < 8; i++)
        if (i != 4 && i != 5)
            out_text(out, "dr%u        0x%08x\n", i, y->dr[i]);
}

/* The page of virtual registers, by its declared fields. */
static int tell_virtual(struct session *s, struct command_out *out, struct why *why)
{
    struct target_state state;
    for (unsigned n = 0; s->target->ops->describe && s->target->ops->describe(s->target, n, &state);
         n++) {
        if (!strcmp(state.name, "regs")) {
            command_show_state(&state, out);
            return 0;
        }
    }
    return why_fail(why, -ENOENT, "this machine has no virtual registers");
}

static int tell_kind(struct session *s, const struct expr_context *c, const char *kind,
                     struct command_out *out, struct why *why)
{
    struct value v;
    if (!*kind || !strcmp(kind, "all"))
        tell_general(s, c, out);
    if (!strcmp(kind, "x87") || !strcmp(kind, "float") || !strcmp(kind, "all"))
        tell_float(s, out);
    if (!strcmp(kind, "sse") || !strcmp(kind, "vector") || !strcmp(kind, "all"))
        tell_vector(s, out);
    if (!strcmp(kind, "segments") || !strcmp(kind, "all"))
        tell_segments(s, c, out);
    if (!strcmp(kind, "control") || !strcmp(kind, "all"))
        tell_control(s, out);
    if (!strcmp(kind, "debug"))
        tell_debug(s, out);
    if (!strcmp(kind, "virtual"))
        return tell_virtual(s, out, why);
    static const char *const kinds[] = {"",       "all",      "x87",     "float", "sse",
                                        "vector", "segments", "control", "debug"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strcmp(kinds[i], kind))
            return 0;
    kind += *kind == '$';
    if (!expr_register(c, kind, &v))
        return why_fail(why, -ENOENT,
                        "there is no register \"%.40s\"; kinds are all, x87, sse, segments, "
                        "control, debug and virtual",
                        kind);
    if (type_kind(&v.type) == TYPE_FLOAT) {
        out_text(out, "%-10s ", kind);
        value_print(s->target, NULL, &v, 0, out->file);
        out_text(out, "\n");
    } else {
        tell_register(s, c, kind, out);
    }
    return 0;
}

static int run_registers(struct session *s, const char *args, struct command_out *out,
                         struct why *why)
{
    struct expr_context c;
    char word[COMMAND_WORD];
    int err = session_context(s, &c, why);
    if (err)
        return err;
    out_object(out, "registers");
    do {
        args = command_word(args, word);
        err = tell_kind(s, &c, word, out, why);
    } while (!err && *args);
    out_close(out);
    return err;
}

const struct command command_register_rows[] = {
    {.name = "info registers",
     .aliases = "r reg registers",
     .syntax = "[all | x87 | sse | segments | control | debug | virtual | NAME...]",
     .summary = "registers of the selected frame",
     .help = "Without an argument the general ones. \"virtual\" shows the page of virtual "
             "registers of a\nDenali VM.",
     .example = "info registers",
     .words = "all x87 sse segments control debug virtual",
     .group = COMMAND_DATA,
     .complete = COMPLETE_WORDS,
     .run = run_registers},
    {.name = NULL},
};
