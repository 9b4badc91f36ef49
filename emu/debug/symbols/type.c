/* SPDX-License-Identifier: MIT */
/* Types that the language itself has, and pointers around any type. */
#include "emu/debug/symbols/type_private.h"

#include <stdio.h>
#include <string.h>

static const struct type builtins[] = {
    {.kind = TYPE_VOID, .name = "void"},
    {.kind = TYPE_CHAR, .size = 1, .is_signed = 1, .name = "char"},
    {.kind = TYPE_CHAR, .size = 1, .is_signed = 1, .name = "signed char"},
    {.kind = TYPE_CHAR, .size = 1, .name = "unsigned char"},
    {.kind = TYPE_SIGNED, .size = 2, .name = "short"},
    {.kind = TYPE_UNSIGNED, .size = 2, .name = "unsigned short"},
    {.kind = TYPE_SIGNED, .size = 4, .name = "int"},
    {.kind = TYPE_UNSIGNED, .size = 4, .name = "unsigned int"},
    {.kind = TYPE_UNSIGNED, .size = 4, .name = "unsigned"},
    {.kind = TYPE_SIGNED, .size = 4, .name = "long"},
    {.kind = TYPE_UNSIGNED, .size = 4, .name = "unsigned long"},
    {.kind = TYPE_SIGNED, .size = 8, .name = "long long"},
    {.kind = TYPE_UNSIGNED, .size = 8, .name = "unsigned long long"},
    {.kind = TYPE_UNSIGNED, .size = 1, .name = "u8"},
    {.kind = TYPE_UNSIGNED, .size = 2, .name = "u16"},
    {.kind = TYPE_UNSIGNED, .size = 4, .name = "u32"},
    {.kind = TYPE_UNSIGNED, .size = 8, .name = "u64"},
    {.kind = TYPE_SIGNED, .size = 1, .name = "s8"},
    {.kind = TYPE_SIGNED, .size = 2, .name = "s16"},
    {.kind = TYPE_SIGNED, .size = 4, .name = "s32"},
    {.kind = TYPE_SIGNED, .size = 8, .name = "s64"},
    {.kind = TYPE_UNSIGNED, .size = 1, .name = "uint8_t"},
    {.kind = TYPE_UNSIGNED, .size = 2, .name = "uint16_t"},
    {.kind = TYPE_UNSIGNED, .size = 4, .name = "uint32_t"},
    {.kind = TYPE_UNSIGNED, .size = 8, .name = "uint64_t"},
    {.kind = TYPE_SIGNED, .size = 1, .name = "int8_t"},
    {.kind = TYPE_SIGNED, .size = 2, .name = "int16_t"},
    {.kind = TYPE_SIGNED, .size = 4, .name = "int32_t"},
    {.kind = TYPE_SIGNED, .size = 8, .name = "int64_t"},
    {.kind = TYPE_FLOAT, .size = 4, .name = "float"},
    {.kind = TYPE_FLOAT, .size = 8, .name = "double"},
    {.kind = TYPE_FLOAT, .size = 12, .name = "long double"},
    {.kind = TYPE_BOOL, .size = 1, .name = "bool"},
    {.kind = TYPE_FUNCTION, .size = 1, .name = "<text>"},
};

bool type_builtin(const char *name, struct type *out)
{
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
        if (!strcmp(builtins[i].name, name)) {
            *out = builtins[i];
            return true;
        }
    }
    return false;
}

enum type_kind type_kind(const struct type *t)
{
    return t->repeat ? TYPE_ARRAY : t->stars ? TYPE_POINTER : t->kind;
}

/* An array seldom tells its size itself; one of itself has none. */
static uint32_t size_of(const struct type *t, unsigned depth)
{
    if (t->stars && !t->repeat)
        return 4;
    if (!t->repeat && (t->kind != TYPE_ARRAY || (t->size && !t->dimension)))
        return t->size;
    struct type element = type_target(t);
    uint64_t size = depth ? (uint64_t)type_elements(t) * size_of(&element, depth - 1) : 0;
    return size > UINT32_MAX ? 0 : (uint32_t)size;
}

uint32_t type_size(const struct type *t)
{
    return size_of(t, 16);
}

bool type_is_signed(const struct type *t)
{
    return !t->stars && (t->kind == TYPE_SIGNED || t->is_signed);
}

bool type_is_scalar(const struct type *t)
{
    switch (type_kind(t)) {
    case TYPE_SIGNED:
    case TYPE_UNSIGNED:
    case TYPE_CHAR:
    case TYPE_BOOL:
    case TYPE_ENUM:
    case TYPE_POINTER:
        return type_size(t) <= 8;
    default:
        return false;
    }
}

struct type type_repeated(const struct type *t, uint32_t count)
{
    struct type out = *t;
    out.repeat = count;
    return out;
}

struct type type_pointer_to(const struct type *t)
{
    struct type out = *t;
    out.repeat = 0;
    if (out.stars < UINT8_MAX)
        out.stars++;
    return out;
}

struct type type_target(const struct type *t)
{
    struct type out = *t;
    if (out.repeat) {
        out.repeat = 0;
        return out;
    }
    if (out.stars) {
        out.stars--;
        return out;
    }
    return t->module ? type_dwarf_target(t) : builtins[0];
}

uint32_t type_elements(const struct type *t)
{
    if (t->repeat)
        return t->repeat;
    return t->module && type_kind(t) == TYPE_ARRAY ? type_dwarf_elements(t) : 0;
}

/* "int *", "int **": a space before the first star only. "int (*)[4]": around what follows it. */
void type_text_star(char text[TYPE_TEXT])
{
    char rest[TYPE_TEXT] = "";
    char *inside = strstr(text, "(*"), *suffix = inside ? inside + 1 : strpbrk(text, "[(");
    bool wraps = suffix && !inside;
    if (suffix) {
        snprintf(rest, sizeof(rest), "%s", suffix);
        *suffix = 0;
    }
    size_t len = strlen(text);
    bool blank = len && !strchr("*( ", text[len - 1]);
    snprintf(text + len, TYPE_TEXT - len, "%s%s%s", blank ? " " : "", wraps ? "(*)" : "*", rest);
}

const char *type_text(const struct type *t, char text[TYPE_TEXT])
{
    if (t->module)
        type_dwarf_text(t, text);
    else
        snprintf(text, TYPE_TEXT, "%s", t->name ? t->name : "void");
    for (unsigned n = 0; n < t->stars; n++)
        type_text_star(text);
    size_t len = strlen(text);
    if (t->repeat)
        snprintf(text + len, TYPE_TEXT - len, " [%u]", t->repeat);
    for (char *c = text; *c; c++)
        if ((uint8_t)*c < ' ' || *c == 127)
            *c = '?';
    return text;
}

static bool find_member(const struct type *t, const char *name, struct type_member *out,
                        unsigned depth)
{
    struct type_member m;
    for (unsigned n = 0; depth && type_member(t, n, &m); n++) {
        if (m.name[0]) {
            if (!strcmp(m.name, name)) {
                *out = m;
                return true;
            }
        } else if (type_kind(&m.type) == TYPE_STRUCT &&
                   find_member(&m.type, name, out, depth - 1)) {
            out->offset += m.offset;
            return true;
        }
    }
    return false;
}

bool type_find_member(const struct type *t, const char *name, struct type_member *out)
{
    return find_member(t, name, out, 8);
}
