/* SPDX-License-Identifier: MIT */
/*
 * Whether the flag sets of the rows are true of the host's CPU. Each case runs
 * twice, with status flags that differ where the instruction is not said to
 * read them. Then
 *
 *   reads   everything but such flags must come out the same;
 *   kills   these flags must come out the same;
 *   others  what is neither killed nor may be written nor undefined must come
 *           out as it went in.
 *
 *   flagsets [--count N] [--rows LIST] [--seed N] [--native FILE]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/isa/isa.h"
#include "testsuite/insn/compare.h"
#include "testsuite/insn/gen.h"
#include "testsuite/insn/options.h"

#define STATUS (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O)
#define PAIRS (INSN_BATCH / 2)

struct check {
    const struct options *options;
    struct runner *native;
    unsigned cases, wrong;
    struct isa_insn insns[PAIRS];
    struct insn_case cases_of[INSN_BATCH];
    struct insn_outcome outcomes[INSN_BATCH];
};

static void complain(struct check *k, const struct insn_case *c, const char *what)
{
    if (k->wrong++ >= 20)
        return;
    printf("%s:\n", what);
    compare_print_case(c, stdout);
}

/* Flags that came out other than they went in, though the row does not write them. */
static uint32_t strays(const struct insn_case *c, const struct insn_outcome *o,
                       const struct isa_flags *f)
{
    uint32_t written = f->kills | f->may | f->undef;
    return (c->state.eflags ^ o->state.eflags) & STATUS & ~written;
}

static void judge(struct check *k, unsigned pair)
{
    const struct insn_case *a = &k->cases_of[2 * pair], *b = a + 1;
    const struct insn_outcome *oa = &k->outcomes[2 * pair], *ob = oa + 1;
    struct isa_flags f = isa_flags(&k->insns[pair]);
    k->cases++;
    if (oa->vector != ob->vector) {
        complain(k, a, "a fault depends on a flag that is not read");
        return;
    }
    if (oa->vector != 3 || oa->state.eip != ob->state.eip) /* flags of a fault are not written */
        return;
    struct compare_mask mask = compare_mask_of(a->state.gpr, &k->insns[pair]);
    mask.undef |= STATUS;
    if (!compare_outcomes(oa, ob, &mask, "one", "two", NULL))
        complain(k, a, "the result depends on a flag that is not read");
    else if ((oa->state.eflags ^ ob->state.eflags) & f.kills)
        complain(k, a, "a killed flag depends on what it was");
    else if (strays(a, oa, &f) || strays(b, ob, &f))
        complain(k, a, "a flag changes that is not written");
}

/* PUSHF and INT store all flags; with a fault in the middle nothing can be said. */
static bool make_pair(struct check *k, unsigned pair, const struct isa_row *row, unsigned index)
{
    struct insn_case *c = &k->cases_of[2 * pair];
    struct rng r;
    rng_seed(&r, k->options->seed * 0x100000001ull + row->id * 0x10000ull + index);
    gen_case(row, index, &r, c);
    if (isa_decode(c->code, c->code_len, true, &k->insns[pair]) != ISA_OK)
        return false;
    c[1] = c[0];
    c[1].state.eflags ^= rng_next(&r) & STATUS & ~(uint32_t)isa_flags(&k->insns[pair]).reads;
    return true;
}

static int check_row(struct check *k, const struct isa_row *row)
{
    int err = 0;
    for (unsigned index = 0; index < k->options->count && !err;) {
        unsigned pairs = 0;
        for (; pairs < PAIRS && index < k->options->count; index++)
            pairs += make_pair(k, pairs, row, index);
        err = k->native->run(k->native, k->cases_of, 2 * pairs, k->outcomes);
        for (unsigned i = 0; i < pairs && !err; i++)
            judge(k, i);
    }
    return err;
}

int main(int argc, char **argv)
{
    struct options options;
    struct runners runners;
    if (!options_parse(&options, 64, argc, argv))
        return 2;
    options.runners = "";
    int status = runners_open(&runners, &options), err = 0;
    struct check *k = calloc(1, sizeof(*k));
    if (status || !k)
        return status ? status : 2;
    k->options = &options;
    k->native = runners.native;
    for (unsigned i = 0; i < isa_row_count && !err; i++)
        if (options_select(&options, &isa_rows[i]) && !gen_row_excuse(&isa_rows[i]))
            err = check_row(k, &isa_rows[i]);
    printf("%u cases, %u wrong%s\n", k->cases, k->wrong, err ? "; the runner failed" : "");
    status = err || k->wrong ? 1 : 0;
    runners_close(&runners);
    free(k);
    return status;
}
