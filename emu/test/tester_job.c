/* SPDX-License-Identifier: MIT */
/* One run of one test, in a worker. */
#include "emu/test/tester_private.h"

#include <string.h>
#include <unistd.h>

/* What a test is not run for. */
static bool skips(const struct spec *spec, struct outcome *out)
{
    if (spec->skip)
        buffer_text(&out->why, spec->skip);
    for (unsigned i = 0; i < spec->needs.count && !out->why.len; i++) {
        if (access(spec->needs.item[i].data, F_OK))
            buffer_print(&out->why, "%s is not there", spec->needs.item[i].data);
    }
    if (!out->why.len)
        return false;
    out->verdict = VERDICT_SKIPPED;
    return true;
}

void tester_do_job(void *opaque, struct runner *runner, unsigned job, struct outcome *out)
{
    struct tester *t = opaque;
    const struct tester_case *c = tester_case_of(t, job);
    const struct run_wish wish = {.engine = c->engine,
                                  .real_time = t->options->real_time,
                                  .check = true,
                                  .seed = c->spec->has_seed ? c->spec->seed : t->options->seed};
    if (!skips(c->spec, out))
        run_test(runner, c->spec, &wish, out);
}

/* The run ends by itself at its timeout; beyond that it is not to be trusted. */
#define GRACE_NS 20000000000u

uint64_t tester_job_limit(void *opaque, unsigned job)
{
    struct tester *t = opaque;
    return 2 * tester_case_of(t, job)->spec->timeout_ns + GRACE_NS;
}
