/* SPDX-License-Identifier: MIT */
/* What a VM and a PC have in common of --trace and --coverage. */
#include "emu/cli/observe.h"

#include "emu/cli/cli.h"
#include "emu/debug/coverage.h"
#include "emu/debug/names.h"
#include "emu/debug/symbols/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct observe {
    struct observe_options *options;
    struct coverage *coverage; /* NULL */
    struct trace *trace;       /* NULL */
};

int observe_take_coverage(struct observe_options *o, const char *value, struct why *why)
{
    bool drcov = !strncmp(value, "drcov:", 6), lcov = !strncmp(value, "lcov:", 5);
    if (drcov && value[6])
        o->drcov = value + 6;
    else if (lcov && value[5])
        o->lcov = value + 5;
    else
        return why_fail(why, -EINVAL, "--coverage %s: say drcov:FILE or lcov:FILE", value);
    return 0;
}

int observe_take_trace(struct observe_options *o, const char *value, struct why *why)
{
    if (o->traces == OBSERVE_MAX_TRACES)
        return why_fail(why, -EINVAL, "more than %d traces", OBSERVE_MAX_TRACES);
    int err = trace_parse(value, &o->trace[o->traces], why);
    o->traces += !err;
    return err;
}

bool observe_steps(const struct observe_options *o)
{
    for (unsigned i = 0; i < o->traces; i++) {
        if (o->trace[i].kind <= TRACE_SYSCALL)
            return true;
    }
    return false;
}

int observe_create(struct observe_options *o, struct observe **out, struct why *why)
{
    *out = NULL;
    if (!observe_wants_coverage(o) && !o->traces)
        return 0;
    struct observe *b = calloc(1, sizeof(*b));
    if (!b || (observe_wants_coverage(o) && coverage_create(&b->coverage))) {
        free(b);
        return why_fail(why, -ENOMEM, "no memory");
    }
    b->options = o;
    *out = b;
    return 0;
}

struct engine_coverage *observe_coverage(struct observe *b)
{
    return b && b->coverage ? coverage_engine(b->coverage) : NULL;
}

/* A file that is gone, or no ELF file, costs only its part. */
static void add_files(struct observe *b, const struct target_file *file, unsigned count)
{
    struct why why;
    for (unsigned i = 0; b->coverage && i < count; i++) {
        if (coverage_add_file(b->coverage, file[i].path, target_file_place(&file[i]),
                              file[i].offset, &why))
            cli_complain(0, "%s", why.text);
    }
}

static int open_coverage(struct observe *b, struct why *why)
{
    const struct observe_options *o = b->options;
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

static int find_symbols(struct observe *b, const struct target_file *file, unsigned count,
                        struct why *why)
{
    struct observe_options *o = b->options;
    struct symbols *symbols = NULL;
    struct why ignored;
    int err = symbols_create(&symbols) ? why_fail(why, -ENOMEM, "no memory") : 0;
    for (unsigned i = 0; !err && i < count; i++) {
        if (symbols_add_copy(symbols, file[i].path, target_file_place(&file[i]), file[i].offset,
                             &ignored))
            continue; /* then it has none */
    }
    for (unsigned i = 0; !err && i < o->traces; i++)
        err = find_symbol(symbols, &o->trace[i], why);
    symbols_destroy(symbols);
    return err;
}

static const char *call_name(uint32_t number)
{
    return names_of(NAMES_SYSCALL, number);
}

int observe_open(struct observe *b, const struct target_file *file, unsigned count,
                 struct trace **out, struct why *why)
{
    *out = NULL;
    if (!b)
        return 0;
    add_files(b, file, count);
    int err = open_coverage(b, why);
    if (!b->options->traces || err)
        return err;
    err = find_symbols(b, file, count, why);
    if (!err)
        err = trace_create(b->options->trace, b->options->traces, call_name, &b->trace, why);
    *out = b->trace;
    return err;
}

void observe_finish(struct observe *b)
{
    struct why why;
    if (!b)
        return;
    if (trace_destroy(b->trace, &why))
        cli_complain(0, "%s", why.text);
    b->trace = NULL;
    if (b->coverage && coverage_write(b->coverage, &why))
        cli_complain(0, "%s", why.text);
}

void observe_destroy(struct observe *b)
{
    struct why why;
    if (!b)
        return;
    if (trace_destroy(b->trace, &why))
        cli_complain(0, "%s", why.text);
    coverage_destroy(b->coverage);
    free(b);
}
