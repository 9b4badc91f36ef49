/* SPDX-License-Identifier: MIT */
/*
 * Rewriting one instruction of a paged guest. What a rewriter may rely on, and
 * must keep:
 *
 *   - All eight guest registers, esp too, are the host registers of the same
 *     number with upper halves zero; the guest's flags are the host's. r8 - r11
 *     are free; r8 holds values, r9 an address or a jump target, r11 what a memory
 *     access needs, r10 the addend that several share (paged_keep.c), or what those
 *     rewriters need after which it is forgotten (paged_rewrite.c says which).
 *   - Nothing the guest sees changes before the last host instruction that can
 *     fault: the instruction is then done again, or by the interpreter.
 *   - Guest memory is touched only through paged_access.
 *   - No flag changes but by the guest's own instruction.
 *
 * A rewriter returns false, having emitted nothing that matters, when it does
 * not do this form; then the interpreter is called.
 */
#ifndef DENALI_DBT_PAGED_REWRITE_H
#define DENALI_DBT_PAGED_REWRITE_H

#include "dbt/paged/paged.h"
#include "dbt/paged/paged_place.h"

struct paged_insn {
    struct isa_insn insn;
    uint32_t eip;
};

/* A jump within the page; its stub is written after the body. */
struct paged_way {
    uint32_t field, eip;
    uint32_t done; /* the block's instructions that are done when it is taken */
};

/* paged_keep.c: the stretch of memory that is in one page, whose addend r10 keeps. */
struct paged_keep {
    struct paged_place at[8]; /* the registers, before the instruction at hand */
    uint32_t root;            /* the stretch is from root + low to root + high */
    int32_t low, high;
    unsigned until; /* the index of the first instruction that this plan is not for */
    bool loaded;    /* r10 is what it should be */
    bool written;   /* and allows writing */
};

struct paged_rewrite {
    struct paged *paged;
    struct paged_block *block;
    struct emit emit;
    const struct paged_insn *insns;
    unsigned count, index;
    bool ended;
    bool fpu_loaded; /* seen to earlier in the block */
    struct paged_keep keep;
    bool shadow;               /* a kick may not stop before the next instruction */
    uint32_t question, taking; /* counting: fields that get the block's length */
    unsigned ways;
    struct paged_way way[PAGED_MAX_EXITS];
};

typedef bool (*paged_rewrite_fn)(struct paged_rewrite *r, const struct isa_insn *insn);

#define SLOT(sem, name) bool paged_##name(struct paged_rewrite *r, const struct isa_insn *insn);
#include "dbt/paged/paged_rewrite.def"
#undef SLOT

/* The instruction insns[index]. */
void paged_rewrite_insn(struct paged_rewrite *r);
bool paged_plain(struct paged_rewrite *r, const struct isa_insn *insn);
/* The interpreter does it; the block goes on, unless `ends`. */
void paged_call_out(struct paged_rewrite *r, const struct isa_insn *insn, bool ends);

/* paged_memory.c */
struct paged_access {
    unsigned seg;
    unsigned bytes;
    bool write;
};
/* Is there code for the memory operand, or the stack? Emits nothing. */
bool paged_can_access(const struct paged_rewrite *r, const struct isa_insn *insn, bool write);
bool paged_can_stack(const struct paged_rewrite *r);
/* A flat segment, and ESP whole. */
bool paged_has_flat_stack(const struct paged_rewrite *r);
/*
 * Emits all but the access itself, which is to be made through *out (by an
 * instruction without a no-REX register) before r9 to r11 change. What is
 * asked for writing must be written by the first instruction that touches it: a miss is told by
 * what the processor did.
 */
void paged_access(struct paged_rewrite *r, const struct isa_insn *insn, unsigned bytes, bool write,
                  struct emit_mem *out);
/* `bytes` at esp + disp. */
void paged_stack_access(struct paged_rewrite *r, int32_t disp, unsigned bytes, bool write,
                        struct emit_mem *out);
/* ESP or SP becomes so much more; r11 is lost, the flags are not. */
void paged_stack_move(struct paged_rewrite *r, int32_t by);
/* `bytes` at seg:reg + disp, of which with `wraps16` the low 16 bits count. */
void paged_segment_access(struct paged_rewrite *r, unsigned seg, unsigned reg, int32_t disp,
                          bool wraps16, unsigned bytes, bool write, struct emit_mem *out);
/* reg, or its low 16 bits, becomes so much more; r11 is lost, the flags are not. */
void paged_step_register(struct paged_rewrite *r, unsigned reg, int32_t by, bool wraps16);
/* The linear address r9; a flat segment. */
void paged_linear_access(struct paged_rewrite *r, unsigned reg, unsigned bytes, bool write,
                         struct emit_mem *out);
/* The same where it is known that the access does not reach over the page's end; `addend` is the
 * register that gets the TLB's word. */
void paged_page_access(struct paged_rewrite *r, unsigned reg, unsigned addend, bool write,
                       struct emit_mem *out);
void paged_push_imm(struct paged_rewrite *r, uint32_t imm, unsigned bytes);
/* The linear address reg + disp, a flat segment; with disp it is left in r9. */
void paged_flat_access(struct paged_rewrite *r, unsigned reg, int32_t disp, unsigned bytes,
                       bool write, struct emit_mem *out);
/* Faults if `bytes` at `reg` reach over the end of a page. */
void paged_touch_page_end(struct paged_rewrite *r, unsigned reg, unsigned bytes);
/* The effective address of LEA and its like into `reg`, within the address size. */
void paged_address(struct paged_rewrite *r, const struct isa_insn *insn, unsigned reg);
/* rorx, sarx dst, src, count; pext, pdep dst, src, mask: no flags. */
void paged_emit_rorx(struct emit *e, unsigned dst, unsigned src, unsigned count);
void paged_emit_sarx(struct emit *e, unsigned dst, unsigned src, unsigned count);
void paged_emit_shrx64(struct emit *e, unsigned dst, unsigned src, unsigned count);
void paged_emit_pext(struct emit *e, unsigned dst, unsigned src, unsigned mask);
void paged_emit_pdep(struct emit *e, unsigned dst, unsigned src, unsigned mask);

/* paged_keep.c. False: this access is none that shares, and nothing is emitted. */
bool paged_keep_access(struct paged_rewrite *r, unsigned reg, int32_t disp, unsigned bytes,
                       bool write, struct emit_mem *out);
void paged_keep_begin(struct paged_rewrite *r); /* a block */
void paged_keep_step(struct paged_rewrite *r);  /* after each instruction */
void paged_keep_drop(struct paged_rewrite *r);  /* r10 is something else from here on */
/* Does its rewriter leave r10 alone? (paged_rewrite.c) */
bool paged_keeps_page(const struct isa_insn *insn);

/* paged_control.c: ways out, and their stubs; `eip` is wrapped by whoever asks. */
void paged_emit_ways(struct paged_rewrite *r);
void paged_jump_to(struct paged_rewrite *r, uint32_t eip);
void paged_jump_r9(struct paged_rewrite *r);

static inline uint32_t paged_eip(const struct paged_rewrite *r)
{
    return r->insns[r->index].eip;
}

static inline uint32_t paged_next_eip(const struct paged_rewrite *r)
{
    return paged_eip(r) + r->insns[r->index].insn.len;
}

#endif
