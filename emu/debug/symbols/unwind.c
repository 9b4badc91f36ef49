/* SPDX-License-Identifier: MIT */
/*
 * From a frame to its caller. Call frame information tells exactly; code without
 * any (assembly, stripped programs) is guessed at: at the entry of a function
 * and right after its PUSH EBP the return address is where it must be, elsewhere
 * EBP leads. Every step must go up the stack, so that a walk ends.
 */
#include "emu/debug/symbols/frame.h"
#include "emu/debug/symbols/location.h"

#include <stdlib.h>
#include <string.h>

#define PUSH_EBP_BYTES 1u

static bool read_word(const struct frame_source *s, uint32_t address, uint32_t *out)
{
    return s->target->ops->read(s->target, TARGET_LINEAR, address, out, 4) == 0;
}

#if HAVE_LIBDW

static bool evaluate(struct location_context *c, const Dwarf_Op *ops, size_t count,
                     struct location *out)
{
    size_t at = 0;
    uint64_t piece;
    return location_evaluate(c, ops, count, &at, out, &piece) && !piece;
}

static bool find_cfi(struct symbols_module *m, uint32_t pc, Dwarf_Frame **out)
{
    symbols_dwarf(m);
    return (m->frames && dwarf_cfi_addrframe(m->frames, pc, out) == 0) ||
           (m->eh_frames && dwarf_cfi_addrframe(m->eh_frames, pc, out) == 0);
}

static bool find_cfa(struct location_context *c, Dwarf_Frame *cfi, uint32_t *cfa)
{
    Dwarf_Op *ops;
    size_t count;
    struct location at;
    if (dwarf_frame_cfa(cfi, &ops, &count) || !count || !evaluate(c, ops, count, &at))
        return false;
    *cfa = (uint32_t)at.number;
    return true;
}

/* The caller's register `n` (8: the return address). */
static bool find_register(struct location_context *c, Dwarf_Frame *cfi, unsigned n, uint32_t *out)
{
    Dwarf_Op room[3], *ops;
    size_t count;
    struct location at;
    const struct frame *f = c->frame;
    if (dwarf_frame_register(cfi, (int)n, room, &ops, &count))
        return false;
    if (!count) {
        *out = n < 8 ? f->gpr[n] : 0;
        return ops == NULL && n < 8 && (f->known >> n & 1); /* NULL: it is the same */
    }
    if (!evaluate(c, ops, count, &at))
        return false;
    if (at.kind == LOCATION_REGISTER) {
        *out = at.number < 8 ? f->gpr[at.number] : 0;
        return at.number < 8 && (f->known >> at.number & 1);
    }
    *out = (uint32_t)at.number;
    return at.kind == LOCATION_VALUE || read_word(c->source, (uint32_t)at.number, out);
}

static bool by_cfi(const struct frame_source *s, const struct frame *f, struct frame *out)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    struct location_context c = {.source = s, .frame = f, .module = m, .depth = 4};
    Dwarf_Frame *cfi;
    if (!f->has_cfa || !m || !find_cfi(m, f->where - m->bias, &cfi))
        return false;
    *out = (struct frame){.how = FRAME_CFI};
    bool found = find_register(&c, cfi, 8, &out->eip);
    for (unsigned i = 0; found && i < 8; i++)
        out->known |= (uint8_t)(find_register(&c, cfi, i, &out->gpr[i]) << i);
    out->gpr[ISA_ESP] = f->cfa;
    out->known |= 1u << ISA_ESP;
    free(cfi);
    return found;
}

/* A function whose information says that nobody called it. */
static bool is_outermost(const struct frame_source *s, const struct frame *f)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    Dwarf_Frame *cfi;
    Dwarf_Op room[3], *ops;
    size_t count;
    if (!m || !find_cfi(m, f->where - m->bias, &cfi))
        return false;
    bool undefined = !dwarf_frame_register(cfi, 8, room, &ops, &count) && !count && ops == room;
    free(cfi);
    return undefined;
}

