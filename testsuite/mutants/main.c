/* SPDX-License-Identifier: MIT */
/*
 * Evidence for the verifier.
 *
 *   mutants blocks [--count N] PROGRAM...
 *       translates and verifies a block at every instruction of the programs
 *       (N blocks at most): none may be refused. Prints speed and cost.
 *   mutants mutate [--count N] [--seed S] PROGRAM...
 *       damages translations; what the verifier still accepts is run in the guard
 *       harness (guard.h) and must be harmless there. N mutants in all. Of the refused,
 *       one in REFUSED_SAMPLE is run there too: that many of them do harm shows that
 *       the harness would have seen it.
 *
 * One JSON object on stdout; exit 0 only if nothing was wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/rewrite.h"
#include "emu/base/host.h"
#include "testsuite/mutants/corpus.h"
#include "testsuite/mutants/guard.h"
#include "testsuite/mutants/mutate.h"

#define RUNS_EACH 2u /* guest states that a survivor is run from */
#define REFUSED_SAMPLE 16u
#define SHOWN 10u /* findings that are told in full */
#define MUTANTS_OF_BLOCK 8u

struct options {
    bool mutate;
    uint64_t count, seed;
    char **program;
    unsigned programs;
};

struct tally {
    uint64_t blocks, guest_bytes, host_bytes, false_rejections;
    uint64_t translate_ns, verify_ns;
    uint64_t mutants, refused, survived, harmful;
    uint64_t refused_run, refused_harmful;
    uint64_t made[MUTATE_KINDS], lived[MUTATE_KINDS];
};

struct work {
    struct corpus corpus;
    struct verifier *verifier;
    struct guard *guard;
    csh capstone;
    struct rng rng;
    struct tally tally;
};

static bool verify(struct work *w, const struct block *block, struct verify_finding *finding)
{
    const struct image *image = w->corpus.image;
    const struct verify_code code = {.cache = image->cache.rw,
                                     .body = {block->host, block->host_len},
                                     .exits = {block->stubs, block->stubs_len},
                                     .stubs = &image->stubs};
    return verify_block(w->verifier, &code, finding);
}

static void show_code(struct work *w, uint32_t at, uint32_t len)
{
    cs_insn *insn;
    const uint8_t *code = w->corpus.image->cache.rw + at;
    size_t count = cs_disasm(w->capstone, code, len, at, 0, &insn);
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "  %6lx: %-8s %-40s", (unsigned long)insn[i].address, insn[i].mnemonic,
                insn[i].op_str);
        for (unsigned b = 0; b < insn[i].size; b++)
            fprintf(stderr, " %02x", insn[i].bytes[b]);
        fputc('\n', stderr);
    }
    if (count)
        cs_free(insn, count);
}

static void complain(struct work *w, const struct block *block, const char *what, uint32_t at)
{
    const uint8_t *code = w->corpus.image->cache.rw + at;
    fprintf(stderr, "block of 0x%08x: %s (at %x:", block->eip, what, at);
    for (unsigned i = 0; i < 16; i++)
        fprintf(stderr, " %02x", code[i]);
    fputs(")\n", stderr);
    show_code(w, block->host, block->host_len);
}

/* A block of the corpus as the verifier should know it; counts and times. */
static struct block *make_block(struct work *w, uint32_t index)
{
    struct verify_finding finding;
    uint64_t start = host_monotonic_ns();
    struct block *block = corpus_block(&w->corpus, index);
    uint64_t made = host_monotonic_ns();
    if (!block)
        return NULL;
    bool ok = verify(w, block, &finding);
    w->tally.verify_ns += host_monotonic_ns() - made;
    w->tally.translate_ns += made - start;
    w->tally.blocks++;
    w->tally.guest_bytes += block->guest_len;
    w->tally.host_bytes += block->host_len + block->stubs_len;
    if (!ok && ++w->tally.false_rejections <= SHOWN)
        complain(w, block, finding.what, finding.at);
    return ok ? block : NULL;
}

static const char *run_block(struct work *w, const struct block *block)
{
    const char *harm = NULL;
    for (unsigned i = 0; i < RUNS_EACH && !harm; i++)
        harm = guard_run(w->guard, w->corpus.image, block, &w->rng);
    return harm;
}

static void sample_refused(struct work *w, const struct block *block)
{
    if (w->tally.refused++ % REFUSED_SAMPLE)
        return;
    w->tally.refused_run++;
    w->tally.refused_harmful += run_block(w, block) != NULL;
}

static void hold_survivor(struct work *w, const struct block *block, enum mutate_kind kind)
{
    w->tally.survived++;
    w->tally.lived[kind]++;
    const char *harm = run_block(w, block);
    if (harm && ++w->tally.harmful <= SHOWN) {
        fprintf(stderr, "a mutant (%s) that does harm was accepted\n", mutate_name[kind]);
        complain(w, block, harm, guard_harm_at(w->guard));
    }
}

