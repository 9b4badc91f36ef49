/* SPDX-License-Identifier: MIT */
/* What tests share in one process. */
#include "emu/test/run_private.h"

#include "dbt/dbt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const engine_names[] = {"interp", "dbt", "lockstep"};

int runner_create(struct runner **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void runner_destroy(struct runner *runner)
{
    if (!runner)
        return;
    booted_fini(&runner->booted);
    cover_destroy(runner->cover);
    for (unsigned i = 0; i < ARRAY_LEN(runner->engine); i++) {
        if (runner->engine[i])
            runner->engine[i]->ops->destroy(runner->engine[i]);
    }
    free(runner);
}

int runner_write_coverage(struct runner *runner, const char *folder, unsigned worker, bool lcov,
                          bool drcov, struct why *why)
{
    return runner->cover ? cover_write(runner->cover, folder, worker, lcov, drcov, why) : 0;
}

static int create(unsigned kind, struct engine **out)
{
    const struct engine_options options = {.count = true};
    if (kind == ENGINE_INTERP)
        return interp_create(out);
    return kind == ENGINE_DBT ? dbt_create(&options, out) : lockstep_create(&options, out);
}

int runner_engine(struct runner *runner, const char *name, struct engine **out, struct why *why)
{
    unsigned kind = ENGINE_DBT;
    for (unsigned i = 0; name && i < ARRAY_LEN(engine_names); i++) {
        if (!strcmp(engine_names[i], name))
            kind = i;
    }
    int err = runner->engine[kind] ? 0 : create(kind, &runner->engine[kind]);
    if (err == -ENOTSUP && !name) {
        kind = ENGINE_INTERP;
        err = runner->engine[kind] ? 0 : create(kind, &runner->engine[kind]);
    }
    if (err)
        return why_fail(why, err, "the engine %s cannot be had on this host: %s",
                        engine_names[kind], strerror(-err));
    *out = runner->engine[kind];
    return 0;
}
