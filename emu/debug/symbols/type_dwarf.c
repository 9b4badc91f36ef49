/* SPDX-License-Identifier: MIT */
/* Types as DWARF describes them: entries that refer to each other. */
#include "emu/debug/symbols/type_private.h"

#include <stdio.h>
#include <string.h>

#if HAVE_LIBDW

#define MAX_CHAIN 32      /* typedefs and qualifiers around one type */
#define MAX_CHILDREN 4096 /* members, enumerators */

bool type_die(const struct type *t, Dwarf_Die *out)
{
    return t->module && t->module->dwarf && dwarf_offdie(t->module->dwarf, t->die, out);
}

static bool refers(Dwarf_Die *die, Dwarf_Die *out)
{
    Dwarf_Attribute attr;
    return dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, out);
}

static bool is_wrapper(int tag)
{
    return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
           tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type;
}

/* Through typedefs and qualifiers; false: it ends in void, or not at all. */
static bool peel(Dwarf_Die *die)
{
    Dwarf_Die next;
    for (unsigned i = 0; i < MAX_CHAIN; i++) {
        if (!is_wrapper(dwarf_tag(die)))
            return true;
        if (!refers(die, &next))
            return false;
        *die = next;
    }
    return false;
}

static uint64_t number(Dwarf_Die *die, unsigned name, uint64_t otherwise)
{
    Dwarf_Attribute attr;
    Dwarf_Word value;
    return dwarf_attr_integrate(die, name, &attr) && !dwarf_formudata(&attr, &value) ? value
                                                                                     : otherwise;
}

static void set_base(struct type *t, Dwarf_Die *die)
{
    switch (number(die, DW_AT_encoding, DW_ATE_unsigned)) {
    case DW_ATE_signed:
        t->kind = TYPE_SIGNED;
        break;
    case DW_ATE_signed_char:
        t->kind = TYPE_CHAR;
        t->is_signed = 1;
        break;
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF:
        t->kind = t->size == 1 ? TYPE_CHAR : TYPE_UNSIGNED;
        break;
    case DW_ATE_boolean:
        t->kind = TYPE_BOOL;
        break;
    case DW_ATE_float:
        t->kind = TYPE_FLOAT;
        break;
    case DW_ATE_unsigned:
        t->kind = TYPE_UNSIGNED;
        break;
    default:
        t->kind = TYPE_OTHER;
    }
}

static void set_kind(struct type *t, Dwarf_Die *die)
{
    t->size = (uint32_t)number(die, DW_AT_byte_size, 0);
    switch (dwarf_tag(die)) {
    case DW_TAG_base_type:
        set_base(t, die);
        break;
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        t->kind = TYPE_POINTER;
        t->size = 4;
        break;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        t->kind = TYPE_STRUCT;
        break;
    case DW_TAG_enumeration_type:
        t->kind = TYPE_ENUM;
        t->is_signed = number(die, DW_AT_encoding, DW_ATE_unsigned) == DW_ATE_signed;
        break;
    case DW_TAG_subroutine_type:
        t->kind = TYPE_FUNCTION;
        t->size = 1;
        break;
    case DW_TAG_array_type:
        t->kind = TYPE_ARRAY;
        break;
    default:
        t->kind = TYPE_OTHER;
    }
}

struct type type_from_die(struct symbols_module *m, Dwarf_Die *die)
{
    struct type t = {.kind = TYPE_VOID, .module = m, .die = dwarf_dieoffset(die)};
    Dwarf_Die real = *die;
    if (!peel(&real))
        return t;
    set_kind(&t, &real);
    return t;
}

struct type type_of(struct symbols_module *m, Dwarf_Die *die)
{
    Dwarf_Die type;
    if (refers(die, &type))
        return type_from_die(m, &type);
    return (struct type){.kind = TYPE_VOID, .name = "void"};
}

/* The n-th child that has one of two tags. */
static bool child_of(Dwarf_Die *die, int tag, unsigned n, Dwarf_Die *out)
{
    if (dwarf_child(die, out))
        return false;
    for (unsigned i = 0; i < MAX_CHILDREN; i++) {
        if (dwarf_tag(out) == tag && n-- == 0)
            return true;
        if (dwarf_siblingof(out, out))
            return false;
    }
    return false;
}

