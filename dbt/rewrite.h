/* SPDX-License-Identifier: MIT */
/*
 * Rewriting one guest instruction as host instructions. What a rewriter may
 * rely on, and must keep:
 *
 *   - Guest registers are the host registers of the same number, upper halves
 *     zero; the guest's flags are the host's flags. So is the x87, MMX, SSE
 *     state. r8-r12 are free; r8 holds a value on its way to esp, r9 an address
 *     or a jump target.
 *   - Guest esp is the low half of rsp + delta. A rewriter that needs rsp to be
 *     right calls rewrite_settle, after the last access that can fault.
 *   - Nothing the guest sees (registers, flags, memory) changes before the last
 *     host instruction that can fault; the fault is then precise.
 *   - A memory operand is one of the forms of rewrite_mem. Nothing else may
 *     touch guest memory.
 *
 * A rewriter returns false, having emitted nothing, when it does not do this
 * form; then the interpreter does the instruction.
 */
#ifndef DENALI_DBT_REWRITE_H
#define DENALI_DBT_REWRITE_H

#include "dbt/image.h"
#include "dbt/stub.h"

/* Guest code as it lies in memory, straight on, following direct jumps. */
struct scan_insn {
    struct isa_insn insn;
    uint32_t eip;
    bool flags_seen;   /* somebody may look at the status flags after it */
    bool renews_flags; /* it writes them all, depends on none, and cannot fault */
};

struct scan {
    unsigned count;
    uint32_t next; /* where it goes on after the last, if that falls through */
    unsigned pages;
    uint32_t page[BLOCK_MAX_PAGES];
    struct scan_insn at[BLOCK_MAX_INSNS];
};

/* Jumps and calls whose target is in the instruction. */
bool scan_is_direct(const struct isa_insn *insn);

/* The short ways on from forward branches of a counting block: rewrite_count.c. */
#define SCAN_TAILS 3u
struct scan_tail {
    unsigned index; /* of the branch */
    struct scan scan;
};
struct scan_tails {
    unsigned count;
    struct scan_tail at[SCAN_TAILS];
};

/* A jump out of the block; its stub is written after the body. */
struct rewrite_exit {
    uint32_t field; /* rel32 that leads to the stub */
    uint32_t eip;
    uint32_t payload;
    uint16_t count; /* guest instructions done */
    uint8_t reason; /* enum stub_reason */
    int8_t refund;  /* guest instructions counted and not done; below 0: the other way round */
    uint8_t index;  /* of the instruction that jumps */
    bool inside;    /* leads to a tail: no stub */
    bool unasked;   /* the budget was not asked for on the way here */
    bool touched;   /* of STUB_ASKED: as in struct rewrite, and the pending difference */
    int16_t delta;
};

/* Of counting blocks: a stretch of the block that is counted by one step. */
struct rewrite_way {
    unsigned end;  /* the instruction after its last */
    unsigned paid; /* the instruction before which it is counted */
    bool asks;     /* and the budget asked for, by the same step */
};

struct rewrite {
    struct image *image;
    struct block *block;
    const struct scan *scan;
    const struct scan_tails *tails;
    unsigned index; /* the instruction being rewritten */
    struct emit emit;
    int32_t delta; /* guest esp - rsp */
    bool touched;  /* the stack was accessed since rsp was last set: see rewrite_settle */
    bool ended;    /* the block goes on nowhere from here */
    bool exact;
    bool counting; /* r12 counts the instructions that are done */
    int counted;   /* how many of this scan's are taken off r12 already */
    struct rewrite_way way;
    bool full; /* too many exits or side entries */
    unsigned exits;
    struct rewrite_exit exit[BLOCK_MAX_EXITS];
};

typedef bool (*rewrite_fn)(struct rewrite *r, const struct isa_insn *insn);

#define SLOT(sem, name) bool rewrite_##name(struct rewrite *r, const struct isa_insn *insn);
#include "dbt/rewrite.def"
#undef SLOT

/* Rewrites the instruction scan->at[index]. */
void rewrite_insn(struct rewrite *r);
/* Where the image has watches: looks whether the instruction writes there. False, and nothing is
 * emitted: it cannot be told. */
bool rewrite_watch(struct rewrite *r, const struct isa_insn *insn);
/* Writes the stubs of all exits and the block's exit records. False: no room. */
bool rewrite_exits(struct rewrite *r);

/* The path of most rows: the same opcode, memory operand and esp in other clothes. */
bool rewrite_plain(struct rewrite *r, const struct isa_insn *insn);
bool rewrite_is_plain(const struct isa_insn *insn);
/* The host's opcode for a plain instruction, with the prefix that it needs. */
struct emit_op rewrite_opcode(const struct isa_insn *insn);

/*
 * The memory operand as the host must write it. `no_rex`: the instruction uses
 * AH, CH, DH or BH. May emit an address computation into r9. False: no form.
 */
bool rewrite_mem(struct rewrite *r, const struct isa_insn *insn, bool no_rex, struct emit_mem *out);

/* Stack. */
#define REWRITE_MAX_DELTA 16384
struct emit_mem rewrite_stack(struct rewrite *r, int32_t disp); /* [esp + disp] */
void rewrite_settle(struct rewrite *r); /* delta becomes 0; changes r8 at most */
void rewrite_move_stack(struct rewrite *r, int32_t by);
void rewrite_set_stack(struct rewrite *r, unsigned reg); /* esp = low half of a host register */

/* Counting blocks, rewrite_count.c. At the block's start: asks for the budget, unless a step within
 * the block will. */
void rewrite_begin_count(struct rewrite *r);
/* Before and after the mark of each instruction: what is to be counted here. */
void rewrite_pay(struct rewrite *r);
void rewrite_ask(struct rewrite *r);
/* The first `done` instructions are taken off r12, no more and no less. Before a condition that may
 * leave, so that both ways agree. */
void rewrite_count(struct rewrite *r, unsigned done);
/* Behind the block: what exits pay or give back, and the tails. */
void rewrite_refunds(struct rewrite *r);
/* In the stub of STUB_ASKED: as before the instruction. */
void rewrite_unask(struct rewrite *r, struct emit *stub, const struct rewrite_exit *exit);

/* Where the image counts hits: the basic block that begins at eip, or the way from `from` that a
 * branch at the block's end does not take. */
void rewrite_hit_block(struct rewrite *r, uint32_t eip);
void rewrite_hit_way(struct rewrite *r, uint32_t from, uint32_t to);

/* Notes that host code from here on belongs to the instruction at eip with the present delta, of
 * which so many are done and not yet counted. */
void rewrite_mark(struct rewrite *r, uint32_t eip);
struct side *rewrite_mark_uncounted(struct rewrite *r, uint32_t eip, int uncounted);
void rewrite_add_exit(struct rewrite *r, uint32_t field, struct rewrite_exit exit);

/* Ways out. All settle the stack first. */
void rewrite_jump_to(struct rewrite *r, uint32_t eip);
void rewrite_branch_to(struct rewrite *r, unsigned cc, uint32_t eip);
void rewrite_jump_r9(struct rewrite *r);
/* Leaves translated code: `done` says whether the present instruction counts as done. */
void rewrite_leave(struct rewrite *r, enum stub_reason reason, uint32_t eip, uint32_t payload,
                   bool done);

static inline uint32_t rewrite_eip(const struct rewrite *r)
{
    return r->scan->at[r->index].eip;
}

static inline uint32_t rewrite_next_eip(const struct rewrite *r)
{
    return rewrite_eip(r) + r->scan->at[r->index].insn.len;
}

#endif
