/* SPDX-License-Identifier: MIT */
/* Made in the order of what depends on what, unmade in the opposite one. */
#include "emu/cli/fuzz/fuzz_target.h"

#include "dbt/dbt.h"
#include "emu/cli/fuzz/fuzz_place.h"
#include "emu/cli/run/run_boot.h"
#include "emu/cli/run/run_engine.h"
#include "emu/cli/run/run_files.h"
#include "emu/cli/run/run_resources.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Going back costs a look at each page's bit. */
#define LINUX_MEMORY (256 * MIB)

struct fuzz_target {
    struct fuzz_options options;
    struct boot boot;
    struct run_resources resources;
    struct run_files files;
    struct symbols *symbols;
    struct engine *engine;
    struct fuzz_way *way;
    struct fuzz_guest *guest;
    const char **env; /* the boot's, and Ilwaco's address */
};

static int read_symbols(struct fuzz_target *t, struct why *why)
{
    int err = run_files_find(&t->options.run, &t->boot, &t->files, why);
    if (!err && symbols_create(&t->symbols))
        err = why_fail(why, -ENOMEM, "no memory");
    for (unsigned i = 0; !err && i < t->files.count; i++)
        err = symbols_add(t->symbols, t->files.file[i].path, t->files.file[i].offset, why);
    return err;
}

/* No DHCP server answers on this wire. */
static int make_env(struct fuzz_target *t)
{
    size_t n = 0;
    while (t->boot.env && t->boot.env[n])
        n++;
    t->env = calloc(n + 2, sizeof(*t->env));
    if (!t->env)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        t->env[i] = t->boot.env[i];
    t->env[n] = ILWACO_PARAM_NET "10.0.2.15/24,10.0.2.2,10.0.2.2";
    return 0;
}

static int place_ends(const struct fuzz_target *t, struct fuzz_guest_config *c, struct why *why)
{
    const struct fuzz_options *o = &t->options;
    int err = 0;
    for (unsigned i = 0; !err && i < o->ends; i++) {
        if (!strcmp(o->end[i], "return"))
            c->end_at_return = true;
        else
            err = fuzz_place_address(t->symbols, o->end[i], &c->end[c->ends++], why);
    }
    if (!err && c->end_at_return && c->start != FUZZ_START_ADDRESS)
        return why_fail(why, -EINVAL, "--end return: of which function? Say --start FUNCTION");
    return err;
}

static int place_start(const struct fuzz_target *t, struct fuzz_guest_config *c, struct why *why)
{
    const char *start = t->options.start;
    bool has_wish = t->way->ops->wants != NULL;
    if (start && !strcmp(start, "boot")) {
        c->start = FUZZ_START_BOOT;
        return 0;
    }
    if (!start || !strcmp(start, "input")) {
        c->start = has_wish ? FUZZ_START_WANTS : FUZZ_START_BOOT;
        if (!has_wish && (start || !strcmp(t->way->ops->name, "memory")))
            return why_fail(why, -EINVAL,
                            "--input %s: say where to start: --start FUNCTION, or 0xADDRESS",
                            t->way->ops->name);
        return 0;
    }
    c->start = FUZZ_START_ADDRESS;
    return fuzz_place_address(t->symbols, start, &c->start_at, why);
}

static int make_guest(struct fuzz_target *t, struct why *why)
{
    const struct fuzz_options *o = &t->options;
    uint64_t wish = t->boot.linux_program ? LINUX_MEMORY : t->boot.mem_bytes;
    struct fuzz_guest_config c = {
        .vm = {.image = t->boot.image,
               .engine = t->engine,
               .mem_bytes = o->run.memory ? o->run.memory : wish,
               .args = (const char *const *)t->boot.args,
               .env = t->env,
               .resource = t->resources.list,
               .resources = t->resources.count,
               .seed = {1, 2}},
        .way = t->way,
        .crash_statuses = o->crash_statuses,
        .boot_limit = o->boot_insns,
        .limit = o->max_insns,
    };
    memcpy(c.crash_status, o->crash_status, sizeof(c.crash_status));
    int err = place_start(t, &c, why);
    if (!err)
        err = place_ends(t, &c, why);
    if (!err && !o->ends && !strcmp(t->way->ops->name, "memory"))
        c.end_at_return = true;
    return err ? err : fuzz_guest_create(&c, &t->guest, why);
}

static int build(struct fuzz_target *t, struct why *why)
{
    int err = boot_plan(&t->options.run, &t->boot, why);
    if (!err)
        err = run_resources_open(&t->options.run, &t->boot, &t->resources, why);
    if (!err)
        err = read_symbols(t, why);
    if (!err)
        err = fuzz_place_way(t->symbols, t->options.input, &t->way, why);
    if (!err && make_env(t))
        err = why_fail(why, -ENOMEM, "no memory");
    if (!err)
        err = run_engine_create(&t->options.run, &t->engine, why);
    return err ? err : make_guest(t, why);
}

