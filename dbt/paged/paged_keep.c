/* SPDX-License-Identifier: MIT */
/*
 * Accesses of a block that lie a known distance apart (a frame's, a structure's;
 * dbt/paged/paged_place.h) ask the TLB once. The first of them asks whether all lie in one page, by
 * the load at the end of the ramp with the whole stretch's length, and r10 keeps the page's addend:
 *
 *   lea  r9d, [register + lowest]
 *   pext r11d, r9d, r13d
 *   mov  r11d, [r14 + r11 + edge + length]   faults if the stretch reaches over the page's end
 *   shrx r10d, r9d, r15d
 *   mov  r10, [r14 + r10*8 + table]
 *   lea  r9d, [register + disp]
 *   op   gs:[r9 + r10]
 *
 * and each of the others is `lea r9d, [register + disp]` and `op gs:[r9 + r10]`. Where r10 is of
 * the table for reading, the first that writes looks into the other. Nothing changes the TLB's word
 * meanwhile: that needs C, and after C, as after every rewriter that is not known to leave r10
 * alone, paged_keep_drop has forgotten the page.
 *
 * A stretch over the end of a page is no error: the block goes, and from then on these instructions
 * ask each for itself (paged_keep_refuse).
 */
#include "dbt/paged/paged_rewrite.h"

#define NO_ROOT UINT32_MAX
/* The longer a stretch, the sooner it reaches over a page. */
#define LENGTH_MAX 256
#define ROOTS 16u

struct access {
    uint32_t root;
    int32_t off;
    unsigned bytes;
};

/* Refusals: a bit by a hash of the code's place, so that a new block of it knows. */

static uint32_t refusal_bit(const uint8_t *code)
{
    return (uint32_t)(paged_code_hash(code) >> 32) % (8 * PAGED_REFUSAL_BYTES);
}

static bool is_refused(const struct paged_rewrite *r, unsigned index)
{
    uint32_t bit = refusal_bit(paged_code_at(r->block, r->insns[index].eip));
    return r->block->second || (r->paged->refusals[bit / 8] >> bit % 8 & 1);
}