static bool real_die(const struct type *t, Dwarf_Die *out)
{
    return type_die(t, out) && peel(out);
}

struct type type_dwarf_target(const struct type *t)
{
    Dwarf_Die die, more;
    struct type out = *t;
    if (!real_die(t, &die))
        return (struct type){.kind = TYPE_VOID, .name = "void"};
    if (t->kind == TYPE_ARRAY && t->dimension < MAX_CHAIN &&
        child_of(&die, DW_TAG_subrange_type, t->dimension + 1u, &more)) {
        out.dimension++;
        return out;
    }
    return type_of(t->module, &die);
}

uint32_t type_dwarf_elements(const struct type *t)
{
    Dwarf_Die die, range;
    uint64_t upper, count;
    if (!real_die(t, &die) || !child_of(&die, DW_TAG_subrange_type, t->dimension, &range))
        return 0;
    count = number(&range, DW_AT_count, UINT64_MAX);
    if (count == UINT64_MAX) {
        upper = number(&range, DW_AT_upper_bound, UINT64_MAX);
        count = upper == UINT64_MAX ? 0 : upper + 1;
    }
    return count > UINT32_MAX ? 0 : (uint32_t)count;
}

static void set_bits(Dwarf_Die *die, struct type_member *m)
{
    uint64_t bits = number(die, DW_AT_bit_size, 0);
    uint64_t at = number(die, DW_AT_data_bit_offset, UINT64_MAX);
    if (!bits || bits > 64)
        return;
    if (at == UINT64_MAX) { /* DWARF 3: counted from the high end of the storage unit */
        uint64_t unit = number(die, DW_AT_byte_size, type_size(&m->type)) * 8;
        uint64_t high = number(die, DW_AT_bit_offset, 0);
        at = (uint64_t)m->offset * 8 + (unit >= bits + high ? unit - bits - high : 0);
    }
    m->bits = (uint8_t)bits;
    m->offset = (uint32_t)(at / 8);
    m->bit_offset = at % 8;
}

bool type_member(const struct type *t, unsigned n, struct type_member *out)
{
    Dwarf_Die die, child;
    if (type_kind(t) != TYPE_STRUCT || !t->module || !real_die(t, &die) ||
        !child_of(&die, DW_TAG_member, n, &child))
        return false;
    const char *name = dwarf_diename(&child);
    *out = (struct type_member){.name = name ? name : "",
                                .type = type_of(t->module, &child),
                                .offset = (uint32_t)number(&child, DW_AT_data_member_location, 0)};
    set_bits(&child, out);
    return true;
}

const char *type_enumerator(const struct type *t, int64_t value)
{
    Dwarf_Die die, child;
    if (type_kind(t) != TYPE_ENUM || !real_die(t, &die) || dwarf_child(&die, &child))
        return NULL;
    for (unsigned i = 0; i < MAX_CHILDREN; i++) {
        Dwarf_Attribute attr;
        Dwarf_Sword v;
        if (dwarf_attr(&child, DW_AT_const_value, &attr) && !dwarf_formsdata(&attr, &v) &&
            v == value)
            return dwarf_diename(&child);
        if (dwarf_siblingof(&child, &child))
            break;
    }
    return NULL;
}

static const char *keyword(int tag)
{
    switch (tag) {
    case DW_TAG_structure_type:
        return "struct ";
    case DW_TAG_union_type:
        return "union ";
    case DW_TAG_enumeration_type:
        return "enum ";
    case DW_TAG_const_type:
        return "const ";
    case DW_TAG_volatile_type:
        return "volatile ";
    default:
        return "";
    }
}