static void try_mutant(struct work *w, const struct block *block, const cs_insn *insn, size_t count)
{
    enum mutate_kind kind = (enum mutate_kind)rng_below(&w->rng, MUTATE_KINDS);
    uint8_t *code = w->corpus.image->cache.rw + block->host, copy[65536];
    uint32_t len = block->host_len;
    struct verify_finding finding;
    if (len > sizeof(copy))
        return;
    memcpy(copy, code, len);
    if (mutate(kind, code, len, insn, count, &w->rng) && memcmp(code, copy, len) != 0) {
        w->tally.mutants++;
        w->tally.made[kind]++;
        if (verify(w, block, &finding))
            hold_survivor(w, block, kind);
        else
            sample_refused(w, block);
    }
    memcpy(code, copy, len);
}

static void mutate_block(struct work *w, const struct block *block)
{
    cs_insn *insn;
    const uint8_t *code = w->corpus.image->cache.rw + block->host;
    size_t count = cs_disasm(w->capstone, code, block->host_len, block->host, 0, &insn);
    if (!count)
        return;
    for (unsigned i = 0; i < MUTANTS_OF_BLOCK; i++)
        try_mutant(w, block, insn, count);
    cs_free(insn, count);
}

static uint64_t progress(const struct options *o, const struct work *w)
{
    return o->mutate ? w->tally.mutants : w->tally.blocks;
}

/* As much as this program's share of the count asks for. */
static bool work_program(const struct options *o, struct work *w, const char *path, uint64_t goal,
                         bool counting)
{
    if (!corpus_open(&w->corpus, path, counting)) {
        corpus_close(&w->corpus);
        return false;
    }
    uint32_t starts = w->corpus.starts;
    for (uint32_t i = 0; progress(o, w) < goal && (o->mutate || i < starts); i++) {
        const struct block *block = make_block(w, o->mutate ? rng_below(&w->rng, starts) : i);
        if (block && o->mutate)
            mutate_block(w, block);
    }
    corpus_close(&w->corpus);
    return true;
}

static bool work_all(const struct options *o, struct work *w)
{
    unsigned turns = 2 * o->programs; /* each program plain and counting */
    for (unsigned i = 0; i < turns; i++) {
        uint64_t goal = o->mutate ? o->count * (i + 1) / turns : o->count;
        if (!work_program(o, w, o->program[i / 2], goal, i % 2))
            return false;
    }
    return true;
}

static void print(const struct options *o, const struct work *w)
{
    const struct tally *t = &w->tally;
    struct guard_counters g;
    guard_count(w->guard, &g);
    printf(
        "{\"blocks\": %lu, \"false_rejections\": %lu, \"guest_bytes\": %lu, \"host_bytes\": %lu, "
        "\"verify_ns_per_block\": %lu, \"translate_ns_per_block\": %lu",
        t->blocks, t->false_rejections, t->guest_bytes, t->host_bytes,
        t->blocks ? t->verify_ns / t->blocks : 0, t->blocks ? t->translate_ns / t->blocks : 0);
    if (o->mutate) {
        printf(", \"seed\": %lu, \"mutants\": %lu, \"refused\": %lu, \"survived\": %lu, "
               "\"harmful\": %lu, \"refused_run\": %lu, \"refused_harmful\": %lu, \"kinds\": {",
               o->seed, t->mutants, t->refused, t->survived, t->harmful, t->refused_run,
               t->refused_harmful);
        for (unsigned k = 0; k < MUTATE_KINDS; k++)
            printf("%s\"%s\": [%lu, %lu]", k ? ", " : "", mutate_name[k], t->made[k], t->lived[k]);
        printf(
            "}, \"runs\": %lu, \"steps\": %lu, \"left\": %lu, \"faulted\": %lu, \"endless\": %lu",
            g.runs, g.steps, g.left, g.faulted, g.endless);
    }
    puts("}");
}

static bool parse(int argc, char **argv, struct options *o)
{
    int i = 2;
    if (argc < 3 || (strcmp(argv[1], "blocks") && strcmp(argv[1], "mutate")))
        return false;
    *o = (struct options){.mutate = !strcmp(argv[1], "mutate"), .seed = 1};
    o->count = o->mutate ? 1000000 : UINT64_MAX;
    for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
        uint64_t *into = !strcmp(argv[i], "--count")  ? &o->count
                         : !strcmp(argv[i], "--seed") ? &o->seed
                                                      : NULL;
        if (!into)
            return false;
        *into = strtoull(argv[i + 1], NULL, 0);
    }
    o->program = argv + i;
    o->programs = (unsigned)(argc - i);
    return o->programs > 0;
}

int main(int argc, char **argv)
{
    struct options o;
    struct work w = {.guard = NULL};
    if (!parse(argc, argv, &o)) {
        fputs("usage: mutants blocks|mutate [--count N] [--seed S] PROGRAM...\n", stderr);
        return 2;
    }
    if (verifier_create(&w.verifier)) {
        puts("SKIP: no Zydis");
        return 77;
    }
    w.guard = guard_create();
    if (!w.guard || cs_open(CS_ARCH_X86, CS_MODE_64, &w.capstone) != CS_ERR_OK ||
        cs_option(w.capstone, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
        return 1;
    rng_seed(&w.rng, o.seed);
    bool ok = work_all(&o, &w);
    print(&o, &w);
    cs_close(&w.capstone);
    guard_destroy(w.guard);
    verifier_destroy(w.verifier);
    return ok && progress(&o, &w) && !w.tally.false_rejections && !w.tally.harmful ? 0 : 1;
}