static void set_cfa(const struct frame_source *s, struct frame *f)
{
    struct symbols_module *m = symbols_module_at(s->symbols, f->where);
    struct location_context c = {.source = s, .frame = f, .module = m, .depth = 4};
    Dwarf_Frame *cfi;
    f->has_cfa = false;
    if (!m || !find_cfi(m, f->where - m->bias, &cfi))
        return;
    f->has_cfa = find_cfa(&c, cfi, &f->cfa);
    free(cfi);
}

#else

static bool by_cfi(const struct frame_source *s, const struct frame *f, struct frame *out)
{
    (void)s, (void)f, (void)out;
    return false;
}

static bool is_outermost(const struct frame_source *s, const struct frame *f)
{
    (void)s, (void)f;
    return false;
}

static void set_cfa(const struct frame_source *s, struct frame *f)
{
    (void)s;
    f->has_cfa = false;
}

#endif

/* The return address lies at esp + above. */
static bool at_entry(const struct frame_source *s, const struct frame *f, uint32_t above,
                     struct frame *out)
{
    uint32_t esp = f->gpr[ISA_ESP] + above;
    *out = *f;
    out->how = FRAME_ENTRY;
    out->gpr[ISA_ESP] = esp + 4;
    return (f->known >> ISA_ESP & 1) && read_word(s, esp, &out->eip) &&
           symbols_module_at(s->symbols, out->eip);
}

static bool by_frame_pointer(const struct frame_source *s, const struct frame *f, struct frame *out)
{
    uint32_t ebp = f->gpr[ISA_EBP];
    *out = (struct frame){.how = FRAME_POINTER, .known = 1u << ISA_ESP | 1u << ISA_EBP};
    out->gpr[ISA_ESP] = ebp + 8;
    return (f->known >> ISA_EBP & 1) && ebp % 4 == 0 && read_word(s, ebp, &out->gpr[ISA_EBP]) &&
           read_word(s, ebp + 4, &out->eip) && out->eip;
}

/* Without information: by where the instruction lies in its function. */
static bool guess(const struct frame_source *s, const struct frame *f, struct frame *out)
{
    struct symbols_symbol symbol;
    bool named = f->how == FRAME_FIRST && symbols_at(s->symbols, f->eip, &symbol);
    if (named && f->eip == symbol.address && at_entry(s, f, 0, out))
        return true;
    if (named && f->eip == symbol.address + PUSH_EBP_BYTES && at_entry(s, f, 4, out))
        return read_word(s, f->gpr[ISA_ESP], &out->gpr[ISA_EBP]);
    return by_frame_pointer(s, f, out);
}

static bool is_main(const struct frame_source *s, const struct frame *f)
{
    struct symbols_symbol symbol;
    return symbols_at(s->symbols, f->where, &symbol) && symbol.function &&
           !strcmp(symbol.name, "main");
}

void frame_of(const struct frame_source *s, const uint32_t gpr[8], uint32_t eip, struct frame *out)
{
    *out = (struct frame){.eip = eip, .where = eip, .known = 0xff, .how = FRAME_FIRST};
    memcpy(out->gpr, gpr, sizeof(out->gpr));
    set_cfa(s, out);
}

void frame_set_inside(const struct frame_source *s, struct frame *f)
{
    f->where = f->eip - 1;
    set_cfa(s, f);
}

void frame_first(const struct frame_source *s, struct frame *out)
{
    frame_of(s, target_cpu(s->target)->gpr, target_eip(s->target), out);
}

bool frame_next(const struct frame_source *s, const struct frame *f, struct frame *out)
{
    if (is_main(s, f) || is_outermost(s, f) || (!by_cfi(s, f, out) && !guess(s, f, out)))
        return false;
    if (!out->eip || out->gpr[ISA_ESP] <= f->gpr[ISA_ESP])
        return false;
    out->where = out->eip - 1;
    out->inlined = 0;
    set_cfa(s, out);
    return true;
}

bool frame_outer(const struct frame_source *s, const struct frame *f, struct frame *out)
{
    if (!frame_is_inlined(s, f))
        return frame_next(s, f, out);
    *out = *f;
    out->inlined++;
    return true;
}

bool frame_at(const struct frame_source *s, unsigned n, struct frame *out)
{
    struct frame next;
    frame_first(s, out);
    for (; n; n--) {
        if (!frame_outer(s, out, &next))
            return false;
        *out = next;
    }
    return true;
}
