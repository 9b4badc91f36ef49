/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer: random programs of every class of rows, on the host's own CPU
 * and on each engine, until every class has had enough instructions.
 *
 *   fuzz [--count N] [--seed N] [--runners LIST] [--native FILE] [--only N] [--classes MASK]
 *
 * --count: executed instructions of each class (1,000,000). --only: just the
 * program with that number. A program that differs is made as small as it goes
 * and printed with both outcomes. Exit: 0 no difference, 1 differences, 77 no
 * native runner.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "testsuite/insn/compare.h"
#include "testsuite/insn/options.h"
#include "testsuite/insn/program.h"
#include "testsuite/insn/runner.h"

#define PROGRAMS 16u   /* of a batch */
#define FAILURES_MAX 5 /* then it is enough */

struct fuzz {
    struct options options;
    struct runners runners;
    struct runner *step;
    uint64_t executed[CLASSES];
    uint8_t row_seen[2048];
    uint64_t programs, ends[32]; /* by vector */
    unsigned failures;
    struct program program[PROGRAMS], small;
    struct insn_case cases[PROGRAMS], trial_case;
    struct insn_outcome want[PROGRAMS], got[PROGRAMS], trial_want, trial_got;
};

static void count_insn(void *opaque, const struct isa_insn *insn)
{
    struct fuzz *f = opaque;
    f->executed[program_class_of(insn->row)]++;
    f->row_seen[insn->row->id] = 1;
}

/* Classes that have not had enough. */
static unsigned missing_classes(const struct fuzz *f)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < CLASSES; i++)
        if (f->executed[i] < f->options.count)
            mask |= 1u << i;
    return mask & f->options.classes;
}

/* A fault in the middle of an instruction leaves what the instruction may leave. */
static struct compare_mask mask_of(const struct program *p, const struct insn_case *c,
                                   const struct insn_outcome *o)
{
    struct compare_mask mask = {0};
    struct isa_insn insn;
    uint32_t at = o->state.eip - INSN_CODE - c->code_at;
    if (o->vector == 14 && at < c->code_len &&
        isa_decode(c->code + at, c->code_len - at, true, &insn) == ISA_OK)
        mask = compare_mask_of(o->state.gpr, &insn);
    mask.undef |= program_undef_at(p, o->state.eip);
    return mask;
}

struct side {
    const struct insn_outcome *outcome;
    const char *name;
};

static bool same(const struct program *p, const struct insn_case *c, struct side a, struct side b,
                 FILE *out)
{
    struct compare_mask mask = mask_of(p, c, a.outcome);
    return compare_outcomes(a.outcome, b.outcome, &mask, a.name, b.name, out);
}

static bool same_trial(const struct fuzz *f, const struct program *p, const struct runner *runner,
                       FILE *out)
{
    return same(p, &f->trial_case, (struct side){&f->trial_want, "native"},
                (struct side){&f->trial_got, runner->name}, out);
}

/* Runs one program natively and on `runner`; true if they still differ. */
static bool still_differs(struct fuzz *f, struct program *p, struct runner *runner)
{
    struct runner *native = f->runners.native;
    program_lay_out(p, &f->trial_case);
    if (native->run(native, &f->trial_case, 1, &f->trial_want) ||
        runner->run(runner, &f->trial_case, 1, &f->trial_got))
        return false;
    return !same_trial(f, p, runner, NULL);
}

/* Takes out units [first, first + n) if the program still fails without them. */
static void try_without(struct fuzz *f, struct runner *runner, unsigned first, unsigned n)
{
    struct program trial = f->small;
    bool any = false;
    for (unsigned i = first; i < first + n && i < trial.count; i++) {
        any |= trial.units[i].len != 0;
        trial.units[i].len = 0;
    }
    if (any && still_differs(f, &trial, runner))
        f->small = trial;
}

static void minimise(struct fuzz *f, struct runner *runner)
{
    for (unsigned n = f->small.count; n >= 1; n /= 2)
        for (unsigned first = 0; first < f->small.count; first += n)
            try_without(f, runner, first, n);
    for (unsigned i = 0; i < f->small.count; i++)
        try_without(f, runner, i, 1);
}

static void report(struct fuzz *f, const struct program *p, uint64_t number, struct runner *runner)
{
    f->small = *p;
    printf("program %llu differs on %s (--seed %llu --only %llu)\n", (unsigned long long)number,
           runner->name, (unsigned long long)f->options.seed, (unsigned long long)number);
    if (!still_differs(f, &f->small, runner)) {
        printf("    but not when run again, alone\n");
        return;
    }
    minimise(f, runner);
    still_differs(f, &f->small, runner);
    compare_print_case(&f->trial_case, stdout);
    same_trial(f, &f->small, runner, stdout);
}

static void make_programs(struct fuzz *f, uint64_t first, unsigned count, unsigned classes)
{
    for (unsigned i = 0; i < count; i++) {
        struct rng r;
        rng_seed(&r, f->options.seed * 0x100000001ull + first + i);
        program_make(&f->program[i], &r, classes);
        program_lay_out(&f->program[i], &f->cases[i]);
    }
}

