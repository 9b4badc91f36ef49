/* SPDX-License-Identifier: MIT */
/*
 * The decoder against Capstone: a stream of instructions is decoded as 16- and 32-bit code; every
 * one that is accepted has the length, name and operands that Capstone gives it, cannot be
 * recognised from fewer bytes, and is the same with other bytes behind it.
 * fuzz: max_len=64
 */
#include "testsuite/fuzz/fuzz.h"
#include "testsuite/unit/isa_oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct oracle *the_oracle(void)
{
    static struct oracle *oracle;
    if (!oracle)
        oracle = oracle_create();
    FUZZ_REQUIRE(oracle);
    return oracle;
}

static void cut_short(const uint8_t *at, const struct isa_insn *insn, bool code32)
{
    struct isa_insn shorter;
    for (size_t n = 0; n < insn->len; n++) {
        uint8_t *exact = fuzz_exact(at, n);
        FUZZ_REQUIRE(isa_decode(exact, n, code32, &shorter) == ISA_MORE);
        free(exact);
    }
    FUZZ_REQUIRE(isa_decode(at, insn->len, code32, &shorter) == ISA_OK);
    FUZZ_REQUIRE(shorter.row == insn->row && shorter.len == insn->len);
}

static void against_capstone(const struct isa_insn *insn, bool code32)
{
    const char *why = oracle_compare(the_oracle(), insn, code32);
    if (!why)
        return;
    fprintf(stderr, "%d bits, %s:", code32 ? 32 : 16, insn->row->mnemonic);
    for (unsigned i = 0; i < insn->len; i++)
        fprintf(stderr, " %02x", insn->bytes[i]);
    fprintf(stderr, ": %s\n", why);
    abort();
}

static void decode_stream(const uint8_t *at, size_t len, bool code32)
{
    struct isa_insn insn;
    while (len) {
        enum isa_status status = isa_decode(at, len, code32, &insn);
        size_t step = status == ISA_OK ? insn.len : 1;
        if (status == ISA_OK) {
            FUZZ_REQUIRE(insn.len >= 1 && insn.len <= ISA_MAX_LENGTH && insn.len <= len);
            cut_short(at, &insn, code32);
            against_capstone(&insn, code32);
            struct isa_flags flags = isa_flags(&insn);
            FUZZ_REQUIRE(!(flags.kills & (flags.may | flags.undef)));
        }
        at += step;
        len -= step;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    decode_stream(data, len, true);
    decode_stream(data, len, false);
    return 0;
}
