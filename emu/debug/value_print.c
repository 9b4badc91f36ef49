/* SPDX-License-Identifier: MIT */
/*
 * Values as text. A structure may be deep and an array long: what is shown is
 * bounded in depth, elements and bytes.
 */
#include "emu/debug/value.h"

#include <ctype.h>
#include <string.h>

#define MAX_DEPTH 5
#define MAX_ELEMENTS 200u
#define MAX_STRING 200u
#define MAX_MEMBERS 256u

struct printer {
    struct target *target;
    const struct symbols *symbols;
    FILE *out;
    char format;
    unsigned left; /* elements and members that may still be shown */
};

static void print(struct printer *p, const struct value *v, unsigned depth);

static void print_char(FILE *out, unsigned c, char quote)
{
    static const char plain[] = "\a\b\t\n\v\f\r\033", letters[] = "abtnvfre";
    const char *at = c ? memchr(plain, (int)c, sizeof(plain) - 1) : NULL;
    if (at)
        fprintf(out, "\\%c", letters[at - plain]);
    else if (c == (unsigned char)quote || c == '\\')
        fprintf(out, "\\%c", (int)c);
    else if (c >= ' ' && c < 127)
        fputc((int)c, out);
    else
        fprintf(out, "\\%03o", c);
}

/* Bytes of an array of characters that are shown: without the NULs at its end. */
static uint32_t text_length(struct printer *p, uint32_t address, uint32_t bytes)
{
    uint32_t length = 0;
    char c;
    for (uint32_t i = 0; i < bytes && i <= MAX_STRING; i++)
        if (!p->target->ops->read(p->target, TARGET_LINEAR, address + i, &c, 1) && c)
            length = i + 1;
    return length > MAX_STRING ? bytes : length;
}

/* Text at an address up to its NUL, or, `whole`, so many bytes. */
static void print_string(struct printer *p, uint32_t address, uint32_t bytes, bool whole)
{
    char c;
    for (uint32_t i = 0; i < bytes; i++) {
        if (p->target->ops->read(p->target, TARGET_LINEAR, address + i, &c, 1)) {
            fputs(i ? "\" <no memory>" : "<no memory>", p->out);
            return;
        }
        if (i == MAX_STRING) {
            fputs("\"...", p->out);
            return;
        }
        if (!i)
            fputc('"', p->out);
        if (!c && !whole)
            break;
        print_char(p->out, (unsigned char)c, '"');
    }
    fputs(bytes ? "\"" : "\"\"", p->out);
}

static void print_pointer(struct printer *p, const struct value *v, uint32_t address)
{
    struct type to = type_target(&v->type);
    char text[SYMBOLS_TEXT] = "";
    fprintf(p->out, "0x%x", address);
    if (!address)
        return;
    if (p->symbols)
        fputs(symbols_text(p->symbols, address, text), p->out);
    if (type_kind(&to) == TYPE_CHAR) {
        fputc(' ', p->out);
        print_string(p, address, UINT32_MAX, false);
    }
}

static void print_enum(struct printer *p, const struct value *v, int64_t n)
{
    const char *name = type_enumerator(&v->type, n);
    bool first = true;
    if (name) {
        fputs(name, p->out);
        return;
    }
    if (n <= 0) {
        fprintf(p->out, "%lld", (long long)n);
        return;
    }
    /* A set of flags, if it is one. */
    int64_t rest = n;
    for (unsigned bit = 0; bit < 32 && first; bit++)
        first = !(n >> bit & 1) || !type_enumerator(&v->type, (int64_t)1 << bit);
    if (first) {
        fprintf(p->out, "%lld", (long long)n);
        return;
    }
    first = true;
    fputc('(', p->out);
    for (unsigned bit = 0; bit < 32; bit++) {
        int64_t flag = (int64_t)1 << bit;
        if (!(rest & flag) || !(name = type_enumerator(&v->type, flag)))
            continue;
        fprintf(p->out, "%s%s", first ? "" : " | ", name);
        rest &= ~flag;
        first = false;
    }
    if (rest || first)
        fprintf(p->out, "%s0x%llx", first ? "" : " | ", (unsigned long long)rest);
    fputc(')', p->out);
}