/* Whether program i of the batch went the same way on `a`, which has `want`, and on `b`. */
static bool same_in_batch(const struct fuzz *f, unsigned i, const char *a, const char *b, FILE *out)
{
    return same(&f->program[i], &f->cases[i], (struct side){&f->want[i], a},
                (struct side){&f->got[i], b}, out);
}

static int judge_runner(struct fuzz *f, struct runner *runner, uint64_t first, unsigned count)
{
    int err = runner->run(runner, f->cases, count, f->got);
    for (unsigned i = 0; !err && i < count; i++) {
        if (same_in_batch(f, i, "native", runner->name, NULL))
            continue;
        if (f->failures++ < FAILURES_MAX)
            report(f, &f->program[i], first + i, runner);
    }
    return err;
}

static void report_cut(struct fuzz *f, unsigned i, uint64_t number, const char *a, const char *b)
{
    f->failures++;
    printf("program %llu differs when cut after %u instructions (--seed %llu --only %llu)\n",
           (unsigned long long)number, f->cases[i].budget, (unsigned long long)f->options.seed,
           (unsigned long long)number);
    same_in_batch(f, i, a, b, stdout);
}

/*
 * The same programs cut short: every engine must stop after the same instruction, with the
 * same state, as the first one. The processor has no budget, so it is not asked.
 */
static int judge_cut(struct fuzz *f, uint64_t first, unsigned count)
{
    struct runner *judge = f->runners.engine[0];
    for (unsigned i = 0; i < count; i++)
        f->cases[i].budget = 1 + (uint32_t)((first + i) * 2654435761u >> 8) % 700;
    int err = f->runners.engines ? judge->run(judge, f->cases, count, f->want) : 0;
    for (unsigned e = 1; !err && e < f->runners.engines; e++) {
        struct runner *runner = f->runners.engine[e];
        if (runner->is_pc)
            continue;
        err = runner->run(runner, f->cases, count, f->got);
        for (unsigned i = 0; !err && i < count; i++)
            if (!program_pointers_at(&f->program[i], f->want[i].state.eip) &&
                !same_in_batch(f, i, judge->name, runner->name, NULL))
                report_cut(f, i, first + i, judge->name, runner->name);
    }
    return err;
}

static int run_programs(struct fuzz *f, uint64_t first, unsigned count, unsigned classes)
{
    struct runner *native = f->runners.native;
    make_programs(f, first, count, classes);
    int err = native->run(native, f->cases, count, f->want);
    for (unsigned i = 0; !err && i < count; i++)
        f->ends[f->want[i].vector & 31]++;
    if (!err)
        err = judge_runner(f, f->step, first, count);
    for (unsigned e = 0; !err && e < f->runners.engines; e++)
        err = judge_runner(f, f->runners.engine[e], first, count);
    f->programs += count;
    return err ? err : judge_cut(f, first, count);
}

static int run_all(struct fuzz *f)
{
    int err = 0;
    if (f->options.only >= 0)
        return run_programs(f, (uint64_t)f->options.only, 1, f->options.classes);
    for (uint64_t n = 0; !err && f->failures < FAILURES_MAX && missing_classes(f); n += PROGRAMS)
        err = run_programs(f, n, PROGRAMS, f->options.classes);
    return err;
}

static unsigned rows_seen(const struct fuzz *f)
{
    unsigned n = 0;
    for (unsigned i = 0; i < isa_row_count; i++)
        n += f->row_seen[i];
    return n;
}

static void print_totals(const struct fuzz *f, double seconds)
{
    printf("%llu programs, %u differ, %.1f s, --seed %llu; ended in INT3 %llu, #MF %llu, #XM %llu, "
           "#PF %llu\ninstructions executed, of %u rows:",
           (unsigned long long)f->programs, f->failures, seconds,
           (unsigned long long)f->options.seed, (unsigned long long)f->ends[3],
           (unsigned long long)f->ends[16], (unsigned long long)f->ends[19],
           (unsigned long long)f->ends[14], rows_seen(f));
    for (unsigned i = 0; i < CLASSES; i++)
        printf(" %s %.2fM%s", program_class_names[i], (double)f->executed[i] / 1e6,
               i + 1 < CLASSES ? "," : "\n");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run(struct fuzz *f)
{
    double begin = now();
    int status = runners_open(&f->runners, &f->options);
    f->step = status ? NULL : runner_step_create(count_insn, f);
    if (!status && !f->step)
        status = 2;
    if (!status) {
        int err = run_all(f);
        if (err)
            printf("a runner failed: %s\n", strerror(-err));
        print_totals(f, now() - begin);
        status = err || f->failures ? 1 : 0;
    }
    if (f->step)
        f->step->destroy(f->step);
    runners_close(&f->runners);
    return status;
}

int main(int argc, char **argv)
{
    struct fuzz *f = calloc(1, sizeof(*f));
    BUG_ON(isa_row_count > sizeof(f->row_seen), "row_seen has a place for each row");
    if (!f || !options_parse(&f->options, 1000000, argc, argv))
        return 2;
    int status = run(f);
    free(f);
    return status;
}
