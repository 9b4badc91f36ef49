/* SPDX-License-Identifier: MIT */
/*
 * One test case of the instruction tests and its outcome: what every runner
 * (the host's own CPU, each engine) is given and what it hands back. The
 * 32-bit native runner includes this too, so all fields have fixed widths.
 *
 * The address space of a case, in the guest and in the native process alike:
 *
 *   INSN_CODE   two pages of INT3 with the code somewhere in them; any INT3 ends the run;
 *               the page after them does not exist
 *   INSN_DATA   two read-write pages, filled with a pattern known to all; the page
 *               before them is read-only, the page after them does not exist
 *   INSN_FIXED  a read-write page that only fixed parts of a program address
 *               (loop counters), so that random stores cannot make it run for ever
 */
#ifndef DENALI_INSN_CASE_H
#define DENALI_INSN_CASE_H

#include <stdint.h>

#define INSN_CODE 0x00400000u
#define INSN_DATA 0x00500000u
#define INSN_FIXED 0x00600000u
#define INSN_PAGE 0x1000u
#define INSN_CODE_BYTES 0x2000u
#define INSN_DATA_BYTES 0x2000u
#define INSN_MEM_BYTES 0x00800000u

/*
 * Base addresses of FS and GS. FS: so that a 16-bit address of 0x8000 and up
 * reaches the data pages.
 */
#define INSN_FS_BASE (INSN_DATA - 0x8000u)
#define INSN_GS_BASE 0x00000240u

#define INSN_BATCH 64u

/* The image FXSAVE writes in 32-bit mode, as far as it is defined. */
struct insn_fpu {
    uint16_t control, status;
    uint8_t tag, unused0;
    uint16_t opcode;
    uint32_t ip;
    uint16_t cs, unused1;
    uint32_t dp;
    uint16_t ds, unused2;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[8][16];
    uint8_t rest[224];
};

struct insn_state {
    uint32_t gpr[8];
    uint32_t eip, eflags;
    struct insn_fpu fpu;
};

#define INSN_CODE_MAX 3072u
#define INSN_PATCH_MAX 512u

struct insn_case {
    struct insn_state state;
    uint32_t code_at, code_len; /* offset in the code pages */
    uint32_t data_seed;         /* of the pattern in the data pages */
    uint32_t budget;            /* instructions an engine may run, 0: to the end */
    uint32_t patch_at, patch_len;
    uint8_t patch[INSN_PATCH_MAX]; /* laid over the pattern at offset patch_at */
    uint8_t code[INSN_CODE_MAX];
};

/* `vector` beyond the processor's: the run did not end in a fault. */
#define INSN_HUNG 255u   /* the native run took seconds */
#define INSN_APART 512u  /* machines that share translations came to different ends: or-ed in */
#define INSN_NO_END 256u /* an engine came back for another reason: + enum engine_exit */

struct insn_outcome {
    struct insn_state state;
    uint32_t vector, error, address; /* 3 at the INT3 that ends the case */
    uint32_t unused;
    uint8_t data[INSN_DATA_BYTES];
};

/* What the native process and its parent share. */
struct insn_shared {
    uint32_t count;
    uint32_t unused;
    struct insn_case cases[INSN_BATCH];
    struct insn_outcome outcomes[INSN_BATCH];
};

/* The pattern of the data pages. */
static inline void insn_fill(uint8_t *data, uint32_t seed)
{
    uint32_t *word = (uint32_t *)(void *)data;
    uint32_t x = seed * 2654435761u | 1;
    for (unsigned i = 0; i < INSN_DATA_BYTES / 4; i++) {
        x = x * 1664525u + 1013904223u;
        word[i] = x;
    }
}

#endif