static void print_binary(FILE *out, uint64_t n)
{
    int bit = 63;
    while (bit && !(n >> bit & 1))
        bit--;
    for (; bit >= 0; bit--)
        fputc('0' + (int)(n >> bit & 1), out);
}

static int64_t as_signed(uint64_t n, uint32_t size)
{
    unsigned unused = size && size < 8 ? 64 - size * 8 : 0;
    return (int64_t)(n << unused) >> unused;
}

/* With a format: the number as that. */
static void print_formatted(struct printer *p, const struct value *v, int64_t n)
{
    uint32_t size = type_size(&v->type);
    uint64_t u = size && size < 8 ? (uint64_t)n & (((uint64_t)1 << size * 8) - 1) : (uint64_t)n;
    char text[SYMBOLS_TEXT] = "";
    switch (p->format) {
    case 'x':
        fprintf(p->out, "0x%llx", (unsigned long long)u);
        break;
    case 'z':
        fprintf(p->out, "0x%0*llx", (int)size * 2, (unsigned long long)u);
        break;
    case 'd':
        fprintf(p->out, "%lld", (long long)as_signed(u, size));
        break;
    case 'u':
        fprintf(p->out, "%llu", (unsigned long long)u);
        break;
    case 'o':
        fprintf(p->out, "0%llo", (unsigned long long)u);
        break;
    case 't':
        print_binary(p->out, u);
        break;
    case 'c':
        fprintf(p->out, "%lld '", (long long)(int8_t)n);
        print_char(p->out, (unsigned)(u & 255), '\'');
        fputc('\'', p->out);
        break;
    default:
        fprintf(p->out, "0x%llx", (unsigned long long)u);
        if (p->symbols)
            fputs(symbols_text(p->symbols, (uint32_t)u, text), p->out);
    }
}

static void print_plain(struct printer *p, const struct value *v, int64_t n)
{
    switch (type_kind(&v->type)) {
    case TYPE_POINTER:
        print_pointer(p, v, (uint32_t)n);
        break;
    case TYPE_ENUM:
        print_enum(p, v, n);
        break;
    case TYPE_BOOL:
        fputs(n == 1 ? "true" : n ? "(bad bool)" : "false", p->out);
        break;
    case TYPE_CHAR:
        fprintf(p->out, "%lld '", (long long)n);
        print_char(p->out, (unsigned)(n & 255), '\'');
        fputc('\'', p->out);
        break;
    default:
        if (type_is_signed(&v->type))
            fprintf(p->out, "%lld", (long long)n);
        else
            fprintf(p->out, "%llu", (unsigned long long)n);
    }
}

static void print_float(struct printer *p, const struct value *v)
{
    struct why why;
    long double f;
    if (value_float(p->target, v, &f, &why))
        fprintf(p->out, "<%s>", why.text);
    else
        fprintf(p->out, "%.*Lg", type_size(&v->type) == 4 ? 9 : 17, f);
}

/* A member or element as a value of its own. */
static struct value part_of(const struct value *v, const struct type *type, uint32_t offset)
{
    struct value out = *v;
    out.type = *type;
    out.bits = out.bit_offset = 0;
    if (v->place == VALUE_MEMORY)
        out.address += offset;
    else if (v->place == VALUE_BYTES && offset + type_size(type) <= VALUE_ROOM)
        memmove(out.bytes, v->bytes + offset, VALUE_ROOM - offset);
    else
        out.place = VALUE_LOST;
    return out;
}