void paged_keep_refuse(struct paged *p, const struct paged_block *block,
                       const struct paged_side *from)
{
    const struct paged_side *end = &p->side[block->sides_at] + block->sides;
    for (const struct paged_side *side = from; side < end; side++) {
        uint32_t bit = refusal_bit(block->code + paged_side_guest(side));
        p->refusals[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

/* Planning */

static bool is_simple(const struct paged_rewrite *r, const struct isa_insn *insn)
{
    return insn->has_mem && !(insn->row->attr & ISA_T_NOMEM) && insn->adsize == 4 &&
           insn->base < ISA_NOREG && insn->index == ISA_NOREG && insn->seg < ISA_FS &&
           paged_class(&r->block->mode, insn->seg) == PAGED_FLAT;
}

static struct access at_register(const struct paged_place at[8], unsigned reg, int32_t disp,
                                 unsigned bytes)
{
    return (struct access){at[reg].root, at[reg].off + disp, bytes};
}

static unsigned memory_bytes(const struct isa_insn *insn)
{
    for (unsigned n = 0; n < 3; n++)
        if (interp_is_mem(insn, n))
            return isa_operand_bytes(insn, n);
    return 0;
}

/* Far offsets would overflow, and are in nobody's stretch. */
static bool is_near(int32_t disp)
{
    return disp > -(1 << 20) && disp < 1 << 20;
}

/* What an instruction will access; returns how many, at most two. */
static unsigned accesses(const struct paged_rewrite *r, const struct paged_place at[8],
                         const struct isa_insn *insn, struct access out[2])
{
    unsigned n = 0, bytes = memory_bytes(insn);
    bool stack = paged_has_flat_stack(r);
    if (is_simple(r, insn) && bytes && is_near((int32_t)insn->disp))
        out[n++] = at_register(at, insn->base, (int32_t)insn->disp, bytes);
    if (stack && (insn->row->sem == ISA_SEM_PUSH || insn->row->sem == ISA_SEM_CALL))
        out[n++] = at_register(at, ISA_ESP, -(int32_t)insn->opsize, insn->opsize);
    else if (stack && (insn->row->sem == ISA_SEM_POP || insn->row->sem == ISA_SEM_RET))
        out[n++] = at_register(at, ISA_ESP, 0, insn->opsize);
    else if (stack && insn->row->sem == ISA_SEM_LEAVE)
        out[n++] = at_register(at, ISA_EBP, 0, 4);
    return n;
}

/* Of one root: what would be kept for it. */
struct stretch {
    uint32_t root;
    int32_t low, high;
    unsigned count;
};

static void add(struct stretch *s, const struct access *a)
{
    int32_t low = a->off < s->low ? a->off : s->low;
    int32_t end = a->off + (int32_t)a->bytes, high = end > s->high ? end : s->high;
    if (high - low > LENGTH_MAX)
        return;
    s->low = low;
    s->high = high;
    s->count++;
}

static void tally(struct stretch *of, unsigned *count, const struct access *a)
{
    unsigned i = 0;
    while (i < *count && of[i].root != a->root)
        i++;
    if (i == ROOTS)
        return;
    if (i == *count)
        of[(*count)++] = (struct stretch){a->root, a->off, a->off, 0};
    add(&of[i], a);
}

/* From the instruction at hand to where r10 is lost: the root with the most accesses. */
static void plan(struct paged_rewrite *r)
{
    struct paged_keep *k = &r->keep;
    struct paged_place at[8];
    struct stretch of[ROOTS], best = {.root = NO_ROOT, .count = 1};
    struct access a[2];
    unsigned count = 0, i = r->index;
    memcpy(at, k->at, sizeof(at));
    do {
        const struct isa_insn *insn = &r->insns[i].insn;
        unsigned n = is_refused(r, i) ? 0 : accesses(r, at, insn, a);
        while (n-- > 0)
            tally(of, &count, &a[n]);
        paged_place_step(at, insn, i, r->block->mode.bits & PAGED_STACK32);
    } while (++i < r->count && paged_keeps_page(&r->insns[i].insn));
    for (unsigned j = 0; j < count; j++)
        if (of[j].count > best.count)
            best = of[j];
    k->root = best.root;
    k->low = best.low;
    k->high = best.high;
    k->until = i;
    k->loaded = false;
}

/* Emission */

static void ask_for_all(struct paged_rewrite *r, unsigned reg, int32_t lowest)
{
    struct emit_mem low = emit_at(reg, lowest);
    emit_lea32(&r->emit, EMIT_R9, &low);
    paged_touch_page_end(r, EMIT_R9, (unsigned)(r->keep.high - r->keep.low));
}

static void load_addend(struct paged_rewrite *r, unsigned reg, bool write)
{
    struct emit_mem unused;
    paged_page_access(r, reg, EMIT_R10, write, &unused);
    r->keep.loaded = true;
    r->keep.written = write;
    r->block->keeps = true;
}

static bool is_in_stretch(const struct paged_keep *k, const struct access *a)
{
    return a->root == k->root && a->off >= k->low && a->off + (int32_t)a->bytes <= k->high;
}

bool paged_keep_access(struct paged_rewrite *r, unsigned reg, int32_t disp, unsigned bytes,
                       bool write, struct emit_mem *out)
{
    struct paged_keep *k = &r->keep;
    if (!is_near(disp) || is_refused(r, r->index))
        return false;
    if (r->index >= k->until)
        plan(r);
    struct access a = at_register(k->at, reg, disp, bytes);
    if (!is_in_stretch(k, &a))
        return false;
    int32_t lowest = disp + (k->low - a.off);
    struct emit_mem place = emit_at(reg, disp);
    bool first = !k->loaded;
    if (first) {
        ask_for_all(r, reg, lowest);
        load_addend(r, EMIT_R9, write);
    }
    if (disp && !(first && lowest == disp))
        emit_lea32(&r->emit, EMIT_R9, &place);
    if (write && !k->written)
        load_addend(r, disp ? EMIT_R9 : reg, true);
    *out = emit_at_index(disp ? EMIT_R9 : reg, EMIT_R10, 1, 0);
    out->gs = true;
    return true;
}

void paged_keep_drop(struct paged_rewrite *r)
{
    r->keep.loaded = false;
    r->keep.until = 0;
}

void paged_keep_begin(struct paged_rewrite *r)
{
    paged_place_init(r->keep.at);
    paged_keep_drop(r);
}

void paged_keep_step(struct paged_rewrite *r)
{
    paged_place_step(r->keep.at, &r->insns[r->index].insn, r->index,
                     r->block->mode.bits & PAGED_STACK32);
}
