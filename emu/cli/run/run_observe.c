/* SPDX-License-Identifier: MIT */
/* A trace that looks at each instruction is the interpreter's, unless an engine was named: stepping
 * it is several times faster than stepping translations. */
#include "emu/cli/run/run_observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct run_observe {
    struct observe *observe;
    struct vm *vm;
};

static int choose_engine(struct run_options *o, struct why *why)
{
    bool coverage = observe_wants_coverage(&o->observe);
    if (coverage && o->engine && strcmp(o->engine, "dbt"))
        return why_fail(why, -EINVAL,
                        "--coverage is collected by the translator; leave --engine %s out",
                        o->engine);
    if (!coverage && !o->engine && observe_steps(&o->observe))
        o->engine = "interp";
    return 0;
}

int run_observe_create(struct run_options *o, struct run_observe **out, struct why *why)
{
    struct observe *observe;
    *out = NULL;
    int err = choose_engine(o, why);
    if (!err)
        err = observe_create(&o->observe, &observe, why);
    if (err || !observe)
        return err;
    struct run_observe *b = calloc(1, sizeof(*b));
    if (!b) {
        observe_destroy(observe);
        return why_fail(why, -ENOMEM, "no memory");
    }
    b->observe = observe;
    o->coverage = observe_coverage(observe);
    o->counts = o->counts || o->observe.traces; /* lines begin with a count */
    *out = b;
    return 0;
}

int run_observe_attach(struct run_observe *b, struct vm *vm, const struct run_files *files,
                       struct why *why)
{
    struct trace *trace;
    if (!b)
        return 0;
    b->vm = vm;
    int err = observe_open(b->observe, files->file, files->count, &trace, why);
    if (!err && trace)
        vm_set_trace(vm, trace);
    return err;
}

void run_observe_finish(struct run_observe *b)
{
    if (!b)
        return;
    if (b->vm)
        vm_set_trace(b->vm, NULL);
    observe_finish(b->observe);
}

void run_observe_destroy(struct run_observe *b)
{
    if (!b)
        return;
    observe_destroy(b->observe);
    free(b);
}
