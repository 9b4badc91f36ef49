/* SPDX-License-Identifier: MIT */
/*
 * The translator's paged policy: code of a PC's processor, whose every address
 * goes through segments and page tables. docs/TRANSLATOR.md, "Paged guests",
 * defines the registers and the emitted forms. One thread, one processor, one
 * cache: nothing here is shared or locked.
 *
 * A block is the translation of code at one physical place, for one EIP and
 * one mode: so it survives any change of page tables, and code that is changed
 * through another virtual page is dropped all the same.
 */
#ifndef DENALI_DBT_PAGED_H
#define DENALI_DBT_PAGED_H

#include "dbt/cache.h"
#include "dbt/dbt.h"
#include "dbt/emit.h"
#include "emu/base/host_signal.h"
#include "emu/cpu/interp/interp_block.h"
#include "emu/cpu/pc/mmu.h"

/* What the code of a block depends on besides its bytes. */
enum paged_class { PAGED_FLAT, PAGED_BIG, PAGED_REAL, PAGED_OTHER };
enum paged_mode_bit {
    PAGED_CODE32 = 1u << 0,
    PAGED_STACK32 = 1u << 1,
    PAGED_CS_FLAT = 1u << 2,
    PAGED_X87 = 1u << 3, /* x87 and MMX run on the host's unit */
    PAGED_SSE = 1u << 4,
    PAGED_DOWN = 1u << 5, /* EFLAGS.DF; the host's is clear */
    PAGED_RING0 = 1u << 6,
};
/* A block of at most so many instructions, that leads nowhere: the end of a budget. 0: any. */
#define PAGED_EXACT_SHIFT 16
#define PAGED_EXACT(count) ((uint32_t)(count) << PAGED_EXACT_SHIFT)
#define PAGED_CLASS_SHIFT(seg) (8 + 2 * (seg)) /* ES, CS, SS, DS: enum paged_class */

struct paged_mode {
    uint32_t bits;
    uint32_t cs_base, cs_limit; /* 0 where PAGED_CS_FLAT */
};

#define PAGED_MAX_INSNS 32u
#define PAGED_MAX_EXITS 16u

/* Host code from here on belongs to the guest instruction at the block's eip + guest. */
#define PAGED_SIDE_SHADOW 0x8000u /* in `guest`: a kick may not stop here */
struct paged_side {
    uint16_t host, guest;
};
static inline uint32_t paged_side_guest(const struct paged_side *side)
{
    return side->guest & ~PAGED_SIDE_SHADOW;
}

struct paged_block {
    struct paged_mode mode;
    uint32_t eip, guest_len;
    uint32_t insns;
    const uint8_t *code;      /* the host's place of the first byte */
    const uint8_t *second;    /* and of the page that the only instruction ends in, or NULL */
    uint32_t host, body, end; /* in the cache: checks r9 first; does not */
    uint32_t sides_at, sides; /* in paged.side */
    uint32_t calls_at, calls; /* in paged.call */
    struct paged_block *in_hash;
    struct paged_block *in_page[2]; /* the next of its page, and of its second */
    bool dead;
    bool keeps; /* several accesses share a look into the TLB */
};

/* The host's place of the block's instruction at eip; and a hash of such a place, whose upper bits
 * are the better ones, for what is kept of instructions whatever blocks they come in. */
static inline const uint8_t *paged_code_at(const struct paged_block *block, uint32_t eip)
{
    return block->code + (eip - block->eip);
}
static inline uint64_t paged_code_hash(const uint8_t *code)
{
    return (uint64_t)(uintptr_t)code * 0x9e3779b97f4a7c15u;
}

/* A direct jump within a page, not yet led to its block; or, for coverage, out of it, not yet led
 * to the code for that. */
struct paged_exit {
    uint32_t field, eip;
    uint32_t from, out; /* coverage: the linear address behind the jump; that code, or 0 */
};

/* What of the mode an instruction may change: nothing, what follows from one segment, anything. */
enum paged_change { PAGED_KEEPS, PAGED_CHANGES_SEGMENT, PAGED_CHANGES };

/* An instruction that the interpreter does without leaving the cache. */
struct paged_call {
    struct interp_op op;
    struct paged_block *block;
    uint32_t eip;
    uint32_t index; /* among the block's instructions */
    enum paged_change changes;
    uint32_t after; /* where it goes on; 0: the block ends with it */
    bool device;    /* because of paged_device.c */
};

/* Why translated code was left; in r9 at the way out. */
enum paged_reason {
    PAGED_MISS,   /* eip has no entry in the dispatch table */
    PAGED_CHAIN,  /* payload is the exit's number */
    PAGED_TRAP,   /* the instruction at eip is the interpreter's */
    PAGED_KICK,   /* somebody wants the thread's attention */
    PAGED_TURNED, /* the same, on the way in or back from a call, which did not go on */
    PAGED_CALLED, /* a called instruction went elsewhere; paged.exit says */
    PAGED_APART,  /* the block p->apart is to be made in another way */
    PAGED_BUDGET, /* counting: the block at eip is longer than what may still be done */
};

