/* SPDX-License-Identifier: MIT */
/* A trace that looks at each instruction is the interpreter's, unless an engine was named: stepping
 * it is several times faster than stepping translations. */
#include "emu/cli/run/run_observe.h"

#include "emu/cli/cli.h"
#include "emu/debug/coverage.h"
#include "emu/debug/names.h"
#include "emu/debug/symbols/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct run_observe {
    struct run_options *options;
    struct coverage *coverage; /* NULL */
    struct trace *trace;       /* NULL */
    struct vm *vm;
};

static const char *call_name(uint32_t number)
{
    return names_of(NAMES_SYSCALL, number);
}

static bool looks_at_steps(const struct run_options *o)
{
    for (unsigned i = 0; i < o->traces; i++) {
        if (o->trace[i].kind <= TRACE_SYSCALL)
            return true;
    }
    return false;
}

static int choose_engine(struct run_options *o, struct why *why)
{
    bool coverage = o->drcov || o->lcov;
    if (coverage && o->engine && strcmp(o->engine, "dbt"))
        return why_fail(why, -EINVAL,
                        "--coverage is collected by the translator; leave --engine %s out",
                        o->engine);
    if (!coverage && !o->engine && looks_at_steps(o))
        o->engine = "interp";
    return 0;
}

int run_observe_create(struct run_options *o, struct run_observe **out, struct why *why)
{
    *out = NULL;
    if (!o->drcov && !o->lcov && !o->traces)
        return 0;
    int err = choose_engine(o, why);
    if (err)
        return err;
    struct run_observe *b = calloc(1, sizeof(*b));
    if (!b || ((o->drcov || o->lcov) && coverage_create(&b->coverage))) {
        free(b);
        return why_fail(why, -ENOMEM, "no memory");
    }
    b->options = o;
    o->coverage = b->coverage ? coverage_engine(b->coverage) : NULL;
    o->counts = o->counts || o->traces; /* lines begin with a count */
    *out = b;
    return 0;
}

/* A file that is gone, or no ELF file, costs only its part. */
static void add_files(struct run_observe *b, const struct run_files *files)
{
    struct why why;
    for (unsigned i = 0; b->coverage && i < files->count; i++) {
        const struct target_file *f = &files->file[i];
        if (coverage_add_file(b->coverage, f->path, target_file_place(f), f->offset, &why))
            cli_complain(0, "%s", why.text);
    }
}

static int open_coverage(struct run_observe *b, struct why *why)
{
    const struct run_options *o = b->options;
    int err = o->drcov ? coverage_open(b->coverage, COVERAGE_DRCOV, o->drcov, why) : 0;
    if (!err && o->lcov)
        err = coverage_open(b->coverage, COVERAGE_LCOV, o->lcov, why);
    return err;
}

static int find_symbol(struct symbols *symbols, struct trace_spec *spec, struct why *why)
{
    struct symbols_symbol found;
    if (!spec->symbol[0])
        return 0;
    if (!symbols || !symbols_find(symbols, spec->symbol, 0, &found))
        return why_fail(why, -EINVAL, "--trace ...,in=%s: there is no such function", spec->symbol);
    spec->from = found.address;
    spec->to = found.address + (found.size ? found.size : 1);
    return 0;
}

static int find_symbols(struct run_observe *b, const struct run_files *files, struct why *why)
{
    struct run_options *o = b->options;
    struct symbols *symbols = NULL;
    struct why ignored;
    int err = symbols_create(&symbols) ? why_fail(why, -ENOMEM, "no memory") : 0;
    for (unsigned i = 0; !err && i < files->count; i++) {
        const struct target_file *f = &files->file[i];
        if (symbols_add_copy(symbols, f->path, target_file_place(f), f->offset, &ignored))
            continue; /* then it has none */
    }
    for (unsigned i = 0; !err && i < o->traces; i++)
        err = find_symbol(symbols, &o->trace[i], why);
    symbols_destroy(symbols);
    return err;
}

int run_observe_attach(struct run_observe *b, struct vm *vm, const struct run_files *files,
                       struct why *why)
{
    if (!b)
        return 0;
    b->vm = vm;
    add_files(b, files);
    int err = open_coverage(b, why);
    if (!b->options->traces || err)
        return err;
    err = find_symbols(b, files, why);
    if (!err)
        err = trace_create(b->options->trace, b->options->traces, call_name, &b->trace, why);
    if (!err)
        vm_set_trace(vm, b->trace);
    return err;
}

void run_observe_finish(struct run_observe *b)
{
    struct why why;
    if (!b)
        return;
    if (b->vm)
        vm_set_trace(b->vm, NULL);
    if (trace_destroy(b->trace, &why))
        cli_complain(0, "%s", why.text);
    b->trace = NULL;
    if (b->coverage && coverage_write(b->coverage, &why))
        cli_complain(0, "%s", why.text);
}

void run_observe_destroy(struct run_observe *b)
{
    struct why why;
    if (!b)
        return;
    if (trace_destroy(b->trace, &why))
        cli_complain(0, "%s", why.text);
    coverage_destroy(b->coverage);
    free(b);
}
