/* SPDX-License-Identifier: MIT */
/*
 * The instruction tests: every row of the table in every form, with operands
 * and states from the edges, on the host's own CPU and on each engine. Rows that
 * the processor cannot judge in user mode are judged by the first engine.
 *
 *   insn [--runners LIST] [--rows NAME|ID,...] [--count N] [--seed N] [--show N] [--native FILE]
 *
 * LIST is of the engines in runner.h; interp,dbt,lockstep by default. --count: cases per row.
 * --show: failing cases printed per row. Exit: 0 all agree, 1 some differ,
 * 77 there is no native runner.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testsuite/insn/compare.h"
#include "testsuite/insn/gen.h"
#include "testsuite/insn/options.h"
#include "testsuite/insn/runner.h"

struct totals {
    unsigned rows, excused, cases, failed_cases, failed_rows;
};

struct bench {
    const struct options *options;
    struct runners runners;
    struct insn_case cases[INSN_BATCH];
    struct insn_outcome want[INSN_BATCH], got[INSN_BATCH];
    struct totals totals;
};

static void decode_case(const struct insn_case *c, struct isa_insn *insn)
{
    if (isa_decode(c->code, c->code_len, true, insn) != ISA_OK)
        insn->row = NULL;
}

static void show_failure(const struct insn_case *c, const struct isa_row *row, unsigned index)
{
    printf("row %u %s, case %u\n", row->id, row->mnemonic, index);
    compare_print_case(c, stdout);
}

/* Compares one batch of one engine; returns the number of cases that differ. */
static unsigned judge(struct bench *b, const char *oracle, const char *name,
                      const struct isa_row *row, unsigned first, unsigned count, unsigned *shown)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < count; i++) {
        struct isa_insn insn;
        decode_case(&b->cases[i], &insn);
        struct compare_mask mask = compare_mask_of(b->cases[i].state.gpr, &insn);
        if (compare_outcomes(&b->want[i], &b->got[i], &mask, oracle, name, NULL))
            continue;
        failed++;
        if ((*shown)++ >= b->options->show)
            continue;
        show_failure(&b->cases[i], row, first + i);
        compare_outcomes(&b->want[i], &b->got[i], &mask, oracle, name, stdout);
    }
    return failed;
}

static int run_batch(struct bench *b, const struct isa_row *row, unsigned first, unsigned count,
                     unsigned *shown)
{
    bool excused = gen_row_excuse(row);
    struct runner *oracle = excused ? b->runners.engine[0] : b->runners.native;
    int err = oracle->run(oracle, b->cases, count, b->want);
    for (unsigned e = excused ? 1 : 0; !err && e < b->runners.engines; e++) {
        struct runner *runner = b->runners.engine[e];
        if (excused && runner->is_pc)
            continue;
        err = runner->run(runner, b->cases, count, b->got);
        if (!err)
            b->totals.failed_cases +=
                judge(b, oracle->name, runner->name, row, first, count, shown);
    }
    b->totals.cases += count;
    return err;
}

static int run_row(struct bench *b, const struct isa_row *row)
{
    struct rng r;
    unsigned shown = 0, before = b->totals.failed_cases;
    for (unsigned first = 0; first < b->options->count; first += INSN_BATCH) {
        unsigned count = b->options->count - first;
        if (count > INSN_BATCH)
            count = INSN_BATCH;
        for (unsigned i = 0; i < count; i++) {
            rng_seed(&r, b->options->seed * 0x100000001ull + row->id * 0x10000ull + first + i);
            gen_case(row, first + i, &r, &b->cases[i]);
        }
        int err = run_batch(b, row, first, count, &shown);
        if (err) {
            printf("row %u %s: a runner failed: %s\n", row->id, row->mnemonic, strerror(-err));
            return err;
        }
    }
    if (b->totals.failed_cases != before) {
        b->totals.failed_rows++;
        printf("row %u %s: %u of %u cases differ\n", row->id, row->mnemonic,
               b->totals.failed_cases - before, (unsigned)b->options->count);
    }
    return 0;
}

/* The host's time is another at each run. */
static bool can_judge(const struct bench *b, const struct isa_row *row)
{
    bool reads_host = row->sem == ISA_SEM_RDTSC || row->sem == ISA_SEM_RDPMC;
    return !gen_row_excuse(row) || (b->runners.engines > 1 && !reads_host);
}

static int run_rows(struct bench *b)
{
    for (unsigned i = 0; i < isa_row_count; i++) {
        const struct isa_row *row = &isa_rows[i];
        if (!options_select(b->options, row))
            continue;
        b->totals.excused += gen_row_excuse(row) != NULL;
        if (!can_judge(b, row))
            continue;
        b->totals.rows++;
        int err = run_row(b, row);
        if (err)
            return err;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!options_parse(&options, 64, argc, argv))
        return 2;
    struct bench *b = calloc(1, sizeof(*b));
    if (!b)
        return 2;
    b->options = &options;
    int status = runners_open(&b->runners, &options);
    if (status == 0) {
        int err = run_rows(b);
        const struct totals *t = &b->totals;
        printf("%u rows (%u not for this processor: engines only), %u cases on %u engines, "
               "%u differ in %u rows; --seed %llu\n",
               t->rows, t->excused, t->cases, b->runners.engines, t->failed_cases, t->failed_rows,
               (unsigned long long)options.seed);
        status = err || t->failed_cases ? 1 : 0;
    }
    runners_close(&b->runners);
    free(b);
    return status;
}