struct paged_stubs {
    uint32_t enter, miss, chain, leave, after_save, stop, call, load_fpu, set_gs, end;
};

/* The dispatch table of a privilege: host address by paged_slot(eip). */
#define PAGED_SLOTS 65536u
struct paged_dispatch {
    uint64_t *table; /* in mmu_engine_table */
    struct paged_mode mode;
    uint64_t local_changes, all_changes; /* of mmu_code_changes, when it was last looked at */
    struct paged_block **block;          /* by slot */
    uint16_t *filled;                    /* slots, some of them twice */
    uint32_t filled_count;
    uint32_t settled; /* so many of them lie in global pages */
};

struct paged {
    struct host_signal_scope scope;
    struct engine_options options;
    struct cpu *cpu;
    struct paged *next;          /* among the engine's */
    struct interp_cache *interp; /* for what is not translated: budgets, debuggers */
    struct cache cache;
    struct paged_stubs stubs;
    uint32_t at, limit; /* free room of the cache */
    struct paged_dispatch dispatch[2];
    struct paged_block *block; /* in the order of their host code */
    struct paged_side *side;
    struct paged_exit *exit_at;
    struct paged_call *call;
    uint32_t blocks, sides, exits, calls;
    struct paged_block **hash;
    struct paged_block **page;  /* of RAM, by frame: its blocks */
    uint8_t *page_heat;         /* how often the guest dropped a frame's blocks */
    struct paged_block *others; /* blocks of memory that is no RAM */
    uint32_t frames;
    uint64_t removals;
    bool running;              /* what is written now the guest writes, or a device that it asked */
    enum engine_exit exit;     /* of PAGED_CALLED; ENGINE_EXITS: none */
    uint64_t count_end;        /* counting: cpu->icount when r12 comes to 0 */
    uint32_t undone;           /* counting: what a block that a call goes back to has taken off */
    bool was_watched;          /* there were watchpoints in the last run */
    uint8_t *device_heat;      /* paged_device.c */
    uint8_t *refusals;         /* paged_keep.c */
    uint8_t *touches;          /* paged_watch.c */
    struct paged_block *apart; /* of PAGED_APART */
    uint64_t filled_for;       /* the place whose miss was filled last: see paged_fault.c */
    struct engine_counters counters;
};

/* paged.c: an engine's per-processor part, for processors without `flat`. */
MUST_CHECK int paged_create(struct cpu *cpu, const struct engine_options *options,
                            struct paged **out);
void paged_destroy(struct paged *p);
void paged_forget(struct paged *p, gpa_t gpa, uint64_t len);
void paged_add_counters(const struct paged *p, struct engine_counters *sum);

/* paged_run.c */
enum engine_exit paged_run(struct paged *p, uint64_t budget);
/* Called from the cache: does the instruction of p->call[number]; false: leaves. */
uint32_t paged_do_call(struct cpu *cpu, uint32_t number);

/* paged_fault.c */
bool paged_on_trap(struct host_signal_scope *scope, struct host_frame *frame);

/* paged_mode.c: what the present segments and control registers make of code; also notes where FS
 * and GS may be used without a check. */
struct paged_mode paged_mode_now(struct cpu *cpu);
/* Is the mode still so, after an instruction that changed at most this? */
bool paged_mode_kept(struct cpu *cpu, const struct paged_mode *mode, const struct isa_insn *insn,
                     enum paged_change change);
enum paged_change paged_change_of(const struct isa_insn *insn);
static inline uint32_t paged_exact(const struct paged_mode *mode)
{
    return mode->bits >> PAGED_EXACT_SHIFT;
}
static inline bool paged_mode_same(const struct paged_mode *a, const struct paged_mode *b)
{
    return a->bits == b->bits && a->cs_base == b->cs_base && a->cs_limit == b->cs_limit;
}
static inline enum paged_class paged_class(const struct paged_mode *mode, unsigned seg)
{
    return (enum paged_class)(mode->bits >> PAGED_CLASS_SHIFT(seg) & 3);
}

/* paged_cache.c */
MUST_CHECK int paged_cache_init(struct paged *p);
void paged_cache_fini(struct paged *p);
void paged_drop_all(struct paged *p);
/* Blocks of a frame of RAM. */
void paged_drop_frame(struct paged *p, uint32_t frame);
void paged_drop_others(struct paged *p);
/* Blocks whose code lies in the linear pages of [linear, linear+len). */
void paged_drop_linear(struct paged *p, uint32_t linear, uint32_t len);
struct paged_block *paged_find(struct paged *p, const uint8_t *code, const uint8_t *second,
                               uint32_t eip, const struct paged_mode *mode);
