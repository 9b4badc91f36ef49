/* SPDX-License-Identifier: MIT */
/*
 * Variables of the program as a frame's function sees them. libdw finds the
 * scopes around an address; here each variable's location is worked out for the
 * frame. Scopes nested deeper than any compiler's are refused before libdw,
 * which recurses, walks them.
 */
#include "emu/debug/symbols/frame.h"
#include "emu/debug/symbols/location.h"
#include "emu/debug/symbols/type_private.h"

#include <stdlib.h>
#include <string.h>

#if HAVE_LIBDW

#define MAX_SCOPES 128
#define MAX_NAMES 512u /* of one scope */
#define MAX_INLINED 64u

struct scopes {
    Dwarf_Die *die; /* innermost first, as the code lies: an inlined function in its caller */
    int count;
    Dwarf_Die *function; /* among them, the one whose code it is; NULL: none */
    int first, owner;    /* the frame's own: from its innermost to its function or inlined one */
};

static bool is_inlined(Dwarf_Die *die)
{
    return dwarf_tag(die) == DW_TAG_inlined_subroutine;
}

/* Past the scopes of the functions that are inlined into the frame's. */
static void find_own(struct scopes *s, unsigned inlined)
{
    int last = s->function ? (int)(s->function - s->die) : s->count - 1;
    for (; inlined; inlined--) {
        while (s->first < last && !is_inlined(&s->die[s->first]))
            s->first++;
        s->first += s->first < last;
    }
    s->owner = s->first;
    while (s->owner < last && !is_inlined(&s->die[s->owner]))
        s->owner++;
}

static bool find_scopes(struct symbols_module *m, const struct frame *f, struct scopes *out)
{
    Dwarf_Die unit;
    *out = (struct scopes){0};
    if (!m || !symbols_unit_at(m, f->where - m->bias, &unit))
        return false;
    /* libdw goes on from an inlined function to what it is defined in; not so from a scope. */
    Dwarf_Die *inner;
    int found = dwarf_getscopes(&unit, f->where - m->bias, &inner);
    if (found <= 0)
        return false;
    out->count = dwarf_getscopes_die(&inner[0], &out->die);
    free(inner);
    if (out->count <= 0)
        return false;
    for (int i = 0; i < out->count && !out->function; i++)
        if (dwarf_tag(&out->die[i]) == DW_TAG_subprogram)
            out->function = &out->die[i];
    find_own(out, f->inlined);
    return true;
}

static void lose(struct value *v)
{
    v->place = VALUE_LOST;
}

static void take_register(const struct location_context *c, uint64_t n, struct value *out)
{
    const struct frame *f = c->frame;
    if (n >= 8 || !(f->known >> n & 1)) {
        lose(out);
        return;
    }
    out->place = f->how == FRAME_FIRST ? VALUE_REGISTER : VALUE_BYTES;
    out->reg = (uint8_t)n;
    memcpy(out->bytes, &f->gpr[n], 4);
}

static void take_location(const struct location_context *c, const struct location *at,
                          struct value *out)
{
    uint32_t number = (uint32_t)at->number;
    switch (at->kind) {
    case LOCATION_MEMORY:
        out->place = VALUE_MEMORY;
        out->address = number;
        break;
    case LOCATION_REGISTER:
        take_register(c, at->number, out);
        break;
    case LOCATION_VALUE:
        out->place = VALUE_BYTES;
        memcpy(out->bytes, &number, 4);
        break;
    case LOCATION_BYTES:
        out->place = VALUE_BYTES;
        memcpy(out->bytes, at->bytes, at->number);
        break;
    default:
        lose(out);
    }
}

/* A variable in pieces becomes bytes. */
static bool take_pieces(struct location_context *c, const Dwarf_Op *ops, size_t count,
                        struct value *out)
{
    struct value whole = {.type = out->type, .place = VALUE_BYTES};
    uint64_t filled = 0, piece;
    for (size_t at = 0; at < count;) {
        struct location where;
        struct value part = {.type = out->type};
        if (!location_evaluate(c, ops, count, &at, &where, &piece) || !piece ||
            piece > VALUE_ROOM - filled)
            return false;
        take_location(c, &where, &part);
        if (value_read(c->source->target, &part, whole.bytes + filled, (uint32_t)piece, NULL))
            return false;
        filled += piece;
    }
    *out = whole;
    return true;
}