static void print_struct(struct printer *p, const struct value *v, unsigned depth)
{
    struct type_member m;
    fputc('{', p->out);
    for (unsigned n = 0; n < MAX_MEMBERS && type_member(&v->type, n, &m); n++) {
        struct value part = part_of(v, &m.type, m.offset);
        part.bits = m.bits;
        part.bit_offset = m.bit_offset;
        fputs(n ? ", " : "", p->out);
        if (!p->left || !--p->left) {
            fputs("...", p->out);
            break;
        }
        if (m.name[0])
            fprintf(p->out, "%s = ", m.name);
        print(p, &part, depth - 1);
    }
    fputc('}', p->out);
}

static bool same_bytes(struct printer *p, const struct value *a, const struct value *b)
{
    uint8_t x[VALUE_ROOM], y[VALUE_ROOM];
    uint32_t size = type_size(&a->type);
    return size && size <= VALUE_ROOM && !value_read(p->target, a, x, size, NULL) &&
           !value_read(p->target, b, y, size, NULL) && !memcmp(x, y, size);
}

static void print_elements(struct printer *p, const struct value *v, const struct type *element,
                           uint32_t count, unsigned depth)
{
    uint32_t size = type_size(element);
    fputc('{', p->out);
    for (uint32_t i = 0, run; i < count; i += run) {
        struct value part = part_of(v, element, i * size);
        fputs(i ? ", " : "", p->out);
        if (!p->left || !--p->left) {
            fputs("...", p->out);
            break;
        }
        print(p, &part, depth - 1);
        for (run = 1; i + run < count && run < 100000; run++) {
            struct value next = part_of(v, element, (i + run) * size);
            if (!same_bytes(p, &part, &next))
                break;
        }
        if (run < 10)
            run = 1;
        else
            fprintf(p->out, " <repeats %u times>", run);
    }
    fputc('}', p->out);
}

static void print_array(struct printer *p, const struct value *v, unsigned depth)
{
    struct type element = type_target(&v->type);
    uint32_t count = type_elements(&v->type), size = type_size(&element);
    if (type_kind(&element) == TYPE_CHAR && v->place == VALUE_MEMORY &&
        (!p->format || p->format == 's'))
        print_string(p, v->address, text_length(p, v->address, count), true);
    else if (!size || (uint64_t)count * size > UINT32_MAX)
        fputs("{...}", p->out);
    else
        print_elements(p, v, &element, count, depth);
}

static void print_scalar(struct printer *p, const struct value *v)
{
    struct why why;
    int64_t n;
    if (value_number(p->target, v, &n, &why))
        fprintf(p->out, "<%s>", why.text);
    else if (p->format == 's' && type_kind(&v->type) == TYPE_POINTER)
        print_string(p, (uint32_t)n, UINT32_MAX, false);
    else if (p->format && p->format != 's' && p->format != 'f')
        print_formatted(p, v, n);
    else
        print_plain(p, v, n);
}

static void print(struct printer *p, const struct value *v, unsigned depth)
{
    char text[TYPE_TEXT], symbol[SYMBOLS_TEXT] = "";
    if (v->place == VALUE_LOST) {
        fputs("<optimized out>", p->out);
        return;
    }
    switch (type_kind(&v->type)) {
    case TYPE_VOID:
        fputs("void", p->out);
        break;
    case TYPE_STRUCT:
    case TYPE_ARRAY:
        if (!depth)
            fputs("{...}", p->out);
        else if (type_kind(&v->type) == TYPE_STRUCT)
            print_struct(p, v, depth);
        else
            print_array(p, v, depth);
        break;
    case TYPE_FLOAT:
        if (p->format && p->format != 'f')
            print_scalar(p, v);
        else
            print_float(p, v);
        break;
    case TYPE_FUNCTION:
        if (p->symbols)
            symbols_text(p->symbols, v->address, symbol);
        fprintf(p->out, "{%s} 0x%x%s", type_text(&v->type, text), v->address, symbol);
        break;
    default:
        print_scalar(p, v);
    }
}

void value_print(struct target *target, const struct symbols *symbols, const struct value *v,
                 char format, FILE *out)
{
    struct printer p = {.target = target, .symbols = symbols, .out = out, .format = format};
    p.left = MAX_ELEMENTS;
    print(&p, v, MAX_DEPTH);
}
