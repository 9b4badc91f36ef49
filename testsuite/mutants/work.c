/* SPDX-License-Identifier: MIT */
/*
 * Translate, damage, verify, run. Everything a process needs for it is made anew for
 * each unit: what a mutant may have spoiled is not carried into the next program.
 */
#include "testsuite/mutants/work.h"

#include "dbt/rewrite.h"
#include "emu/base/host.h"
#include "testsuite/mutants/corpus.h"

#include <stdio.h>
#include <string.h>

#define RUNS_EACH 2u /* guest states that a survivor is run from */
#define REFUSED_SAMPLE 16u
#define SHOWN 10u /* findings that are told in full */
#define MUTANTS_OF_BLOCK 8u
#define CODE_MAX 65536u

struct work {
    struct corpus corpus;
    struct verifier *verifier;
    struct guard *guard;
    csh capstone;
    struct rng rng;
    struct work_record *record;
    struct tally *tally;
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
    w->tally->verify_ns += host_monotonic_ns() - made;
    w->tally->translate_ns += made - start;
    w->tally->blocks++;
    w->tally->guest_bytes += block->guest_len;
    w->tally->host_bytes += block->host_len + block->stubs_len;
    if (!ok && ++w->tally->false_rejections <= SHOWN)
        complain(w, block, finding.what, finding.at);
    return ok ? block : NULL;
}

static const char *run_block(struct work *w, const struct block *block, enum work_doing doing)
{
    const char *harm = NULL;
    w->record->doing = doing;
    atomic_signal_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < RUNS_EACH && !harm; i++)
        harm = guard_run(w->guard, w->corpus.image, block, &w->rng);
    atomic_signal_fence(memory_order_seq_cst);
    w->record->doing = WORK_PREPARES;
    return harm;
}

static void sample_refused(struct work *w, const struct block *block)
{
    if (w->tally->refused++ % REFUSED_SAMPLE)
        return;
    w->tally->refused_run++;
    w->tally->refused_harmful += run_block(w, block, WORK_RUNS_REFUSED) != NULL;
}

static void hold_survivor(struct work *w, const struct block *block, enum mutate_kind kind)
{
    w->tally->survived++;
    w->tally->lived[kind]++;
    const char *harm = run_block(w, block, WORK_RUNS_SURVIVOR);
    if (harm && ++w->tally->harmful <= SHOWN) {
        fprintf(stderr, "a mutant (%s) that does harm was accepted\n", mutate_name[kind]);
        complain(w, block, harm, guard_harm_at(w->guard));
    }
}

/* For whoever must tell what this process died of. */
static void note_mutant(struct work_record *r, const struct block *block, enum mutate_kind kind,
                        const uint8_t *code, const uint8_t *before)
{
    uint32_t at = 0;
    while (at + 1 < block->host_len && code[at] == before[at])
        at++;
    at = at > 8 ? at - 8 : 0;
    r->kind = kind;
    r->eip = block->eip;
    r->at = at;
    r->len = block->host_len - at < WORK_CODE ? block->host_len - at : WORK_CODE;
    memcpy(r->code, code + at, r->len);
}

static void try_mutant(struct work *w, const struct block *block, const cs_insn *insn, size_t count)
{
    enum mutate_kind kind = (enum mutate_kind)rng_below(&w->rng, MUTATE_KINDS);
    uint8_t *code = w->corpus.image->cache.rw + block->host, copy[CODE_MAX];
    uint32_t len = block->host_len;
    struct verify_finding finding;
    if (len > sizeof(copy))
        return;
    memcpy(copy, code, len);
    if (mutate(kind, code, len, insn, count, &w->rng) && memcmp(code, copy, len) != 0) {
        w->tally->mutants++;
        w->tally->made[kind]++;
        w->record->done++;
        note_mutant(w->record, block, kind, code, copy);
        if (verify(w, block, &finding))
            hold_survivor(w, block, kind);
        else
            sample_refused(w, block);
    }
    memcpy(code, copy, len);
}

static void mutate_block(struct work *w, const struct block *block, uint64_t goal)
{
    cs_insn *insn;
    const uint8_t *code = w->corpus.image->cache.rw + block->host;
    size_t count = cs_disasm(w->capstone, code, block->host_len, block->host, 0, &insn);
    if (!count)
        return;
    for (unsigned i = 0; i < MUTANTS_OF_BLOCK && w->record->done < goal; i++)
        try_mutant(w, block, insn, count);
    cs_free(insn, count);
}

/* Units. */

unsigned work_units(const struct options *o)
{
    return 2 * o->programs; /* each program plain and counting */
}

/* The unit's part of the count. */
static uint64_t goal_of(const struct options *o, unsigned unit)
{
    uint64_t units = work_units(o), each = o->count / units;
    return each + (unit < o->count % units);
}

static bool open_tools(struct work *w)
{
    w->guard = guard_create();
    return w->guard && !verifier_create(&w->verifier) &&
           cs_open(CS_ARCH_X86, CS_MODE_64, &w->capstone) == CS_ERR_OK &&
           cs_option(w->capstone, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK;
}

static void close_tools(struct work *w)
{
    struct guard_counters g = {0};
    if (w->guard)
        guard_count(w->guard, &g);
    w->tally->runs += g.runs;
    w->tally->steps += g.steps;
    w->tally->left += g.left;
    w->tally->faulted += g.faulted;
    w->tally->endless += g.endless;
    if (w->capstone)
        cs_close(&w->capstone);
    if (w->guard)
        guard_destroy(w->guard);
    verifier_destroy(w->verifier);
}

static void work_on(const struct options *o, struct work *w)
{
    struct work_record *r = w->record;
    uint32_t starts = w->corpus.starts;
    uint64_t goal = goal_of(o, r->unit);
    if (o->mutate) {
        while (r->done < goal) {
            const struct block *block = make_block(w, rng_below(&w->rng, starts));
            if (block)
                mutate_block(w, block, goal);
        }
        return;
    }
    while (r->done < goal && r->done < starts)
        make_block(w, (uint32_t)r->done++);
}

bool work_unit(const struct options *o, struct work_record *record, unsigned attempt)
{
    struct work w = {.record = record, .tally = &record->tally};
    rng_seed(&w.rng, o->seed ^ (uint64_t)record->unit << 32 ^ (uint64_t)attempt << 48);
    record->doing = WORK_PREPARES;
    bool ok = open_tools(&w) &&
              corpus_open(&w.corpus, o->program[record->unit / 2], record->unit % 2 != 0);
    if (ok)
        work_on(o, &w);
    corpus_close(&w.corpus);
    close_tools(&w);
    return ok;
}

bool work_begin(void)
{
    struct verifier *verifier;
    if (verifier_create(&verifier))
        return false;
    verifier_destroy(verifier);
    return true;
}

void work_add(struct tally *sum, const struct tally *more)
{
    _Static_assert(sizeof(struct tally) % sizeof(uint64_t) == 0, "sums, and nothing else");
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
        to[i] += from[i];
}
