/* SPDX-License-Identifier: MIT */
/* Collecting in a worker. */
#include "emu/test/cover.h"

#include "dbt/dbt.h"
#include "emu/debug/coverage.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAMS_MAX 256u

struct program {
    struct run_files files; /* of its own */
    struct coverage *coverage;
    struct engine *engine;
};

struct cover {
    struct program program[PROGRAMS_MAX];
    unsigned programs;
};

int cover_create(struct cover **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void cover_destroy(struct cover *cover)
{
    for (unsigned i = 0; cover && i < cover->programs; i++) {
        struct program *p = &cover->program[i];
        p->engine->ops->destroy(p->engine);
        coverage_destroy(p->coverage);
        run_files_free(&p->files);
    }
    free(cover);
}

static int make_program(struct program *p, const struct run_files *files, struct why *why)
{
    struct engine_options options = {.count = true};
    struct why ignored;
    if (run_files_copy(files, &p->files) || coverage_create(&p->coverage)) {
        run_files_free(&p->files);
        return why_fail(why, -ENOMEM, "no memory");
    }
    for (unsigned i = 0; i < p->files.count; i++) {
        const struct target_file *f = &p->files.file[i];
        if (coverage_add_file(p->coverage, f->path, target_file_place(f), f->offset, &ignored))
            continue; /* no ELF file: its code lies elsewhere */
    }
    options.coverage = coverage_engine(p->coverage);
    int err = dbt_create(&options, &p->engine);
    if (!err)
        return 0;
    coverage_destroy(p->coverage);
    run_files_free(&p->files);
    return why_fail(why, err, "coverage needs the translator, which this host cannot have: %s",
                    strerror(-err));
}

int cover_engine(struct cover *cover, const struct run_files *files, struct engine **out,
                 struct why *why)
{
    for (unsigned i = 0; i < cover->programs; i++) {
        if (run_files_are_same(&cover->program[i].files, files)) {
            *out = cover->program[i].engine;
            return 0;
        }
    }
    if (cover->programs == PROGRAMS_MAX)
        return why_fail(why, -ENOSPC, "coverage of more than %u programs", PROGRAMS_MAX);
    struct program *p = &cover->program[cover->programs];
    int err = make_program(p, files, why);
    if (err)
        return err;
    cover->programs++;
    *out = p->engine;
    return 0;
}

int cover_write(struct cover *cover, const char *folder, unsigned worker, bool lcov, bool drcov,
                struct why *why)
{
    char path[2][4096];
    int err = 0;
    for (unsigned i = 0; !err && i < cover->programs; i++) {
        struct coverage *c = cover->program[i].coverage;
        snprintf(path[0], sizeof(path[0]), "%s/lcov-%u-%u-%d", folder, worker, i, (int)getpid());
        snprintf(path[1], sizeof(path[1]), "%s/drcov-%u-%u-%d", folder, worker, i, (int)getpid());
        if (lcov)
            err = coverage_open(c, COVERAGE_LCOV, path[0], why);
        if (!err && drcov)
            err = coverage_open(c, COVERAGE_DRCOV, path[1], why);
        if (!err)
            err = coverage_write(c, why);
    }
    return err;
}

/* ---- parts ---- */

static int read_part(const char *folder, const char *name, struct buffer *out)
{
    char path[4096], part[65536];
    size_t n;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rbe");
    if (!file)
        return -errno;
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        buffer_add(out, part, n);
    fclose(file);
    return out->failed ? -ENOMEM : 0;
}

int cover_each_part(const char *folder, const char *begin, cover_part_fn fn, void *opaque)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, NULL, alphasort), err = n < 0 ? -errno : 0;
    for (int i = 0; i < n; i++) {
        struct buffer text = {0};
        if (!err && !strncmp(entry[i]->d_name, begin, strlen(begin))) {
            err = read_part(folder, entry[i]->d_name, &text);
            if (!err)
                err = fn(opaque, &text);
        }
        buffer_free(&text);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    return err;
}

void cover_remove(const char *folder)
{
    struct dirent **entry;
    char path[4096];
    int n = scandir(folder, &entry, NULL, NULL);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry[i]->d_name);
        if (strstr(entry[i]->d_name, "cov-"))
            unlink(path);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    rmdir(folder);
}