/* NULL: no room; paged_drop_all, then again. */
struct paged_block *paged_block_open(struct paged *p, struct emit *emit);
void paged_publish(struct paged *p, struct paged_block *block);
struct paged_block *paged_block_at(const struct paged *p, uint32_t host);
const struct paged_side *paged_side_at(const struct paged *p, const struct paged_block *block,
                                       uint32_t host);

/* The dispatch table in force, brought up to date with the mode and the TLB. */
struct paged_dispatch *paged_dispatch_now(struct paged *p, const struct paged_mode *mode);
void paged_dispatch_set(struct paged *p, struct paged_dispatch *d, struct paged_block *block);
static inline uint32_t paged_slot(uint32_t eip)
{
    return (uint16_t)((eip >> 14 | eip << 18) + eip);
}

/* paged_translate.c: code at `code`, of which `room` bytes lie in its page; with `second` one
 * instruction that goes on there. NULL: none to be had. *full: no room. */
struct paged_block *paged_translate(struct paged *p, const uint8_t *code, uint32_t room,
                                    const uint8_t *second, const struct paged_mode *mode,
                                    bool *full);

/* This one; who jumps into it finds the way to another. */
void paged_drop_block(struct paged *p, struct paged_block *block);

/* paged_device.c: an instruction at `code` found no memory. True: so often that it is to become a
 * call, and its block to go. */
#define PAGED_DEVICE_HEATS 65536u
bool paged_device_faulted(struct paged *p, const uint8_t *code);
bool paged_device_is_hot(struct paged *p, const uint8_t *code);
/* The call was made. True: it is to be translated again, the block to go. */
bool paged_device_called(struct paged *p, const struct paged_call *call, bool reached);

/* paged_keep.c: the instructions from this one on ask the TLB each for itself, in whatever blocks
 * they come. */
#define PAGED_REFUSAL_BYTES 8192u
void paged_keep_refuse(struct paged *p, const struct paged_block *block,
                       const struct paged_side *from);

/*
 * paged_watch.c: instructions that touched watched pages several times are the interpreter's,
 * called for without a signal. By a hash of the code's place, so that a new block of it knows.
 */
#define PAGED_TOUCH_BYTES 65536u
/* A block was left for the interpreter to do the instruction at `linear`, whose code is there. */
void paged_watch_note(struct paged *p, const uint8_t *code, uint32_t linear);
bool paged_watch_touches(const struct paged *p, const uint8_t *code);
/* Nothing is watched any more. */
void paged_watch_end(struct paged *p);

/* paged_stub.c */
void paged_emit_stubs(struct paged *p);
/* The way in. Returns enum paged_reason. */
typedef uint32_t (*paged_enter_fn)(struct cpu *cpu);

/* cpu->slot[]. */
enum paged_slot_number {
    PAGED_SLOT_HOST_RSP = 32,
    PAGED_SLOT_TARGET,
    PAGED_SLOT_FLAGS, /* host flags at the way in and out */
    PAGED_SLOT_PAYLOAD,
    PAGED_SLOT_MXCSR,
    PAGED_SLOT_FPU,    /* 1: the guest's x87 and SSE state is in the host's unit */
    PAGED_SLOT_COUNT,  /* counting: r12, outside the cache */
    PAGED_SLOT_SEG_OK, /* of ES ... GS: address of a readable byte, or 0: ask the interpreter */
    PAGED_SLOT_END = PAGED_SLOT_SEG_OK + 6,
};

/*
 * r14 points to the TLB of the present privilege; at these distances lie the
 * dispatch table and 64 KiB that can be read, followed by a page that cannot.
 */
#define PAGED_TABLE_BYTES ((int32_t)(8 * MIB))
#define PAGED_DISPATCH (MMU_KINDS * PAGED_TABLE_BYTES)
#define PAGED_RAMP_BYTES ((int32_t)(64 * KIB))
#define PAGED_RAMP (PAGED_DISPATCH + PAGED_TABLE_BYTES / 2)
#define PAGED_EDGE (PAGED_RAMP + PAGED_RAMP_BYTES - (int32_t)PAGE_SIZE) /* its last page */
/* Counting: as many bytes that can be read, and before them a page that cannot. */
#define PAGED_COUNT_RAMP (PAGED_RAMP + (int32_t)(2 * MIB))
#define PAGED_COUNT_MAX ((int32_t)MIB)

#define PAGED_USER_FLAGS (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O)

/*
 * r15 lies so far behind the start of struct cpu, whose alignment is 64, that it is a count for
 * SHRX to find the page of an address.
 */
#define PAGED_CPU_BIAS ((int32_t)PAGE_BITS)

static inline struct emit_mem paged_at(size_t offset)
{
    return emit_at(EMIT_R15, (int32_t)offset - PAGED_CPU_BIAS);
}

static inline struct emit_mem paged_slot_at(unsigned slot)
{
    return paged_at(offsetof(struct cpu, slot) + slot * sizeof(uint64_t));
}

#endif
