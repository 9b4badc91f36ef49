/* SPDX-License-Identifier: MIT */
/* One run of one test, in a worker. */
#include "emu/test/story.h"
#include "emu/test/tester_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a test is not run for. */
static bool skips(const struct tester_case *c, struct outcome *out)
{
    const struct spec *spec = c->spec;
    if (spec->skip)
        buffer_text(&out->why, spec->skip);
    else if (c->image && spec->kind == SPEC_PC && !spec->pc.kernel)
        buffer_text(&out->why, "a PC without a kernel has none that --against could replace");
    for (unsigned i = 0; i < spec->needs.count && !out->why.len; i++) {
        if (access(spec->needs.item[i].data, F_OK))
            buffer_print(&out->why, "%s is not there", spec->needs.item[i].data);
    }
    if (!out->why.len)
        return false;
    out->verdict = VERDICT_SKIPPED;
    return true;
}

static void tell_story(const struct tester *t, struct runner *runner, const struct tester_case *c,
                       const struct run_wish *wish, struct outcome *out)
{
    char *folder = story_folder(t->options->output, c->name);
    if (folder)
        story_tell(runner, c->spec, wish, folder, !t->options->no_record, out);
    free(folder);
}

void tester_do_job(void *opaque, struct runner *runner, unsigned job, struct outcome *out)
{
    struct tester *t = opaque;
    const struct tester_case *c = tester_case_of(t, job);
    const struct run_wish wish = {.engine = c->engine,
                                  .image = c->image,
                                  .real_time = t->options->real_time,
                                  .cover = t->parts && !c->image,
                                  .fresh = t->options->fresh,
                                  .alone = t->count * t->options->repeat == 1,
                                  .check = !c->image,
                                  .seed = c->spec->has_seed ? c->spec->seed : t->options->seed};
    if (skips(c, out))
        return;
    run_test(runner, c->spec, &wish, out);
    bool blessed = t->options->bless && out->only_goldens;
    if (out->verdict == VERDICT_FAILED && !c->spec->xfail && job < t->count && !blessed)
        tell_story(t, runner, c, &wish, out);
}

void tester_leave(void *opaque, struct runner *runner, unsigned worker)
{
    struct tester *t = opaque;
    struct why why;
    const struct test_options *o = t->options;
    if (t->parts &&
        runner_write_coverage(runner, t->parts, worker, o->lcov != NULL, o->drcov != NULL, &why))
        fprintf(stderr, "denali: test: %s\n", why.text);
}

/* The run ends by itself at its timeout; beyond that it is not to be trusted. */
#define GRACE_NS 600000000000u

uint64_t tester_job_limit(void *opaque, unsigned job)
{
    struct tester *t = opaque;
    return 2 * tester_case_of(t, job)->spec->timeout_ns + GRACE_NS;
}