static bool take_constant(Dwarf_Die *die, struct value *out)
{
    Dwarf_Attribute attr;
    Dwarf_Sword n;
    Dwarf_Block block;
    if (!dwarf_attr_integrate(die, DW_AT_const_value, &attr))
        return false;
    out->place = VALUE_BYTES;
    if (!dwarf_formsdata(&attr, &n)) {
        memcpy(out->bytes, &n, sizeof(n));
        return true;
    }
    if (dwarf_formblock(&attr, &block) || block.length > VALUE_ROOM)
        return false;
    memcpy(out->bytes, block.data, block.length);
    return true;
}

static void take_variable(struct location_context *c, Dwarf_Die *die, struct value *out)
{
    Dwarf_Attribute attr;
    Dwarf_Op *ops;
    size_t count, at = 0;
    struct location where;
    uint64_t piece;
    *out = (struct value){.type = type_of(c->module, die), .place = VALUE_LOST};
    if (take_constant(die, out))
        return;
    if (!dwarf_attr_integrate(die, DW_AT_location, &attr) ||
        dwarf_getlocation_addr(&attr, c->frame->where - c->module->bias, &ops, &count, 1) != 1 ||
        !count || !location_evaluate(c, ops, count, &at, &where, &piece)) {
        lose(out);
        return;
    }
    if (!piece)
        take_location(c, &where, out);
    else if (!take_pieces(c, ops, count, out))
        lose(out);
}

static bool is_variable(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_variable || tag == DW_TAG_formal_parameter;
}

static bool find_enumerator(Dwarf_Die *type, const char *name, Dwarf_Die *out)
{
    if (dwarf_tag(type) != DW_TAG_enumeration_type || dwarf_child(type, out))
        return false;
    do {
        const char *own = dwarf_diename(out);
        if (own && !strcmp(own, name))
            return true;
    } while (dwarf_siblingof(out, out) == 0);
    return false;
}

/* The variable, or enumeration constant, of that name among a scope's own. */
static bool find_in(struct location_context *c, Dwarf_Die *scope, const char *name,
                    struct value *out)
{
    Dwarf_Die die, constant;
    if (dwarf_child(scope, &die))
        return false;
    do {
        const char *own = is_variable(&die) ? dwarf_diename(&die) : NULL;
        if (own && !strcmp(own, name) && !dwarf_hasattr(&die, DW_AT_declaration)) {
            take_variable(c, &die, out);
            return true;
        }
        if (find_enumerator(&die, name, &constant)) {
            *out = (struct value){.type = type_from_die(c->module, &die), .place = VALUE_LOST};
            return take_constant(&constant, out);
        }
    } while (dwarf_siblingof(&die, &die) == 0);
    return false;
}

static bool find_anywhere(const struct frame_source *s, const struct frame *f, const char *name,
                          struct value *out)
{
    for (unsigned i = 0; i < s->symbols->modules; i++) {
        struct symbols_module *m = s->symbols->module[i];
        struct location_context c = {.source = s, .frame = f, .module = m, .depth = 4};
        Dwarf_CU *at = NULL;
        Dwarf_Die unit;
        if (!symbols_dwarf(m))
            continue;
        while (symbols_next_unit(m, &at, &unit))
            if (find_in(&c, &unit, name, out))
                return true;
    }
    return false;
}

bool frame_find_variable(const struct frame_source *s, const struct frame *f, const char *name,
                         struct value *out)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    struct scopes scopes;
    bool found = false;
    if (find_scopes(m, f, &scopes)) {
        struct location_context c = {s, f, m, scopes.function, 4};
        for (int i = scopes.first; i < scopes.count && !found; i++)
            found = find_in(&c, &scopes.die[i], name, out);
        free(scopes.die);
    }
    return found || find_anywhere(s, f, name, out);
}

static bool each_in(struct location_context *c, Dwarf_Die *scope, int tag, frame_variable_fn fn,
                    void *opaque)
{
    Dwarf_Die die;
    struct value v;
    if (dwarf_child(scope, &die))
        return true;
    for (unsigned i = 0; i < MAX_NAMES; i++) {
        const char *name = dwarf_tag(&die) == tag ? dwarf_diename(&die) : NULL;
        if (name && !dwarf_hasattr(&die, DW_AT_declaration)) {
            take_variable(c, &die, &v);
            if (!fn(opaque, name, &v))
                return false;
        }
        if (dwarf_siblingof(&die, &die))
            break;
    }
    return true;
}

