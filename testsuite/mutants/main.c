/* SPDX-License-Identifier: MIT */
/*
 * Evidence for the verifier.
 *
 *   mutants blocks [--count N] [--jobs N] PROGRAM...
 *       translates and verifies a block at every instruction of the programs
 *       (N blocks at most): none may be refused. Prints speed and cost.
 *   mutants mutate [--count N] [--seed S] [--jobs N] PROGRAM...
 *       damages translations; what the verifier still accepts (a survivor) is run in the
 *       guard harness (guard.h) and must be harmless there. N mutants in all. Of the refused,
 *       one in sixteen is run there too: that many of them do harm shows that the harness
 *       would have seen it.
 *
 * One JSON object on stdout, the same for any number of jobs but for times; what it means on
 * stderr. Exit 0: nothing was wrong; 1: something was, or not all could be done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testsuite/mutants/jobs.h"

static void print_kinds(const struct tally *t)
{
    printf(", \"kinds\": {");
    for (unsigned k = 0; k < MUTATE_KINDS; k++)
        printf("%s\"%s\": [%lu, %lu]", k ? ", " : "", mutate_name[k], t->made[k], t->lived[k]);
    putchar('}');
}

static void print(const struct options *o, const struct jobs_result *r)
{
    const struct tally *t = &r->tally;
    printf(
        "{\"blocks\": %lu, \"false_rejections\": %lu, \"guest_bytes\": %lu, \"host_bytes\": %lu, "
        "\"verify_ns_per_block\": %lu, \"translate_ns_per_block\": %lu",
        t->blocks, t->false_rejections, t->guest_bytes, t->host_bytes,
        t->blocks ? t->verify_ns / t->blocks : 0, t->blocks ? t->translate_ns / t->blocks : 0);
    if (o->mutate) {
        printf(", \"seed\": %lu, \"mutants\": %lu, \"refused\": %lu, \"survived\": %lu, "
               "\"harmful\": %lu, \"refused_run\": %lu, \"refused_harmful\": %lu, \"ended\": %lu",
               o->seed, t->mutants, t->refused, t->survived, t->harmful, t->refused_run,
               t->refused_harmful, r->ended);
        print_kinds(t);
        printf(", \"runs\": %lu, \"steps\": %lu, \"left\": %lu, \"faulted\": %lu, \"endless\": %lu",
               t->runs, t->steps, t->left, t->faulted, t->endless);
    }
    printf(", \"broken\": %lu, \"complete\": %s}\n", r->broken, r->complete ? "true" : "false");
    fflush(stdout);
}

/* For who reads it. */
static void tell(const struct options *o, const struct jobs_result *r, bool well)
{
    const struct tally *t = &r->tally;
    if (o->mutate)
        fprintf(stderr,
                "%s: %lu mutants: %lu refused by the verifier; %lu accepted (survivors), run in "
                "the guard harness: %lu of them harmful. Of %lu refused ones that were run too, "
                "%lu do harm.\n",
                well ? "passed" : "FAILED", t->mutants, t->refused, t->survived, t->harmful,
                t->refused_run, t->refused_harmful);
    else
        fprintf(stderr, "%s: %lu blocks verified, %lu refused\n", well ? "passed" : "FAILED",
                t->blocks, t->false_rejections);
    if (r->broken)
        fprintf(stderr, "%lu processes of this program died of it themselves\n", r->broken);
    if (!r->complete)
        fputs("not all of the work could be done\n", stderr);
}

static bool parse(int argc, char **argv, struct options *o)
{
    int i = 2;
    uint64_t jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (argc < 3 || (strcmp(argv[1], "blocks") != 0 && strcmp(argv[1], "mutate") != 0))
        return false;
    *o = (struct options){.mutate = !strcmp(argv[1], "mutate"), .seed = 1};
    o->count = o->mutate ? 1000000 : UINT64_MAX;
    for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
        uint64_t *into = !strcmp(argv[i], "--count")  ? &o->count
                         : !strcmp(argv[i], "--seed") ? &o->seed
                         : !strcmp(argv[i], "--jobs") ? &jobs
                                                      : NULL;
        char *end;
        if (!into)
            return false;
        *into = strtoull(argv[i + 1], &end, 0);
        if (end == argv[i + 1] || *end)
            return false;
    }
    o->jobs = jobs < 1 ? 1 : jobs > 64 ? 64 : (unsigned)jobs;
    o->program = argv + i;
    o->programs = (unsigned)(argc - i);
    return o->programs > 0 && o->count;
}

int main(int argc, char **argv)
{
    struct options o;
    struct jobs_result r;
    if (!parse(argc, argv, &o)) {
        fputs("usage: mutants blocks|mutate [--count N] [--seed S] [--jobs N] PROGRAM...\n",
              stderr);
        return 2;
    }
    if (!work_begin()) {
        puts("SKIP: no Zydis");
        return 77;
    }
    bool all = jobs_run(&o, &r);
    const struct tally *t = &r.tally;
    bool well = all && r.complete && t->blocks && (!o.mutate || t->mutants) &&
                !t->false_rejections && !t->harmful && !r.broken;
    print(&o, &r);
    tell(&o, &r, well);
    return well ? 0 : 1;
}
