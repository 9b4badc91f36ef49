/* SPDX-License-Identifier: MIT */
/* Which engine runs. */
#include "emu/cli/run/run_engine.h"

#include "dbt/dbt.h"

#include <errno.h>
#include <string.h>

static int create_named(const char *name, const struct engine_options *e, struct engine **out)
{
    if (!strcmp(name, "interp"))
        return interp_create(out);
    return strcmp(name, "dbt") ? lockstep_create(e, out) : dbt_create(e, out);
}

int run_engine_create(const struct run_options *o, struct engine **out, struct why *why)
{
    const struct engine_options e = {.verify = o->verify,
                                     .coverage = o->coverage,
                                     .hits = o->hits,
                                     .count =
                                         o->deterministic || o->record || o->replay || o->counts};
    const char *name = o->engine ? o->engine : "dbt";
    int err = create_named(name, &e, out);
    if (err == -ENOPKG)
        return why_fail(why, err, "--verify needs the Zydis library (libzydis4.0)");
    if (err == -ENOTSUP && !o->engine)
        err = interp_create(out);
    if (err == -ENOTSUP)
        return why_fail(why, err, "--engine %s: not for this host; there is interp", name);
    return err ? why_fail(why, err, "cannot start the engine: %s", strerror(-err)) : 0;
}
