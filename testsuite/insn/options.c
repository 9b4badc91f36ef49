/* SPDX-License-Identifier: MIT */
/* See options.h. */
#include "testsuite/insn/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option {
    const char *name;
    const char **text;
    uint64_t *number;
};

static bool take(const struct option *options, unsigned n, const char *name, const char *value)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(options[i].name, name))
            continue;
        if (options[i].text)
            *options[i].text = value;
        else
            *options[i].number = strtoull(value, NULL, 0);
        return true;
    }
    return false;
}

bool options_parse(struct options *o, uint64_t count, int argc, char **argv)
{
    uint64_t show = 1, only = UINT64_MAX, classes = ~0u;
    const char *build = getenv("BUILD");
    *o = (struct options){.runners = "interp,dbt,lockstep,pc,pcdbt",
                          .build = build ? build : ".",
                          .seed = 1,
                          .count = count};
    const struct option options[] = {
        {"--runners", &o->runners, NULL}, {"--rows", &o->rows, NULL},
        {"--native", &o->native, NULL},   {"--build", &o->build, NULL},
        {"--seed", NULL, &o->seed},       {"--count", NULL, &o->count},
        {"--show", NULL, &show},          {"--only", NULL, &only},
        {"--classes", NULL, &classes},
    };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !take(options, ARRAY_LEN(options), argv[i], argv[i + 1])) {
            fprintf(stderr,
                    "%s: unknown option %s; options are --runners --rows --native --build "
                    "--seed --count --show --only --classes, each with a value\n",
                    argv[0], argv[i]);
            return false;
        }
    o->show = (unsigned)show;
    o->only = (int64_t)only;
    o->classes = (unsigned)classes;
    return true;
}

static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, word, n) && (p[n] == 0 || p[n] == ','))
            return true;
    }
    return false;
}

bool options_select(const struct options *o, const struct isa_row *row)
{
    char id[12];
    snprintf(id, sizeof(id), "%u", row->id);
    return !o->rows || in_list(o->rows, row->mnemonic) || in_list(o->rows, id);
}

static struct runner *open_native(const struct options *o)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/insn/native32", o->build);
    return runner_native_create(o->native ? o->native : path);
}

int runners_open(struct runners *r, const struct options *o)
{
    static const char *const names[RUNNERS_MAX] = {
        "interp", "dbt", "lockstep", "slices", "tight", "shared", "pc", "pcdbt", "pclockstep"};
    *r = (struct runners){.native = open_native(o)};
    if (!r->native) {
        printf("SKIP: no native runner (insn/native32 needs a compiler with -m32)\n");
        return 77;
    }
    for (unsigned i = 0; i < RUNNERS_MAX; i++) {
        if (!in_list(o->runners, names[i]))
            continue;
        r->engine[r->engines] = !strcmp(names[i], "shared")   ? runner_shared_create()
                                : !strncmp(names[i], "pc", 2) ? runner_pc_create(names[i])
                                                              : runner_engine_create(names[i]);
        if (!r->engine[r->engines] && !strcmp(names[i], "pcdbt")) {
            printf("the translator runs no PC on this host\n");
            continue;
        }
        if (!r->engine[r->engines++]) {
            printf("the engine %s cannot be created\n", names[i]);
            return 2;
        }
    }
    return 0;
}

void runners_close(struct runners *r)
{
    if (r->native)
        r->native->destroy(r->native);
    for (unsigned i = 0; i < r->engines; i++)
        if (r->engine[i])
            r->engine[i]->destroy(r->engine[i]);
}
