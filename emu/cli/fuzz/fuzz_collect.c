/* SPDX-License-Identifier: MIT */
/*
 * AFL++ keeps a crash for each new way to it; a developer wants one for each
 * bug. Each is run once more here: two that end at the same place in the same
 * way are one, and the shorter input is kept, minimised.
 */
#include "emu/cli/fuzz/fuzz_campaign.h"
#include "emu/cli/fuzz/fuzz_inputs.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_CRASHES 1000u

struct crash {
    struct fuzz_result result;
    struct fuzz_seed input;
};

struct collection {
    struct fuzz_target *target;
    struct crash crash[MAX_CRASHES];
    unsigned crashes;
};

static struct crash *same(struct collection *c, const struct fuzz_result *result)
{
    for (unsigned i = 0; i < c->crashes; i++)
        if (fuzz_same_crash(&c->crash[i].result, result))
            return &c->crash[i];
    if (c->crashes == MAX_CRASHES)
        return NULL;
    struct crash *fresh = &c->crash[c->crashes++];
    fresh->result = *result;
    return fresh;
}

static int look_at(void *opaque, const char *path, const uint8_t *input, size_t len)
{
    struct collection *c = opaque;
    struct fuzz_result result;
    (void)path;
    fuzz_guest_run(fuzz_target_guest(c->target), input, len, &result);
    struct crash *crash = result.end == FUZZ_CRASH ? same(c, &result) : NULL;
    if (!crash || (crash->input.bytes && crash->input.len <= len))
        return 0;
    uint8_t *copy = malloc(len + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, input, len);
    free(crash->input.bytes);
    crash->input = (struct fuzz_seed){copy, len};
    return 0;
}

static int gather(struct collection *c, const char *output, struct why *why)
{
    char pattern[4096];
    glob_t found;
    int err = 0;
    snprintf(pattern, sizeof(pattern), "%.4000s/*/crashes*", output);
    if (glob(pattern, 0, NULL, &found))
        return 0;
    for (size_t i = 0; !err && i < found.gl_pathc; i++)
        err = fuzz_each_input(found.gl_pathv[i], look_at, c, why);
    globfree(&found);
    return err;
}

/* Two that differ may have one label. */
static void distinguish(const struct collection *c, const struct crash *crash,
                        char label[FUZZ_TEXT])
{
    unsigned same = 1;
    char other[FUZZ_TEXT];
    for (const struct crash *at = c->crash; at < crash; at++)
        same += !strcmp(fuzz_target_label(c->target, &at->result, other), label);
    size_t len = strlen(label);
    if (same > 1)
        snprintf(label + len, FUZZ_TEXT - len, "-%u", same);
}

static int keep(struct collection *c, const struct fuzz_options *o, struct crash *crash,
                struct why *why)
{
    char label[FUZZ_TEXT], what[FUZZ_TEXT], path[4096];
    struct fuzz_found found = {label, what, &crash->input, fuzz_target_is_linux(c->target)};
    fuzz_minimise(fuzz_target_guest(c->target), crash->input.bytes, &crash->input.len,
                  FUZZ_MINIMISE_RUNS);
    fuzz_target_label(c->target, &crash->result, label);
    distinguish(c, crash, label);
    fuzz_target_tell(c->target, &crash->result, what);
    snprintf(path, sizeof(path), "%.3000s/found/%s", o->output, label);
    int err = fuzz_write_file(path, crash->input.bytes, crash->input.len, why);
    if (!err)
        err = fuzz_write_test(o, &found, why);
    if (!err)
        printf("%s: %zu bytes: %s\n", path, crash->input.len, what);
    return err;
}

int fuzz_collect(const struct fuzz_options *o, struct fuzz_target *target, struct why *why)
{
    struct collection *c = calloc(1, sizeof(*c));
    char folder[4096];
    if (!c)
        return why_fail(why, -ENOMEM, "no memory");
    c->target = target;
    int err = gather(c, o->output, why);
    snprintf(folder, sizeof(folder), "%.4000s/found", o->output);
    if (!err && c->crashes && mkdir(folder, 0777) && errno != EEXIST)
        err = why_fail(why, -errno, "%s: %s", folder, strerror(errno));
    for (unsigned i = 0; !err && i < c->crashes; i++)
        err = keep(c, o, &c->crash[i], why);
    int found = (int)c->crashes;
    for (unsigned i = 0; i < c->crashes; i++)
        free(c->crash[i].input.bytes);
    free(c);
    return err ? err : found;
}