/* "int [2][3]", without the subscripts that are taken already. */
static void array_text(const struct type *t, const char *element, char text[TYPE_TEXT])
{
    struct type left = *t;
    Dwarf_Die die, range;
    int len = snprintf(text, TYPE_TEXT, "%.90s ", element);
    while (real_die(&left, &die) && child_of(&die, DW_TAG_subrange_type, left.dimension, &range) &&
           len < TYPE_TEXT - 16) {
        uint32_t count = type_dwarf_elements(&left);
        len += snprintf(text + len, TYPE_TEXT - (size_t)len, count ? "[%u]" : "[]", count);
        left.dimension++;
    }
}

static void text_of(const struct type *t, Dwarf_Die *die, char text[TYPE_TEXT], unsigned depth)
{
    const char *name = dwarf_diename(die);
    char inner[TYPE_TEXT] = "void";
    Dwarf_Die next;
    int tag = dwarf_tag(die);
    if (name) {
        snprintf(text, TYPE_TEXT, "%s%s", keyword(tag), name);
        return;
    }
    if (depth && refers(die, &next)) {
        const struct type to = {.module = t->module, .die = dwarf_dieoffset(&next)};
        text_of(&to, &next, inner, depth - 1);
    }
    snprintf(text, TYPE_TEXT, "%s", inner);
    if (tag == DW_TAG_pointer_type)
        type_text_star(text);
    else if (tag == DW_TAG_array_type)
        array_text(t, inner, text);
    else if (tag == DW_TAG_subroutine_type)
        snprintf(text, TYPE_TEXT, "%.110s (...)", inner);
    else if (is_wrapper(tag))
        snprintf(text, TYPE_TEXT, "%s%.115s", keyword(tag), inner);
    else
        snprintf(text, TYPE_TEXT, "%s{...}", keyword(tag));
}

void type_dwarf_text(const struct type *t, char text[TYPE_TEXT])
{
    Dwarf_Die die;
    if (type_die(t, &die))
        text_of(t, &die, text, 8);
    else
        snprintf(text, TYPE_TEXT, "?");
}

/* As in C: a tag needs its word, "struct x". */
static bool matches(Dwarf_Die *die, const char *name)
{
    const char *own = dwarf_diename(die), *word;
    int tag = dwarf_tag(die);
    if (!own || dwarf_hasattr(die, DW_AT_declaration))
        return false;
    switch (tag) {
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
        word = keyword(tag);
        return !strncmp(name, word, strlen(word)) && !strcmp(own, name + strlen(word));
    case DW_TAG_base_type:
    case DW_TAG_typedef:
        return !strcmp(own, name);
    default:
        return false;
    }
}

static bool find_in_unit(struct symbols_module *m, Dwarf_Die *unit, const char *name,
                         struct type *out)
{
    Dwarf_Die die;
    if (dwarf_child(unit, &die))
        return false;
    do {
        if (matches(&die, name)) {
            *out = type_from_die(m, &die);
            return true;
        }
    } while (dwarf_siblingof(&die, &die) == 0);
    return false;
}

bool type_find(const struct symbols *s, const char *name, struct type *out)
{
    for (unsigned i = 0; i < s->modules; i++) {
        Dwarf_CU *at = NULL;
        Dwarf_Die unit;
        if (!symbols_dwarf(s->module[i]))
            continue;
        while (symbols_next_unit(s->module[i], &at, &unit))
            if (find_in_unit(s->module[i], &unit, name, out))
                return true;
    }
    return type_builtin(name, out);
}

#else

struct type type_dwarf_target(const struct type *t)
{
    (void)t;
    return (struct type){.kind = TYPE_VOID, .name = "void"};
}

uint32_t type_dwarf_elements(const struct type *t)
{
    (void)t;
    return 0;
}

void type_dwarf_text(const struct type *t, char text[TYPE_TEXT])
{
    (void)t;
    text[0] = 0;
}

bool type_member(const struct type *t, unsigned n, struct type_member *out)
{
    (void)t, (void)n, (void)out;
    return false;
}

const char *type_enumerator(const struct type *t, int64_t value)
{
    (void)t, (void)value;
    return NULL;
}

bool type_find(const struct symbols *s, const char *name, struct type *out)
{
    (void)s;
    return type_builtin(name, out);
}

#endif
