/* SPDX-License-Identifier: MIT */
/* Expressions: print, set, types, and what is shown at each stop. */
#include "emu/debug/command/command_private.h"

#include <stdlib.h>

void session_show_value(struct session *s, const struct value *v, char format, const char *label,
                        struct command_out *out)
{
    char *text = NULL, type[TYPE_TEXT];
    size_t len;
    FILE *into = open_memstream(&text, &len);
    if (!into)
        return;
    value_print(s->target, session_symbols(s), v, format, into);
    fclose(into);
    /* A bare pointer of a kind that the value itself does not tell is shown with its type. */
    struct type to = type_target(&v->type);
    bool pointer = type_kind(&v->type) == TYPE_POINTER && v->type.module && !format &&
                   type_kind(&to) != TYPE_CHAR && v->place != VALUE_LOST;
    s->value[s->values++ % SESSION_VALUES] = *v;
    if (v->place == VALUE_REGISTER)
        s->value[(s->values - 1) % SESSION_VALUES].place = VALUE_BYTES;
    out_text(out, "%s$%u = ", label, s->values);
    if (pointer)
        out_text(out, "(%s) ", type_text(&v->type, type));
    out_text(out, "%s\n", text);
    out_string(out, "value", "%s", text);
    out_string(out, "type", "%s", type_text(&v->type, type));
    free(text);
}

static int evaluate(struct session *s, const char *args, bool may_write, struct value *out,
                    struct why *why)
{
    struct expr_context context;
    int err = session_context(s, &context, why);
    context.may_write = may_write;
    return err ? err : expr_evaluate(&context, args, NULL, out, why);
}

static int run_print(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct command_format f = {0};
    struct value v;
    args = command_take_format(args, &f, why);
    if (!args)
        return -EINVAL;
    if (!*args)
        return why_fail(why, -EINVAL, "print what? An expression: print $eax + 1");
    if (f.format == 'i')
        return why_fail(why, -EINVAL, "print has no /i; use x/i ADDRESS");
    int err = evaluate(s, args, true, &v, why);
    int64_t n;
    if (!err && v.place == VALUE_MEMORY && type_is_scalar(&v.type))
        err = value_number(s->target, &v, &n, why);
    if (!err)
        session_show_value(s, &v, f.format, "", out);
    return err;
}

static bool starts(const char *args, const char *word, const char **rest)
{
    size_t len = strlen(word);
    if (strncmp(args, word, len) || (args[len] && args[len] != ' '))
        return false;
    *rest = args + len + strspn(args + len, " ");
    return true;
}

struct setting {
    const char *name, *help;
    size_t offset;
    bool is_bool;
};

static const struct setting settings[] = {
    {"listsize", "lines that list shows", offsetof(struct session_settings, listsize), false},
    {"history", "lines that the prompt remembers", offsetof(struct session_settings, history),
     false},
    {"basename", "file names without their folders", offsetof(struct session_settings, basename),
     true},
    {"source", "disassemble shows source lines", offsetof(struct session_settings, source), true},
};

/* A setting by the word that args begins with; "=" may stand behind it. */
static const struct setting *find_setting(const char *args, const char **rest)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (!starts(args, settings[i].name, rest))
            continue;
        *rest += **rest == '=';
        *rest += strspn(*rest, " ");
        return &settings[i];
    }
    return NULL;
}

static int change_setting(struct session *s, const struct setting *setting, const char *args,
                          struct why *why)
{
    void *at = (char *)&s->settings + setting->offset;
    uint64_t n;
    if (setting->is_bool) {
        if (strcmp(args, "on") && strcmp(args, "off"))
            return why_fail(why, -EINVAL, "%s is on or off", setting->name);
        *(bool *)at = !strcmp(args, "on");
        return 0;
    }
    int err = command_count(s, args, 0, &n, why);
    if (!err && (!n || n > 100000))
        err = why_fail(why, -EINVAL, "%s is a number from 1 to 100000", setting->name);
    if (!err)
        *(int64_t *)at = (int64_t)n;
    return err;
}

static int run_set(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    const char *rest = args;
    struct value v;
    const struct setting *setting = find_setting(args, &rest);
    (void)out;
    if (setting)
        return change_setting(s, setting, rest, why);
    if (!starts(args, "variable", &rest))
        starts(args, "var", &rest);
    if (!strchr(rest, '='))
        return why_fail(why, -EINVAL,
                        "set what? \"set $eax = 1\", \"set var counter = 0\", or a "
                        "setting of \"info settings\"");
    return evaluate(s, rest, true, &v, why);
}

