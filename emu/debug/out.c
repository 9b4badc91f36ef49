/* SPDX-License-Identifier: MIT */
/* A command's answer as text and, for programs, as fields (jansson). */
#include "emu/debug/command/command.h"

#include "config.h"

#include <stdarg.h>
#include <stdlib.h>

void out_text(struct command_out *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(out->file, fmt, args);
    va_end(args);
}

#if HAVE_JANSSON
#include <jansson.h>

/* NULL: nobody wants fields, or what was opened is too deep. */
static json_t *top(const struct command_out *out)
{
    return out->depth < OUT_DEPTH ? out->json[out->depth] : NULL;
}

static void put(struct command_out *out, const char *key, json_t *value)
{
    json_t *in = top(out);
    if (json_is_array(in))
        json_array_append_new(in, value);
    else
        json_object_set_new(in, key, value);
}

void out_string(struct command_out *out, const char *key, const char *fmt, ...)
{
    char *text;
    va_list args;
    if (!top(out))
        return;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    /* Names come from files that may hold anything. */
    for (char *c = text; *c; c++)
        if (*c & 0x80)
            *c = '?';
    put(out, key, json_string(text));
    free(text);
}

void out_number(struct command_out *out, const char *key, int64_t number)
{
    if (top(out))
        put(out, key, json_integer(number));
}

void out_bool(struct command_out *out, const char *key, bool yes)
{
    if (top(out))
        put(out, key, json_boolean(yes));
}

static void open_in(struct command_out *out, const char *key, json_t *value)
{
    if (top(out)) {
        put(out, key, value);
        if (out->depth + 1 < OUT_DEPTH)
            out->json[out->depth + 1] = value;
    } else {
        json_decref(value);
        if (out->depth + 1 < OUT_DEPTH)
            out->json[out->depth + 1] = NULL;
    }
    out->depth++;
}

void out_list(struct command_out *out, const char *key)
{
    open_in(out, key, json_array());
}

void out_object(struct command_out *out, const char *key)
{
    open_in(out, key, json_object());
}

void out_close(struct command_out *out)
{
    out->depth--;
}

#else

void out_string(struct command_out *out, const char *key, const char *fmt, ...)
{
    (void)out, (void)key, (void)fmt;
}

void out_number(struct command_out *out, const char *key, int64_t number)
{
    (void)out, (void)key, (void)number;
}

void out_bool(struct command_out *out, const char *key, bool yes)
{
    (void)out, (void)key, (void)yes;
}

void out_list(struct command_out *out, const char *key)
{
    (void)out, (void)key;
}

void out_object(struct command_out *out, const char *key)
{
    (void)out, (void)key;
}

void out_close(struct command_out *out)
{
    (void)out;
}

#endif
