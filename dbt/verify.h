/* SPDX-License-Identifier: MIT */
/*
 * The verifier: what the isolation promise rests on. It reads the bytes that
 * the translator emitted with a decoder that is not ours (Zydis) and accepts a
 * block only if it can show that, whatever the guest's registers and memory
 * hold, the block
 *
 *   - reads and writes memory only inside the window and its guards;
 *   - never changes the registers that hold the window and the dispatch table,
 *     and keeps rsp near the window;
 *   - goes on only inside itself, at a known stub, or where the table says;
 *   - contains no instruction that reaches the host otherwise.
 *
 * It knows nothing of guest instructions and nothing of how the translator
 * works; docs/TRANSLATOR.md lists the forms. One verifier serves one thread.
 */
#ifndef DENALI_DBT_VERIFY_H
#define DENALI_DBT_VERIFY_H

#include "emu/base/base.h"

struct stubs;
struct verifier;

/* A stretch of the cache. */
struct verify_piece {
    uint32_t at, len;
};

struct verify_code {
    const uint8_t *cache;      /* all of it */
    struct verify_piece body;  /* entered at its start */
    struct verify_piece exits; /* entered by jumps of the body only; may be empty */
    const struct stubs *stubs;
};

struct verify_finding {
    uint32_t at;      /* offset in the cache */
    const char *what; /* what could not be shown, as a clause */
};

/* -ENOPKG where Zydis is not there. */
MUST_CHECK int verifier_create(struct verifier **out);
void verifier_destroy(struct verifier *verifier);

/* True: accepted. False: *finding tells the first thing that could not be shown. */
MUST_CHECK bool verify_block(struct verifier *verifier, const struct verify_code *code,
                             struct verify_finding *finding);

#endif