static int run_settings(struct session *s, const char *args, struct command_out *out,
                        struct why *why)
{
    int err = command_no_args(args, why);
    for (size_t i = 0; !err && i < ARRAY_LEN(settings); i++) {
        const void *at = (const char *)&s->settings + settings[i].offset;
        if (settings[i].is_bool)
            out_text(out, "%-10s %-8s %s\n", settings[i].name, *(const bool *)at ? "on" : "off",
                     settings[i].help);
        else
            out_text(out, "%-10s %-8lld %s\n", settings[i].name, (long long)*(const int64_t *)at,
                     settings[i].help);
    }
    return err;
}

/* A type's name, or an expression's type. */
static int type_of_text(struct session *s, const char *args, struct type *out, struct why *why)
{
    struct value v;
    if (!*args)
        return why_fail(why, -EINVAL, "the type of what? An expression, or struct NAME");
    if (session_symbols(s) && type_find(session_symbols(s), args, out))
        return 0;
    int err = evaluate(s, args, false, &v, why);
    *out = v.type;
    return err;
}

static void print_members(const struct type *type, unsigned depth, struct command_out *out)
{
    struct type_member m;
    char text[TYPE_TEXT];
    for (unsigned n = 0; n < 1000 && type_member(type, n, &m); n++) {
        out_text(out, "%*s/* %4u */ %s %s", 4 * (int)depth, "", m.offset, type_text(&m.type, text),
                 m.name);
        if (m.bits)
            out_text(out, " : %u", m.bits);
        if (!m.name[0] && depth < 4) {
            out_text(out, "{\n");
            print_members(&m.type, depth + 1, out);
            out_text(out, "%*s}", 4 * (int)depth, "");
        }
        out_text(out, ";\n");
    }
}

static int run_ptype(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct type type;
    char text[TYPE_TEXT];
    int err = type_of_text(s, args, &type, why);
    if (err)
        return err;
    out_text(out, "type = %s", type_text(&type, text));
    out_string(out, "type", "%s", text);
    out_number(out, "size", type_size(&type));
    while (type_kind(&type) == TYPE_POINTER)
        type = type_target(&type);
    if (type_kind(&type) == TYPE_STRUCT) {
        out_text(out, " {\n");
        print_members(&type, 1, out);
        out_text(out, "} /* %u bytes */", type_size(&type));
    }
    out_text(out, "\n");
    return 0;
}

static int run_whatis(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    struct type type;
    char text[TYPE_TEXT];
    int err = type_of_text(s, args, &type, why);
    if (!err)
        out_text(out, "type = %s\n", type_text(&type, text));
    return err;
}

static int run_echo(struct session *s, const char *args, struct command_out *out, struct why *why)
{
    (void)s, (void)why;
    for (; *args; args++) {
        if (*args == '\\' && args[1] == 'n') {
            out_text(out, "\n");
            args++;
        } else {
            out_text(out, "%c", *args);
        }
    }
    return 0;
}

#define ROW(name_, aliases_, syntax_, summary_, help_, example_, complete_, fn)                    \
    {                                                                                              \
        .name = name_, .aliases = aliases_, .syntax = syntax_, .summary = summary_, .help = help_, \
        .example = example_, .group = COMMAND_DATA, .complete = complete_, .run = fn               \
    }

const struct command command_data_rows[] = {
    ROW("print", "p inspect", "[/FORMAT] EXPRESSION", "show the value of an expression",
        "Expressions are C's: variables of the program with their types, registers as $eax,\n"
        "numbers, casts as (u8), (char *), (struct x *). $1 is the first value that was shown, $\n"
        "the last one. FORMAT: x d u o t c a s f z.",
        "print accounts[1]", COMPLETE_EXPRESSION, run_print),
    ROW("set", NULL, "[var] PLACE = VALUE | SETTING VALUE",
        "change a register, a variable, memory or a setting",
        "\"set $eax = 1\", \"set var x = 2\", \"set *(u8 *)0x20000 = 0x90\", \"set $mine = 3\" for "
        "a\nvariable of your own; \"info settings\" lists settings.",
        "set var accounts[1].balance = 7", COMPLETE_EXPRESSION, run_set),
    ROW("info settings", NULL, "", "the debugger's settings", NULL, "info settings",
        COMPLETE_NOTHING, run_settings),
    ROW("ptype", NULL, "TYPE | EXPRESSION", "a type with its members and their offsets", NULL,
        "ptype struct account", COMPLETE_EXPRESSION, run_ptype),
    ROW("whatis", NULL, "EXPRESSION", "the name of an expression's type", NULL,
        "whatis accounts[0].name", COMPLETE_EXPRESSION, run_whatis),
    ROW("echo", NULL, "TEXT", "print TEXT; \\n is the end of a line", NULL, "echo here\\n",
        COMPLETE_NOTHING, run_echo),
    {.name = NULL},
};