void frame_each_variable(const struct frame_source *s, const struct frame *f, bool parameters,
                         frame_variable_fn fn, void *opaque)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    struct scopes scopes;
    int tag = parameters ? DW_TAG_formal_parameter : DW_TAG_variable;
    if (!find_scopes(m, f, &scopes))
        return;
    struct location_context c = {s, f, m, scopes.function, 4};
    int from = parameters ? scopes.owner : scopes.first;
    for (int i = from; i <= scopes.owner && i < MAX_SCOPES && scopes.function; i++)
        if (!each_in(&c, &scopes.die[i], tag, fn, opaque))
            break;
    free(scopes.die);
}

bool frame_result_type(const struct frame_source *s, const struct frame *f, struct type *out)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    struct scopes scopes;
    if (!find_scopes(m, f, &scopes))
        return false;
    *out = scopes.function ? type_of(m, scopes.function) : (struct type){.kind = TYPE_VOID};
    free(scopes.die);
    return type_kind(out) != TYPE_VOID;
}

const char *frame_inlined_name(const struct frame_source *s, const struct frame *f)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    struct scopes scopes;
    if (!find_scopes(m, f, &scopes))
        return NULL;
    Dwarf_Die *owner = &scopes.die[scopes.owner];
    const char *name = scopes.function && is_inlined(owner) ? dwarf_diename(owner) : NULL;
    free(scopes.die);
    return name;
}

bool frame_is_inlined(const struct frame_source *s, const struct frame *f)
{
    return f->inlined < MAX_INLINED && frame_inlined_name(s, f);
}

static Dwarf_Word number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attr;
    Dwarf_Word n;
    return dwarf_attr(die, name, &attr) && !dwarf_formudata(&attr, &n) ? n : 0;
}

/* Where an inlined function's call stood. */
static void take_call(Dwarf_Die *inlined, uint32_t eip, struct symbols_line *out)
{
    Dwarf_Die unit;
    Dwarf_Files *files;
    size_t count;
    Dwarf_Word file = number_of(inlined, DW_AT_call_file);
    const char *name = NULL;
    if (dwarf_diecu(inlined, &unit, NULL, NULL) && !dwarf_getsrcfiles(&unit, &files, &count) &&
        file < count)
        name = dwarf_filesrc(files, file, NULL, NULL);
    out->file = name ? name : out->file;
    out->line = (int)number_of(inlined, DW_AT_call_line);
    out->start = eip;
}

bool frame_line(const struct frame_source *s, const struct frame *f, struct symbols_line *out)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    struct scopes scopes;
    if (!symbols_line_at(s->symbols, f->where, out))
        return false;
    if (!f->inlined || !find_scopes(m, f, &scopes))
        return true;
    if (scopes.first && is_inlined(&scopes.die[scopes.first - 1]))
        take_call(&scopes.die[scopes.first - 1], f->eip, out);
    free(scopes.die);
    return true;
}

#else

bool frame_find_variable(const struct frame_source *s, const struct frame *f, const char *name,
                         struct value *out)
{
    (void)s, (void)f, (void)name, (void)out;
    return false;
}

void frame_each_variable(const struct frame_source *s, const struct frame *f, bool parameters,
                         frame_variable_fn fn, void *opaque)
{
    (void)s, (void)f, (void)parameters, (void)fn, (void)opaque;
}

const char *frame_inlined_name(const struct frame_source *s, const struct frame *f)
{
    (void)s, (void)f;
    return NULL;
}

bool frame_is_inlined(const struct frame_source *s, const struct frame *f)
{
    (void)s, (void)f;
    return false;
}

bool frame_line(const struct frame_source *s, const struct frame *f, struct symbols_line *out)
{
    return symbols_line_at(s->symbols, f->where, out);
}

bool frame_result_type(const struct frame_source *s, const struct frame *f, struct type *out)
{
    (void)s, (void)f, (void)out;
    return false;
}

#endif