int fuzz_target_create(const struct fuzz_options *options, struct fuzz_target **out,
                       struct why *why)
{
    struct fuzz_target *t = calloc(1, sizeof(*t));
    if (!t)
        return why_fail(why, -ENOMEM, "no memory");
    t->options = *options;
    t->options.run.hits = true;
    int err = build(t, why);
    if (err) {
        fuzz_target_destroy(t);
        return err;
    }
    *out = t;
    return 0;
}

void fuzz_target_destroy(struct fuzz_target *t)
{
    if (!t)
        return;
    fuzz_guest_destroy(t->guest);
    if (t->way)
        t->way->ops->destroy(t->way);
    if (t->engine)
        t->engine->ops->destroy(t->engine);
    symbols_destroy(t->symbols);
    run_files_free(&t->files);
    run_resources_close(&t->resources);
    boot_fini(&t->boot);
    free(t->env);
    free(t);
}

struct fuzz_guest *fuzz_target_guest(struct fuzz_target *t)
{
    return t->guest;
}

uint8_t *fuzz_target_hits(struct fuzz_target *t)
{
    const char *name = t->options.run.engine;
    bool translated = !name || !strcmp(name, "dbt");
    return translated ? dbt_hits(t->engine, vm_cpu(fuzz_guest_vm(t->guest))) : NULL;
}

bool fuzz_target_is_linux(const struct fuzz_target *t)
{
    return t->boot.linux_program;
}

/* Words. */

static const char *end_name(const struct fuzz_result *r)
{
    static const char *const names[] = {"done", "crash", "hang", "stopped", "failed"};
    return names[r->end];
}

static const char *fault_name(unsigned vector)
{
    static const char *const names[] = {
        [CPU_DE] = "division error",   [CPU_BP] = "breakpoint", [CPU_UD] = "undefined instruction",
        [CPU_GP] = "protection fault", [CPU_PF] = "page fault",
    };
    return vector < ARRAY_LEN(names) && names[vector] ? names[vector] : "fault";
}

static int append(char text[FUZZ_TEXT], int at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int append(char text[FUZZ_TEXT], int at, const char *fmt, ...)
{
    va_list args;
    if (at >= (int)FUZZ_TEXT)
        return at;
    va_start(args, fmt);
    at += vsnprintf(text + at, FUZZ_TEXT - (size_t)at, fmt, args);
    va_end(args);
    return at;
}

const char *fuzz_target_tell(const struct fuzz_target *t, const struct fuzz_result *r,
                             char text[FUZZ_TEXT])
{
    struct symbols_symbol symbol;
    struct symbols_line line;
    int at = append(text, 0, "%s", end_name(r));
    if (r->end == FUZZ_DONE && r->ended)
        at = append(text, at, ", status %u", r->status);
    if (r->end != FUZZ_CRASH)
        return text;
    if (r->ended && r->status)
        at = append(text, at, ", status %u", r->status);
    if (!r->faulted)
        return text;
    at = append(text, at, ": %s at 0x%x", fault_name(r->vector), r->target);
    if (r->wild)
        at = append(text, at, ", a jump from before 0x%x", r->eip);
    if (symbols_at(t->symbols, r->eip, &symbol))
        at = append(text, at, " in %s", symbol.name);
    if (symbols_line_at(t->symbols, r->eip, &line)) {
        const char *slash = strrchr(line.file, '/');
        append(text, at, " (%s:%d)", slash ? slash + 1 : line.file, line.line);
    }
    return text;
}

const char *fuzz_target_label(const struct fuzz_target *t, const struct fuzz_result *r,
                              char text[FUZZ_TEXT])
{
    struct symbols_symbol symbol;
    if (!r->faulted)
        append(text, 0, "status-%u", r->status);
    else if (symbols_at(t->symbols, r->eip, &symbol))
        append(text, 0, "%.60s-%x", symbol.name, r->eip - symbol.address);
    else
        append(text, 0, "at-%08x", r->eip);
    for (char *c = text; *c; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
              *c == '-' || *c == '_'))
            *c = '.';
    return text;
}

void fuzz_target_report(struct fuzz_target *t, const struct fuzz_result *r, void *out)
{
    char tail[FUZZ_TAIL + 1], text[FUZZ_TEXT];
    fuzz_console_tail(&t->way->console, tail);
    fprintf(out, "%s, %llu instructions\n", fuzz_target_tell(t, r, text),
            (unsigned long long)r->insns);
    if (*tail)
        fprintf(out, "the guest said: %s%s", tail, tail[strlen(tail) - 1] == '\n' ? "" : "\n");
    if (r->end == FUZZ_CRASH && vm_end(fuzz_guest_vm(t->guest))->reason == VM_END_FAULT)
        vm_report(fuzz_guest_vm(t->guest), out);
}
